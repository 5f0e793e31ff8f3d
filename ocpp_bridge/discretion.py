"""What a charger tells of itself and nobody should read: some give their passwords away when they are asked for their keys."""

from __future__ import annotations

from typing import Any

SECRET = ("password", "authorizationkey", "secret", "privatekey")


def shown(key: str, value: Any) -> Any:
    """The value of a configuration key or variable, unless its name says that it is a secret."""
    return "(not shown)" if any(word in key.lower() for word in SECRET) else value
