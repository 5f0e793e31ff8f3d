"""API keys and scopes: read < driver < operator. Each key comes from a setting; an empty setting opens nothing."""

from __future__ import annotations

from typing import Literal

from sanic import Request

from chargeline.settings import Settings
from chargeline.web import Problem, bearer_key, same_secret

Scope = Literal["read", "driver", "operator"]
_RANK: dict[str, int] = {"read": 0, "driver": 1, "operator": 2}


class Keys:
    def __init__(self, settings: Settings) -> None:
        self._keys: tuple[tuple[Scope, str], ...] = (
            ("operator", settings.bridge_operator_key),
            ("driver", settings.bridge_driver_key),
            ("read", settings.bridge_read_key),
        )
        self._payment = settings.bridge_payment_key

    def require_payment(self, request: Request) -> None:
        """Only who has seen the money may say that a session is paid; no scope includes it. Raises a 401 Problem."""
        if not same_secret(bearer_key(request), self._payment):
            raise Problem(401, "wrong-key", "This takes the key of the payment side.")

    def require(self, request: Request, needed: Scope) -> Scope:
        """The scope of the request's key. Raises a 401 Problem for an unknown key, 403 where the scope is too small."""
        given = bearer_key(request)
        scope = next((scope for scope, key in self._keys if same_secret(given, key)), None)
        if scope is None:
            raise Problem(401, "wrong-key", "This key is not known.")
        if _RANK[scope] < _RANK[needed]:
            raise Problem(403, "scope-too-small", f"This needs a key with scope {needed}.")
        return scope
