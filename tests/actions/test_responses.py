"""The English wording: every text that code names exists, fits an SMS, and invites no carrier keyword."""

import re
from pathlib import Path
from string import Formatter

import pytest
import yaml

from actions.dialogue.answers import ANSWERS
from actions.dialogue.misunderstanding import OFFERED

ROOT = Path(__file__).parents[2]
CONTENT = yaml.safe_load((ROOT / "domain/responses/en.yml").read_text("utf-8"))
TEXTS = {name: rows[0]["text"] for name, rows in CONTENT["texts"].items()}
GSM7 = set(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿"
    "abcdefghijklmnopqrstuvwxyzäöñüà"
)
SOURCES = "\n".join(
    path.read_text("utf-8") for folder in ("actions", "bot/nlu") for path in (ROOT / folder).rglob("*.py")
)


@pytest.mark.parametrize("name", sorted(TEXTS))
def test_a_text_fits_an_sms_and_names_no_carrier_keyword(name: str) -> None:
    text = TEXTS[name]
    plain = re.sub(r"\{\w+\}", "", text)
    assert set(plain) <= GSM7, set(plain) - GSM7
    assert not re.search(
        r"\b(stop|end|cancel|quit|unsubscribe|start|yes|help)\b", re.sub(r"can help", "", plain), re.I
    ) or (name in {"say_out_of_scope", "say_ask_charger_again", "say_opt_out"})
    shouted = re.findall(r"\b(STOP|END|CANCEL|QUIT|UNSUBSCRIBE|START|YES|HELP|INFO|ARRET)\b", plain)
    assert shouted == (["START"] if name == "say_opt_out" else [])
    assert len(re.findall(r"[.!?](?:\s|$)", text)) <= 2
    assert "\n\n" not in text
    assert len(text) <= 200
    assert all(field is None or field.isidentifier() for _, field, _, _ in Formatter().parse(text))


def test_every_text_is_used_and_every_used_text_exists() -> None:
    named = set(re.findall(r'"(say_\w+)"', SOURCES))
    named |= {f"say_{intent}" for intent in ANSWERS} | {f"say_choice_{intent}" for intent in OFFERED}
    assert named == set(TEXTS) - {"utter_default"}


def test_no_sentence_is_said_by_a_rule() -> None:
    """So none has to be in a trained model, and rewording needs no training."""
    rules = "".join(path.read_text("utf-8") for path in (ROOT / "data/rules").glob("*.yml"))
    assert re.findall(r"utter_\w+", rules) == []
