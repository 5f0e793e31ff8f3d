"""The pure parts: card numbers, cleaning, carrier keywords, choices, rendering, drivers."""

from __future__ import annotations

import itertools
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from bot.choices import meant_by_text, open_choices
from bot.consent import KEYWORDS, OPT_IN, OPT_OUT, keyword, keyword_kind
from bot.drivers import DriversFileError, load_drivers
from bot.pan import MAX_DIGITS, MIN_DIGITS, mask_cards, mask_spread_card, passes_luhn
from bot.rasa_client import as_streamed, turn_replies
from bot.render import sms, terminal
from bot.render.gsm7 import fold
from bot.sayings import Sayings
from bot.store.model import BOT, DRIVER, Channel, Conversation, Entry, Kind, Option
from bot.texts import FOLDER, languages, other_words
from bot.words import MAX_TEXT, clean

NOW = datetime(2026, 3, 1, tzinfo=UTC)
SEPARATORS = st.sampled_from(["", "", " ", "-", ".", " - ", "\u00a0", "\u2013", ",", "\u200b", "\n"])


@st.composite
def cards(draw: st.DrawFn) -> tuple[str, str]:
    """A card number's digits, and the same written with separators."""
    length = draw(st.integers(MIN_DIGITS, MAX_DIGITS))
    digits = draw(st.lists(st.integers(0, 9), min_size=length - 1, max_size=length - 1))
    check = next(last for last in range(10) if passes_luhn([*digits, last]))
    text = "".join(str(digit) for digit in [*digits, check])
    return text, "".join(character + draw(SEPARATORS) for character in text)


def card_numbers_in(text: str) -> list[str]:
    """Written apart from the guard: every Luhn-valid stretch of digits, separators looked through."""
    found = []
    for run in re.findall(r"\d(?:[ .,\-\u00a0\u2013\u200b\n]{0,8}\d)*", text):
        digits = [int(character) for character in run if character.isdecimal()]
        for length in range(13, 20):
            for start in range(len(digits) - length + 1):
                window = digits[start : start + length]
                doubled = sum(sum(divmod(2 * d, 10)) if i % 2 else d for i, d in enumerate(reversed(window)))
                if doubled % 10 == 0:
                    found.append("".join(map(str, window)))
    return found


@given(cards(), st.text("abc xyz?", max_size=10), st.text("abc xyz?", max_size=10))
def test_no_card_number_comes_through_however_it_is_broken_up(card: tuple[str, str], before: str, after: str) -> None:
    digits, written = card
    masked = mask_cards(f"{before}{written}{after}")
    assert digits[:-4] not in re.sub(r"\D", "", masked)
    assert card_numbers_in(masked) == []
    assert mask_cards(masked) == masked
    assert masked.startswith(before)


@given(st.text("0123456789 -.", min_size=13, max_size=60))
@example("12345 4111 1111 1111 1111 9")
def test_no_card_number_stays_in_any_run_of_digits(text: str) -> None:
    assert card_numbers_in(mask_cards(text)) == []


@given(st.text(max_size=200))
def test_text_without_enough_digits_stays_as_it_is(text: str) -> None:
    if sum(character.isdecimal() for character in text) < MIN_DIGITS:
        assert mask_cards(text) == text


def test_what_drivers_write_is_not_taken_for_a_card() -> None:
    for text in ("call me on +1 613 555 0101", "CL-1042 at K1A 0B1", "2026-11-22 14:05", "order 1234 5678 9012"):
        assert mask_cards(text) == text
    assert mask_cards("mine is 4242 4242 4242 4242, ok?") == "mine is [card ending 4242], ok?"
    assert mask_cards("٤١١١١١١١١١١١١١١١") == "[card ending 1111]"


@given(st.text(max_size=300))
@example("/restart")
@example("\u200b / \ufeff//restart")
@example("\x00/restart")
def test_cleaned_text_is_never_an_intent_and_cleaning_twice_changes_nothing(text: str) -> None:
    cleaned = clean(text)
    assert not cleaned.lstrip().startswith("/")
    assert cleaned.strip() == cleaned
    assert clean(cleaned) == cleaned
    assert len(cleaned) <= MAX_TEXT
    assert "\x00" not in cleaned


def test_a_long_text_is_cut_after_its_cards_are_masked() -> None:
    assert "4111 1111" not in clean("x" * (MAX_TEXT - 9) + " 4111 1111 1111 1111")
    assert len(clean("y" * 100_000)) == MAX_TEXT


@pytest.mark.parametrize("text", ["STOP", " stop. ", "Stop!", "“Arrêt”", "END", "cancel", "OptOut", "opt-out"])
def test_only_the_bare_word_opts_out(text: str) -> None:
    assert keyword_kind(text, opted_out=False) is Kind.STOP
    assert keyword_kind(f"please {text} charging", opted_out=False) is Kind.TEXT


def test_start_and_yes_opt_in_only_after_an_opt_out() -> None:
    for word in OPT_IN:
        assert keyword_kind(word.upper(), opted_out=True) is Kind.RESUME
        assert keyword_kind(word, opted_out=False) is Kind.TEXT
    assert keyword_kind("INFO", opted_out=False) is Kind.HELP


def entry(number: int, turn: str, *titles: str, kind: Kind = Kind.TEXT, own: bool = False, author: str = BOT) -> Entry:
    return Entry(
        id=f"{turn}:{number}",
        conversation="sms_1",
        author=author,
        turn=turn,
        turn_kind=kind,
        text="?",
        created_at=NOW,
        options=tuple(Option(title, f"/{title}") for title in titles),
        own=own,
        seq=number,
    )


def test_choices_stand_until_a_turn_of_the_driver_closes_them() -> None:
    asked = [entry(1, "a", "Left", "Right"), entry(2, "a", "Neither")]
    news = entry(3, "b", kind=Kind.EVENT)
    note = entry(4, "c", own=True)
    mine = entry(5, "d", author=DRIVER)
    payloads = [option.payload for _, option in open_choices([mine, note, news, *reversed(asked)])]
    assert payloads == ["/Left", "/Right", "/Neither"]
    assert open_choices([entry(6, "e"), *reversed(asked)]) == []
    assert [o.title for _, o in open_choices([entry(7, "f", "New", kind=Kind.EVENT), *reversed(asked)])] == ["New"]
    assert open_choices([]) == []


@pytest.mark.parametrize(
    ("text", "payload"),
    [
        *(("2", "/r"), ("2.", "/r"), ("#2", "/r"), ("option 2", "/r"), (" right SIDE! ", "/r"), ("1)", "/l")),
        *(("3", None), ("0", None), ("1042", None), ("", None), ("side", None), ("!", None)),
    ],
)
def test_a_text_picks_a_choice_by_its_number_or_title(text: str, payload: str | None) -> None:
    choices = [("a.0", Option("Left side", "/l")), ("a.1", Option("Right side", "/r"))]
    meant = meant_by_text(text, choices)
    assert (meant.payload if meant else None) == payload


@given(st.text(max_size=3000), st.lists(st.text(min_size=1, max_size=30), max_size=5))
def test_a_text_message_is_never_too_long_and_keeps_all_its_choices(text: str, titles: list[str]) -> None:
    options = [Option(title, "/x") for title in titles]
    body = sms.body(text, options, 3)
    assert len(body) <= sms.MAX_BODY
    choices = "\n".join(f"{number} {sms.title(o, 'en')}" for number, o in enumerate(options, 3))
    assert body.endswith((choices, fold(choices)))


def test_no_choice_is_a_carrier_keyword_on_sms() -> None:
    for language in languages():
        assert set(other_words(language)) == KEYWORDS
        for word in KEYWORDS:
            assert keyword(sms.title(Option(word.upper() + "!", "/x"), language)) not in KEYWORDS


GSM7 = set(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)


@pytest.mark.parametrize("phone", ["", "+1 555 010 0100"])
@pytest.mark.parametrize("language", languages())
def test_what_the_front_door_texts_fits_two_gsm_segments(language: str, phone: str) -> None:
    say = Sayings("Chargeline Demo Network", phone, "911")
    for text in (
        *(say.intro(Channel.SMS, language), say.help(language), say.opted_out(language), say.opted_in(language)),
        *(say.failed(language), say.hazard_advice(language), say.hazard_unreached(language)),
        *(say.unreadable(Kind.MEDIA, language), say.unreadable(Kind.EMPTY, language), say.wait(language)),
    ):
        assert set(text) <= GSM7, (set(text) - GSM7, text)
        assert len(text) <= 2 * 153, (len(text), text)
        assert "{" not in text
    assert "911" in say.hazard_advice(language)


def test_every_language_has_every_sentence_with_the_same_values() -> None:
    def shape(language: str) -> dict[str, list[str]]:
        table = yaml.safe_load((FOLDER / f"{language}.yml").read_text("utf-8"))
        return {key: sorted(re.findall(r"{\w+}", value)) for key, value in table.items() if isinstance(value, str)}

    assert languages() == ["en", "es", "fr"]
    assert shape("es") == shape("fr") == shape("en")


def test_the_terminal_shows_no_control_characters_and_numbers_choices() -> None:
    shown = terminal.lines("bot", "one\x1b[2Jtwo\n\nthree", ["Left\x07", "Right"], 3, width=40)
    assert shown == ["bot  one[2Jtwo", "", "     three", "       3  Left", "       4  Right"]


def test_the_tracker_gives_a_turns_replies_as_they_were_streamed() -> None:
    def user(message_id: str) -> dict[str, object]:
        return {"event": "user", "text": "x", "metadata": {"message_id": message_id}}

    events: list[object] = [
        user("in_1"),
        {"event": "bot", "text": "one\n\ntwo", "data": {"custom": {"silent": True}, "buttons": None}},
        {"event": "slot", "name": "turn_checked"},
        {"event": "bot", "text": "pick", "data": {"buttons": [{"title": "a", "payload": "/a"}]}},
        {"event": "bot", "text": None, "data": {"image": "https://x/y.png"}},
        "nonsense",
        {"event": "user", "text": "y"},
        {"event": "bot", "text": "other"},
    ]
    assert turn_replies(events, "in_1") == [
        {"text": "one"},
        {"text": "two"},
        {"custom": {"silent": True}},
        {"text": "pick", "buttons": [{"title": "a", "payload": "/a"}]},
        {"image": "https://x/y.png"},
    ]
    assert turn_replies(events, "in_2") is None
    assert turn_replies([user("in_3")], "in_3") == []
    assert as_streamed({"event": "bot"}) == []


def test_a_phone_proves_a_driver_only_on_sms(tmp_path: Path) -> None:
    path = tmp_path / "drivers.json"
    path.write_text('[{"driver_id": "drv-ada", "phone": "+1 (613) 555-0101", "language": "fr"}, {"driver_id": "x"}]')
    drivers = load_drivers(str(path), guest_starts=False)
    known = drivers.of(Conversation("sms_1", Channel.SMS, "+16135550101", NOW))
    assert (known.id, known.tier, known.language) == ("drv-ada", 1, "fr")
    guest = drivers.of(Conversation("term_1", Channel.TERMINAL, "+16135550101", NOW))
    assert (guest.id, guest.tier) == ("guest:term_1", 0)


@pytest.mark.parametrize(
    "content",
    [
        "{",
        "{}",
        "[1]",
        '[{"driver_id": ""}]',
        '[{"driver_id": "a", "phone": "613"}]',
        '[{"driver_id": "a", "phone": "+16135550101"}, {"driver_id": "b", "phone": "+1 613 555 0101"}]',
    ],
)
def test_a_drivers_file_that_cannot_be_used_is_named(tmp_path: Path, content: str) -> None:
    path = tmp_path / "drivers.json"
    path.write_text(content)
    with pytest.raises(DriversFileError, match=r"drivers\.json"):
        load_drivers(str(path), guest_starts=False)


def test_opt_out_words_of_the_carriers_are_all_known() -> None:
    assert {"stop", "end", "cancel", "quit", "unsubscribe", "revoke", "optout", "stopall", "arret"} <= OPT_OUT


CARDS = (
    "4111111111111111",
    "5555555555554444",
    "378282246310005",
    "6011111111111117",
    "30569309025904",
    "2223003122003222",
)


@pytest.mark.parametrize("card", CARDS)
@given(cuts=st.sets(st.integers(1, 13), min_size=1, max_size=4), separator=st.sampled_from(["", " ", "-", ". "]))
def test_a_card_number_in_pieces_is_taken_out_of_all_of_them(card: str, cuts: set[int], separator: str) -> None:
    ends = [0, *sorted(cuts), len(card)]
    pieces = [separator.join(card[begin:end]) for begin, end in itertools.pairwise(ends)]
    masked = mask_spread_card(["my card is", *pieces[:-1], pieces[-1] + " exp 12/29"])
    assert masked is not None
    assert masked[-1] == f"[card ending {card[-4:]}] exp [date removed]"
    assert not any(character.isdigit() for text in masked[:-1] for character in text)
    assert mask_spread_card(masked) is None


@pytest.mark.parametrize(
    "texts",
    [
        ["6135550101", "1042"],
        ["1042", "2001", "1052", "1061"],
        ["1042", "no 1043", "K1P 5M7"],
        ["4111 1111 1111", "what a day", "1111"],
        ["4111 1111 1111 1112"[:9], "1111 1112"],
        ["1111 1111", "4111 1111"],
        ["", ""],
        ["hi"],
    ],
)
def test_numbers_of_chargers_and_phones_one_after_another_stay(texts: list[str]) -> None:
    assert mask_spread_card(texts) is None
