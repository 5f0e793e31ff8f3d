"""Meta's batches, whatever is in them: one part that cannot be read spoils nothing, since Meta would bring the whole for days."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from bot.channels import whatsapp_webhook

Path = tuple[str | int, ...]

OURS = "106540352242922"
SENDER = {"from": "16135550101", "from_user_id": "CA.13491208655302741918", "timestamp": "1795000000"}
MESSAGES = [
    {**SENDER, "id": "wamid.1", "type": "text", "text": {"body": "hi"}},
    {
        **SENDER,
        "id": "wamid.2",
        "type": "interactive",
        "interactive": {"type": "list_reply", "list_reply": {"id": "x:0.1", "title": "One"}},
    },
    {**SENDER, "id": "wamid.3", "type": "location", "location": {"latitude": 45.4, "longitude": -75.7, "name": "here"}},
    {**SENDER, "id": "wamid.4", "type": "image", "image": {"id": "512", "mime_type": "image/jpeg", "caption": "look"}},
    {**SENDER, "id": "wamid.5", "type": "button", "button": {"text": "Yes", "payload": "x:0.0"}},
    {**SENDER, "id": "wamid.6", "type": "unsupported", "errors": [{"code": 131051, "title": "Unsupported"}]},
]
STATUSES = [
    {"id": "wamid.7", "status": "failed", "errors": [{"code": 131026}], "biz_opaque_callback_data": "in_1:0"},
    {"id": "wamid.8", "status": "read", "timestamp": "1795000000", "recipient_id": "16135550101"},
]  # fmt: skip
VALUE = {
    "messaging_product": "whatsapp",
    "metadata": {"display_phone_number": "15550000000", "phone_number_id": OURS},
    "contacts": [{"profile": {"name": "Ada"}, "wa_id": "16135550101", "user_id": "CA.13491208655302741918"}],
    "messages": MESSAGES,
    "statuses": STATUSES,
    "errors": [{"code": 131031}],
}
BATCH: dict[str, Any] = {
    "object": "whatsapp_business_account",
    "entry": [{"id": "WABA", "changes": [{"field": "messages", "value": VALUE}]}],
}


def paths(holder: object, path: Path = ()) -> Iterator[Path]:
    if path:
        yield path
    items = holder.items() if isinstance(holder, dict) else enumerate(holder) if isinstance(holder, list) else ()
    for name, value in items:
        yield from paths(value, (*path, name))


_JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5) | st.just("list_reply"),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["id", "type", "body"]), inner, max_size=2),
    max_leaves=4,
)  # fmt: skip


def spoiled(changes: list[tuple[Path, object]]) -> dict[str, Any]:
    batch = copy.deepcopy(BATCH)
    for path, junk in changes:
        holder: Any = batch
        try:
            for step in path[:-1]:
                holder = holder[step]
            holder[path[-1]] = junk
        except (TypeError, KeyError, IndexError, AttributeError):
            continue  # an earlier change has taken that away
    return batch


def test_everything_in_a_right_batch_is_read() -> None:
    messages, statuses, unread = whatsapp_webhook.read(BATCH, OURS)
    assert ([message.id for message in messages], len(statuses), unread) == ([f"wamid.{n}" for n in range(1, 7)], 2, 0)
    assert whatsapp_webhook.account_errors(BATCH) == ["131031"]


@settings(max_examples=300)
@given(st.lists(st.tuples(st.sampled_from(list(paths(BATCH))), _JUNK), min_size=1, max_size=3))
def test_whatever_a_signed_batch_holds_reading_it_does_not_fail(changes: list[tuple[Path, object]]) -> None:
    batch = spoiled(changes)
    whatsapp_webhook.read(batch, OURS)
    whatsapp_webhook.account_errors(batch)


@given(st.sampled_from([path for path in paths(BATCH) if path[-2:-1] == ("messages",)]), _JUNK)
def test_one_message_that_cannot_be_read_does_not_take_the_others_with_it(path: Path, junk: object) -> None:
    messages, statuses, _ = whatsapp_webhook.read(spoiled([(path, junk)]), OURS)
    assert len(messages) >= len(MESSAGES) - 1
    assert len(statuses) == len(STATUSES)
