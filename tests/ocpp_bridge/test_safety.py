"""The gate: each rule, each with what someone would try against it; and what holds for any snapshot whatever."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ocpp_bridge import safety
from ocpp_bridge.model import Actor, Boot, Command, ConnectorStatus, Session, Status, Token
from ocpp_bridge.safety import Snapshot, decide

NOW = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
ADA = Actor("drv-ada", 1)
TOKEN = Token("TAGADA", "drv-ada")


def ago(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


def status(name: str = "Preparing", age_s: float = 5, connector: int = 1) -> Status:
    return Status("CL-1", connector, name, ago(age_s))  # type: ignore[arg-type]  # tests name statuses by text


def session(driver: str | None = "drv-ada", **changes: Any) -> Session:
    base = Session("ses_1", "CL-1", 1, "TAGADA", driver, "1", "k", "Accepted", ago(600), ago(600), 0.0)
    return replace(base, **changes)


def command(number: int = 1, **changes: Any) -> Command:
    base = Command(
        f"cmd_{number}", "start", "CL-1", 1, "TAGADA", None, "", ADA, f"k{number}", "h", ago(100), state="verified"
    )
    return replace(base, **changes)


def start(**changes: Any) -> Snapshot:
    base = Snapshot(
        "start",
        1,
        ADA,
        NOW,
        token=TOKEN,
        boot=Boot("CL-1", "Accepted", ago(1000)),
        status=status(),
        charger="CL-1",
        command_id="cmd_now",
    )
    return replace(base, **changes)


def stop(**changes: Any) -> Snapshot:
    return start(action="stop", token=None, session=session(), **changes)


def refused(snapshot: Snapshot) -> str | None:
    return decide(snapshot).rule


def test_a_plain_start_and_a_plain_stop_are_allowed() -> None:
    assert decide(start()).allowed
    assert decide(stop()).allowed


def test_an_action_without_rules_is_refused() -> None:
    assert refused(start(action="explode")) == "unknown-action"


@pytest.mark.parametrize("tier", [-1, 5, 99, True, None, "4", 1.0])
def test_unknown_tier(tier: Any) -> None:
    assert refused(start(actor=Actor("drv-ada", tier))) == "unknown-tier"
    assert refused(stop(actor=Actor("drv-ada", tier))) == "unknown-tier"


def test_nobody_is_an_operator_by_saying_so() -> None:
    assert refused(stop(actor=Actor("drv-ben", 4))) == "unknown-tier"
    assert decide(stop(actor=Actor(None, 4, operator=True))).allowed


@pytest.mark.parametrize("owner", ["drv-ben", None, "", "DRV-ADA", "drv-ada "])
def test_own_session_only(owner: str | None) -> None:
    assert refused(replace(stop(), session=session(owner))) == "own-session-only"


def test_own_session_only_without_a_session_or_a_name() -> None:
    assert refused(replace(stop(), session=None)) == "own-session-only"
    assert refused(replace(stop(actor=Actor(None, 2)), session=session(None))) == "own-session-only"
    assert refused(stop(actor=Actor("drv-ada", 0))) == "own-session-only"


def test_a_start_takes_the_drivers_own_token() -> None:
    assert refused(start(token=Token("TAGBEN", "drv-ben"))) == "own-session-only"
    assert refused(start(actor=Actor("drv-ada", 0))) == "own-session-only"
    assert refused(start(actor=Actor(None, 1))) == "own-session-only"


@pytest.mark.parametrize(
    "token",
    [
        None,
        replace(TOKEN, status="Blocked"),
        replace(TOKEN, status="accepted"),
        replace(TOKEN, status=""),
        replace(TOKEN, expires_at=NOW),
        replace(TOKEN, guest=True),
    ],
)
def test_no_free_energy(token: Token | None) -> None:
    assert refused(start(token=token)) == "no-free-energy"


def test_no_free_energy_binds_operators_too() -> None:
    operator = Actor(None, 4, operator=True)
    assert refused(start(actor=operator, token=replace(TOKEN, status="Blocked"))) == "no-free-energy"


def test_a_guest_charges_on_the_own_guest_token_where_that_is_on() -> None:
    guest = Actor("guest:web_1", 0)
    token = Token("GUEST1", "guest:web_1", guest=True)
    assert decide(start(actor=guest, token=token, guest_starts=True)).allowed
    assert refused(start(actor=guest, token=token)) == "no-free-energy"
    assert refused(start(actor=Actor("guest:web_2", 0), token=token, guest_starts=True)) == "own-session-only"


def test_once_while_a_command_is_under_way() -> None:
    for state in ("queued", "sent", "answered"):
        assert refused(start(recent=[command(state=state)])) == "once"
    assert decide(start(recent=[command(state="answered", connector=2)])).allowed
    assert decide(start(recent=[command(state="answered", charger="CL-2")])).allowed
    assert decide(start(recent=[command(state="queued", id="cmd_now")])).allowed
    under_way = command(action="stop", session="ses_1", state="sent")
    assert refused(stop(recent=[under_way])) == "once"


def test_once_while_the_token_charges_elsewhere() -> None:
    assert refused(start(token_sessions=[session(charger="CL-9")])) == "once"


def test_rate_counts_per_driver_over_chargers_and_per_charger_over_drivers() -> None:
    mine = [command(n, charger=f"CL-{n + 2}") for n in range(5)]
    assert refused(start(recent=mine)) == "rate"
    assert decide(start(recent=mine[:4])).allowed
    assert decide(start(recent=[replace(c, created_at=ago(601)) for c in mine])).allowed
    assert decide(start(recent=[replace(c, state="refused") for c in mine])).allowed
    others = [command(n, actor=Actor(f"drv-{n}", 1), connector=2) for n in range(12)]
    assert refused(start(recent=others)) == "rate"
    assert refused(start(recent=others, actor=Actor(None, 4, operator=True))) == "rate"


@pytest.mark.parametrize("boot", ["Pending", "Rejected"])
def test_boot_pending(boot: Any) -> None:
    assert refused(start(boot=Boot("CL-1", boot, NOW))) == "boot-pending"
    assert refused(stop(boot=Boot("CL-1", boot, NOW))) == "boot-pending"


def test_fresh_eyes() -> None:
    assert refused(start(status=None)) == "fresh-eyes"
    assert refused(start(status=status(age_s=61))) == "fresh-eyes"
    assert refused(start(status=status(age_s=-3600))) == "fresh-eyes"
    assert decide(start(status=status(age_s=59))).allowed
    assert decide(start(status=status(age_s=3600), status_current=True)).allowed


@pytest.mark.parametrize("outcome", sorted(safety.AMBIGUOUS))
def test_fresh_eyes_after_a_command_whose_effect_nobody_knows(outcome: str) -> None:
    lost = command(state="timed_out", outcome=outcome, sent_at=ago(90), finished_at=ago(20))
    assert refused(start(recent=[lost], status=status(age_s=30))) == "fresh-eyes"
    assert decide(start(recent=[lost], status=status(age_s=10))).allowed
    never_sent = replace(lost, sent_at=None)
    assert decide(start(recent=[never_sent], status=status(age_s=30))).allowed


@pytest.mark.parametrize("name", sorted(safety.NO_START))
def test_no_start_on_trouble(name: str) -> None:
    assert refused(start(status=status(name))) == "no-start-on-trouble"
    operator = Actor(None, 4, operator=True)
    assert refused(start(status=status(name), actor=operator)) == "no-start-on-trouble"


def test_no_start_on_trouble_of_the_whole_charger_or_a_running_session_or_no_connector() -> None:
    for name in ("Faulted", "Unavailable"):
        assert refused(start(charger_status=status(name, 9999, 0))) == "no-start-on-trouble"
    assert refused(start(connector_sessions=[session("drv-ben")])) == "no-start-on-trouble"
    assert refused(start(known_connector=False)) == "no-start-on-trouble"


@pytest.mark.parametrize("reason", ["connector_stuck", "plug_hot", "The plug is WET", "report_damage"])
def test_no_start_on_a_plug_that_the_driver_reports_unfit(reason: str) -> None:
    assert refused(start(reason=reason)) == "no-start-on-trouble"
    assert decide(start(reason="session_not_starting, cable shot in")).allowed


def test_a_stop_is_allowed_whatever_the_status() -> None:
    for name in get_args(ConnectorStatus):
        assert decide(stop(status=status(name, 9999))).allowed


# ---- for any snapshot whatever

drivers = st.sampled_from(["drv-ada", "drv-ben", "guest:web_1", None])
actors = st.builds(Actor, drivers, st.integers(-1, 5), st.none(), st.booleans())
tokens = st.builds(
    Token,
    st.just("TAGADA"),
    st.sampled_from(["drv-ada", "drv-ben", "guest:web_1"]),
    st.sampled_from(["Accepted", "Blocked", "Expired", "Invalid"]),
    st.sampled_from([None, ago(1), NOW + timedelta(days=1)]),
    st.none(),
    st.booleans(),
)
statuses = st.builds(
    Status, st.just("CL-1"), st.just(1), st.sampled_from(get_args(ConnectorStatus)), st.integers(-10, 200).map(ago)
)
sessions = drivers.map(session)
boots = st.builds(Boot, st.just("CL-1"), st.sampled_from(["Accepted", "Pending", "Rejected"]), st.just(NOW))
commands = st.builds(
    command,
    st.integers(0, 20),
    state=st.sampled_from(["queued", "sent", "answered", "verified", "timed_out", "refused"]),
    created_at=st.integers(0, 1200).map(ago),
    connector=st.sampled_from([1, 2]),
)
snapshots = st.builds(
    Snapshot,
    st.sampled_from(["start", "stop", "unlock", "reset"]),
    st.just(1),
    actors,
    st.just(NOW),
    st.none() | tokens,
    st.none() | sessions,
    st.none() | boots,
    st.none() | statuses,
    st.none() | statuses,
    st.booleans(),
    st.lists(sessions, max_size=2),
    st.lists(sessions, max_size=1),
    st.lists(commands, max_size=15),
    st.just("CL-1"),
    st.just("cmd_now"),
    st.booleans(),
    st.booleans(),
)


@given(snapshots)
@settings(max_examples=1500, deadline=None)
def test_whatever_is_allowed_is_safe(s: Snapshot) -> None:
    decision = decide(s)
    assert decision.record(s)["allowed"] == decision.allowed
    if not decision.allowed:
        assert decision.rule
        assert decision.why
        return
    assert s.action in {"start", "stop", "unlock"}  # a reset knows of no connector here, and keeps off
    assert s.boot is None or s.boot.status == "Accepted"
    if s.action == "stop":
        assert s.session is not None
        assert s.actor.operator or s.session.driver == s.actor.driver is not None
        return
    if s.action == "unlock":  # no session on the connector is known here: a driver's own cannot be
        assert s.actor.operator
        assert not s.connector_sessions
        assert s.status is not None
        assert s.status.status not in {"Charging", "SuspendedEV", "SuspendedEVSE"}
        return
    assert s.token is not None
    assert s.token.status_at(NOW) == "Accepted"
    assert s.guest_starts or not s.token.guest
    assert s.actor.operator or s.token.driver == s.actor.driver
    assert s.status is not None
    assert s.status.status in {"Available", "Preparing"}
    assert not s.connector_sessions
    assert not s.token_sessions
    assert not any(not c.finished and c.connector == 1 and c.action == "start" for c in s.recent)


@given(snapshots)
@settings(max_examples=300, deadline=None)
def test_asking_early_never_refuses_what_asking_late_allows(s: Snapshot) -> None:
    if decide(s).allowed:
        assert decide(s, safety.BEFORE_CONTACT).allowed
