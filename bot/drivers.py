"""Who the driver of a conversation is: known by phone number (DRIVERS_FILE) or by a signed token, else a guest.

The tier is what the safety gate works with: 1 may start a charge with the own token, 0 may ask.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from pathlib import Path

from bot.store.model import Channel, Conversation
from bot.texts import DEFAULT_LANGUAGE

SIGNED = "driver:"  # how the web address of a driver begins whom the operator's backend has signed
E164 = re.compile(r"\+[1-9]\d{6,14}")


class DriversFileError(ValueError):
    """DRIVERS_FILE cannot be used; the message says where and why."""


@dataclass(frozen=True, slots=True)
class Driver:
    id: str
    tier: int
    language: str


class Drivers:
    def __init__(self, by_phone: dict[str, Driver], guest_tier: int) -> None:
        self._by_phone = by_phone
        self._by_id = {driver.id: driver for driver in by_phone.values()}
        self._guest_tier = guest_tier

    def of(self, conversation: Conversation) -> Driver:
        """Who they are, and the language to answer in."""
        guest = Driver(f"guest:{conversation.id}", self._guest_tier, DEFAULT_LANGUAGE)
        driver = self._known(conversation) or guest
        return replace(driver, language=self.language_of(conversation) or DEFAULT_LANGUAGE)

    def language_of(self, conversation: Conversation) -> str | None:
        """What the driver writes in, where that has shown, else what the operator's list says, else not known."""
        known = self._known(conversation)
        return conversation.language or (known.language if known is not None else "") or None

    def _known(self, conversation: Conversation) -> Driver | None:
        """A phone number proves who someone is only where the carrier delivered it: SMS, WhatsApp; on the web a signed token does."""
        if conversation.channel is Channel.WEB and conversation.address.startswith(SIGNED):
            signed = conversation.address.removeprefix(SIGNED)
            return self._by_id.get(signed) or Driver(signed, 1, "")
        return self._by_phone.get(conversation.number or "")


def load_drivers(path: str, *, guest_starts: bool) -> Drivers:
    """Reads `[{"driver_id", "phone", "name"?, "language"?}]`; an empty path means no known drivers.

    Raises DriversFileError naming the row. A guest's tier is 1 only where the operator lets guests charge.
    """
    return Drivers(_read(Path(path)) if path else {}, 1 if guest_starts else 0)


def _read(path: Path) -> dict[str, Driver]:
    try:
        rows = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise DriversFileError(f"DRIVERS_FILE {path}: {error}") from error
    if not isinstance(rows, list):
        raise DriversFileError(f"DRIVERS_FILE {path}: a list of drivers is expected")
    by_phone: dict[str, Driver] = {}
    for number, row in enumerate(rows, 1):
        where = f"DRIVERS_FILE {path}, driver {number}"
        if not isinstance(row, dict) or not isinstance(row.get("driver_id"), str) or not row["driver_id"]:
            raise DriversFileError(f"{where}: an object with a driver_id is expected")
        phone = re.sub(r"[\s().\-]", "", str(row.get("phone", "")))
        if not phone:
            continue  # a driver without a phone cannot be known by SMS
        if not E164.fullmatch(phone):
            raise DriversFileError(f"{where}: the phone must be written in E.164, like +15551234567")
        if phone in by_phone:
            raise DriversFileError(f"{where}: another driver has the same phone")
        by_phone[phone] = Driver(row["driver_id"], 1, str(row.get("language") or DEFAULT_LANGUAGE))
    return by_phone
