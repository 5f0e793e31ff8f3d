"""Signing in at the desk: a key each trainer, whose name is kept with what they do; a signed cookie, or the key itself as a bearer.

A session is signed under the trainer's own key, so one that is taken out of DESK_KEYS ends its sessions too. Pages of other
sites cannot act here: the cookie is SameSite=Strict, and what changes something must come from this page (Origin, Sec-Fetch-Site).
"""

from __future__ import annotations

import hashlib
import re
from urllib.parse import urlsplit

import jwt
from sanic import Blueprint, HTTPResponse, Request
from sanic.response import empty

from bot.identity.rates import Rate
from chargeline.clock import Clock
from chargeline.web import Problem, json_object, json_response, same_secret

COOKIE = "desk"
SESSION_S = 12 * 3600
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._\-]{0,39}")
_SHORTEST_KEY = 12
ALONE = "trainer"  # who acts where DESK_KEYS is one key without a name


class KeysError(ValueError):
    """DESK_KEYS cannot be used; the message says why and never holds a key."""


def read_keys(text: str) -> dict[str, str]:
    """Keys by the trainer's name. Raises KeysError."""
    keys: dict[str, str] = {}
    for number, part in enumerate(filter(None, (one.strip() for one in text.split(","))), 1):
        name, colon, key = part.partition(":")
        name, key = (name.strip(), key.strip()) if colon else (ALONE, part)
        if not _NAME.fullmatch(name):
            raise KeysError(f"DESK_KEYS, entry {number}: a name of letters and digits is expected before the colon")
        if len(key) < _SHORTEST_KEY:
            raise KeysError(
                f"DESK_KEYS, entry {number} ({name}): a key of at least {_SHORTEST_KEY} characters is expected"
            )
        if name in keys or key in keys.values():
            raise KeysError(f"DESK_KEYS, entry {number} ({name}): this name or key is there already")
        keys[name] = key
    if not keys:
        raise KeysError(
            "DESK_KEYS is empty: give each trainer a key (ada:<key>,ben:<key>), or start with make run, which makes one"
        )
    return keys


class SignIn:
    def __init__(self, keys: dict[str, str], clock: Clock) -> None:
        self._keys = keys
        self._clock = clock
        self._by_caller = Rate(burst=5, per_s=1 / 30)
        self._by_all = Rate(burst=50, per_s=1 / 3)  # many addresses are no way round

    def trainer_of_key(self, given: str) -> str | None:
        found = None
        for name, key in self._keys.items():  # all of them, so that the time says nothing
            found = name if same_secret(given, key) else found
        return found

    def session(self, trainer: str) -> str:
        now = int(self._clock.now().timestamp())
        claims = {"sub": trainer, "iat": now, "exp": now + SESSION_S}
        return jwt.encode(claims, self._secret(trainer), algorithm="HS256")

    def trainer_of_session(self, token: str) -> str | None:
        """None for a session that is over, of a key that is gone, or not ours."""
        try:
            name = str(jwt.decode(token, options={"verify_signature": False}).get("sub"))
            if name not in self._keys:
                return None
            claims = jwt.decode(
                token,
                self._secret(name),
                algorithms=["HS256"],
                options={"require": ["sub", "exp"], "verify_exp": False, "verify_iat": False},
            )
        except (jwt.InvalidTokenError, ValueError):
            return None
        return name if float(claims["exp"]) > self._clock.now().timestamp() else None

    def may_try(self, caller: str) -> bool:
        now = self._clock.monotonic()
        return self._by_caller.take(caller, now) and self._by_all.take("all", now)

    def _secret(self, trainer: str) -> bytes:
        return hashlib.sha256(b"desk session\0" + self._keys[trainer].encode()).digest()


def trainer_of(request: Request, signin: SignIn) -> str:
    """Who asks. Raises a 401 Problem for nobody, a 403 one for a page of another site."""
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        # A bearer is no browser that another page could make act; its tries are counted as sign-ins are.
        name = signin.trainer_of_key(key.strip())
        if name is None:
            if not signin.may_try(request.ip):
                raise too_many()
            raise Problem(401, "wrong-key", "This key opens nothing here.")
        return name
    name = signin.trainer_of_session(request.cookies.get(COOKIE) or "")
    if name is None:
        raise Problem(401, "not-signed-in", "Sign in first.")
    if request.method not in {"GET", "HEAD"}:
        refuse_foreign(request)
    return name


def refuse_foreign(request: Request) -> None:
    """Raises a 403 Problem where a page of another site sends the request."""
    origin, site = request.headers.get("origin"), request.headers.get("sec-fetch-site")
    if site not in {None, "same-origin"} or (origin is not None and urlsplit(origin).netloc != request.host):
        raise Problem(403, "foreign-page", "Only the desk's own page may do this.")


def too_many() -> Problem:
    return Problem(429, "too-many-tries", "Too many tries. Wait half a minute and try again.")


def blueprint(signin: SignIn) -> Blueprint:
    routes = Blueprint("signin", url_prefix="/signin")

    @routes.post("", name="in")
    async def sign_in(request: Request) -> HTTPResponse:
        refuse_foreign(request)
        if not signin.may_try(request.ip):
            raise too_many()
        key = json_object(request, limit=4096).get("key")
        name = signin.trainer_of_key(key.strip()) if isinstance(key, str) else None
        if name is None:
            raise Problem(401, "wrong-key", "This key opens nothing here. Whoever runs Chargeline can tell you yours.")
        response = json_response({"trainer": name})
        response.add_cookie(
            COOKIE,
            signin.session(name),
            path="/",
            httponly=True,
            samesite="Strict",
            secure=request.scheme == "https",
            max_age=SESSION_S,
        )
        return response

    @routes.delete("", name="out")
    async def sign_out(request: Request) -> HTTPResponse:
        refuse_foreign(request)
        response = empty()
        response.add_cookie(
            COOKIE, "", path="/", httponly=True, samesite="Strict", secure=request.scheme == "https", max_age=0
        )
        return response

    return routes
