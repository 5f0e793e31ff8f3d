"""News of a payment: the playbook goes on from what the payment system says, and the driver is told, unasked and once."""

from __future__ import annotations

from rasa_sdk import Tracker
from rasa_sdk.events import EventType
from rasa_sdk.executor import CollectingDispatcher

from actions.dialogue.base import DialogueAction
from actions.dialogue.turns import message_of, slots, turn_of
from actions.playbooks import start_and_pay


class PaymentNews(DialogueAction):
    def name(self) -> str:
        return "action_payment_news"

    async def act(self, dispatcher: CollectingDispatcher, tracker: Tracker) -> list[EventType]:
        values, turn = message_of(tracker).values, turn_of(tracker)
        payment, intent, page = (str(values.get(name) or "") for name in ("payment", "payment_intent", "card_page"))
        events: list[EventType] = []
        run = None
        purchase = await self.service.runs.purchase(payment)
        if page:
            run = await self.service.runs.aside(
                turn, "payment_failed", None, None, lambda ports, _: start_and_pay.card_saved(ports, page)
            )
        elif purchase is not None and purchase.conversation == tracker.sender_id:
            run = await self.service.runs.aside(
                turn,
                "payment_failed",
                purchase.charger,
                purchase.connector,
                lambda ports, contact: start_and_pay.news(ports, contact, payment, intent or None),
            )
            events = slots(problem="payment_failed", charger_id=purchase.charger, connector=purchase.connector)
        if run is not None:
            events += await self.go_on(dispatcher, tracker, run, to_end=True)
        if run is None or not run.said:
            dispatcher.utter_message(json_message={"silent": True})
            return []
        return events
