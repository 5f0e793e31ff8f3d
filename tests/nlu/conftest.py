"""A MongoDB for the checks of the tracker store."""

from __future__ import annotations

from tests.stores.fixtures import mongo_stand_in, mongo_url

__all__ = ["mongo_stand_in", "mongo_url"]
