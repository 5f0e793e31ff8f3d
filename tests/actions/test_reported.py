"""What drivers say beside the problem, in three languages; and what only sounds like it."""

import pytest

from actions.reported import reported_in


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("I CANT LEAVE my kid is in the car and your stupid charger wont release", "distress"),
        ("im stranded here, nozzle wont come out", "distress"),
        ("no puedo irme, el cable no sale", "distress"),
        ("je peux pas partir, le câble est pris", "distress"),
        ("card reader says my visa is declined", "bank_card"),
        ("apple pay not going through", "bank_card"),
        ("ma carte de crédit passe pas", "bank_card"),
        ("my fob does nothing", "member_card"),
        ("the rfid tag isnt working", "member_card"),
        ("mi tarjeta de la empresa no jala", "member_card"),
        ("how much do i owe", "asks_cost"),
        ("cuánto cuesta hasta ahora", "asks_cost"),
        ("combien ça coûte", "asks_cost"),
        ("i unplugged and plugged it back in twice", "replugged"),
    ],
)
def test_it_is_heard(text: str, name: str) -> None:
    assert name in reported_in(text)


@pytest.mark.parametrize(
    "text",
    [
        "card wont work",
        "my card is not accepted",
        "plugged in, nothing happens",
        "1042",
        "the plug is locked in the socket",
    ],
)
def test_nothing_is_read_into_plain_words(text: str) -> None:
    assert not reported_in(text) & {"distress", "bank_card", "member_card", "asks_cost"}
