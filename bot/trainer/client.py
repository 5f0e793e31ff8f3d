"""The desk from a terminal: its own API, with a trainer's key, so that commands do what the page does and are kept under the same name."""

from __future__ import annotations

from typing import Any

import httpx

from bot.trainer.signin import read_keys
from chargeline.settings import Settings


class DeskRefused(Exception):
    """What the desk answered, or that it does not answer, in a sentence."""


class DeskClient:
    def __init__(self, settings: Settings, trainer: str | None = None) -> None:
        """`trainer`: whose key of DESK_KEYS is used; the first where none is named. Raises KeysError, DeskRefused."""
        keys = read_keys(settings.desk_keys)
        name = trainer or next(iter(keys))
        if name not in keys:
            raise DeskRefused(f"DESK_KEYS has no trainer called {name}; there are: {', '.join(keys)}")
        self.trainer = name
        self._http = httpx.Client(
            base_url=f"{settings.url_of('desk')}/api/",
            headers={"Authorization": f"Bearer {keys[name]}"},
            timeout=httpx.Timeout(600, connect=5),
            trust_env=False,
        )

    def get(self, path: str, **params: Any) -> Any:
        return self._answer("GET", path, params=params)

    def post(self, path: str, body: Any = None) -> Any:
        return self._answer("POST", path, json=body if body is not None else {})

    def _answer(self, method: str, path: str, **rest: Any) -> Any:
        try:
            response = self._http.request(method, path, **rest)
        except httpx.TransportError as error:
            where = self._http.base_url.host, self._http.base_url.port
            raise DeskRefused(
                f"the desk does not answer at {where[0]}:{where[1]} ({error}); start it with make desk"
            ) from error
        said = response.json() if response.content else None
        if response.is_error:
            raise DeskRefused(str((said or {}).get("detail") or f"HTTP {response.status_code}"))
        return said
