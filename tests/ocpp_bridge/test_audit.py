"""The audit log: what it keeps, what it leaves out, and that neither it nor counting can hurt a session."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocpp_bridge.audit import AuditLog, without_tokens
from ocpp_bridge.recorder import KINDS_LIMIT
from tests.ocpp_bridge.conftest import Running
from tests.ocpp_bridge.scripted import CallErrorAnswer

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ('[2,"1","Authorize",{"idTag":"04AABBCCDD"}]', '[2,"1","Authorize",{"idTag":"…CCDD"}]'),
        ('{"idToken": {"idToken": "04AABBCC", "type": "x"}}', '{"idToken": {"idToken": "…BBCC", "type": "x"}}'),
        ('{"parentIdTag":"ABCDEFGH"}', '{"parentIdTag":"…EFGH"}'),
        ('{"idTag":"A"}', '{"idTag":"…"}'),
        ('{"idTag":"quo\\"te"', '{"idTag":"…"te"'),
        ('{"idTagInfo":{"status":"Accepted"}}', '{"idTagInfo":{"status":"Accepted"}}'),
    ],
)
def test_tokens_are_shortened_also_in_what_is_no_json(text: str, kept: str) -> None:
    assert without_tokens(text) == kept


@given(token=st.text(alphabet="0123456789ABCDEF", min_size=2, max_size=36))
def test_no_token_is_kept_whole(token: str) -> None:
    assert f'"{token}"' not in without_tokens(orjson.dumps({"idTag": token}).decode())


def rows(audit: AuditLog) -> list[dict[str, Any]]:
    return [orjson.loads(line) for line in audit.path.read_bytes().splitlines()]


async def test_frames_and_commands_are_kept(running: Running) -> None:
    async with running.charger() as charger:
        await charger.boot("Faulted")
        await charger.send("Authorize", idTag="TAGADA")
        await running.start()
    await running.bridge.stop()
    found = rows(running.bridge.audit)
    assert {row["kind"] for row in found} == {"in", "out", "command"}
    assert "TAGADA" not in str(found)
    assert [row["command"]["state"] for row in found if row["kind"] == "command"] == ["refused"]
    assert orjson.loads(found[0]["frame"])[2] == "BootNotification"


def test_files_rotate_and_the_oldest_go(tmp_path: Path) -> None:
    audit = AuditLog(tmp_path, file_bytes=2000, files=3)
    for number in range(12):
        audit.frame(NOW, "CL-1", "in", f"{number:03d}" + "x" * 1000)
        audit._write()
    assert {path.name for path in tmp_path.iterdir()} <= {"ocpp.jsonl", "ocpp.jsonl.1", "ocpp.jsonl.2"}
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) < 3 * 4000


def test_odd_frames_are_kept_too(tmp_path: Path) -> None:
    audit = AuditLog(tmp_path)
    for frame in (b"\x00\xff", "\ud800", "[" * 100_000, ""):
        audit.frame(NOW, "CL-1", "in", frame)
    audit._write()
    assert len(rows(audit)) == 4
    assert audit.path.stat().st_size < 10_000


def test_what_cannot_be_written_is_counted(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    audit = AuditLog(blocked)
    audit.frame(NOW, "CL-1", "in", "[]")
    audit._write()
    assert audit.lost == 1


async def test_an_audit_that_cannot_write_disturbs_no_session(launch: Any, tmp_path: Path) -> None:
    (tmp_path / "audit").write_text("in the way")
    running: Running = await launch()
    async with running.charger() as charger:
        await charger.boot()
        for _ in range(100):
            if running.bridge.audit.lost:
                break
            await asyncio.sleep(0.05)
        assert running.bridge.audit.lost > 0
        assert "currentTime" in await charger.send("Heartbeat")


async def test_counting_that_fails_disturbs_no_session(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> None:
        raise RuntimeError("the counter is broken")

    metrics = running.bridge.metrics
    for counter in (metrics._inbound, metrics._calls, metrics._connections, metrics._deviations):
        monkeypatch.setattr(counter, "labels", fail)
    monkeypatch.setattr(metrics.connected, "set", fail)
    async with running.charger() as charger:
        await charger.boot()
        assert "currentTime" in await charger.send("Heartbeat", extra=1)


async def test_a_charger_that_makes_up_names_without_end_fills_no_table(running: Running) -> None:
    async with running.charger() as charger:
        for number in range(KINDS_LIMIT + 50):
            with pytest.raises(CallErrorAnswer):
                await charger.send(f"Dance{number}")
        await running.bridge._recorder.flush()
    rows = await running.bridge._store.deviations("CL-1042")
    assert len(rows) == KINDS_LIMIT + 1
    assert {row.detail: row.count for row in rows}["more kinds than are told apart"] == 50
