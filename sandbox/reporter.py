"""The words that a station and its protocol share: what is told, what is asked, and what configuration can change."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Protocol

from sandbox.connector import Authorisation, Status, Transaction
from sandbox.tokens import IdInfo, TokenPolicy

Context = Literal["Sample.Periodic", "Transaction.Begin", "Transaction.End", "Trigger"]


class NotPossible(Exception):
    """What was asked cannot be done at this charger now; the message says why."""


class Offline(Exception):
    """The central system cannot be asked now."""


@dataclass(frozen=True, slots=True)
class Sample:
    at: datetime
    context: Context
    energy_wh: int
    power_w: float
    voltage_v: float
    current_a: float
    soc: float | None  # percent; only direct current tells


@dataclass(frozen=True, slots=True)
class Shown:
    """What a connector (or, as number 0, the charger) reports of itself."""

    status: Status
    error_code: str = "NoError"


@dataclass(slots=True)
class Behaviour:
    """What configuration can change, by neutral names; each protocol maps its own keys to these."""

    connection_timeout_s: float = 60.0
    meter_interval_s: float = 15.0
    authorize_remote_starts: bool = True
    stop_on_refused_token: bool = True
    local_list_limit: int = 200
    tokens: TokenPolicy = field(default_factory=TokenPolicy)


class Reporter(Protocol):
    """A protocol, as its station sees it. The calls come in the order of what happened, each after the fact."""

    @property
    def online(self) -> bool: ...
    async def authorize(self, token: str) -> IdInfo:
        """Raises Offline."""
        ...

    def status_changed(self, number: int) -> None: ...
    def plugged(self, number: int) -> None: ...
    def unplugged(self, number: int) -> None: ...
    def authorisation_waits(self, number: int, authorisation: Authorisation) -> None:
        """A token may charge and waits for its plug."""
        ...

    def authorisation_lapsed(self, number: int) -> None:
        """No plug came in time."""
        ...

    def transaction_began(self, transaction: Transaction) -> None: ...
    def transaction_metered(self, transaction: Transaction, sample: Sample) -> None: ...
    def transaction_ended(self, transaction: Transaction, sample: Sample) -> None: ...


class Unmoved:
    """What a version may pass over: each does nothing."""

    def connected_again(self) -> None:
        """The line is up and the boot accepted; statuses follow."""

    def disconnected(self) -> None:
        """The line is gone."""

    def plugged(self, number: int) -> None: ...
    def unplugged(self, number: int) -> None: ...
    def authorisation_waits(self, number: int, authorisation: Authorisation) -> None: ...
    def authorisation_lapsed(self, number: int) -> None: ...
