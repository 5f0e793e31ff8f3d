"""The gate over generated histories: several drivers and an operator, a charger that lies, time that passes.

The machine keeps its own books of what the bridge was told, apart from the gate's code, and holds every allowed act against
the rules of the design: no unlock while a transaction runs or current flows, stop and unlock of one's own only, resets that
touch no neighbour and keep their rates, no start on trouble or twice, no free energy, nothing while boot is pending,
operators' acts by operators only, nothing but a person after danger.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, get_args

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from ocpp_bridge.model import Actor, Boot, Command, ConnectorStatus, Hold, Reading, Session, Status, Token
from ocpp_bridge.safety import Snapshot, decide

DRIVERS = ("drv-ada", "drv-ben", "guest:web_1")
TOKENS = {
    "ADA": Token("ADA", "drv-ada"),
    "BEN": Token("BEN", "drv-ben"),
    "BAD": Token("BAD", "drv-ada", status="Blocked"),
    "GUEST": Token("GUEST", "guest:web_1", guest=True),
}
OPERATOR_ONLY = {"inoperative", "send_local_list", "clear_cache", "get_configuration", "get_diagnostics", "get_log"}
ACTIONS = sorted(
    {"start", "stop", "unlock", "reset", "operative", "trigger", "reserve", "get_local_list_version", *OPERATOR_ONLY}
)
OUTCOMES = ("verified", "timed_out", "rejected", "accepted_no_effect", "disconnected", "")
connectors = st.sampled_from([1, 2])
actors = st.one_of(
    st.builds(Actor, st.sampled_from([*DRIVERS, None]), st.integers(-1, 4)),
    st.just(Actor(None, 4, operator=True)),
)


class Histories(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.now = datetime(2026, 1, 1, tzinfo=UTC)
        self.statuses: dict[int, Status] = {}
        self.readings: dict[int, Reading] = {}
        self.sessions: list[Session] = []
        self.holds: dict[int, Hold] = {}
        self.boot = Boot("CL", "Accepted", self.now)
        self.commands: list[Command] = []

    # ---- what the charger says, true or not

    @rule(seconds=st.sampled_from([1, 20, 70, 400, 4000]))
    def time_passes(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)

    @rule(connector=connectors, status=st.sampled_from(get_args(ConnectorStatus)))
    def says(self, connector: int, status: Any) -> None:
        self.statuses[connector] = Status("CL", connector, status, self.now)

    @rule(status=st.sampled_from(["Available", "Available", "Preparing", "Faulted", "Unavailable", "Finishing"]))
    def says_of_all(self, status: Any) -> None:
        for connector in (1, 2):
            self.says(connector, status)

    @rule(connector=connectors, watts=st.sampled_from([0.0, 7000.0]))
    def measures(self, connector: int, watts: float) -> None:
        self.readings[connector] = Reading(watts, self.now)

    @rule(connector=connectors, token=st.sampled_from(["ADA", "BEN", "GUEST"]))
    def begins(self, connector: int, token: str) -> None:
        if not self.running(connector):
            n = len(self.sessions)
            driver = TOKENS[token].driver
            session = Session(
                f"s{n}", "CL", connector, token, driver, str(n), f"k{n}", "Accepted", self.now, self.now, 0
            )
            self.sessions.append(session)

    @rule(connector=connectors)
    def ends(self, connector: int) -> None:
        for n, session in enumerate(self.sessions):
            if session.connector == connector and session.state == "active":
                self.sessions[n] = replace(session, state="ended", ended_at=self.now)
                self.readings.pop(connector, None)

    @rule(status=st.sampled_from(["Accepted", "Accepted", "Pending", "Rejected"]))
    def boots(self, status: Any) -> None:
        self.boot = Boot("CL", status, self.now)

    # ---- what is asked for

    @rule(
        actor=actors,
        action=st.sampled_from(ACTIONS),
        connector=connectors,
        token=st.sampled_from(sorted(TOKENS)),
        reason=st.sampled_from(["help", "help", "help", "hazard", "cable_stuck", "plug_wet"]),
        kind=st.sampled_from(["soft", "hard"]),
        pick=st.integers(0, 50),
        outcome=st.sampled_from(OUTCOMES),
    )
    def asks(
        self,
        actor: Actor,
        action: str,
        connector: int,
        token: str,
        reason: str,
        kind: str,
        pick: int,
        outcome: str,
    ) -> None:
        session = self.sessions[pick % len(self.sessions)] if action == "stop" and self.sessions else None
        where = session.connector if session else (None if action == "reset" else connector)
        params = {"kind": kind} if action == "reset" else {"message": "Heartbeat"}
        snapshot = self.snapshot(actor, action, where, token, reason, params, session)
        decision = decide(snapshot)
        assert decision.allowed or (decision.rule and decision.why)
        if decision.allowed:
            self.judge(actor, action, where, token, reason, kind, session)
        state = "refused" if not decision.allowed else {"": "sent"}.get(outcome, outcome)
        if state in {"accepted_no_effect"}:
            state = "not_verified"
        ended = None if state == "sent" else self.now
        command = Command(
            f"c{len(self.commands)}", action, "CL", where, token, session.id if session else None, reason, actor,
            f"k{len(self.commands)}", "h", self.now, state=state, outcome=outcome or None, params=params,  # type: ignore[arg-type]  # one of the states
            sent_at=self.now, finished_at=ended,
        )  # fmt: skip
        self.commands.append(command)
        if decision.allowed and action == "inoperative":
            held = self.holds.get(connector)
            if held is None or held.reason != "hazard":
                why: Any = "hazard" if reason == "hazard" else "operator"
                self.holds[connector] = Hold("CL", connector, why, self.now, command.id)

    @rule(
        connector=connectors,
        token=st.sampled_from(["ADA", "BEN"]),
        status=st.sampled_from(["Preparing", "Preparing", "Available", "Charging", "Faulted", None]),
        outcome=st.sampled_from(OUTCOMES),
    )
    def wants_a_start(self, connector: int, token: str, status: Any, outcome: str) -> None:
        if status is not None:
            self.says(connector, status)
        self.asks(Actor(TOKENS[token].driver, 1), "start", connector, token, "help", "soft", 0, outcome)

    @rule(
        connector=connectors,
        status=st.sampled_from(["Finishing", "Available", "Charging", "Faulted", None]),
        stranger=st.booleans(),
        outcome=st.sampled_from(OUTCOMES),
    )
    def wants_an_unlock(self, connector: int, status: Any, stranger: bool, outcome: str) -> None:
        if status is not None:
            self.says(connector, status)
        last = self.last(connector)
        driver = last.driver if last and not stranger else "drv-eve"
        self.asks(Actor(driver, 2), "unlock", connector, "ADA", "help", "soft", 0, outcome)

    @rule(
        status=st.sampled_from(["Faulted", "Unavailable", "Available", "Charging"]),
        other=st.sampled_from(["Available", "Faulted", "Charging"]),
        actor=st.sampled_from([Actor("drv-ada", 1), Actor(None, 4, operator=True)]),
        kind=st.sampled_from(["soft", "hard"]),
        outcome=st.sampled_from(OUTCOMES),
    )
    def wants_a_reset(self, status: Any, other: Any, actor: Actor, kind: str, outcome: str) -> None:
        self.says(1, status)
        self.says(2, other)
        self.asks(actor, "reset", 1, "ADA", "help", kind, 0, outcome)

    @rule(connector=connectors, driver=st.sampled_from(DRIVERS), action=st.sampled_from(["stop", "inoperative"]))
    def reports_danger(self, connector: int, driver: str, action: str) -> None:
        if any(c.reason == "hazard" for c in self.done(action, 400)):
            return  # seldom, or nothing else would ever be allowed
        self.asks(Actor(driver, 0), action, connector, "ADA", "hazard", "soft", connector, "verified")

    @rule()
    def a_person_has_looked(self) -> None:
        self.holds.clear()
        for connector in (1, 2):
            self.ends(connector)

    @rule()
    def what_is_under_way_ends(self) -> None:
        self.commands = [
            replace(c, state="verified", outcome="verified", finished_at=self.now) if not c.finished else c
            for c in self.commands
        ]

    # ---- the machine's own books

    def running(self, connector: int | None = None) -> list[Session]:
        return [s for s in self.sessions if s.state == "active" and connector in (None, s.connector)]

    def last(self, connector: int) -> Session | None:
        return next((s for s in reversed(self.sessions) if s.connector == connector), None)

    def done(self, action: str, seconds: float) -> list[Command]:
        since = self.now - timedelta(seconds=seconds)
        return [c for c in self.commands if c.action == action and c.state != "refused" and c.created_at > since]

    def seen(self, connector: int) -> str | None:
        """The status that the bridge has of the connector, if it is not older than a minute."""
        status = self.statuses.get(connector)
        fresh = status is not None and self.now - status.at <= timedelta(seconds=60)
        return status.status if status is not None and fresh else None

    def snapshot(
        self,
        actor: Actor,
        action: str,
        where: int | None,
        token: str,
        reason: str,
        params: dict[str, Any],
        session: Session | None,
    ) -> Snapshot:
        used = TOKENS[token] if action in ("start", "reserve") else None
        return Snapshot(
            action,
            where,
            actor,
            self.now,
            token=used,
            session=session,
            boot=self.boot,
            status=self.statuses.get(where) if where else None,
            connector_sessions=self.running(where) if where else (),
            token_sessions=[s for s in self.running() if used and s.token == used.id],
            recent=self.commands,
            charger="CL",
            command_id="now",
            reason=reason,
            params=params,
            targets=[where] if where else [1, 2],
            charger_sessions=self.running(),
            statuses=dict(self.statuses),
            readings=dict(self.readings),
            last_session=self.last(where) if where else None,
            holds=dict(self.holds),
        )

    def judge(
        self,
        actor: Actor,
        action: str,
        where: int | None,
        token: str,
        reason: str,
        kind: str,
        session: Session | None,
    ) -> None:
        """Every allowed act against the design's rules."""
        operator, danger = actor.operator, reason == "hazard"
        assert self.boot.status != "Rejected"
        assert self.boot.status == "Accepted" or action in {"trigger", "get_configuration"}
        assert 0 <= actor.tier <= 4
        assert not danger or action in {"stop", "inoperative"}
        if action in OPERATOR_ONLY or (kind == "hard" and action == "reset"):
            assert operator or (action == "inoperative" and danger)
        if danger and not operator:
            mine = {c.connector for c in self.done(action, 3600) if c.reason == "hazard" and c.actor == actor}
            assert mine <= {where}
        if not operator and action in {"start", "unlock", "reset", "operative", "reserve"}:
            touched = {where} if where else {1, 2}
            assert not any(h.reason == "hazard" and n in touched for n, h in self.holds.items())
        if action == "operative" and not operator:
            assert where not in self.holds
            assert self.seen(where or 0) == "Unavailable"
        if action == "stop" and not danger and not operator:
            assert session is not None
            assert session.driver == actor.driver
        if action == "start":
            assert where is not None
            assert operator or reason == "help"
            assert TOKENS[token].status == "Accepted"
            assert not TOKENS[token].guest
            assert operator or TOKENS[token].driver == actor.driver
            assert not self.running(where)
            assert not [s for s in self.running() if s.token == token]
            assert self.seen(where) in {"Available", "Preparing"}
            for other in self.done("start", 3600):
                assert other.finished or other.connector != where
                unclear = other.outcome in {"timed_out", "disconnected", "accepted_no_effect"}
                if other.connector == where and unclear and other.finished_at:
                    assert self.statuses[where].at >= other.finished_at  # state was read before a second start
        if action == "unlock":
            assert where is not None
            assert not self.running(where)
            assert self.seen(where) not in {None, "Charging", "SuspendedEV", "SuspendedEVSE"}
            assert where not in self.readings or self.readings[where].power_w <= 50
            last = self.last(where)
            assert operator or (last is not None and last.driver == actor.driver is not None)
        if action == "reset":
            assert not self.running()
            assert reason != "cable_stuck"
            for connector in (1, 2):
                assert self.seen(connector) not in {None, "Charging", "SuspendedEV", "SuspendedEVSE"}
                assert connector not in self.readings or self.readings[connector].power_w <= 50
            if kind == "soft":
                softs = [c for c in self.done("reset", 86_400) if c.params["kind"] == "soft"]
                assert len(softs) < 3
                assert not [c for c in softs if c.created_at > self.now - timedelta(minutes=15)]


TestHistories = Histories.TestCase
TestHistories.settings = settings(max_examples=80, stateful_step_count=60, deadline=None)
