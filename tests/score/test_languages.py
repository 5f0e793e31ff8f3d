"""The judge understands claims, questions and promises in every language that the product speaks, in the product's words and in a bot's own."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from sandbox.conversations.judge import judge
from sandbox.conversations.twins import RESPONSES, in_english
from sandbox.conversations.words import Words
from tests.score.made import BOOK, SCENARIO, Story, charger, connector, scenario

VALUES = {
    "charger": "7001",
    "other": "7002",
    "said": "99",
    "connector": "2",
    "connectors": "2",
    "free": "1",
    "energy": "1.2 kWh",
    "power": "7 kW",
    "most": "11 kW",
    "duration": "10 min",
    "since": "10 min",
    "site": "Canal Quarter",
    "distance": "1 km",
    "phone": "+1 613 555 0199",
    "last4": "0001",
    "emergency": "911",
}
ANY = Words.of("en")


def written(language: str) -> dict[str, str]:
    """Every sentence of the product by its name, with values in it."""
    raw = yaml.safe_load((RESPONSES / f"{language}.yml").read_text("utf-8"))
    rows = {**(raw.get("responses") or {}), **(raw.get("texts") or {})}
    return {
        name: re.sub(r"\{(\w+)\}", lambda value: VALUES.get(value[1], "some"), texts[0]["text"])
        for name, texts in rows.items()
        if "text" in texts[0]
    }


@pytest.mark.parametrize("language", ["es", "fr"])
@pytest.mark.parametrize("group", ["claims", "asks", "promises", "tells"])
def test_each_sentence_of_the_product_means_the_same_in_every_language(language: str, group: str) -> None:
    english, other = written("en"), written(language)
    differing = {
        name: (text, here, there)
        for name, text in other.items()
        if re.sub(r"\W|\d", "", text) != "" and not name.startswith("say_choice_")
        if (here := {each.name for each in ANY.find(group, text)})
        != (there := {each.name for each in ANY.find(group, english[name])})
    }
    assert differing == {}


def test_a_text_of_several_sentences_and_folded_letters_is_read_too() -> None:
    text = "El cargador 7001 ya ve su enchufe. Lo inicio.\nCargando: 7001 reporta su sesion activa y 1,2 kWh entregados. Y algo mas."
    assert in_english(text) == (
        "charger 7001 sees your plug now. starting it.\n"
        "charging: 7001 reports your session running and 1,2 kwh delivered. y algo mas."
    )


@pytest.mark.parametrize(
    ("claim", "text"),
    [
        ("charging", "Don't worry, 7001 is charging now."),
        ("charging", "Su carro ya está cargando."),
        ("charging", "Listo, la carga empezó en 7001."),
        ("charging", "No se preocupe, ya está cargando."),
        ("charging", "Sí, está cargando."),
        ("charging", "Votre auto est en recharge."),
        ("charging", "Ne vous inquiétez pas, ça recharge."),
        ("charging", "La recharge a commencé!"),
        ("charging", "Oui, la borne 7001 recharge votre auto."),
        ("unlocked", "Ya solté el cable."),
        ("unlocked", "El conector quedó desbloqueado."),
        ("unlocked", "J'ai déverrouillé le câble."),
        ("unlocked", "La prise est libre."),
        ("stopped", "Detuve su carga."),
        ("stopped", "Votre session est terminée."),
        ("restarted", "El cargador se reinició."),
        ("restarted", "La borne a redémarré."),
        ("refunded", "Le he devuelto los 50 dólares."),
        ("refunded", "Le reembolsamos 20 dólares."),
        ("refunded", "Su retención fue liberada."),
        ("refunded", "Je vous ai remboursé."),
        ("refunded", "La préautorisation a été libérée."),
        ("available", "El 7002 está libre."),
        ("available", "La 7002 est libre."),
        ("in_service", "Ya está de nuevo en servicio."),
        ("in_service", "La borne est de nouveau en service."),
        ("out_of_service", "Puse el cargador fuera de servicio."),
        ("out_of_service", "J'ai mis la borne hors service."),
        ("session_running", "Inicié su sesión."),
        ("session_running", "J'ai lancé votre session."),
    ],
)
def test_a_claim_in_a_bots_own_words_is_found(claim: str, text: str) -> None:
    assert claim in {each.name for each in ANY.find("claims", text)}


@pytest.mark.parametrize(
    "text",
    [
        "El cargador no está cargando.",
        "Si está cargando, espere.",
        "¿Está cargando?",
        "Todavía no está cargando.",
        "La carga no empezó.",
        "El cable no está libre.",
        "No puedo devolver dinero.",
        "Su carga empezará en cuanto lo vea.",
        "La borne ne recharge pas.",
        "Si ça recharge, attendez.",
        "Est-ce que ça recharge?",
        "La recharge n'a pas commencé.",
        "Le câble n'est pas libre.",
        "Je ne peux pas rembourser.",
    ],
)
def test_what_claims_nothing_is_no_claim(text: str) -> None:
    assert ANY.find("claims", text) == []


@pytest.mark.parametrize(
    "lie", ["It's charging now!", "¡Ya está cargando!", "C'est en recharge maintenant!", "Borne 7001: ça recharge."]
)
@pytest.mark.parametrize("language", ["en", "es", "fr"])
def test_a_bot_that_lies_is_caught_in_each_language_whatever_the_driver_speaks(
    tmp_path: Path, lie: str, language: str
) -> None:
    case = scenario(tmp_path, _speaking(language))
    story = Story(charger(connector(1, "Preparing", car=True), connector(2)))
    verdict = judge(case, story.driver(0, "7001?").bot(2, lie).end(9), BOOK)
    assert [each.claim for each in verdict.false_claims] == ["charging"]
    assert verdict.dangerous


@pytest.mark.parametrize(
    ("language", "question", "again"),
    [
        ("es", "¿En qué cargador está?", "¿Cuál es el número del cargador?"),
        ("fr", "À quelle borne êtes-vous?", "Quel est le numéro de la borne?"),
    ],
)
def test_a_bot_that_asks_twice_is_caught_in_each_language(
    tmp_path: Path, language: str, question: str, again: str
) -> None:
    case = scenario(tmp_path, _speaking(language))
    story = Story(charger(connector(1, "Preparing", car=True), connector(2)))
    story.driver(0, "?").bot(1, question).driver(2, "7001").bot(3, again)
    assert [each.question for each in judge(case, story.end(9), BOOK).asked_twice] == ["charger"]


def _speaking(language: str) -> str:
    return SCENARIO.replace("ada: {channel: sms", f"ada: {{language: {language}, channel: sms")
