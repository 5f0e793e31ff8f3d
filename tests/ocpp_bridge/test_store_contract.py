"""What every store promises, run on each: SQLite always, MongoDB's wire protocol where its environment is there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest

from chargeline.mongo import Database
from ocpp_bridge.model import (
    Actor,
    Attempt,
    Boot,
    Charger,
    Command,
    Connector,
    Deviation,
    Event,
    Hold,
    Knock,
    Presence,
    Session,
    Site,
    Status,
    Tariff,
    Token,
    VariableReport,
    Watch,
)
from ocpp_bridge.store import BridgeStore, KeyReused, Telemetry
from ocpp_bridge.store.mongo import MongoStore
from ocpp_bridge.store.sqlite import SqliteStore

NOW = datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC)


@pytest.fixture
async def sqlite_store(tmp_path: Path) -> AsyncIterator[BridgeStore]:
    store = SqliteStore(tmp_path / "bridge.sqlite3")
    await store.open()
    yield store
    await store.close()


@pytest.fixture
async def mongo_store(mongo_database: Database) -> BridgeStore:
    store = MongoStore(mongo_database)
    await store.open()
    return store


def session(number: int = 1, **changes: Any) -> Session:
    base = Session(
        id=f"ses_{number}",
        charger="CL-1",
        connector=1,
        token="TAG",
        driver="drv-ada",
        transaction=str(number),
        start_key=f"CL-1:{number}",
        authorization="Accepted",
        opened_at=NOW,
        started_at=NOW,
        meter_start_wh=0.0,
    )
    return replace(base, **changes)


def command(number: int = 1, **changes: Any) -> Command:
    base = Command(
        id=f"cmd_{number}",
        action="start",
        charger="CL-1",
        connector=1,
        token="TAG",
        session=None,
        reason="r",
        actor=Actor("drv-ada", 1, "sms_1"),
        idempotency_key=f"key-{number}",
        body_hash="h",
        created_at=NOW + timedelta(seconds=number),
    )
    return replace(base, **changes)


class Contract:
    @pytest.fixture
    def store(self) -> BridgeStore:
        raise NotImplementedError

    async def test_the_network_comes_back_as_it_was_put(self, store: BridgeStore) -> None:
        site = Site("s", "Site", 45.5, -75.5, {"city": "Ottawa"})
        charger = Charger("CL-1", "1", "s", (Connector(1, 1, "J1772", 7.2, True),), "hash")
        token = Token("TAG", "drv-ada", expires_at=NOW)
        await store.put_sites([site])
        await store.put_chargers([charger])
        await store.put_tokens([token, Token("OTHER", "drv-ben")])
        assert await store.sites() == [site]
        assert await store.chargers() == [charger]
        assert await store.token("TAG") == token
        assert await store.tokens_of("drv-ada") == [token]
        assert await store.token("nobody") is None

    async def test_the_nearest_chargers_by_the_sites_they_stand_at(self, store: BridgeStore) -> None:
        await store.put_sites(
            [
                Site("here", "Here", 45.4245, -75.6927),
                Site("near", "Near", 45.4009, -75.6889),
                Site("far", "Far", 44.2298, -76.4809),
                Site("nowhere", "Nowhere"),
                Site("east", "East of the date line", 51.88, 179.9),
                Site("west", "West of it", 51.88, -179.9),
            ]
        )
        rows = [
            ("C", "far"),
            ("B", "here"),
            ("A", "here"),
            ("D", "near"),
            ("E", "nowhere"),
            ("F", "east"),
            ("G", "west"),
        ]
        await store.put_chargers([Charger(id_, id_, site) for id_, site in rows])
        found = await store.chargers_near(45.4245, -75.6927, 500_000, 10)
        assert [id_ for _, id_ in found] == ["A", "B", "D", "C"]
        assert [round(away, -1) for away, _ in found] == [0, 0, 2640, 146670]
        assert [id_ for _, id_ in await store.chargers_near(45.4245, -75.6927, 5_000, 10)] == ["A", "B", "D"]
        assert [id_ for _, id_ in await store.chargers_near(45.4245, -75.6927, 500_000, 2)] == ["A", "B"]
        assert [id_ for _, id_ in await store.chargers_near(51.88, 179.95, 30_000, 5)] == ["F", "G"]
        await store.put_sites([Site("near", "Moved", 44.23, -76.48), Site("here", "Here")])
        assert [id_ for _, id_ in await store.chargers_near(45.4, -75.7, 500_000, 10)] == ["D", "C"]
        assert await store.chargers_near(0, 0, 1_000, 10) == []

    async def test_a_charger_keeps_its_password_when_it_is_put_without_one(self, store: BridgeStore) -> None:
        await store.put_chargers([Charger("CL-1", "1", "s", password_hash="hash")])
        await store.put_chargers([Charger("CL-1", "one", "s")])
        [charger] = await store.chargers()
        assert (charger.label, charger.password_hash) == ("one", "hash")
        await store.put_chargers([Charger("CL-1", "one", "s", password_hash="new")])
        assert (await store.chargers())[0].password_hash == "new"

    async def test_telemetry_keeps_the_newest_and_counts_deviations(self, store: BridgeStore) -> None:
        await store.add_session(session())
        batch = Telemetry()
        batch.boots["CL-1"] = Boot("CL-1", "Accepted", NOW, "Acme")
        batch.statuses["CL-1", 1] = Status("CL-1", 1, "Charging", NOW)
        batch.meters["ses_1"] = session(meter_wh=500.0)
        batch.attempts = [Attempt("CL-1", "TAG", answer, NOW, "Authorize") for answer in ("Invalid", "Accepted")]
        batch.deviations["CL-1", "schema", "Boot", "x"] = Deviation("CL-1", "schema", "Boot", "x", NOW, count=2)
        await store.save_telemetry(batch)
        again = Telemetry()
        again.statuses["CL-1", 1] = Status("CL-1", 1, "Available", NOW)
        again.deviations["CL-1", "schema", "Boot", "x"] = Deviation("CL-1", "schema", "Boot", "x", NOW, count=3)
        await store.save_telemetry(again)
        assert await store.boots() == [batch.boots["CL-1"]]
        assert [status.status for status in await store.statuses()] == ["Available"]
        assert [attempt.answer for attempt in await store.attempts("CL-1")] == ["Accepted", "Invalid"]
        assert [deviation.count for deviation in await store.deviations("CL-1")] == [5]
        found = await store.session("ses_1")
        assert found is not None
        assert found.meter_wh == 500.0

    async def test_a_late_meter_value_does_not_reopen_an_ended_session(self, store: BridgeStore) -> None:
        await store.add_session(session())
        await store.save_session(session(state="ended", ended_at=NOW, stop_reason="Local"))
        batch = Telemetry()
        batch.meters["ses_1"] = session(meter_wh=500.0)
        await store.save_telemetry(batch)
        found = await store.session("ses_1")
        assert found is not None
        assert found.state == "ended"

    async def test_presence_comes_back_as_last_told(self, store: BridgeStore) -> None:
        for connected in (True, False):
            batch = Telemetry()
            batch.presences["CL-1"] = Presence("CL-1", connected, NOW)
            await store.save_telemetry(batch)
        assert await store.presences() == [Presence("CL-1", False, NOW)]

    async def test_a_connector_is_held_once_and_let_go_alone_or_with_its_charger(self, store: BridgeStore) -> None:
        await store.put_hold(Hold("CL-1", 1, "hazard", NOW, "cmd_1", "drv-ada"))
        await store.put_hold(Hold("CL-1", 1, "operator", NOW, "cmd_2"))
        await store.put_hold(Hold("CL-1", 2, "hazard", NOW, "cmd_3"))
        await store.put_hold(Hold("CL-2", 1, "hazard", NOW, "cmd_4"))
        assert [hold.command for hold in await store.holds()] == ["cmd_2", "cmd_3", "cmd_4"]
        await store.drop_holds("CL-1", 2)
        assert [hold.command for hold in await store.holds()] == ["cmd_2", "cmd_4"]
        await store.put_hold(Hold("CL-1", 2, "hazard", NOW, "cmd_3"))
        await store.drop_holds("CL-1", 0)
        assert [hold.command for hold in await store.holds()] == ["cmd_4"]

    async def test_transaction_numbers_are_given_once(self, store: BridgeStore) -> None:
        numbers = await asyncio.gather(*(store.next_transaction() for _ in range(20)))
        assert len(set(numbers)) == 20  # a store may leave some out, but gives none twice
        assert min(numbers) >= 1

    async def test_a_start_key_is_one_session(self, store: BridgeStore) -> None:
        assert await store.add_session(session(1)) == session(1)
        assert await store.add_session(session(2, start_key="CL-1:1")) == session(1)
        assert await store.session_started_by("CL-1:1") == session(1)
        assert len(await store.sessions()) == 1

    async def test_sessions_are_found_by_what_is_asked_newest_first(self, store: BridgeStore) -> None:
        await store.add_session(session(1, state="ended"))
        await store.add_session(session(2, driver="drv-ben"))
        await store.add_session(session(3, charger="CL-2"))
        assert [s.id for s in await store.sessions()] == ["ses_3", "ses_2", "ses_1"]
        assert [s.id for s in await store.sessions(driver="drv-ada")] == ["ses_3", "ses_1"]
        assert [s.id for s in await store.sessions(charger="CL-1", state="active")] == ["ses_2"]
        assert [s.id for s in await store.sessions(limit=1)] == ["ses_3"]
        latest = await store.latest_sessions(["CL-1", "CL-2", "CL-9"], 1)
        assert sorted(s.id for s in latest) == ["ses_2", "ses_3"]
        assert await store.latest_sessions([], 1) == []
        assert await store.session_of("CL-1", "2") == session(2, driver="drv-ben")
        assert await store.session_of("CL-2", "2") is None

    async def test_the_last_session_of_a_connector(self, store: BridgeStore) -> None:
        await store.add_session(session(1))
        await store.add_session(session(2, state="ended", meter_wh=7.0))
        await store.add_session(session(3, connector=2))
        await store.add_session(session(4, charger="CL-2"))
        assert await store.last_session("CL-1", 1) == session(2, state="ended", meter_wh=7.0)
        assert await store.last_session("CL-1", 2) == session(3, connector=2)
        assert await store.last_session("CL-1", 3) is None

    @pytest.mark.parametrize("seed", range(5))
    async def test_the_last_session_is_that_with_the_greatest_id_whatever_was_written_in_which_order(
        self, store: BridgeStore, seed: int
    ) -> None:
        chance, rows = Random(seed), {}
        for _ in range(60):
            number, connector = chance.randrange(1, 20), chance.randrange(1, 3)
            known = rows.get(number)
            if known is None:
                state = chance.choice(["active", "ended"])
                rows[number] = await store.add_session(session(number, connector=connector, state=state))
            elif known.state == "active":
                rows[number] = replace(known, state=chance.choice(["active", "ended"]), meter_wh=float(chance.random()))
                if rows[number].state == "active" and chance.random() < 0.5:
                    await store.save_telemetry(Telemetry(meters={known.id: rows[number]}))
                else:
                    await store.save_session(rows[number])
            for asked in (1, 2):
                there = [row for row in rows.values() if row.connector == asked]
                wanted = max(there, key=lambda row: row.id, default=None)
                assert await store.last_session("CL-1", asked) == wanted

    async def test_a_key_is_one_command_and_another_body_is_refused(self, store: BridgeStore) -> None:
        first = command()
        assert await store.add_command(first) == first
        assert await store.add_command(command(2, idempotency_key="key-1")) == first
        with pytest.raises(KeyReused):
            await store.add_command(command(3, idempotency_key="key-1", body_hash="other"))

    async def test_the_newest_report_of_variables_is_kept(self, store: BridgeStore) -> None:
        assert await store.report("CL-1") is None
        first = VariableReport("CL-1", 7, NOW, [{"name": "A.B", "value": "1"}], complete=True)
        second = replace(first, request=8, rows=[{"name": "Connector(1,1).X", "value": None}])
        for report in (first, second):
            await store.save_telemetry(Telemetry(reports={"CL-1": report}))
        assert await store.report("CL-1") == second

    async def test_a_command_is_found_by_its_key_and_by_its_age(self, store: BridgeStore) -> None:
        for number in range(3):
            await store.add_command(command(number, idempotency_key=f"key-{number}"))
        found = await store.command_of("key-1")
        assert found is not None
        assert found.id == "cmd_1"
        assert await store.command_of("key-9") is None
        since = [row.id for row in await store.commands_since(NOW + timedelta(seconds=1))]
        assert since == ["cmd_1", "cmd_2"]

    async def test_racing_adds_of_one_key_keep_one_command(self, store: BridgeStore) -> None:
        kept = await asyncio.gather(*(store.add_command(command(n, idempotency_key="same")) for n in range(8)))
        assert len({found.id for found in kept}) == 1

    async def test_commands_are_found_unfinished_and_recent(self, store: BridgeStore) -> None:
        for number, changes in enumerate(({}, {"state": "sent"}, {"charger": "CL-2"}, {"actor": Actor("drv-ben", 1)})):
            await store.add_command(command(number, **changes))  # type: ignore[arg-type]
        done = command(0, state="refused", refused={"rule": "once", "why": "w"}, finished_at=NOW, decision={"a": [1]})
        await store.save_command(done)
        assert await store.command("cmd_0") == done
        assert [c.id for c in await store.unfinished_commands()] == ["cmd_1", "cmd_2", "cmd_3"]
        recent = await store.recent_commands(["CL-1", "CL-2"], NOW + timedelta(seconds=1))
        assert [c.id for c in recent] == ["cmd_1", "cmd_2", "cmd_3"]
        assert [c.id for c in await store.recent_commands(["CL-2", "CL-9"], NOW)] == ["cmd_2"]
        assert await store.recent_commands([], NOW) == []

    async def test_a_watch_waits_until_it_is_delivered(self, store: BridgeStore) -> None:
        first = Watch("wat_1", "evt_1", "cmd_1", {"conversation": "sms_1"}, NOW, "key")
        assert await store.add_watch(first) == first
        assert await store.add_watch(replace(first, id="wat_2", event="evt_2")) == first
        without_key = Watch("wat_3", "evt_3", "cmd_1", {}, NOW)
        assert await store.add_watch(without_key) == without_key
        assert await store.add_watch(replace(without_key, id="wat_4")) == replace(without_key, id="wat_4")
        await store.save_watch(replace(first, state="delivered"))
        assert [watch.id for watch in await store.waiting_watches()] == ["wat_3", "wat_4"]

    async def test_a_watch_of_a_charger_keeps_what_it_saw(self, store: BridgeStore) -> None:
        watch = Watch("wat_1", "evt_1", "", {}, NOW, charger="CL-1", connector=1, until="free", expires_at=NOW)
        await store.add_watch(watch)
        assert await store.watch("wat_1") == watch
        met = replace(watch, ended="met", told={"charger": {"id": "CL-1"}})
        await store.save_watch(met)
        assert await store.waiting_watches() == [met]
        assert await store.watch("wat_2") is None

    async def test_tokens_are_found_without_regard_to_case_the_exact_one_first(self, store: BridgeStore) -> None:
        upper, lower = Token("ABC", "drv-ada"), Token("abc", "drv-ben")
        await store.put_tokens([upper])
        assert await store.token("aBc") == upper
        await store.put_tokens([lower])
        assert await store.token("abc") == lower
        assert await store.token("ABC") == upper

    async def test_attempts_are_found_by_token_over_all_chargers(self, store: BridgeStore) -> None:
        batch = Telemetry()
        for number, (charger, token) in enumerate((("CL-1", "TAGA"), ("CL-2", "taga"), ("CL-2", "TAGB"))):
            batch.attempts.append(Attempt(charger, token, "Accepted", NOW + timedelta(seconds=number), "Authorize"))
        await store.save_telemetry(batch)
        assert [(a.charger, a.token) for a in await store.attempts_of(["TagA"])] == [("CL-2", "taga"), ("CL-1", "TAGA")]
        assert [a.token for a in await store.attempts_of(["TAGA", "TAGB"], limit=1)] == ["TAGB"]
        assert await store.attempts_of([]) == []

    async def test_tariffs_come_back_as_they_were_put(self, store: BridgeStore) -> None:
        tariff = Tariff("t", "CAD", "Day", price_per_kwh=0.35, details={"note": "n"})
        await store.put_tariffs([replace(tariff, name="old")])
        await store.put_tariffs([tariff])
        assert await store.tariffs() == [tariff]

    async def test_events_are_read_on_from_a_number_and_only_the_newest_are_kept(self, store: BridgeStore) -> None:
        assert (await store.last_event(), await store.oldest_event()) == (0, 0)
        events = [Event(n, "charger.booted", NOW, f"CL-{n % 2}", {"n": n}) for n in range(1, 6)]
        await store.add_events(events[:3], keep=4)
        await store.add_events(events[3:], keep=4)
        assert (await store.oldest_event(), await store.last_event()) == (2, 5)
        assert await store.events(3) == events[3:]
        assert [event.seq for event in await store.events(0, charger="CL-1")] == [3, 5]
        assert [event.seq for event in await store.events(0, limit=1)] == [2]

    async def test_knocks_are_counted_by_charger_newest_first(self, store: BridgeStore) -> None:
        first = Knock("CL-7", "10.0.0.7", NOW, NOW)
        later = Knock("CL-8", "10.0.0.8", NOW, NOW + timedelta(seconds=5), 3, "ocpp1.6")
        await store.put_knocks([first, later])
        await store.put_knocks([replace(first, count=2)])
        assert await store.knocks() == [later, replace(first, count=2)]
        await store.drop_knocks(["CL-8"])
        assert [knock.charger for knock in await store.knocks()] == ["CL-7"]


class TestSqlite(Contract):
    @pytest.fixture
    def store(self, sqlite_store: BridgeStore) -> BridgeStore:
        return sqlite_store


class TestMongo(Contract):
    @pytest.fixture
    def store(self, mongo_store: BridgeStore) -> BridgeStore:
        return mongo_store


async def test_sqlite_comes_back_after_it_was_closed(tmp_path: Path) -> None:
    first = SqliteStore(tmp_path / "bridge.sqlite3")
    await first.open()
    await first.add_session(session())
    await first.add_command(command())
    await first.close()
    second = SqliteStore(tmp_path / "bridge.sqlite3")
    await second.open()
    assert await second.sessions() == [session()]
    assert await second.last_session("CL-1", 1) == session()
    assert await second.command_of(command().idempotency_key) == command()
    await second.close()
