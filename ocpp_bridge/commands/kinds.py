"""The table of commands, by action."""

from __future__ import annotations

from collections.abc import Mapping

from ocpp_bridge.commands.availability import Inoperative, Operative
from ocpp_bridge.commands.base import CommandKind
from ocpp_bridge.commands.diagnostics import GetDiagnostics, GetLog
from ocpp_bridge.commands.local_list import SendLocalList
from ocpp_bridge.commands.reads import ClearCache, GetConfiguration, GetLocalListVersion, GetVariables
from ocpp_bridge.commands.reservation import CancelReservation, Reserve
from ocpp_bridge.commands.reset import Reset
from ocpp_bridge.commands.start import Start
from ocpp_bridge.commands.stop import Stop
from ocpp_bridge.commands.trigger import Trigger
from ocpp_bridge.commands.unlock import Unlock

_ALL: tuple[CommandKind, ...] = (
    Start(),
    Stop(),
    Unlock(),
    Reset(),
    Operative(),
    Inoperative(),
    Trigger(),
    GetLocalListVersion(),
    SendLocalList(),
    ClearCache(),
    Reserve(),
    CancelReservation(),
    GetConfiguration(),
    GetVariables(),
    GetDiagnostics(),
    GetLog(),
)
KINDS: Mapping[str, CommandKind] = {kind.name: kind for kind in _ALL}
