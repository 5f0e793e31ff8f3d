"""What the front door counts, for Prometheus at /metrics."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest


class Metrics:
    """A registry of its own, so that two front doors in one process (tests) do not share counters."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.received = self._counter("received", "Messages and events accepted.", "channel", "kind")
        self.duplicates = self._counter("duplicates", "Deliveries of something accepted before.", "channel")
        self.refused = self._counter("refused", "Requests refused at the edge.", "channel", "reason")
        self.turns = self._counter("turns", "Inbox items brought to their end.", "outcome")
        self.rasa_errors = self._counter("rasa_errors", "Calls to Rasa that did not end well.", "kind")
        self.deliveries = self._counter("deliveries", "Outbound messages by what became of them.", "state")
        self.delivery_retries = self._counter("delivery_retries", "Sends put off for a later attempt.", "reason")
        self.statuses = self._counter("statuses", "What carriers said became of messages.", "carrier", "status")
        self.turn_seconds = Histogram(
            "chargeline_bot_turn_seconds",
            "From an item's acceptance to the end of its turn.",
            buckets=(0.1, 0.25, 0.5, 1, 2, 5, 10, 20, 60, 120),
            registry=self.registry,
        )
        self.hazards = self._counter("hazards", "Reports of danger by what became of them.", "outcome")
        self.handovers = Counter(
            "chargeline_bot_handovers", "Conversations handed to a person.", registry=self.registry
        )
        self.hazard_advice_seconds = Histogram(
            "chargeline_bot_hazard_advice_seconds",
            "From the acceptance of words that mean danger to the stored advice.",
            buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 5),
            registry=self.registry,
        )
        self.waiting_items = Gauge("chargeline_bot_waiting_items", "Inbox items not done.", registry=self.registry)
        self.waiting_deliveries = Gauge(
            "chargeline_bot_waiting_deliveries", "Deliveries not final.", registry=self.registry
        )

    def _counter(self, name: str, what: str, *labels: str) -> Counter:
        return Counter(f"chargeline_bot_{name}", what, labels, registry=self.registry)

    def exposition(self) -> bytes:
        return generate_latest(self.registry)
