"""The effect windows as data (`windows.toml`), read once."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files


@dataclass(frozen=True, slots=True)
class Windows:
    """Seconds."""

    call_timeout_s: float
    refresh_wait_s: float
    returning_after_restart_s: float
    returning_after_drop_s: float
    returning_wait_s: float
    start_connection_timeout_s: float
    start_grace_s: float
    start_charging_s: float
    start_ask_again_s: float
    start_suspended_s: float
    stop_ended_s: float
    unlock_available_s: float
    reset_leaves_s: float
    reset_soft_s: float
    reset_hard_s: float
    reset_ask_s: float
    reset_settles_s: float
    availability_changed_s: float
    trigger_heard_s: float
    reservation_shown_s: float
    upload_done_s: float


@cache
def default_windows() -> Windows:
    tables = tomllib.loads(files("ocpp_bridge.commands").joinpath("windows.toml").read_text(encoding="utf-8"))
    return Windows(
        **{f"{table}_{name}": float(value) for table, rows in tables.items() for name, value in rows.items()}
    )
