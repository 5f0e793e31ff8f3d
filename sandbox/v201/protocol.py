"""A charger that speaks OCPP 2.0.1: its statuses, authorisations and transactions on the wire.

Boot, heartbeats and order are `session`'s; transactions `transactions.py`'s; incoming calls `calls.py`'s; configuration is
`variables.py`'s device model.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar

import structlog

from sandbox import schemas
from sandbox.connector import Authorisation, Transaction
from sandbox.frames import Payload
from sandbox.outbox import Outgoing
from sandbox.reporter import Sample, Shown
from sandbox.session import Box, Session
from sandbox.socket import Answer
from sandbox.tokens import IdInfo
from sandbox.v201 import calls, messages
from sandbox.v201.places import Places
from sandbox.v201.transactions import Ledger, Now, Open, Who
from sandbox.v201.variables import DeviceModel

log = structlog.get_logger(__name__)


class Protocol201(Session):
    name = "ocpp2.0.1"
    version: ClassVar[schemas.Version] = "2.0.1"
    longest_token = 36
    bad_frame_code = "RpcFrameworkError"
    unknown_type_code = "MessageTypeNotSupported"
    transaction_extra: ClassVar[dict[str, Any]] = {}

    def __init__(self, box: Box) -> None:
        super().__init__(box)
        self.places = Places(connector.plan for connector in self.station.connectors.values())
        self.ledger = Ledger("PowerPathClosed", self.new_id, self.transaction_extra)
        self.boot_reason = "PowerUp"
        self.reset_when_idle: Callable[[], None] | None = None
        self.events_instead_of_status = False
        self.offline_threshold_s = 300.0
        self.measurands: tuple[str, ...] = messages.MEASURANDS
        self._token_kinds: dict[str, str] = {}
        self._event_number = 0
        self._lost_at: float | None = None
        self._problems: dict[int, str] = {}
        self._status_put: dict[int, str] = {}  # what is told or about to be
        self.device = DeviceModel(self)

    # --- session ------------------------------------------------------------------------------------------------
    def boot_request(self) -> Payload:
        who = self.identity
        return messages.boot(who.vendor, who.model, who.firmware, who.serial, self.boot_reason)

    def handle(self, action: str, payload: Payload) -> Answer:
        return calls.handle(self, action, payload)

    def configure(self, key: str, value: str) -> str:
        """`key` is `Component.Variable`; also what no variable can change but a model is built with."""
        if key == "StatusBy":
            self.events_instead_of_status = value == "NotifyEvent"
            return "Accepted"
        return self.device.build(key, value)

    def restart_because(self, reason: str) -> None:
        self.boot_reason = reason
        self.reboot()

    def restarted(self) -> None:
        super().restarted()
        self.reset_when_idle = None
        self._problems.clear()
        self._status_put.clear()

    def disconnected(self) -> None:
        self._status_put.clear()
        self._lost_at = self.station.clock.monotonic()

    def connected_again(self) -> None:
        """B04: after a long time without a line all statuses are told, after a short one what has changed."""
        if self._lost_at is not None and self.station.clock.monotonic() - self._lost_at > self.offline_threshold_s:
            self._told.clear()
        self.boot_reason = "PowerUp"

    # --- statuses -----------------------------------------------------------------------------------------------
    def tell_status(self, number: int, shown: Shown, done: Callable[[], None]) -> None:
        at = self.station.clock.now()
        self._tell_problem(number, shown)
        if number == 0:
            if self.faults.has("status_of_evse_zero"):
                zero = {
                    "timestamp": messages.timestamp(at),
                    "connectorStatus": shown.status,
                    "evseId": 0,
                    "connectorId": 0,
                }
                self.tell("StatusNotification", zero)
            done()
            return
        # OCPP 2 has one word for all that is occupied: what changes within it is told by the transaction.
        status, told = messages.connector_status(shown.status), self._told.get(number)
        before = self._status_put.get(number) or (told and messages.connector_status(told.status))
        self._status_put[number] = status
        if before == status:
            done()
            return
        action, payload = self.status_message(number, shown)
        self.outbox.put(Outgoing(action, lambda: payload, on_answer=lambda _: done()))

    def status_message(self, number: int, shown: Shown) -> tuple[str, Payload]:
        """StatusNotification, or on some models NotifyEvent; both are allowed (2.0.1 part 6)."""
        at, place = self.station.clock.now(), self.places.by_number[number]
        if not self.events_instead_of_status:
            return "StatusNotification", messages.status(place, shown, at)
        state = messages.connector_status(shown.status)
        row = self.event_row(messages.component("Connector", place), "AvailabilityState", state)
        return "NotifyEvent", messages.notify_event([row], at)

    def status_changed(self, number: int) -> None:
        super().status_changed(number)
        if number in self.ledger.open:
            car = self.station.connectors[number].car is not None
            state = messages.charging_state(self.station.shown(number).status, car=car)
            meter = messages.meter_value(self.station.sample(number, "Sample.Periodic"), self.measurands)
            self._put(self.ledger.state(number, state, meter, self.now()))

    def event_row(self, what: Payload, variable: str, value: str, **more: Any) -> Payload:
        self._event_number += 1
        return messages.event(self._event_number, what, variable, value, self.station.clock.now(), **more)

    def _tell_problem(self, number: int, shown: Shown) -> None:
        """An error code becomes the variable Problem of the component that has it (2.0.1 part 2, appendix 3)."""
        before, code = self._problems.get(number, "NoError"), shown.error_code
        if before == code:
            return
        self._problems[number] = code
        if number:
            what = messages.component("Connector", self.places.by_number[number])
        else:
            what = messages.component("TokenReader" if "ReaderFailure" in {code, before} else "ChargingStation")
        more: Payload = {"cleared": True} if code == "NoError" else {"techCode": code}
        row = self.event_row(
            what,
            "Problem",
            "false" if code == "NoError" else "true",
            **more,
            **self.severity(cleared="cleared" in more),
        )
        self.tell("NotifyEvent", messages.notify_event([row], self.station.clock.now()))

    def severity(self, *, cleared: bool) -> Payload:
        """What a later version says of how bad a problem is."""
        return {}

    def custom_trigger(self, payload: Payload) -> Answer:
        return Answer({"status": "NotImplemented"})

    # --- tokens and transactions --------------------------------------------------------------------------------
    def id_token(self, token: str) -> Payload:
        return messages.id_token(token, self._token_kinds.get(token, messages.CARD))

    def learn_kind(self, id_token: Payload) -> str:
        """Keeps what kind of token it is, so that it is told as it came; returns the token."""
        token: str = id_token["idToken"]
        self._token_kinds[token] = id_token["type"]
        return token

    async def ask_authorize(self, token: str) -> IdInfo:
        answer = await self.call("Authorize", {"idToken": self.id_token(token)})
        return messages.read_id_info(answer["idTokenInfo"])

    def plugged(self, number: int) -> None:
        self._put(self.ledger.plugged(self.places.by_number[number], self.now()))

    def unplugged(self, number: int) -> None:
        self._put(self.ledger.unplugged(self.places.by_number[number], self.now()))

    def authorisation_waits(self, number: int, authorisation: Authorisation) -> None:
        who = Who(self.id_token(authorisation.token), authorisation.remote_start)
        self._put(self.ledger.waits(self.places.by_number[number], who, self.now()))

    def authorisation_lapsed(self, number: int) -> None:
        self._put(self.ledger.lapsed(self.places.by_number[number], self.now()))

    def transaction_began(self, transaction: Transaction) -> None:
        place = self.places.by_number[transaction.connector]
        who = Who(self.id_token(transaction.token), transaction.remote_start)
        meter = messages.meter_value(self.station.sample(place.number, "Transaction.Begin"), self.measurands)
        transaction.number, events = self.ledger.began(
            place,
            who,
            meter,
            self.now(),
            plug_last=transaction.plug_last,
            reservation=transaction.reservation,
        )
        self._put(events, transaction)

    def transaction_metered(self, transaction: Transaction, sample: Sample) -> None:
        meter = messages.meter_value(sample, self.measurands)
        self._put(self.ledger.metered(transaction.connector, meter, self.now()), dispensable=True)

    def transaction_ended(self, transaction: Transaction, sample: Sample) -> None:
        number, reason = transaction.connector, transaction.stop_reason or "Other"
        token = self.id_token(transaction.stop_token) if transaction.stop_token is not None else None
        car = self.station.connectors[number].car is not None and reason != "EVDisconnected"
        meter = messages.meter_value(sample, self.measurands)
        events = self.ledger.ended(number, reason, meter, Now(sample.at, self.online), car=car, token=token)
        if not self.faults.has("stop_not_told"):
            self._put(events)
        if self.faults.has("meter_after_stop"):
            self.tell("MeterValues", {"evseId": self.places.by_number[number].evse, "meterValue": meter})
        if self.reset_when_idle is not None and not self.station.transactions():
            now_idle, self.reset_when_idle = self.reset_when_idle, None
            now_idle()

    def messages_waiting(self, transaction: str | None) -> bool:
        """Whether something of the transaction (or of any) is yet to be told."""
        for item in self.outbox.waiting():
            if item.action == "TransactionEvent":
                payload = item.build() or {}
                if transaction in {None, payload.get("transactionInfo", {}).get("transactionId")}:
                    return True
        return False

    def now(self) -> Now:
        return Now(self.station.clock.now(), self.online)

    def meter(self, number: int) -> list[Payload]:
        return messages.meter_value(self.station.sample(number, "Trigger"), self.measurands)

    def put_events(self, events: list[Payload]) -> None:
        self._put(events)

    def suspend_and_restart(self) -> None:
        """OCPP 2.1's ImmediateAndResume; a 2.0.1 charger cannot be asked for it."""
        self.restart_because("RemoteReset")

    # --- over a power cut ---------------------------------------------------------------------------------------
    def kept(self) -> Payload:
        return {
            "variables": self.device.written(),
            "open": {str(number): each.kept() for number, each in self.ledger.open.items()},
            "token_kinds": dict(self._token_kinds),
            "event_number": self._event_number,
        }

    def recall(self, kept: Payload) -> None:
        self.device.write_again(kept["variables"])
        self.ledger.open = {
            int(number): Open(place=self.places.by_number[int(number)], **row) for number, row in kept["open"].items()
        }
        self._token_kinds = dict(kept["token_kinds"])
        self._event_number = kept["event_number"]

    def message_again(self, memo: Payload, about: Transaction | None) -> Outgoing:
        return self._event(memo["payload"], about, dispensable=memo["dispensable"])

    def _put(self, events: list[Payload], began: Transaction | None = None, *, dispensable: bool = False) -> None:
        """`began`: the transaction that these events begin; the answer says what its token is worth."""
        for payload in events:
            self.outbox.put(self._event(payload, began, dispensable=dispensable))

    def _event(self, payload: Payload, began: Transaction | None, *, dispensable: bool) -> Outgoing:
        build: Callable[[], Payload] = partial(dict, payload)
        return Outgoing(
            "TransactionEvent",
            build,
            durable=True,
            dispensable=dispensable,
            on_answer=partial(self._token_answered, began) if began is not None else None,
            memo={"payload": payload, "dispensable": dispensable},
            about=began,
        )

    def _token_answered(self, transaction: Transaction, answer: Payload) -> None:
        if (wrong := self.wrong_answer("TransactionEvent", answer)) is not None:
            log.warning("start_answer_unusable", charger=self.station.charger, why=wrong)
            return
        if (info := answer.get("idTokenInfo")) is None:
            return
        said = messages.read_id_info(info)
        if said.status == "Accepted":
            self.station.tokens.remember(transaction.token, said)
        else:
            self.station.token_refused(transaction, said)
