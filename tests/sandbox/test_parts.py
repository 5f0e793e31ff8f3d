"""The parts that need no socket: frames, cars, the status of a connector, tokens, the network's files."""

from __future__ import annotations

import json
import math
import shutil
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox import schemas
from sandbox.car import Car, CarKind, Garage, UnknownCar
from sandbox.connector import Authorisation, Conditions, Connector, ConnectorPlan, Transaction, drawn_kw, status_of
from sandbox.frames import BadFrame, Call, CallError, CallResult, decode, encode
from sandbox.link import BACKOFF_S, JITTER, backoff
from sandbox.plan import BUILT_IN, BadNetwork, load
from sandbox.tokens import IdInfo, TokenBook, TokenPolicy

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8"), max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("abc", max_size=3), inner, max_size=3),
    max_leaves=10,
)


# --- frames ---------------------------------------------------------------------------------------------------------
@given(st.text() | st.binary() | json_values.map(json.dumps))
def test_any_text_is_a_frame_or_a_bad_frame(text: str | bytes) -> None:
    try:
        frame = decode(text)
    except BadFrame:
        return
    assert decode(encode(frame)) == frame


@given(
    st.text(st.characters(codec="utf-8"), min_size=1, max_size=36),
    st.dictionaries(st.text("abc", max_size=3), json_values),
)
def test_frames_come_back_as_they_went(message_id: str, payload: dict[str, object]) -> None:
    for frame in (
        Call(message_id, "Reset", payload),
        CallResult(message_id, payload),
        CallError(message_id, "x", "y", payload),
    ):
        assert decode(encode(frame)) == frame


def test_an_action_that_looks_like_a_path_is_unknown() -> None:
    for action in ("../v201/schemas/Reset", "", "Reset.json", "Réset"):
        with pytest.raises(schemas.UnknownAction):
            schemas.check("1.6", action, "request", {})


# --- cars -----------------------------------------------------------------------------------------------------------
socs = st.floats(0, 100)


@given(socs, socs, st.floats(0.1, 400), st.lists(st.floats(0, 3600), max_size=6), st.booleans())
def test_a_car_takes_no_more_than_it_is_offered_and_than_fits(
    soc: float, limit: float, offered_kw: float, spans: list[float], direct: bool
) -> None:
    kind = CarKind("any", 60, 11, 150, [(0, 0.6), (20, 1), (60, 0.8), (100, 0.05)])
    car = Car(kind, soc, limit)
    for seconds in spans:
        before = car.soc
        taken = car.charge(seconds, offered_kw, direct=direct)
        assert 0 <= taken <= offered_kw * 1000 * seconds / 3600 + 1e-6
        assert before <= car.soc <= max(limit, before) + 1e-9
        assert math.isclose((car.soc - before) * 600, taken, abs_tol=1e-3)


def test_charging_in_one_span_or_in_many_is_the_same_to_the_watt_hour() -> None:
    kind = CarKind("any", 60, 11, 150, [(0, 1), (100, 0.1)])
    once, often = Car(kind, 20), Car(kind, 20)
    at_once = once.charge(1800, 150, direct=True)
    in_parts = sum(often.charge(5, 150, direct=True) for _ in range(360))
    assert math.isclose(at_once, in_parts, rel_tol=0.01)


def test_a_car_that_is_not_willing_or_full_takes_nothing() -> None:
    garage = Garage({"any": {"battery_kwh": 60, "max_ac_kw": 11}})
    for said in ({"willing": False}, {"soc": 80, "limit_soc": 80}):
        assert garage.car(said).power_kw(11, direct=False) == 0


@pytest.mark.parametrize("said", ["tank", {"soc": 120}, {"soc": "full"}, {"wheels": 4}, {"willing": "no"}, {"kind": 7}])
def test_a_car_that_makes_no_sense_is_refused(said: object) -> None:
    with pytest.raises(UnknownCar):
        Garage({"any": {"battery_kwh": 60, "max_ac_kw": 11}}).car(said)  # type: ignore[arg-type]  # that is the point


# --- status ---------------------------------------------------------------------------------------------------------
KIND = CarKind("any", 60, 11, 150, [(0, 1), (100, 1)])
cars = st.none() | st.builds(Car, st.just(KIND), socs, st.just(100.0), st.booleans())
transactions = st.none() | st.builds(
    Transaction, st.just("t"), st.just(1), st.just("T"), st.none(), st.just(NOW), st.just(0), st.floats(0, 10),
    suspended=st.booleans(),
)  # fmt: skip
connectors = st.builds(
    Connector,
    st.just(ConnectorPlan(1, 1, "CCS", 50, True)),
    st.just(0.0),
    car=cars,
    authorisation=st.none() | st.just(Authorisation("T", None, 0)),
    transaction=transactions,
    finishing=st.booleans(),
    operative=st.booleans(),
)
conditions = st.builds(
    Conditions,
    now=st.floats(0, 20),
    station_operative=st.booleans(),
    error_code=st.none() | st.just("GroundFailure"),
    car_refuses=st.booleans(),
    stuck_finishing=st.booleans(),
    plug_unseen=st.booleans(),
)


@given(connectors, conditions)
def test_the_status_never_contradicts_the_facts(connector: Connector, around: Conditions) -> None:
    status, power = status_of(connector, around), drawn_kw(connector, around)
    assert (status == "Charging") == (power > 0)
    assert (status == "Faulted") == (around.error_code is not None)
    if status in {"Charging", "SuspendedEV", "SuspendedEVSE"}:
        assert connector.transaction is not None
    if status in {"Available", "Unavailable", "Finishing", "Reserved"}:
        assert connector.transaction is None
    if status == "Available":
        assert connector.operative
        assert around.station_operative
        assert connector.car is None or around.plug_unseen


# --- tokens ---------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("online", "policy", "decided"),
    [
        (True, TokenPolicy(), None),
        (True, TokenPolicy(decide_when_online=True), "Accepted"),
        (False, TokenPolicy(), "Accepted"),
        (False, TokenPolicy(decide_when_offline=False), "Invalid"),
        (False, TokenPolicy(local_list=False, cache=False), "Invalid"),
    ],
)
def test_who_decides_about_a_listed_token(online: bool, policy: TokenPolicy, decided: str | None) -> None:
    book = TokenBook(entries={"T": IdInfo("Accepted")})
    info = book.decide("T", online=online, policy=policy, now=NOW)
    assert (info.status if info else None) == decided


def test_a_bad_token_is_never_let_in_as_an_unknown_one() -> None:
    book = TokenBook(cache={"T": IdInfo("Blocked")})
    policy = TokenPolicy(unknown_when_offline=True)
    assert book.decide("T", online=False, policy=policy, now=NOW) == IdInfo("Blocked")
    assert book.decide("U", online=False, policy=policy, now=NOW) == IdInfo("Accepted")
    expired = TokenBook(entries={"T": IdInfo("Accepted", None, NOW)})
    assert expired.decide("T", online=False, policy=policy, now=NOW) == IdInfo("Expired", None, NOW)


# --- the network's files --------------------------------------------------------------------------------------------
def test_the_built_in_network_is_sound() -> None:
    plan = load()
    tokens = {row["id"]: row for row in plan.tokens}
    drivers = {row["driver_id"] for row in plan.drivers}
    assert len(plan.chargers) >= 60
    assert len({each.site.id for each in plan.chargers}) >= 40
    for charger in plan.chargers:
        assert charger.id.endswith(charger.label)
        assert 24 < charger.site.latitude < 60
        assert -130 < charger.site.longitude < -60
        assert set(charger.swiped.values()) <= set(tokens)
        for connector in charger.connectors:
            assert connector.plug in {"J1772", "CCS", "NACS", "CHAdeMO"}
    assert {each.model.protocol for each in plan.chargers} == {"ocpp1.6", "ocpp2.0.1", "ocpp2.1"}
    plugs = {(each.plug, each.tethered) for charger in plan.chargers for each in charger.connectors}
    assert plugs == {("J1772", True), ("J1772", False), ("CCS", True), ("NACS", True), ("CHAdeMO", True)}
    two_at_one = [each for each in plan.chargers if [c.evse for c in each.connectors] == [1, 1]]
    assert two_at_one
    assert {row["driver"] for row in plan.tokens} <= drivers
    assert all(len(token) <= 20 for token in tokens)
    assert tokens["TOK-ADA-0001"] == {"id": "TOK-ADA-0001", "driver": "drv-ada", "status": "Accepted"}
    for driver in plan.drivers:
        assert "55501" in driver["phone"]


def test_what_drivers_ask_about_is_in_the_network() -> None:
    """Prices, addresses and hours are no business of the simulator; the bridge and the bot read them from the same file."""
    network = json.loads((BUILT_IN / "network.json").read_text())
    tariffs = {row["id"]: row for row in network["tariffs"]}
    countries = {row["id"]: row["country"] for row in network["sites"]}
    for site in network["sites"]:
        assert all(site[name] for name in ("name", "address", "city", "postal_code", "time_zone", "opening_hours"))
        ZoneInfo(site["time_zone"])
    for charger in network["chargers"]:
        tariff = tariffs[charger["tariff"]]
        assert tariff["id"] == "free" or (tariff["currency"] == "CAD") == (countries[charger["site"]] == "CA")
        assert "password" not in charger or charger["password"].startswith("sandbox-only-")
    labels = [charger["label"] for charger in network["chargers"]]
    assert len(labels) == len(set(labels))


@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        ("simulator.json", '"start_rejected"', '"gremlins"', "gremlins"),
        ("simulator.json", '"CL-1044"', '"CL-9999"', "CL-9999"),
        ("simulator.json", '"reboot_s"', '"reboots"', "reboots"),
        ("network.json", '"site-ottawa-1"', '"site-nowhere"', "site-ottawa-1"),
        ("network.json", "{", "", "not JSON"),
        ("simulator.json", '"kind": "family"', '"kind": "tank"', "tank"),
    ],
)
def test_a_mistake_in_the_files_is_named(tmp_path: Path, file: str, old: str, new: str, said: str) -> None:
    folder = tmp_path / "network"
    shutil.copytree(BUILT_IN, folder)
    text = (folder / file).read_text()
    assert old in text
    (folder / file).write_text(text.replace(old, new, 1))
    with pytest.raises(BadNetwork, match=said):
        load(folder)


@given(st.integers(0, 50), st.integers(0, 99))
def test_the_back_off_stays_in_its_bounds(attempt: int, seed: int) -> None:
    assert BACKOFF_S[0] * (1 - JITTER) <= backoff(attempt, Random(seed)) <= BACKOFF_S[-1] * (1 + JITTER)
