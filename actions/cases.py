"""A case: what one contact about one problem was, as people and reports read it. Pure; `store` keeps it, `desk` fills it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from actions.playbooks.steps import Outcome, Saw, Tried

GOES_ON = timedelta(hours=1)  # a message this long after the last one is still the same contact
ABANDONED_AFTER = timedelta(hours=2)
RECONTACT = timedelta(hours=24)
_MOST_KEPT = 60  # of each list in a case


@dataclass(frozen=True, slots=True)
class Act:
    """One thing tried: `outcome` None while it is not known."""

    action: str
    command: str | None
    at: datetime
    outcome: str | None
    answer: str | None = None
    observed: str | None = None


@dataclass(frozen=True, slots=True)
class Sight:
    at: datetime
    status: str | None
    error: str | None
    causes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Case:
    """`problem` is the intent's name. `outcome` None: open. `handoff`: why a person has it, from `handed_over_at` on."""

    id: str
    conversation: str
    driver: str
    tier: int
    channel: str
    language: str
    problem: str
    opened_at: datetime
    updated_at: datetime
    charger: str | None = None
    connector: int | None = None
    seen: tuple[Sight, ...] = ()
    tried: tuple[Act, ...] = ()
    said: tuple[str, ...] = ()  # names of the responses that were given
    outcome: Outcome | None = None
    ended_at: datetime | None = None
    recontact_of: str | None = None
    handoff: str | None = None
    handed_over_at: datetime | None = None
    transcript: tuple[Mapping[str, Any], ...] = field(default=())

    @property
    def seconds(self) -> float:
        """From the first word to the end, or to the last thing that happened."""
        return ((self.ended_at or self.updated_at) - self.opened_at).total_seconds()


def goes_on(case: Case, problem: str, charger: str | None, now: datetime) -> bool:
    """Whether a message about `problem` at `charger` belongs to this case."""
    if case.problem != problem or now - case.updated_at > GOES_ON or case.outcome == Outcome.ABANDONED:
        return False
    if case.outcome == Outcome.FIXED:
        return False  # it is fixed no more: a contact of its own
    return case.charger in (None, charger) or charger is None


def is_recontact(earlier: Case, problem: str, charger: str | None, now: datetime) -> bool:
    """Whether a new contact shows that the earlier one was not fixed, although it was closed as such."""
    same = earlier.problem == problem and earlier.charger == charger
    closed = earlier.outcome in (Outcome.FIXED, Outcome.REDIRECTED)
    return same and closed and now - (earlier.ended_at or earlier.updated_at) <= RECONTACT


def with_sight(case: Case, saw: Saw, now: datetime) -> Case:
    sight = Sight(now, saw.status, saw.error, saw.causes)
    return replace(case, seen=(*case.seen, sight)[-_MOST_KEPT:], updated_at=now)


def with_act(case: Case, tried: Tried, now: datetime) -> Case:
    """Adds the act, or what has become of one that was added before."""
    act = Act(tried.action, tried.command, now, tried.outcome, tried.answer, tried.observed)
    acts = list(case.tried)
    for place, earlier in enumerate(acts):
        if tried.command is not None and earlier.command == tried.command:
            acts[place] = replace(act, at=earlier.at)
            break
    else:
        acts.append(act)
    return replace(case, tried=tuple(acts)[-_MOST_KEPT:], updated_at=now)


def with_words(case: Case, name: str, now: datetime) -> Case:
    return replace(case, said=(*case.said, name)[-_MOST_KEPT:], updated_at=now)


def ended(case: Case, outcome: Outcome, now: datetime) -> Case:
    return replace(case, outcome=outcome, ended_at=now, updated_at=now)


def as_json(case: Case) -> dict[str, Any]:
    """What the API shows and the operator's webhook is sent; times as ISO 8601 strings."""
    return {
        "id": case.id,
        "conversation": case.conversation,
        "driver": case.driver,
        "tier": case.tier,
        "channel": case.channel,
        "language": case.language,
        "problem": case.problem,
        "charger": case.charger,
        "connector": case.connector,
        "opened_at": case.opened_at.isoformat(),
        "updated_at": case.updated_at.isoformat(),
        "ended_at": case.ended_at.isoformat() if case.ended_at else None,
        "seconds": round(case.seconds, 1),
        "outcome": case.outcome.value if case.outcome else None,
        "recontact_of": case.recontact_of,
        "seen": [
            {"at": one.at.isoformat(), "status": one.status, "error": one.error, "causes": list(one.causes)}
            for one in case.seen
        ],
        "tried": [
            {
                "action": one.action,
                "command": one.command,
                "at": one.at.isoformat(),
                "answer": one.answer,
                "outcome": one.outcome,
                "observed": one.observed,
            }
            for one in case.tried
        ],
        "said": list(case.said),
        "handoff": case.handoff,
        "handed_over_at": case.handed_over_at.isoformat() if case.handed_over_at else None,
        "transcript": [dict(line) for line in case.transcript],
    }


def from_json(row: Mapping[str, Any]) -> Case:
    """The inverse of as_json; raises KeyError or ValueError for what it did not write."""
    return Case(
        id=row["id"],
        conversation=row["conversation"],
        driver=row["driver"],
        tier=row["tier"],
        channel=row["channel"],
        language=row["language"],
        problem=row["problem"],
        opened_at=datetime.fromisoformat(row["opened_at"]),
        updated_at=datetime.fromisoformat(row["updated_at"]),
        charger=row["charger"],
        connector=row["connector"],
        seen=tuple(
            Sight(datetime.fromisoformat(one["at"]), one["status"], one["error"], tuple(one["causes"]))
            for one in row["seen"]
        ),
        tried=tuple(
            Act(
                one["action"],
                one["command"],
                datetime.fromisoformat(one["at"]),
                one["outcome"],
                one["answer"],
                one["observed"],
            )
            for one in row["tried"]
        ),
        said=tuple(row["said"]),
        outcome=Outcome(row["outcome"]) if row["outcome"] else None,
        ended_at=_moment(row["ended_at"]),
        recontact_of=row["recontact_of"],
        handoff=row["handoff"],
        handed_over_at=_moment(row["handed_over_at"]),
        transcript=tuple(row["transcript"]),
    )


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
