"""Where the bridge keeps what must outlive it: one interface in domain words, one SQLite and one MongoDB behind it."""

from __future__ import annotations

from chargeline.settings import Settings
from ocpp_bridge.store.base import BridgeStore, KeyReused, Telemetry


def open_store(settings: Settings) -> BridgeStore:
    """The store that the settings name; call `open()` on it."""
    if settings.mongodb_url:
        from chargeline.mongo import connect  # the driver is loaded only where it is used
        from ocpp_bridge.store.mongo import MongoStore

        return MongoStore(connect(settings.mongodb_url, settings.mongodb_database))
    from ocpp_bridge.store.sqlite import SqliteStore

    return SqliteStore(settings.var / "bridge.sqlite3")


__all__ = ["BridgeStore", "KeyReused", "Telemetry", "open_store"]
