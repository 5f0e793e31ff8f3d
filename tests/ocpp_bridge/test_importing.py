"""Networks as this project's JSON, as OCPI locations and as CSV: what comes of them, and where the mistake is."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocpp_bridge.importing import ImportProblem, parse, read
from ocpp_bridge.model import Connector
from tests.ocpp_bridge.conftest import Running

LOCATION: dict[str, Any] = {
    "country_code": "CA",
    "party_id": "ABC",
    "id": "LOC1",
    "publish": True,
    "name": "Rideau Centre",
    "address": "50 Rideau St",
    "city": "Ottawa",
    "country": "CAN",
    "coordinates": {"latitude": "45.4253", "longitude": "-75.6919"},
    "evses": [
        {
            "uid": "CL-1042*1",
            "status": "AVAILABLE",
            "physical_reference": "1042",
            "connectors": [
                {
                    "id": "1",
                    "standard": "IEC_62196_T1",
                    "format": "CABLE",
                    "power_type": "AC_1_PHASE",
                    "max_voltage": 240,
                    "max_amperage": 30,
                    "tariff_ids": ["T1"],
                    "last_updated": "2026-01-01T00:00:00Z",
                }
            ],
        },
        {
            "uid": "CL-1042*2",
            "status": "AVAILABLE",
            "connectors": [
                {
                    "id": "1",
                    "standard": "IEC_62196_T1_COMBO",
                    "format": "CABLE",
                    "power_type": "DC",
                    "max_electric_power": 50000,
                    "last_updated": "2026-01-01T00:00:00Z",
                }
            ],
        },
        {
            "uid": "CL-7",
            "connectors": [
                {
                    "id": "1",
                    "standard": "IEC_62196_T2",
                    "format": "SOCKET",
                    "power_type": "AC_3_PHASE",
                    "max_voltage": 230,
                    "max_amperage": 32,
                }
            ],
        },
        {"uid": "OLD", "status": "REMOVED", "connectors": []},
    ],
}


@pytest.mark.parametrize(
    "document", [LOCATION, [LOCATION], {"data": [LOCATION], "status_code": 1000}, {"data": LOCATION}]
)
def test_ocpi_locations_become_chargers_however_they_are_wrapped(document: Any) -> None:
    network = read(orjson.dumps(document), "json")
    [site] = network.sites
    assert (site.id, site.name, site.latitude, site.details["address"]) == (
        "LOC1",
        "Rideau Centre",
        45.4253,
        "50 Rideau St",
    )
    first, second = network.chargers
    assert (first.id, first.label, first.site, first.tariff) == ("CL-1042", "1042", "LOC1", "T1")
    assert first.connectors == (Connector(1, 1, "J1772", 7.2, True), Connector(2, 2, "CCS1", 50.0, True))
    assert (second.id, second.connectors) == ("CL-7", (Connector(1, 1, "Type2", 22.1, False),))


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"coordinates": {"latitude": "north", "longitude": "1"}}, "locations[0].coordinates.latitude"),
        ({"coordinates": None}, "locations[0].coordinates"),
        ({"evses": {}}, "locations[0].evses"),
        ({"evses": [{"uid": 5}]}, "locations[0].evses[0].uid"),
        ({"evses": [{"uid": "A", "connectors": [7]}]}, "locations[0].evses[0].connectors[0]"),
        ({"id": None}, "document.sites[0].id"),
    ],
)
def test_a_mistake_in_ocpi_is_named(change: dict[str, Any], where: str) -> None:
    with pytest.raises(ImportProblem) as raised:
        read(orjson.dumps({**LOCATION, **change}), "json")
    assert where in str(raised.value)


TABLE = """\ufeffcharger_id;label;site_id;site_name;address;latitude;longitude;connector;evse;plug;max_kw;tethered;tariff
CL-1;1;s1;"Market; lot B";"1 Main St";45.4;-75.7;1;1;J1772;7.2;yes;T1
CL-1;;s1;;;;;2;2;CCS1;50;yes;

CL-2;2;s1;;;;;;;;;;
"""


def test_a_table_has_a_row_for_each_connector() -> None:
    network = read(TABLE.encode(), "csv")
    [site] = network.sites
    assert (site.id, site.name, site.longitude, site.details) == (
        "s1",
        "Market; lot B",
        -75.7,
        {"address": "1 Main St"},
    )
    first, second = network.chargers
    assert first.connectors == (Connector(1, 1, "J1772", 7.2, True), Connector(2, 2, "CCS1", 50.0, True))
    assert (first.tariff, second.id, second.connectors) == ("T1", "CL-2", ())


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("", "line 1"),
        ("label\nx", "line 1: the column charger_id is missing"),
        ("charger_id,colour\nx,red", "line 1, column 2: 'colour'"),
        ("charger_id,charger_id\nx,y", "line 1: a column is there twice"),
        ("charger_id,max_kw\nCL-1,lots", "line 2, column max_kw"),
        ("charger_id,connector\nCL-1,1\nCL-1,1", "line 3, column connector"),
        ("charger_id,tethered\nCL-1,perhaps", "line 2, column tethered"),
        ("charger_id,label\n,7", "line 2, column charger_id"),
        ("charger_id,label\nCL-1,7,8", "line 2: 3 values under 2 columns"),
        ('charger_id,label\nCL-1,"open', "line 2"),
        ("charger_id,site_id\nCL-1,a\nCL-1,b", "line 3, column site_id"),
        ("charger_id,latitude,site_id\nCL-1,1e999x,s", "line 2, column latitude"),
    ],
)
def test_a_mistake_in_a_table_is_named_by_line_and_column(text: str, where: str) -> None:
    with pytest.raises(ImportProblem) as raised:
        read(text.encode(), "csv")
    assert where in str(raised.value)


@given(data=st.binary(max_size=200) | st.text(max_size=200).map(str.encode), kind=st.sampled_from(["json", "csv"]))
def test_any_bytes_are_read_or_refused(data: bytes, kind: str) -> None:
    with contextlib.suppress(ImportProblem):
        read(data, kind)


@given(
    document=st.recursive(
        st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["data", "coordinates", "evses", "uid", "connectors", "id", "sites", "chargers"]), inner
            )
        ),
        max_leaves=15,
    )
)
def test_any_document_is_read_or_refused(document: Any) -> None:
    with contextlib.suppress(ImportProblem):
        read(orjson.dumps(document), "json")


async def test_tariffs_and_addresses_are_shown_with_the_charger(running: Running) -> None:
    document = {
        "tariffs": [{"id": "T1", "currency": "CAD", "name": "Day", "price_per_kwh": 0.35, "note": "plus tax"}],
        "sites": [{"id": "site-1", "name": "Rideau Centre P2", "address": "50 Rideau St", "city": "Ottawa"}],
        "chargers": [{"id": "CL-1042", "label": "1042", "site": "site-1", "tariff": "T1"}],
    }
    imported = await running.operator.post("/v1/import", json=document)
    assert imported.json() == {"imported": {"sites": 1, "chargers": 1, "tokens": 0, "tariffs": 1}}
    shown = (await running.api.get("/v1/chargers/CL-1042")).json()
    assert shown["site"] == {"id": "site-1", "name": "Rideau Centre P2", "address": "50 Rideau St", "city": "Ottawa"}
    assert (shown["tariff"]["price_per_kwh"], shown["tariff"]["currency"]) == (0.35, "CAD")
    assert shown["tariff"]["note"] == "plus tax"


async def test_the_api_takes_json_ocpi_and_csv_by_content_type(running: Running) -> None:
    ocpi = await running.operator.post("/v1/import", json={"data": [LOCATION]})
    assert ocpi.json() == {"imported": {"sites": 1, "chargers": 2, "tokens": 0}}
    csv = {"Content-Type": "text/csv; charset=utf-8"}
    assert (await running.operator.post("/v1/import", content=TABLE.encode(), headers=csv)).status_code == 200
    bad = await running.operator.post("/v1/import", content=b"charger_id,max_kw\nCL-1,lots", headers=csv)
    assert (bad.status_code, bad.json()["detail"]) == (422, "line 2, column max_kw: a number is expected")
    other = await running.operator.post("/v1/import", content=b"<x/>", headers={"Content-Type": "text/xml"})
    assert other.status_code == 415


async def program(path: Path, **env: str) -> subprocess.CompletedProcess[str]:
    def run() -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "ocpp_bridge.importing", str(path)]
        given = {"VAR_DIR": str(path.parent), "PATH": "/usr/bin", **env}
        return subprocess.run(command, env=given, capture_output=True, text=True, timeout=30, check=False)

    return await asyncio.to_thread(run)


async def test_the_program_hands_a_file_to_the_bridge_that_runs(running: Running, tmp_path: Path) -> None:
    path = tmp_path / "network.csv"
    path.write_text(TABLE)
    url = str(running.api.base_url).rstrip("/")
    done = await program(path, BRIDGE_URL=url, BRIDGE_OPERATOR_KEY="key-operator")
    told = "imported into the running bridge: 1 sites, 2 chargers, 0 tokens"
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, told)
    names = [charger.id for charger in read(TABLE.encode(), "csv").chargers]
    assert [(await running.api.get(f"/v1/chargers/{name}")).status_code for name in names] == [200, 200]
    refused = await program(path, BRIDGE_URL=url, BRIDGE_OPERATOR_KEY="wrong")
    assert refused.returncode == 1
    assert "BRIDGE_OPERATOR_KEY" in refused.stderr.splitlines()[-1]


async def test_the_program_imports_a_file_or_says_what_is_wrong(tmp_path: Path) -> None:
    good, bad = tmp_path / "network.csv", tmp_path / "bad.json"
    good.write_text(TABLE)
    bad.write_text('{"chargers": [{"id": "a/b"}]}')
    nobody = "http://127.0.0.1:9"  # the discard port
    done = await program(good, BRIDGE_URL=nobody)
    told = "imported into the store: no bridge runs: 1 sites, 2 chargers, 0 tokens"
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, told)
    refused = await program(bad, BRIDGE_URL=nobody)
    assert refused.returncode == 1
    assert "chargers[0].id" in refused.stderr.splitlines()[-1]


OCPI_TARIFF: dict[str, Any] = {
    "id": "T1",
    "currency": "CAD",
    "tariff_alt_text": [{"language": "en", "text": "Level 2"}],
    "elements": [
        {"price_components": [{"type": "ENERGY", "price": 9.0}], "restrictions": {"start_time": "22:00"}},
        {
            "price_components": [
                {"type": "ENERGY", "price": 0.3, "step_size": 1},
                {"type": "TIME", "price": 1.5, "step_size": 60},
                {"type": "FLAT", "price": 0.5, "step_size": 1},
                {"type": "PARKING_TIME", "price": 6.0, "step_size": 60},
            ]
        },
    ],
}


def test_an_ocpi_tariff_becomes_prices_by_the_minute_those_without_restrictions_first() -> None:
    [tariff] = read(orjson.dumps({"data": [OCPI_TARIFF]}), "json").tariffs
    assert (tariff.id, tariff.currency, tariff.name) == ("T1", "CAD", "Level 2")
    assert (tariff.price_per_kwh, tariff.price_per_minute, tariff.session_fee) == (0.3, 0.025, 0.5)
    assert tariff.idle_fee_per_minute == 0.1


@pytest.mark.parametrize("elements", [None, {}, ["x"], [{}], [{"price_components": [{"type": "WATER", "price": 1}]}]])
def test_a_mistake_in_an_ocpi_tariff_is_named(elements: Any) -> None:
    with pytest.raises(ImportProblem, match=r"tariffs\[0\]\.elements"):
        read(orjson.dumps([{**OCPI_TARIFF, "elements": elements}]), "json")


def test_prices_by_the_hour_and_grace_in_seconds_are_understood() -> None:
    row = {"id": "x", "currency": "USD", "per_kwh": 0.24, "per_hour": 1.5, "idle_per_minute": 0.4, "idle_grace_s": 600}
    [tariff] = parse({"tariffs": [row]}).tariffs
    assert (tariff.price_per_kwh, tariff.price_per_minute) == (0.24, 0.025)
    assert (tariff.idle_fee_per_minute, tariff.idle_grace_minutes) == (0.4, 10)
    with pytest.raises(ImportProblem, match="price_per_kwh"):
        parse({"tariffs": [{**row, "per_kwh": "much"}]})


async def test_a_session_shows_what_charging_costs_on_its_connector(running: Running) -> None:
    document = {
        "chargers": [
            {
                "id": "CL-1042",
                "tariff": "slow",
                "connectors": [{"connector": 1}, {"connector": 2, "tariff": "fast"}],
            }
        ],
        "tariffs": [
            {"id": "slow", "currency": "CAD", "price_per_kwh": 0.2, "session_fee": 1},
            {"id": "fast", "currency": "CAD", "price_per_kwh": 0.6},
        ],
    }
    assert (await running.operator.post("/v1/import", json=document)).status_code == 200
    async with running.charger() as charger:
        await charger.boot("Charging")
        await charger.start("TAGADA", connector=1)
        await charger.start("TAGBEN", connector=2)
        shown = (await running.api.get("/v1/chargers/CL-1042")).json()
        assert [row["tariff"]["price_per_kwh"] for row in shown["connectors"]] == [0.2, 0.6]
        found = (await running.api.get("/v1/sessions?driver=drv-ben")).json()["sessions"][0]
        assert (found["tariff"]["id"], found["tariff"]["currency"], found["tariff"]["session_fee"]) == (
            "fast",
            "CAD",
            None,
        )
        diagnosis = (await running.api.get("/v1/chargers/CL-1042/diagnosis?driver=drv-ada")).json()
        assert (
            diagnosis["session"]["tariff"] | {"price_per_kwh": 0.2, "session_fee": 1} == diagnosis["session"]["tariff"]
        )
