"""What every OCPP version is asked in the same words."""

from __future__ import annotations

from collections.abc import Mapping

from ocpp_bridge.versions.base import Call, Order, Request


def get_local_list_version(order: Order) -> Request:
    """TC_042."""
    return Request("GetLocalListVersion", {})


def clear_cache(order: Order) -> Request:
    """TC_061; TC_C_37."""
    return Request("ClearCache", {})


def cancel_reservation(order: Order) -> Request:
    """TC_051; TC_H_17."""
    return Request("CancelReservation", {"reservationId": order.command.params["number"]})


ALIKE: Mapping[str, Call] = {
    "get_local_list_version": get_local_list_version,
    "clear_cache": clear_cache,
    "cancel_reservation": cancel_reservation,
}
