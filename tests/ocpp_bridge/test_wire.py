"""Frames and the session state machine: nothing a charger sends raises, and every call has exactly one end."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from ocpp_bridge.wire import frames
from ocpp_bridge.wire import session as wire

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=50),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=20,
)
FRAMES = st.one_of(
    st.text(max_size=200),
    st.binary(max_size=50),
    JSON.map(json.dumps),
    st.lists(JSON, max_size=6).map(json.dumps),
    st.tuples(st.integers(1, 7), st.text(max_size=40), JSON, JSON).map(json.dumps),
)
HOSTILE = [
    "",
    "garbage",
    "[" * 100_000,
    "[]",
    "{}",
    "null",
    "[2]",
    '[2,"1",["x"],{}]',
    '[2,"1","Heartbeat"]',
    '[2,"1","Heartbeat",[]]',
    '[2,"1","Heartbeat",{},1]',
    '[2,1,"Heartbeat",{}]',
    '[2,"","Heartbeat",{}]',
    '[true,"1","Heartbeat",{}]',
    '["2","1","Heartbeat",{}]',
    json.dumps([2, "x" * 37, "Heartbeat", {}]),
    json.dumps([2, "x" * 5000, "Heartbeat", {}]),
]


def sent(todo: list[wire.Do]) -> list[list[Any]]:
    return [json.loads(item.text) for item in todo if isinstance(item, wire.Send)]


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("version", ["1.6", "2.0.1", "2.1"])
def test_hostile_frames_are_answered_with_a_callerror(text: str, version: Any) -> None:
    todo = wire.Session(version).receive(text, 0.0)
    known_type = not text.startswith(("[true", '["2"'))
    if version == "1.6" and not known_type:
        assert sent(todo) == []  # OCPP-J 1.6: unknown message types are ignored
        return
    [answer] = sent(todo)
    assert answer[0] == 4
    expected = "FormationViolation" if version == "1.6" else "RpcFrameworkError"
    assert answer[2] == (expected if known_type else "MessageTypeNotSupported")


def test_a_binary_frame_closes_the_connection() -> None:
    assert wire.Close(1003, "OCPP frames are text") in wire.Session("1.6").receive(b"[2]", 0.0)


def test_a_stream_of_garbage_ends_with_a_close_and_good_frames_in_between_forgive() -> None:
    session = wire.Session("1.6")
    for n in range(500):
        assert not any(isinstance(item, wire.Close) for item in session.receive("garbage", 0.0))
        session.receive(json.dumps([2, str(n), "Heartbeat", {}]), 0.0)
        session.answer(str(n), {})
    closes = [any(isinstance(i, wire.Close) for i in session.receive("garbage", 0.0)) for _ in range(200)]
    assert closes.index(True) == wire.FAULT_LIMIT


def test_an_id_that_is_under_way_is_refused_and_one_that_is_over_is_noted() -> None:
    session = wire.Session("1.6")
    frame = json.dumps([2, "a", "Heartbeat", {}])
    assert any(isinstance(item, wire.Deliver) for item in session.receive(frame, 0.0))
    [answer] = sent(session.receive(frame, 0.0))
    assert answer[:3] == [4, "a", "FormationViolation"]
    assert sent(session.answer("a", {})) == [[3, "a", {}]]
    assert session.answer("a", {}) == []
    todo = session.receive(frame, 0.0)
    assert [type(item) for item in todo] == [wire.Note, wire.Deliver]


def test_more_calls_than_a_charger_may_make_are_refused_without_being_kept() -> None:
    session = wire.Session("1.6")
    for n in range(wire.INBOUND_LIMIT):
        session.receive(json.dumps([2, str(n), "Heartbeat", {}]), 0.0)
    [answer] = sent(session.receive(json.dumps([2, "one more", "Heartbeat", {}]), 0.0))
    assert answer[:3] == [4, "one more", "GenericError"]


def test_one_call_is_outstanding_and_the_queue_is_bounded() -> None:
    session = wire.Session("1.6")
    assert len(sent(session.call("0", "Reset", {}, 30, 0))) == 1
    for n in range(wire.QUEUE_LIMIT):
        assert session.call(str(n + 1), "Reset", {}, 30, 0) == []
    assert session.call("full", "Reset", {}, 30, 0) == [wire.Complete("full", wire.QueueFull())]
    todo = session.receive(json.dumps([3, "0", {"status": "Accepted"}]), 1)
    assert todo[0] == wire.Complete("0", wire.Answered({"status": "Accepted"}))
    assert [frame[1] for frame in sent(todo)] == ["1"]


def test_the_deadline_counts_from_the_request_also_in_the_queue() -> None:
    session = wire.Session("1.6")
    session.call("a", "Reset", {}, deadline=30, now=0)
    session.call("b", "Reset", {}, deadline=30, now=0)
    session.call("c", "Reset", {}, deadline=40, now=10)
    assert session.next_deadline() == 30
    todo = session.tick(30)
    assert wire.Complete("a", wire.TimedOut(sent=True)) in todo
    assert wire.Complete("b", wire.TimedOut(sent=False)) in todo
    assert [frame[1] for frame in sent(todo)] == ["c"]
    late = session.receive(json.dumps([3, "a", {"status": "Accepted"}]), 31)
    assert late == [wire.Late("a", "Reset", frames.CallResult("a", {"status": "Accepted"}))]
    assert session.pending_id == "c"


def test_a_lost_socket_ends_every_call_at_once() -> None:
    session = wire.Session("1.6")
    session.call("a", "Reset", {}, 30, 0)
    session.call("b", "Reset", {}, 30, 0)
    assert session.lost() == [
        wire.Complete("a", wire.Disconnected(sent=True)),
        wire.Complete("b", wire.Disconnected(sent=False)),
    ]
    assert session.lost() == []
    assert session.call("c", "Reset", {}, 30, 0) == [wire.Complete("c", wire.Disconnected(sent=False))]


@pytest.mark.parametrize(
    ("frame", "outcome"),
    [
        ([3, "a", {"status": "Accepted"}], wire.Answered({"status": "Accepted"})),
        ([3, "a"], wire.InvalidAnswer("the payload of the answer is not an object")),
        ([3, "a", [1]], wire.InvalidAnswer("the payload of the answer is not an object")),
        ([4, "a", "NotSupported", "no", {}], wire.Refused("NotSupported", "no")),
        ([4, "a"], wire.Refused("GenericError", "")),
        ([4, "a", 5, None, "x"], wire.Refused("GenericError", "")),
    ],
)
def test_ends_of_a_call(frame: list[Any], outcome: wire.Outcome) -> None:
    session = wire.Session("1.6")
    session.call("a", "Reset", {}, 30, 0)
    assert session.receive(json.dumps(frame), 1) == [wire.Complete("a", outcome)]


def test_send_and_callresulterror_exist_in_2_1_only() -> None:
    send = json.dumps([6, "a", "NotifyPeriodicEventStream", {}])
    [deliver] = wire.Session("2.1").receive(send, 0)
    assert isinstance(deliver, wire.Deliver)
    assert not deliver.call.answered
    assert [type(item) for item in wire.Session("2.1").receive(json.dumps([6, "a", 7, {}]), 0)] == [wire.Note]
    refused = json.dumps([5, "a", "InternalError", "", {}])
    assert [type(item) for item in wire.Session("2.1").receive(refused, 0)] == [wire.Note]
    for frame in (send, refused):
        assert [row[:3] for row in sent(wire.Session("2.0.1").receive(frame, 0))] == [
            [4, "a", "MessageTypeNotSupported"]
        ]
        assert [type(item) for item in wire.Session("1.6").receive(frame, 0)] == [wire.Note]


@given(st.lists(FRAMES, max_size=30), st.sampled_from(["1.6", "2.0.1", "2.1"]))
@settings(max_examples=300, deadline=None)
def test_nothing_that_is_received_raises(data: list[str | bytes], version: Any) -> None:
    session = wire.Session(version)
    session.call("call", "Reset", {}, 30, 0)
    for item in data:
        for todo in session.receive(item, 0.0):
            if isinstance(todo, wire.Send):
                assert json.loads(todo.text)[0] in (2, 4)


class SessionMachine(RuleBasedStateMachine):
    """Whatever the order of calls, answers, time and loss: one call is out at most, and each ends exactly once."""

    def __init__(self) -> None:
        super().__init__()
        self.session = wire.Session("1.6")
        self.now = 0.0
        self.asked: list[str] = []
        self.sent: list[str] = []
        self.ended: list[str] = []
        self.outstanding: str | None = None
        self.alive = True

    def do(self, todo: list[wire.Do]) -> None:
        for item in todo:
            match item:
                case wire.Send(text):
                    frame = json.loads(text)
                    if frame[0] == 2:
                        assert self.outstanding is None
                        assert self.session.pending_id == frame[1]  # kept before the send
                        self.outstanding = frame[1]
                        self.sent.append(frame[1])
                case wire.Complete(message_id, outcome):
                    assert message_id not in self.ended
                    self.ended.append(message_id)
                    if isinstance(outcome, wire.TimedOut | wire.Disconnected):
                        assert outcome.sent == (message_id in self.sent)
                    if message_id == self.outstanding:
                        self.outstanding = None

    @rule(patience=st.floats(0, 60))
    def call(self, patience: float) -> None:
        message_id = f"m{len(self.asked)}"
        self.asked.append(message_id)
        self.do(self.session.call(message_id, "Reset", {}, self.now + patience, self.now))

    @precondition(lambda self: self.asked)
    @rule(data=st.data(), kind=st.sampled_from([3, 4]))
    def answer(self, data: st.DataObject, kind: int) -> None:
        message_id = data.draw(st.sampled_from(self.asked))
        self.do(self.session.receive(json.dumps([kind, message_id, {}]), self.now))

    @rule(seconds=st.floats(0, 40))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds
        self.do(self.session.tick(self.now))

    @precondition(lambda self: self.alive)
    @rule()
    def loss(self) -> None:
        self.alive = False
        self.do(self.session.lost())
        assert sorted(self.ended) == sorted(self.asked)

    @invariant()
    def nothing_is_overdue_after_a_tick(self) -> None:
        deadline = self.session.next_deadline()
        open_calls = len(self.asked) - len(self.ended)
        assert (deadline is None) == (open_calls == 0)
        assert self.session.queued <= wire.QUEUE_LIMIT


TestSessionMachine = SessionMachine.TestCase
TestSessionMachine.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
