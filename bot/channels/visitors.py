"""The web page's visitors: a signed cookie that the server made, and whether a request comes from our own page. Pure."""

from __future__ import annotations

import hashlib
import hmac
import re
from urllib.parse import urlsplit

COOKIE = "chargeline_visitor"
MAX_AGE_S = 90 * 24 * 3600
_VALUE = re.compile(r"(vis_[0-9a-z]{26})\.([0-9]{1,12})\.([0-9a-f]{64})")


def _digest(key: bytes, visitor: str, issued: int) -> str:
    return hmac.new(key, f"{visitor}.{issued}".encode(), hashlib.sha256).hexdigest()


def cookie_value(key: bytes, visitor: str, issued: int) -> str:
    """`issued`: Unix seconds."""
    return f"{visitor}.{issued}.{_digest(key, visitor, issued)}"


def visitor_of(key: bytes, value: str | None, now: float) -> str | None:
    """The visitor whom the cookie names, or None where it is missing, forged or too old."""
    found = _VALUE.fullmatch(value or "")
    if found is None:
        return None
    visitor, issued, digest = found.group(1), int(found.group(2)), found.group(3)
    if not hmac.compare_digest(digest, _digest(key, visitor, issued)):
        return None
    return visitor if issued <= now + 60 and now - issued <= MAX_AGE_S else None


def is_own_origin(origin: str | None, host: str, public_base_url: str) -> bool:
    """Whether an Origin header is our page's. Absent: no browser sent it from another site, so there is nothing to refuse."""
    if origin is None:
        return True
    try:
        given, public = urlsplit(origin), urlsplit(public_base_url)
    except ValueError:
        return False
    if given.scheme not in {"http", "https"} or not given.netloc:
        return False
    return (given.scheme, given.netloc.lower()) == (public.scheme, public.netloc.lower()) or (
        given.netloc.lower() == host.lower()
    )
