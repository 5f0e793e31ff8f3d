"""What a text costs as SMS, every sentence within its budget, and the shapes that WhatsApp takes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from bot.choices import token
from bot.render import sms, whatsapp
from bot.render.capabilities import SMS, WHATSAPP_META
from bot.render.gsm7 import cost, fold, is_gsm7
from bot.render.links import shortened, way_to
from bot.store.model import Option
from bot.texts import FOLDER
from sandbox.carrier.api import complaint

ROOT = Path(__file__).resolve().parents[2]
LANGUAGES = ("en", "es", "fr")
LONGEST = {"operator": "Chargeline Demo Network", "phone": "+1 613 555 0199", "emergency": "911"}
LINK = "https://help.example.com"
# What values are counted as, none of them a short one; any other as long as a charger's id.
VALUES = LONGEST | {
    "list": "\n".join(["2011 Lakeshore Yard, 12.4 km, CCS1 150 kW, 0.59/kWh"] * 3),
    "link": shortened("https://www.google.com/maps/dir/?api=1&destination=45.42541,-75.69191", LINK),
    "url": f"{LINK}/pay/pay_{'0' * 24}",
    "site": "Rideau Centre Parking P2",
    "place": "Montmagny",
    "plugs": "CCS1, CHAdeMO, NACS",
    "energy": "12.4 kWh",
    "cost": "12.34 CAD",
    "sum": "12.34 CAD",
    "hold": "40.00 CAD",
    "released": "40.00 CAD",
    "price": "0.59 CAD/kWh",
    "duration": "1 h 45 min",
    "power": "148 kW",
    "distance": "12.4 km",
    "age": "25 min",
    "last4": "0001",
    "connector": "2",
    "minutes": "25",
    "count": "3",
    "free": "2",
    "most": "150 kW",
    "guess": "25 min",
}
VALUE = "CL-1042A"


def sentences(language: str) -> dict[str, str]:
    """Every sentence that may go out as SMS: the dialogue's, and the front door's own with its longest person line."""
    found: dict[str, str] = {}
    dialogue = yaml.safe_load((ROOT / f"domain/responses/{language}.yml").read_text("utf-8"))
    for part in ("responses", "texts"):
        for name, rows in dialogue.get(part, {}).items():
            found[name] = rows[0]["text"]
    own: dict[str, Any] = yaml.safe_load((FOLDER / f"{language}.yml").read_text("utf-8"))
    person = own["person_with_phone"].format(**LONGEST)
    for name, text in own.items():
        if isinstance(text, str) and name != "intro_chat":
            found[f"own {name}"] = text.replace("{person}", person)
    return found


def one_line_of(name: str, text: str) -> str:
    """Only lists of what is free have three lines; the others name one charger."""
    return (
        text
        if name in {"say_near_list", "say_near_you_list"}
        else text.replace("{list}", VALUES["list"].split("\n")[0])
    )


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_sentence_goes_out_in_gsm7_and_within_two_segments(language: str) -> None:
    assert SMS.segments == 2
    dear = {}
    for name, text in sentences(language).items():
        filled = re.sub(r"\{(\w+)\}", lambda found: VALUES.get(found.group(1), VALUE), one_line_of(name, text)).strip()
        spent = cost(sms.body(filled, (), language=language))
        if spent.encoding != "GSM-7" or spent.segments > SMS.segments:
            dear[name] = spent
    assert dear == {}


@pytest.mark.parametrize(
    ("text", "encoding", "segments"),
    [
        ("", "GSM-7", 1),
        ("a" * 160, "GSM-7", 1),
        ("a" * 161, "GSM-7", 2),
        ("a" * 306, "GSM-7", 2),
        ("a" * 307, "GSM-7", 3),
        ("€" * 80, "GSM-7", 1),
        ("€" * 81, "GSM-7", 2),
        ("á" + "a" * 69, "UCS-2", 1),
        ("á" + "a" * 70, "UCS-2", 2),
        ("🔌" * 35, "UCS-2", 1),
        ("🔌" * 36, "UCS-2", 2),
    ],
)
def test_segments_are_counted_as_carriers_count_them(text: str, encoding: str, segments: int) -> None:
    assert (cost(text).encoding, cost(text).segments) == (encoding, segments)


def test_accents_that_cost_are_left_out_and_those_that_are_free_stay() -> None:
    assert fold("¿Está aquí el cargador? Mañana, único.") == "¿Esta aqui el cargador? Mañana, unico."
    assert fold("Ça a été vérifié, là où ça coûte: forêt, cœur.") == "Ça a été vérifié, là où ca coute: foret, coeur."
    assert fold("“Wait” – it’s 5 € …") == '"Wait" - it\'s 5 € ...'
    assert fold("зарядка не идёт") == "зарядка не идёт"
    assert fold("done 🔌") == "done 🔌"


@given(st.text(max_size=200))
def test_folding_never_costs_more_and_is_done_once(text: str) -> None:
    folded = fold(text)
    assert fold(folded) == folded
    if is_gsm7(folded):
        assert cost(folded).segments <= cost(text).segments or "…" in text
    else:
        assert folded == text


_TITLES = st.lists(st.text(min_size=1, max_size=90).filter(str.strip), max_size=14)


@given(st.text(max_size=1500).filter(str.strip), _TITLES)
def test_whatever_is_said_the_message_is_one_that_meta_takes(text: str, titles: list[str]) -> None:
    options = [Option(title, f"/x{n}") for n, title in enumerate(titles)]
    body = sms.body(text, options, cheap=False)
    message = whatsapp.message("in_01:0", text, options, None, body)
    whole = {"messaging_product": "whatsapp", "to": "+16135550101", **message}
    assert complaint("meta_message", whole) is None
    if message["type"] == "interactive":
        action = message["interactive"]["action"]
        rows = action["buttons"] if "buttons" in action else action["sections"][0]["rows"]
        assert len(rows) == len(titles) <= WHATSAPP_META.rows
    assert "/x0" not in str(message) or "/x0" in text + "".join(titles)


def test_a_title_too_long_for_a_button_is_a_row_with_its_whole_text_below() -> None:
    options = [Option("Connector 1, the one on the left side", "/1"), Option("Connector 2", "/2")]
    message = whatsapp.message("in_01:0", "Which?", options, None, "")
    rows = message["interactive"]["action"]["sections"][0]["rows"]
    assert rows[0] == {
        "id": token("in_01:0", 0),
        "title": "Connector 1, the one on",
        "description": "Connector 1, the one on the left side",
    }


def test_choices_that_would_look_alike_are_numbered_instead() -> None:
    options = [Option(f"Charger at the Rideau Centre number {n}", f"/{n}") for n in range(2)]
    body = sms.body("Which?", options)
    assert whatsapp.message("in_01:0", "Which?", options, None, body)["text"]["body"] == body


def test_a_template_holds_the_text_on_one_line_and_meta_takes_it() -> None:
    message = whatsapp.template("news/fr_CA", "Ligne un.\n\n\tLigne      deux.")
    assert message["template"]["language"] == {"code": "fr_CA"}
    assert message["template"]["components"][0]["parameters"][0]["text"] == "Ligne un. Ligne deux."
    whole = {"messaging_product": "whatsapp", "recipient": "CA.123", **message}
    assert complaint("meta_message", whole) is None
    assert complaint("meta_message", {**whole, "surprise": 1}) is not None


def test_a_way_to_a_place_is_short_on_our_domain_and_leads_there_and_nowhere_else() -> None:
    way = "https://www.google.com/maps/dir/?api=1&destination=45.42541,-75.69000"
    assert shortened(f"Map: {way}\nText OK.", LINK) == f"Map: {LINK}/m/45.4254,-75.69\nText OK."
    assert shortened(f"Map: {way}.", "") == f"Map: {way}."
    assert shortened("https://www.google.com/maps/dir/?api=1&destination=45.4,-75.6.evil", LINK).startswith(
        "https://www"
    )
    assert way_to("45.4254,-75.69") == "https://www.google.com/maps/dir/?api=1&destination=45.4254,-75.69"
    for odd in ("", "1", "91,0", "0,181", "45.4254,-75.69/..", "https://evil.example", "45,75&x=1", "nan,nan", "4\n,5"):
        assert way_to(odd) is None


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_sentence_has_a_link_of_its_own(language: str) -> None:
    assert [name for name, text in sentences(language).items() if re.search(r"https?:|www\.|bit\.ly", text)] == []
