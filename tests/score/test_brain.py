"""A goal-driven driver reacts to what the bot asks, within its limits and the same each time."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.conversations import brain
from sandbox.conversations.brain import (
    AwaitMore,
    Choose,
    Drive,
    Hands,
    Leave,
    Line,
    Mind,
    Phrases,
    Rest,
    Say,
    TellHowItWent,
)
from sandbox.conversations.scenario import Goal, Persona, Place
from sandbox.conversations.words import Words

GOAL = Goal(opens=("wont start", "i said it wont start"), charger_answers=("9999", "7001"), connector_answers=("2",))
ENGLISH = Words.of("en")


def react(text: str, *choices: str, goal: Goal = GOAL, mind: Mind | None = None) -> list[brain.Move]:
    return brain.react(goal, mind or Mind(), [Line(text, choices)], ENGLISH, ("7001", "7002"), Phrases.of("en"))


def test_it_gives_its_wrong_number_first_and_then_the_right_one() -> None:
    mind = Mind()
    assert react("Which charger are you at?", mind=mind) == [Say("9999", None)]
    assert react("I can't find a charger 9999. What number is printed on it?", mind=mind) == [Say("7001", "charger")]


def test_it_takes_the_choice_of_its_connector_by_whole_words() -> None:
    moves = react("More than one cable. Which one is in your car?", "Connector 1, J1772", "Connector 2, J1772")
    assert moves == [Choose("Connector 2, J1772", "connector")]


def test_it_does_what_it_is_told_with_the_cable_and_says_so() -> None:
    moves = react("Unplug, wait ten seconds, plug in again, then text me DONE.")
    assert moves == [Hands("unplug"), Rest(10), Hands("plug"), Rest(2), Say("done", "replug")]


def test_it_does_not_do_a_step_again_that_it_has_done_before_it_wrote() -> None:
    goal = Goal(("x",), (), (), done_already=("replug",), steps_it_does=0)
    mind = Mind()
    assert react("Unplug and plug in again.", goal=goal, mind=mind) == [Say("i did that already")]
    assert react("Unplug and plug in again.", goal=goal, mind=mind) == [Leave()]


def test_it_tries_the_plug_when_it_is_called_unlocked() -> None:
    assert react("The connector is unlocked now.") == [Hands("unplug"), TellHowItWent()]


def test_it_does_not_pull_at_a_plug_that_is_out() -> None:
    assert react("The plug is out: 7001 sees nothing plugged in any more.", mind=Mind(out=True)) == [Leave()]


def test_it_gives_the_word_that_it_is_asked_for_once() -> None:
    mind = Mind()
    back = "Charger 7001 is back online and sees a plug. Text me GO and I'll begin your session."
    assert react(back, mind=mind) == [Say("go")]
    assert react(back, mind=mind) == [Leave()]


@pytest.mark.parametrize(
    ("language", "question", "step", "done", "person"),
    [
        (
            "es",
            "¿En qué cargador está? El número viene en una etiqueta cerca de la pantalla o del cable.",
            "El cargador 7001 aceptó pero no empezó ninguna sesión. Desconecte, conecte hasta que haga clic y escríbame LISTO.",
            "listo",
            "persona",
        ),
        (
            "fr",
            "À quelle borne êtes-vous? Le numéro est sur un autocollant près de l'écran ou du câble.",
            "La borne 7001 a accepté mais aucune session n'a commencé. Débranchez, rebranchez jusqu'au clic, puis écrivez-moi FAIT.",
            "fait",
            "agent",
        ),
    ],
)
def test_it_understands_and_answers_in_its_language(
    language: str, question: str, step: str, done: str, person: str
) -> None:
    words, phrases, mind = Words.of(language), Phrases.of(language), Mind()
    goal = Goal(("x",), ("7001",), (), steps_it_does=1)

    def hears(text: str) -> list[brain.Move]:
        return brain.react(goal, mind, [Line(text)], words, ("7001",), phrases)

    assert hears(question) == [Say("7001", "charger")]
    assert Say(done, "replug") in hears(step)
    assert hears(TEXTS[language]) == [Say(person)]


TEXTS = {
    "es": "No pude encontrar su cargador, así que no le mandé nada. Una persona puede ayudar: escriba PERSONA si quiere.",
    "fr": "Je n'ai pas trouvé votre borne, donc je n'y ai rien envoyé. Une personne peut aider: écrivez AGENT si vous voulez.",
}


def test_it_leaves_when_it_is_told_that_it_charges() -> None:
    assert react("It's charging now.") == [Leave()]


def test_it_drives_to_the_charger_that_it_may_use() -> None:
    goal = Goal(("x",), (), (), moves_to=Place("7002"))
    assert react("Please try another charger.", goal=goal) == [Drive(Place("7002")), Rest(5), Say("7002", "charger")]
    assert react("Please try another charger.") == [Leave()]


def test_it_takes_the_offer_of_a_person_once() -> None:
    mind = Mind()
    assert react("Text me PERSON and someone will take it up.", mind=mind) == [Say("person")]
    assert react("Text me PERSON and someone will take it up.", mind=mind) == [Leave()]
    assert react("You can reach a person at +1 613 555 0199.") == [Leave()]


def test_it_waits_for_what_was_promised() -> None:
    assert react("I'm watching it and will text you what comes of it.") == [AwaitMore()]


def test_it_falls_silent_and_gives_up() -> None:
    silent = Goal(("x",), ("7001",), (), persona=Persona(silent_after=1))
    assert react("Which charger are you at?", goal=silent, mind=Mind(spoken=1)) == [Leave()]
    assert brain.react(GOAL, Mind(), [], ENGLISH, (), Phrases.of("en")) == [Leave()]


def test_one_answer_comes_late() -> None:
    late = Goal(("x",), ("7001", "7001"), (), persona=Persona(late_s=1500))
    mind = Mind()
    assert react("Which charger are you at?", goal=late, mind=mind)[0] == Rest(1500)
    assert react("Which charger are you at?", goal=late, mind=mind)[0] == Say("7001", "charger")


@given(text=st.text(alphabet="abcdefgh 0123456789", max_size=60), seed=st.integers(0, 99))
def test_typos_are_the_same_for_the_same_seed_and_leave_numbers_alone(text: str, seed: int) -> None:
    once, again = (brain.misspelt(text, 0.5, Random(seed)) for _ in range(2))
    assert once == again
    assert [w for w in once.split(" ") if w.isdigit()] == [w for w in text.split(" ") if w.isdigit()]


@settings(deadline=None)  # the first text reads the tables of all languages
@given(texts=st.lists(st.text(max_size=80), max_size=6))
def test_whatever_the_bot_says_it_has_a_next_move(texts: list[str]) -> None:
    mind = Mind()
    for text in texts:
        assert react(text, mind=mind)
