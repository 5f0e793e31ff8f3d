"""Chargers and cables as drivers write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actions.identify import Side, charger_code, connector_for, connector_side


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("1042", "1042"),
        ("CL-1042", "CL-1042"),
        ("cl 1042", "CL-1042"),
        ("cl1042 pls", "CL1042"),
        ("charger #1042", "1042"),
        ("charger 42 wont start", "42"),
        ("number ten forty two", "1042"),
        ("one thousand forty two", "1042"),
        ("one oh four three", "1043"),
        ("thirty fifty one", "3051"),
        ("l042", "L042"),
        ("my car at l042 wont charge", "L042"),
        ("no, 1043", "1043"),
        ("not 1042, its 1043", "1043"),
        ("its 1043 not 1042", "1043"),
        ("plugged in 10 min ago at 1042, still 0 kwh", "1042"),
        ("Number is 1042", "1042"),
        ("ID: 1042.", "1042"),
        ("A-1042", "A-1042"),
        ("im at 1042", "1042"),
        ("numero mil cuarenta y dos", "1042"),
        ("es el mil cuarenta y dos", "1042"),
        ("la mille quarante-deux", "1042"),
        ("dos dos cero siete", "2207"),
        ("cuatro mil cuatrocientos diecisiete", "4417"),
        ("quatre mille quatre cent dix-sept", "4417"),
        ("numéro quatre-vingt-douze", "92"),
        ("numéro soixante et onze", "71"),
        ("six thousand eight hundred and four", "6804"),
        ("sesenta y ocho cero cuatro", "6804"),
        ("doble cuatro uno siete", "4417"),
        ("puesto once", "11"),
        ("charger seven", "7"),
        ("1 0 4 2", "1042"),
        ("c l 1042", "CL-1042"),
        ("cl guion 1042", "CL-1042"),
        ("cl tiret mille quarante deux", "CL-1042"),
        ("no es el 1042, es el 1043", "1043"),
        ("pas la 1042, la 1043", "1043"),
    ],
)
def test_a_charger_is_read_from_the_message(text: str, code: str) -> None:
    assert charger_code(text) == code


@pytest.mark.parametrize(
    "text",
    [
        "my car wont charge",
        "been here 20 min",
        "its at 80%",
        "i paid $1042",
        "call 613 555 0199",
        "error code 1042",
        "tried 3 times",
        "hey one more",
        "12:30",
        "i have 2 cars",
        "at 7 pm",
        "he intentado tres veces",
        "ça fait trente minutes",
        "fifty cents",
        "on est dix personnes ici",
        "me cobraron 75 dolares",
        "does it have j1772",
        "im on i-95 south",
        "salida 441 de la autopista",
        "km 212",
        "code erreur 1042",
        "my f150 is here",
        "my 2019 leaf wont charge",
        "charger one of your stations",
        "",
        "👍",
    ],
)
def test_other_numbers_are_no_charger(text: str) -> None:
    assert charger_code(text) is None


def test_where_a_charger_was_asked_for_less_is_enough() -> None:
    assert charger_code("42") is None
    assert charger_code("42", asked=True) == "42"
    assert charger_code("7", asked=True) == "7"
    assert charger_code("20 minutes already", asked=True) is None
    assert charger_code("el siete", asked=True) == "7"
    assert charger_code("la sept", asked=True) == "7"
    assert charger_code("es el once", asked=True) == "11"
    assert charger_code("cuarenta y dos", asked=True) == "42"
    assert charger_code("une minute", asked=True) is None


@given(number=st.integers(100, 99999), before=st.sampled_from(["", "charger ", "im at ", "its ", "CL-", "#", "no, "]))
def test_any_number_of_a_charger_is_found_with_what_drivers_put_before_it(number: int, before: str) -> None:
    code = charger_code(f"{before}{number}")
    assert code is not None
    assert code.endswith(str(number))


@given(st.text(max_size=200), st.booleans())
def test_no_message_breaks_reading_and_a_code_always_holds_a_digit(text: str, asked: bool) -> None:
    code = charger_code(text, asked=asked)
    assert code is None or any(character.isdigit() for character in code)
    connector_side(text, asked=asked)


_DIGITS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]


@given(st.lists(st.integers(0, 9), min_size=3, max_size=6))
def test_digits_read_out_one_by_one_are_the_number(digits: list[int]) -> None:
    spoken = " ".join(_DIGITS[digit] for digit in digits)
    assert charger_code(f"charger {spoken}") == "".join(map(str, digits))


@pytest.mark.parametrize(
    ("text", "asked", "side"),
    [
        ("the left one", False, Side(side=-1)),
        ("right side", False, Side(side=1)),
        ("connector 2", False, Side(number=2)),
        ("plug b", False, Side(number=2)),
        ("the second one", False, Side(number=2)),
        ("2", True, Side(number=2)),
        ("2", False, None),
        ("second", True, Side(number=2)),
        ("connector dos", True, Side(number=2)),
        ("deux", True, Side(number=2)),
        ("i left it plugged in", False, None),
        ("do it right now", False, None),
        ("ok", True, None),
    ],
)
def test_a_cable_is_read_from_the_message(text: str, asked: bool, side: Side | None) -> None:
    assert connector_side(text, asked=asked) == side


def test_left_and_right_are_the_ends_of_the_row() -> None:
    assert connector_for(Side(side=-1), [2, 1]) == 1
    assert connector_for(Side(side=1), [2, 1]) == 2
    assert connector_for(Side(side=1), [1]) == 1
    assert connector_for(Side(number=3), [1, 2]) is None
    assert connector_for(Side(side=1), []) is None


@pytest.mark.parametrize(
    "text",
    ["es el 7201", "no pasa el pago en el 7201", "en 7201", "la borne c'est la 7201", "je suis au 7201", "est 7201"],
)
def test_little_words_of_other_languages_are_no_prefix(text: str) -> None:
    assert charger_code(text) == "7201"
    assert charger_code(text, asked=True) == "7201"
