"""What the bridge counts, for Prometheus. A registry of its own, so that several bridges fit into one process (tests)."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

log = structlog.get_logger(__name__)
P = ParamSpec("P")
_SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)


def harmless(count: Callable[P, None]) -> Callable[P, None]:
    """Counting must never cost a session: what it raises is logged and forgotten."""

    @wraps(count)
    def counted(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            count(*args, **kwargs)
        except Exception:  # whatever the library raises
            log.exception("not_counted", what=count.__name__)

    return counted


class Metrics:
    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.connected = Gauge("bridge_chargers_connected", "Chargers connected now.", registry=self.registry)
        self._connections = Counter("bridge_connections", "Connections by end.", ["result"], registry=self.registry)
        self._inbound = Counter(
            "bridge_charger_calls", "Calls by chargers.", ["action", "result"], registry=self.registry
        )
        self._inbound_by: dict[tuple[str, str], Counter] = {}  # finding a label's counter costs more than counting
        self._calls = Histogram(
            "bridge_call_seconds",
            "Calls to chargers, from request to end.",
            ["action", "outcome"],
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.queued = Gauge("bridge_calls_queued", "Calls of ours that wait or are unanswered.", registry=self.registry)
        self._timeouts = Counter(
            "bridge_call_timeouts", "Calls that got no answer.", ["action"], registry=self.registry
        )
        self._reconnects = Counter(
            "bridge_reconnects", "Connections of chargers that had been connected before.", registry=self.registry
        )
        self._lost = Gauge(
            "bridge_lost_records", "Records left out for want of room or disk.", ["of"], registry=self.registry
        )
        self._pong = Histogram(
            "bridge_pong_seconds",
            "Round-trip time of pings to chargers.",
            buckets=(0.005, 0.025, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
            registry=self.registry,
        )
        self._deviations = Counter(
            "bridge_deviations", "Departures from OCPP by kind.", ["kind"], registry=self.registry
        )
        self._commands = Counter("bridge_commands", "Commands by end.", ["action", "outcome"], registry=self.registry)
        self._refused = Counter("bridge_commands_refused", "Refusals by rule.", ["rule"], registry=self.registry)
        self._watches = Counter("bridge_events_posted", "Posts to the front door.", ["result"], registry=self.registry)

    @harmless
    def connection(self, result: str) -> None:
        self._connections.labels(result).inc()

    @harmless
    def reconnect(self) -> None:
        self._reconnects.inc()

    @harmless
    def connected_now(self, count: int) -> None:
        self.connected.set(count)

    @harmless
    def under_way(self, change: int) -> None:
        """Calls of ours asked for and not ended yet, over all chargers."""
        self.queued.inc(change)

    def lost(self, of: str, count: Callable[[], int]) -> None:
        """`count`, in all since the start, is asked for when somebody looks."""
        self._lost.labels(of).set_function(count)

    @harmless
    def inbound(self, action: str, result: str) -> None:
        """`action` must be one that the version knows: labels are kept for ever."""
        counter = self._inbound_by.get((action, result))
        if counter is None:
            counter = self._inbound_by[action, result] = self._inbound.labels(action, result)
        counter.inc()

    @harmless
    def call_finished(self, action: str, outcome: str, seconds: float) -> None:
        self._calls.labels(action, outcome).observe(seconds)
        if outcome == "TimedOut":
            self._timeouts.labels(action).inc()

    @harmless
    def pong(self, seconds: float) -> None:
        self._pong.observe(seconds)

    @harmless
    def deviation(self, kind: str) -> None:
        self._deviations.labels(kind).inc()

    @harmless
    def command_finished(self, action: str, outcome: str, rule: str | None) -> None:
        self._commands.labels(action, outcome).inc()
        if rule is not None:
            self._refused.labels(rule).inc()

    @harmless
    def event_posted(self, result: str) -> None:
        self._watches.labels(result).inc()

    def text(self) -> bytes:
        return generate_latest(self.registry)
