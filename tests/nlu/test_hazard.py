"""The danger words: what they must find without a model, what they must leave alone, and that no text can break them."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.hazard import match
from bot.hazard.patterns import languages
from tests.nlu.examples import LANGUAGES, development, training


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("FIRE", "fire"),
        ("𝕊𝕞𝕠𝕜𝕖 here", "smoke"),
        ("theres smoooke coming out", "smoke"),
        ("i got zapped by the handle", "shock"),
        ("Il y a de la fumée", "smoke"),
        ("ça sent l’brûlé icitte", "smell"),
        ("sale humo de la caja", "smoke"),
        ("me dio toques el poste", "shock"),
        ("la plug is melting", "melting"),
        ("charger 🔥 help", "fire"),
        ("no smoke but i see sparks", "sparks"),
        ("the station is on fire today", "fire"),
        ("plugged in and a spark came out", "sparks"),
        ("la borne est en feu aujourd'hui", "fire"),
        ("ce sont des flammes qui sortent", "fire"),
        ("sale puro fuego del cargador", "fire"),
        ("brinca mucha chispa del enchufe", "sparks"),
        ("the pins are glowing", "fire"),
        ("le grille de la borne fume", "smoke"),
        ("smkoe by the plug", "smoke"),
        ("ta saliendo jumo", "smoke"),
        ("there is a weird odor over here", "smell"),
        ("my buddy got thrown back when he unplugged", "shock"),
        ("se me engarroto la mano", "shock"),
        ("la poignée a l'air de sortir du four", "heat"),
        ("my wife is pinned between the car and the charger", "emergency"),
        ("mi chiquito agarro la punta del cable roto", "wire"),
    ],
)
def test_danger_is_found_in_any_language_and_mix(text: str, kind: str) -> None:
    found = match(text)
    assert found is not None
    assert found.kind == kind


@pytest.mark.parametrize(
    "text",
    [
        "this app is fire 🔥",
        "thats a shocking price",
        "my chevy spark wont charge",
        "no smoke or anything, it just wont start",
        "got burned by your fees again",
        "hace mucho calor aqui y no carga",
        "me quemaron con la tarifa",
        "il fait chaud dehors",
        "steam is coming out of my ears, get me someone",
        "app crashed and burned again",
        "that statement shocked me",
        "the plug icon glows green",
        "que chispa de servicio",
        "la luz brilla en rojo",
        "j'ai brûlé mes toasts",
        "panne de courant dans le stationnement",
        "le prix du gaz est cher",
        "smells like fries here",
        "it stung a little to pay 60 bucks",
        "esto huele a robo",
        "ça sent l'arnaque",
        "",
        "🔌",
    ],
)
def test_words_of_danger_that_mean_something_else_are_left_alone(text: str) -> None:
    assert match(text) is None


@pytest.mark.parametrize("language", LANGUAGES)
def test_plainly_told_dangers_are_all_found(language: str) -> None:
    missed = [one.text for one in development(language) if one.intent == "safety_hazard" and not match(one.text)]
    assert missed == []


def test_hedged_and_buried_dangers_are_found_too() -> None:
    missed = [one.text for one in development("hazards") if one.intent == "safety_hazard" and not match(one.text)]
    assert missed == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_hardly_anything_else_is_taken_for_danger(language: str) -> None:
    others = [one for one in training() if one.language == language and one.intent != "safety_hazard"]
    assert sum(match(one.text) is not None for one in others) <= 0.01 * len(others)


@given(st.text(max_size=300))
def test_any_text_is_answered(text: str) -> None:
    found = match(text)
    assert found is None or found.words


@pytest.mark.parametrize("unit", ["hot very ", "the cable is ", "a", "burn ", "agua en el ", "eau dans la ", "é", ". "])
def test_a_long_text_cannot_hold_the_front_door_up(unit: str) -> None:
    started = time.process_time()
    match(unit * (20_000 // len(unit)))
    assert time.process_time() - started < 1.0


def test_every_language_has_its_words() -> None:
    assert [language.name for language in languages()] == sorted(LANGUAGES)
    kinds = [set(language.dangers) for language in languages()]
    assert all({"fire", "smoke", "sparks", "shock", "heat", "wire", "water"} <= kind for kind in kinds)
