"""Rasa made fast enough for two cores: what the profiler showed in Rasa's own way of a turn, done with less work and the same end.

* A graph of components is put in order once, and run in that order; Rasa builds and optimises a task graph for every step.
* An action call goes over a connection that stays open, is checked by a schema that is compiled once, and is left out where the
  action has nothing to do (`called_while` in endpoints.yml).
* Nothing is copied for a log line that nobody reads, and a conversation is copied without living through it again.
* What loading a model needed is given back to the system.
"""

from __future__ import annotations

import asyncio
import copy
import ctypes
import functools
import gc
import json
import weakref
from itertools import product
from typing import Any, Callable, Dict, Iterable, List, Optional, Set, Text, Tuple

import aiohttp
import jsonschema
import ujson
from rasa.core import processor as rasa_processor
from rasa.core.actions import forms as rasa_forms
from rasa.core.actions.action import RemoteAction
from rasa.core.policies import rule_policy as rasa_rule_policy
from rasa.core.policies.rule_policy import RULES, RULES_FOR_LOOP_UNHAPPY_PATH, RulePolicy
from rasa.engine.runner.dask import DaskGraphRunner
from rasa.shared.core.constants import PREVIOUS_ACTION, SHOULD_NOT_BE_SET, USER
from rasa.shared.core.domain import Domain, State
from rasa.shared.core.events import ActionExecuted
from rasa.shared.core.trackers import DialogueStateTracker
from rasa.shared.nlu.constants import ACTION_NAME, INTENT, TEXT
from rasa.utils.endpoints import EndpointConfig

# Less than the action server's own, so that a connection is never taken up in the moment in which the server lets go of it.
KEEP_OPEN_S = 15.0
_Step = Tuple[Text, Any, List[Text]]


# --- the graph of components


def _order(runner: DaskGraphRunner, targets: Tuple[Text, ...]) -> List[_Step]:
    """Every node that the targets need, after those that it needs itself, with their names."""
    schema = runner._graph_schema.minimal_graph_schema(list(targets)).nodes
    steps: Dict[Text, _Step] = {}

    def add(name: Text) -> None:
        if name in schema and name not in steps:
            needs = list(schema[name].needs.values())
            for need in needs:
                add(need)
            steps[name] = (name, runner._instantiated_nodes[name], needs)

    for target in targets:
        add(target)
    return list(steps.values())


def _run_in_order(
    self: DaskGraphRunner, inputs: Optional[Dict[Text, Any]] = None, targets: Optional[List[Text]] = None
) -> Dict[Text, Any]:
    """As DaskGraphRunner.run; what a node raises is raised as it is."""
    wanted = tuple(targets or self._graph_schema.target_names)
    orders: Dict[Tuple[Text, ...], List[_Step]] = self.__dict__.setdefault("chargeline_orders", {})
    if wanted not in orders:
        orders[wanted] = _order(self, wanted)
    done: Dict[Text, Any] = {name: (name, value) for name, value in (inputs or {}).items()}
    for name, node, needs in orders[wanted]:
        if name not in done:
            done[name] = node(*(done.get(need, need) for need in needs))
    return {name: done[name][1] for name in wanted}


# --- calls to the action server


class _Lent:
    """Gives out the open session where Rasa would open and close one of its own."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    async def __aenter__(self) -> aiohttp.ClientSession:
        return self._session

    async def __aexit__(self, *_: Any) -> None:
        return None


_open_endpoints: "weakref.WeakSet[OpenEndpoint]" = weakref.WeakSet()


class OpenEndpoint(EndpointConfig):
    """The action server's address, with one pool of connections an event loop."""

    __hash__ = object.__hash__  # its parent compares addresses and has none

    def __init__(self, endpoint: EndpointConfig) -> None:
        self.__dict__.update(endpoint.__dict__)
        _open_endpoints.add(self)
        self.sessions: "weakref.WeakKeyDictionary[Any, aiohttp.ClientSession]" = weakref.WeakKeyDictionary()

    def session(self) -> Any:
        loop = asyncio.get_running_loop()
        session = self.sessions.get(loop)
        if session is None or session.closed:
            session = self.sessions[loop] = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=100, keepalive_timeout=KEEP_OPEN_S),
                json_serialize=functools.partial(ujson.dumps, escape_forward_slashes=False),
                headers=self.headers,
                auth=aiohttp.BasicAuth(**self.basic_auth) if self.basic_auth else None,
            )
        return _Lent(session)


def open_endpoint(endpoint: EndpointConfig) -> OpenEndpoint:
    """The same address with connections that stay open; one for each endpoint, kept with it."""
    kept: Optional[OpenEndpoint] = endpoint.__dict__.get("chargeline_open")
    if kept is None:
        kept = endpoint.chargeline_open = OpenEndpoint(endpoint)
    return kept


async def close() -> None:
    """Lets go of the connections of this event loop."""
    for each in list(_open_endpoints):
        session = each.sessions.pop(asyncio.get_running_loop(), None)
        if session is not None:
            await session.close()


def has_nothing_to_do(endpoint: EndpointConfig, action: Text, tracker: DialogueStateTracker) -> bool:
    """True where `called_while` names a slot for the action that is empty: it would look, see that, and return."""
    slot = (endpoint.kwargs.get("called_while") or {}).get(action)
    return slot is not None and tracker.get_slot(slot) is None


_ANSWER = jsonschema.Draft7Validator(RemoteAction.action_response_format_spec())


def _validated(_: RemoteAction, result: Any) -> bool:
    """As RemoteAction._validate_action_result; raises jsonschema.ValidationError."""
    if not _is_plain(result):
        _ANSWER.validate(result)
    return True


def _is_plain(result: Any) -> bool:
    """True of slots and replies alone, which nearly every answer is; they would pass the schema's twenty kinds of events too."""
    if type(result) is not dict:
        return False
    events, replies = result.get("events", []), result.get("responses", [])
    return (
        type(events) is list
        and all(
            type(event) is dict
            and event.keys() <= _OF_A_SLOT
            and event.get("event") == "slot"
            and type(event.get("name")) is str
            and "value" in event
            and (event.get("timestamp") is None or type(event["timestamp"]) in (int, float))
            for event in events
        )
        and type(replies) is list
        and all(type(reply) is dict for reply in replies)
    )


_OF_A_SLOT = {"event", "name", "value", "timestamp"}


# --- conversations and what is decided from them


def _copied(self: DialogueStateTracker) -> DialogueStateTracker:
    """As DialogueStateTracker.copy: what happens to the copy does not happen to the original."""
    twin = copy.copy(self)
    twin.events = copy.copy(self.events)
    twin.slots = copy.copy(self.slots)
    for name, slot in self.slots.items():
        twin.slots[name] = copy.copy(slot)
    twin.active_loop = copy.copy(self.active_loop)
    return twin


def _longest_rule(policy: RulePolicy) -> int:
    """How many states a rule looks back at most."""
    tables = [policy.lookup.get(name) or {} for name in (RULES, RULES_FOR_LOOP_UNHAPPY_PATH)]
    size = sum(map(len, tables))
    known: Optional[Tuple[int, int]] = policy.__dict__.get("chargeline_longest")
    if known is None or known[0] != size:
        longest = max((len(json.loads(key)) for table in tables for key in table), default=1)
        known = policy.chargeline_longest = (size, longest)
    return known[1]


def _last_states(
    self: RulePolicy,
    tracker: DialogueStateTracker,
    domain: Domain,
    use_text_for_last_user_input: bool = False,
    rule_only_data: Optional[Dict[Text, Any]] = None,
) -> List[State]:
    """As Policy._prediction_states, but only so many of the last states as the longest rule looks at."""
    applied = tracker.applied_events()
    ahead = sum(isinstance(event, ActionExecuted) for event in applied) + 1 - _longest_rule(self)
    states: List[State] = []
    replayed = tracker.init_copy()
    for event in applied:
        if isinstance(event, ActionExecuted):
            if ahead <= 0:
                states.append(domain.get_active_state(replayed))
            ahead -= 1
        replayed.update(event)
    states.append(domain.get_active_state(replayed))
    self.featurizer._choose_last_user_input([states], use_text_for_last_user_input)
    return states


rasas_possible_keys = RulePolicy._get_possible_keys


def _possible_keys(self: RulePolicy, lookup: Dict[Text, Text], states: List[State]) -> Set[Text]:
    """As RulePolicy._get_possible_keys, which holds every rule against the last state; here only those that name what it names."""
    if not states:
        return set(lookup)
    indexes = self.__dict__.setdefault("chargeline_indexes", {})
    known = indexes.get(id(lookup))
    if known is None or known[:2] != (lookup, len(lookup)):
        known = indexes[id(lookup)] = (lookup, len(lookup), _index(lookup))
    action, intent = _names(states[-1])
    names = product({None, action}, {None, intent})
    keys: Iterable[Text] = (key for name in names for key in known[2].get(name, ()))
    for back, state in enumerate(reversed(states)):
        keys = [key for key in keys if self._is_rule_applicable(key, back, state)]
    return set(keys)


def _names(state: State) -> Tuple[Optional[Text], Optional[Text]]:
    """(action before, intent of the message) where a state has them; whatever else it has is looked at later."""
    action, intent = (
        (state.get(PREVIOUS_ACTION) or {}).get(ACTION_NAME),
        (state.get(USER) or {}).get(INTENT),
    )
    return action if isinstance(action, str) else None, intent if isinstance(intent, str) else None


def _index(lookup: Dict[Text, Text]) -> Dict[Tuple[Optional[Text], Optional[Text]], List[Text]]:
    """Rules by what their last state names; one that says something must not be set names nothing."""
    found: Dict[Tuple[Optional[Text], Optional[Text]], List[Text]] = {}
    for key in lookup:
        action, intent = (
            None if name == SHOULD_NOT_BE_SET else name or None
            for name in _names(RulePolicy._rule_key_to_state(key)[-1])
        )
        found.setdefault((action, intent), []).append(key)
    return found


rasas_find_action_from_rules = RulePolicy._find_action_from_rules


def _by_intent(
    self: RulePolicy, tracker: DialogueStateTracker, domain: Domain, use_text_for_last_user_input: bool
) -> Tuple[Optional[Text], Optional[Text], bool]:
    """Rasa looks twice, first for rules about a message's very words; there are none."""
    if use_text_for_last_user_input and not _has_rules_about_words(self):
        return None, None, False
    return rasas_find_action_from_rules(self, tracker, domain, use_text_for_last_user_input)


def _has_rules_about_words(policy: RulePolicy) -> bool:
    known: Optional[bool] = policy.__dict__.get("chargeline_words")
    if known is None:
        rules = (json.loads(key) for key in policy.lookup[RULES])
        known = policy.chargeline_words = any(TEXT in (state.get(USER) or {}) for rule in rules for state in rule)
    return known


# --- memory


def _give_back() -> None:
    """Memory that is free but still the process's own: 60 MiB after a model was unpacked. Only glibc has to be asked."""
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def _loading_then_giving_back() -> Callable[..., None]:
    load = rasa_processor.MessageProcessor.__init__

    @functools.wraps(load)
    def loaded(self: Any, *arguments: Any, **named: Any) -> None:
        if not gc.get_freeze_count():
            # What was imported stays for good. Were it looked through at every swap, no turn could move for half a second.
            gc.collect()
            gc.freeze()
        load(self, *arguments, **named)
        _give_back()

    return loaded


# --- all of it


class _NoCopy:
    """In place of `copy` in modules of Rasa that use it only for what they hand to a logger, which copies nothing itself."""

    @staticmethod
    def deepcopy(value: Any, *_: Any) -> Any:
        return value


def install() -> None:
    """Once a process; service.py sees to that."""
    DaskGraphRunner.run = _run_in_order
    DialogueStateTracker.copy = _copied
    RemoteAction._validate_action_result = _validated
    RulePolicy._prediction_states = _last_states
    RulePolicy._find_action_from_rules = _by_intent
    RulePolicy._get_possible_keys = _possible_keys
    rasa_processor.MessageProcessor.__init__ = _loading_then_giving_back()
    for module in (rasa_processor, rasa_forms, rasa_rule_policy):
        module.copy = _NoCopy
