"""The facts of one charger at one moment, gathered once; `causes.py` judges them, `api/diagnosis.py` shows them.

Attempts are the newest first. A driver's own tokens decide what "own" means: without a driver and a token nobody's is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from ocpp_bridge.model import Attempt, Boot, Charger, Command, Connector, Hold, Session, Site, Status, Token
from ocpp_bridge.picture import ConnectionState, LiveCharger, Picture
from ocpp_bridge.store.base import BridgeStore

RECENT_COMMANDS = timedelta(hours=1)
ATTEMPTS_SHOWN = 20
_TELL_LIST_VERSION = frozenset({"get_local_list_version", "send_local_list"})
RETURN_S = 60.0  # a socket that came less than this ago has hardly told anything yet


@dataclass(frozen=True, slots=True)
class Connectivity:
    """`since` is when the present state began; ages are seconds; None: not known or never."""

    state: ConnectionState
    since: datetime | None
    last_frame_at: datetime | None
    last_pong_at: datetime | None
    latency_s: float | None

    @property
    def connected(self) -> bool:
        return self.state == "connected"


@dataclass(frozen=True, slots=True)
class SitePicture:
    """The site's chargers, this one among them. `gone` were connected once and are not now; `never` never were."""

    site: Site | None
    chargers: int
    gone: tuple[str, ...]
    never: tuple[str, ...]
    out_of_order: tuple[str, ...]
    free: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Facts:
    charger: Charger
    now: datetime
    connectivity: Connectivity
    boot: Boot | None
    connectors: Sequence[Connector]
    statuses: Mapping[int, Status]
    sessions: Sequence[Session]
    connector: int | None
    driver: str | None
    own_tokens: Sequence[Token]
    attempts: Sequence[Attempt]
    own_attempts: Sequence[Attempt]
    commands: Sequence[Command]
    site: SitePicture
    local_list_version: int | None = None
    own_sessions_elsewhere: Sequence[Session] = ()
    hold: Hold | None = None  # what keeps the connector out of service on purpose

    def age_s(self, moment: datetime | None) -> float | None:
        return None if moment is None else max(0.0, (self.now - moment).total_seconds())

    @property
    def status(self) -> Status | None:
        return self.statuses.get(self.connector) if self.connector is not None else None

    @property
    def whole(self) -> Status | None:
        """What the charger last said of itself as a whole (connector 0)."""
        return self.statuses.get(0)

    @property
    def session(self) -> Session | None:
        """The newest running session on the connector in question."""
        here = [session for session in self.sessions if session.connector == self.connector]
        return here[-1] if here else None

    def is_own(self, session: Session) -> bool:
        """The driver's, or begun with one of the tokens in question."""
        if self.driver is not None and session.driver == self.driver:
            return True
        return session.token.casefold() in {token.id.casefold() for token in self.own_tokens}


def pick_connector(
    given: int | None, live: LiveCharger, connectors: Sequence[Connector], own: Iterable[Token]
) -> int | None:
    """The one that is asked about; else the driver's own session's; else the only one, or the only one with a car at it."""
    if given is not None:
        return given
    tokens = {token.id.casefold() for token in own}
    drivers = {token.driver for token in own}
    for session in live.sessions.values():
        if session.token.casefold() in tokens or (session.driver is not None and session.driver in drivers):
            return session.connector
    numbers = sorted({row.connector for row in connectors} | {number for number in live.statuses if number > 0})
    if len(numbers) == 1:
        return numbers[0]
    preparing = [n for n in numbers if n in live.statuses and live.statuses[n].status == "Preparing"]
    return preparing[0] if len(preparing) == 1 else None


def site_picture(charger: Charger, picture: Picture, now: datetime) -> SitePicture:
    here = [row for row in picture.chargers() if row.site == charger.site] if charger.site else [charger]
    # A power cut takes a site's chargers within seconds: once this one is given up, those that dropped just after it count too.
    given_up = picture.live(charger.id).connection_state(now) == "disconnected"
    away = ("disconnected", "returning") if given_up else ("disconnected",)
    gone: list[str] = []
    never: list[str] = []
    broken: list[str] = []
    free: list[str] = []
    for row in here:
        live = picture.live(row.id)
        if live.link is None:
            if live.boot is None and live.connection_since is None:
                never.append(row.id)
            elif live.connection_state(now) in away:
                gone.append(row.id)
            continue
        statuses = {status.status for status in live.statuses.values()}
        if statuses & {"Faulted", "Unavailable"}:
            broken.append(row.id)
        if "Available" in {status.status for number, status in live.statuses.items() if number > 0}:
            free.append(row.id)
    return SitePicture(picture.site(charger.site), len(here), tuple(gone), tuple(never), tuple(broken), tuple(free))


def connectivity(live: LiveCharger, now: datetime) -> Connectivity:
    link = live.link
    if link is None:
        return Connectivity(live.connection_state(now), live.connection_since, live.last_frame_at, None, None)
    return Connectivity("connected", live.connection_since, link.last_frame_at, link.last_pong_at, link.latency_s)


def local_list_version(commands: Sequence[Command]) -> int | None:
    """What the charger last answered about its local list, asked alone or after one was sent; -1: it has none (OCPP 1.6
    section 5.10)."""
    for command in reversed(commands):
        found = (command.effect or {}).get("version") if command.action in _TELL_LIST_VERSION else None
        if isinstance(found, int):
            return found
    return None


async def gather(
    charger: Charger,
    connector: int | None,
    token: str | None,
    driver: str | None,
    store: BridgeStore,
    picture: Picture,
    now: datetime,
) -> Facts:
    live = picture.live(charger.id)
    own: list[Token] = list(await store.tokens_of(driver)) if driver is not None else []
    if token is not None and token.casefold() not in {row.id.casefold() for row in own}:
        own.append(await store.token(token) or Token(token, "", "Invalid"))  # a card that is not in our records
    elsewhere = [s for row in own for s in picture.active_sessions_of(row.id) if s.charger != charger.id]
    attempts = await store.attempts(charger.id, ATTEMPTS_SHOWN)
    tokens = {row.id.casefold() for row in own}
    commands = await store.recent_commands([charger.id], now - RECENT_COMMANDS)
    given = {row.connector for row in charger.connectors}
    extra = sorted(number for number in live.statuses if number > 0 and number not in given)
    connectors = [*charger.connectors, *(Connector(number, number) for number in extra)]
    asked = pick_connector(connector, live, connectors, own)
    return Facts(
        charger=charger,
        now=now,
        connectivity=connectivity(live, now),
        boot=live.boot,
        connectors=connectors,
        statuses=dict(live.statuses),
        sessions=tuple(live.sessions.values()),
        connector=asked,
        driver=driver,
        own_tokens=own,
        attempts=attempts,
        own_attempts=[row for row in attempts if row.token.casefold() in tokens],
        commands=commands,
        site=site_picture(charger, picture, now),
        local_list_version=local_list_version(commands),
        own_sessions_elsewhere=elsewhere,
        hold=live.hold_on(asked),
    )
