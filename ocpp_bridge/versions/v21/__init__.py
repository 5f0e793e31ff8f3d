"""OCPP 2.1: what 2.0.1 has, with 2.1's schemas, and the calls that came with it.

Streams of events (SEND of NotifyPeriodicEventStream) are taken in silence: none is ever asked for. Payment, tariffs,
batteries and grid control are acknowledged or declined; the bridge settles nothing and swaps nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from ocpp_bridge.versions.base import Action, Context, Handler, Payload
from ocpp_bridge.versions.schemas import Schema, schema
from ocpp_bridge.versions.v201 import HANDLERS, V201, table
from ocpp_bridge.versions.v201 import handlers as h


async def vat_number(context: Context, payload: Payload) -> Payload:
    """The bridge writes no invoices."""
    return {"vatNumber": payload["vatNumber"], "status": "Rejected"}


NEW: Mapping[str, tuple[Handler, tuple[str, ...]]] = {
    "BatterySwap": (h.nothing_to_say, ()),
    "ClosePeriodicEventStream": (h.nothing_to_say, ()),
    "NotifyDERAlarm": (h.nothing_to_say, ()),
    "NotifyDERStartStop": (h.nothing_to_say, ()),
    "NotifyPriorityCharging": (h.nothing_to_say, ()),
    "NotifySettlement": (h.nothing_to_say, ()),
    "NotifyWebPaymentStarted": (h.nothing_to_say, ()),
    "OpenPeriodicEventStream": (h.rejected, ()),
    "PullDynamicScheduleUpdate": (h.rejected, ()),
    "ReportDERControl": (h.nothing_to_say, ()),
    "VatNumberValidation": (vat_number, ("vatNumber",)),
}
# The one message that is sent without an answer; its schema's file has no "Request" in its name.
STREAM = Action(h.nothing_to_say, schema("v21", "NotifyPeriodicEventStream"), Schema({}), frozenset())


class V21(V201):
    subprotocol = "ocpp2.1"
    wire: Literal["1.6", "2.0.1", "2.1"] = "2.1"
    schemas = "v21"
    actions: Mapping[str, Action] = {
        **table("v21", {**HANDLERS, **NEW}),
        "NotifyPeriodicEventStream": STREAM,
    }
