"""What a charger knows of id tokens by itself: its local list and its cache, and when they may decide (OCPP 1.6 section 3.5)."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

ListUpdate = Literal["Accepted", "Failed", "VersionMismatch"]


@dataclass(frozen=True, slots=True)
class IdInfo:
    """`status`: Accepted, Blocked, Expired, Invalid, ConcurrentTx (1.6) or what a later version adds."""

    status: str
    parent: str | None = None
    expires_at: datetime | None = None

    def at(self, now: datetime) -> IdInfo:
        """The same, Expired once its time has come."""
        if self.status == "Accepted" and self.expires_at is not None and self.expires_at <= now:
            return IdInfo("Expired", self.parent, self.expires_at)
        return self


@dataclass(slots=True)
class TokenPolicy:
    local_list: bool = True
    cache: bool = True
    decide_when_online: bool = False  # LocalPreAuthorize: a known good token need not be asked for
    decide_when_offline: bool = True  # LocalAuthorizeOffline
    unknown_when_offline: bool = False  # AllowOfflineTxForUnknownId


@dataclass(slots=True)
class TokenBook:
    version: int = 0
    entries: dict[str, IdInfo] = field(default_factory=dict)
    cache: dict[str, IdInfo] = field(default_factory=dict)

    def decide(self, token: str, *, online: bool, policy: TokenPolicy, now: datetime) -> IdInfo | None:
        """What the charger decides without asking, or None: the central system is to be asked."""
        known: IdInfo | None = None
        if policy.local_list:
            known = self.entries.get(token)
        if known is None and policy.cache:
            known = self.cache.get(token)
        known = known.at(now) if known is not None else None
        if online:
            return known if policy.decide_when_online and known is not None and known.status == "Accepted" else None
        if known is not None and policy.decide_when_offline:
            return known
        return IdInfo("Accepted" if policy.unknown_when_offline and known is None else "Invalid")

    def remember(self, token: str, info: IdInfo) -> None:
        """What the central system said last goes into the cache; the list's own tokens do not."""
        if token not in self.entries:
            self.cache[token] = info

    def forget(self) -> None:
        self.version = 0
        self.entries.clear()
        self.cache.clear()

    def update(self, version: int, changes: dict[str, IdInfo | None], *, full: bool, limit: int) -> ListUpdate:
        """A full list replaces, a differential one changes (None takes a token out) and must have a newer version."""
        if not full and version <= self.version:
            return "VersionMismatch"
        base = {} if full else dict(self.entries)
        for token, info in changes.items():
            if info is None:
                base.pop(token, None)
            else:
                base[token] = info
        if len(base) > limit:
            return "Failed"
        self.entries, self.version = base, version
        return "Accepted"
