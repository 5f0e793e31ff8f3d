"""What a turn's words were taken for is told at the turn's end, each turn its own, and never for an event."""

# ruff: noqa: PT009 - unittest's own assertions: there is no pytest in the Rasa environment

import asyncio
import unittest
from types import SimpleNamespace

from bot.nlu import understood

PARSED = {
    "intent": {"name": "greet", "confidence": 0.9},
    "intent_ranking": [{"name": f"i{n}", "confidence": 0.9 - n / 10} for n in range(9)],
}


async def turn(parsed, *responses):
    """As the channel does it: the turn is a task of its own that shares what is gathered."""

    async def parse(processor, message):
        return parsed

    async def work():
        await understood._noting(parse)(SimpleNamespace(model_filename="m.tar.gz"), "hi")
        output = understood.RememberingOutput(asyncio.Queue())
        for response in responses:
            await output.send_response("c", {"text": "Hello", **response})

    gathered = understood.begin()
    await asyncio.ensure_future(work())
    return understood.as_told(gathered)


class Understood(unittest.IsolatedAsyncioTestCase):
    async def test_meanings_and_responses_are_told(self):
        told = await turn(PARSED, {"utter_action": "say_greet"}, {}, {"utter_action": "say_what_next"})
        self.assertEqual((told["intent"], told["confidence"], told["model"]), ("greet", 0.9, "m.tar.gz"))
        self.assertEqual(told["ranking"], [["i0", 0.9], ["i1", 0.8], ["i2", 0.7], ["i3", 0.6000000000000001]])
        self.assertEqual(told["said"], ["say_greet", "say_what_next"])

    async def test_a_turn_that_parsed_nothing_tells_nothing(self):
        self.assertIsNone(await turn({"intent": {"name": None}}, {"utter_action": "say_greet"}))

    async def test_turns_at_one_time_do_not_mix(self):
        told = await asyncio.gather(
            *(turn({"intent": {"name": f"i{n}", "confidence": 1.0}}, {"utter_action": f"say_{n}"}) for n in range(20))
        )
        self.assertEqual([(one["intent"], one["said"]) for one in told], [(f"i{n}", [f"say_{n}"]) for n in range(20)])


if __name__ == "__main__":
    unittest.main()
