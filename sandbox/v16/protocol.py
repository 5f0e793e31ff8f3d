"""A charger that speaks OCPP 1.6J: its statuses, authorisations and transactions on the wire.

Boot, heartbeats and order are `session`'s; incoming calls `calls.py`'s; the payloads `messages.py`'s.
"""

from __future__ import annotations

from collections.abc import Callable

import structlog

from sandbox import memory
from sandbox.connector import Transaction
from sandbox.frames import Payload
from sandbox.outbox import Outgoing
from sandbox.reporter import Sample, Shown
from sandbox.session import Box, Session
from sandbox.socket import Answer
from sandbox.tokens import IdInfo
from sandbox.v16 import calls, messages
from sandbox.v16.config import Configuration, Reporting

log = structlog.get_logger(__name__)


class Protocol16(Session):
    name = "ocpp1.6"
    version = "1.6"
    longest_token = 20
    unknown_type_code = None  # 1.6 4.1.3: such a message is to be ignored
    bad_frame_code = "FormationViolation"  # the specification's own spelling (OCPP-J 1.6 table 7)

    def __init__(self, box: Box) -> None:
        super().__init__(box)
        self.reporting = Reporting()
        self.configuration = Configuration(self)

    def boot_request(self) -> Payload:
        who = self.identity
        return messages.boot(who.vendor, who.model, who.firmware, who.serial)

    def handle(self, action: str, payload: Payload) -> Answer:
        return calls.handle(self, action, payload)

    def configure(self, key: str, value: str) -> str:
        return self.configuration.write(key, value)

    async def ask_authorize(self, token: str) -> IdInfo:
        answer = await self.call("Authorize", {"idTag": token})
        return messages.read_id_info(answer["idTagInfo"])

    def tell_status(self, number: int, shown: Shown, done: Callable[[], None]) -> None:
        payload = messages.status(number, shown, self.station.clock.now())
        self.outbox.put(Outgoing("StatusNotification", lambda: payload, on_answer=lambda _: done()))

    def transaction_began(self, transaction: Transaction) -> None:
        self.outbox.put(self._start(transaction))

    def transaction_metered(self, transaction: Transaction, sample: Sample) -> None:
        self.outbox.put(self._meter(transaction, sample))

    def transaction_ended(self, transaction: Transaction, sample: Sample) -> None:
        if not self.faults.has("stop_not_told"):
            self.outbox.put(self._stop(transaction))
        if self.faults.has("meter_after_stop"):
            self.transaction_metered(transaction, sample)

    # --- over a power cut ---------------------------------------------------------------------------------------
    def kept(self) -> Payload:
        return {"configuration": self.configuration.written()}

    def recall(self, kept: Payload) -> None:
        for key, value in kept["configuration"].items():
            self.configuration.write(key, value)

    def message_again(self, memo: Payload, about: Transaction | None) -> Outgoing:
        assert about is not None
        match memo["tells"]:
            case "start":
                return self._start(about)
            case "stop":
                return self._stop(about)
            case _:
                return self._meter(about, memory.read_sample(memo["sample"]))

    # --- the messages of a transaction --------------------------------------------------------------------------
    def _start(self, transaction: Transaction) -> Outgoing:
        payload = messages.start_transaction(transaction)

        def answered(answer: Payload) -> None:
            if (wrong := self.wrong_answer("StartTransaction", answer)) is not None:
                log.warning("start_answer_unusable", charger=self.station.charger, why=wrong)
                return
            transaction.number = int(answer["transactionId"])
            info = messages.read_id_info(answer["idTagInfo"])
            if info.status == "Accepted":
                self.station.tokens.remember(transaction.token, info)
            else:
                self.station.token_refused(transaction, info)
            self._changed()

        return Outgoing(
            "StartTransaction",
            lambda: payload,
            durable=True,
            on_answer=answered,
            memo={"tells": "start"},
            about=transaction,
        )

    def _meter(self, transaction: Transaction, sample: Sample) -> Outgoing:
        connector, measurands = transaction.connector, self.reporting.measurands

        def build() -> Payload | None:
            # Without a number the start was never accepted by anyone: nobody waits for its meter values.
            if not isinstance(transaction.number, int):
                return None
            return messages.meter_values(connector, transaction.number, sample, measurands)

        memo = {"tells": "meter", "sample": memory.flat_sample(sample)}
        return Outgoing("MeterValues", build, durable=True, dispensable=True, memo=memo, about=transaction)

    def _stop(self, transaction: Transaction) -> Outgoing:
        def build() -> Payload | None:
            if not isinstance(transaction.number, int):
                log.warning("stop_of_unknown_start", charger=self.station.charger, transaction=transaction.key)
                return None
            return messages.stop_transaction(transaction, transaction.number)

        return Outgoing("StopTransaction", build, durable=True, memo={"tells": "stop"}, about=transaction)
