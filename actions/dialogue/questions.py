"""The two questions of the dialogue, which charger and which cable, with what fits as choices."""

from __future__ import annotations

import json
from collections.abc import Sequence

from actions.bridge import Charger
from actions.playbooks.find_charger_of_driver import Found, choices_of
from actions.playbooks.steps import Choice, Say

CHARGER, CONNECTOR = "charger_id", "connector"


def which_charger(said: str | None, candidates: Sequence[Charger], *, again: bool = False) -> Say:
    """`said` fits no charger, or all of `candidates`; None: nothing was named yet."""
    if said and candidates:
        choices = tuple(
            Choice(
                "say_choice_charger" if one.site else "say_choice_charger_only",
                "/provide_charger_id" + json.dumps({"charger_id": one.id}),
                {"charger": one.label, "site": one.site},
            )
            for one in candidates
        )
        return Say("say_charger_ambiguous", {"said": said}, choices)
    if said:
        return Say("say_charger_unknown", {"said": said})
    return Say("say_ask_charger_again" if again else "say_ask_charger")


def which_connector(charger: Charger) -> Say:
    choices = tuple(
        Choice(
            "say_choice_connector_plug" if one.plug else "say_choice_connector",
            "/provide_charger_id" + json.dumps({"connector": one.connector}),
            {"connector": str(one.connector), "plug": one.plug or ""},
        )
        for one in choices_of(charger)
    )
    return Say("say_ask_connector", {"charger": charger.label}, choices)


def question_of(found: Found) -> tuple[str, Say]:
    """What is still to be asked, and its words."""
    if found.charger is not None:
        return CONNECTOR, which_connector(found.charger)
    return CHARGER, which_charger(found.said, found.candidates, again=found.tries > 0)
