"""Normalised words, and offsets that still point into the message as typed."""

# ruff: noqa: PT009 - unittest's own assertions: there is no pytest in the Rasa environment

import random
import unittest

from bot.nlu.normalise import NUMBER_WORD, ZIP_WORD, words_of


def texts(message: str) -> list:
    return [word.text for word in words_of(message)]


class Normalising(unittest.TestCase):
    def test_abbreviations_are_written_out_and_case_is_dropped(self):
        self.assertEqual(texts("Pls HELP it wont strt rn"), ["please", "help", "it", "will not", "start", "right now"])

    def test_curly_and_missing_apostrophes_are_the_same_word(self):
        self.assertEqual(texts("can’t"), texts("cant"))
        self.assertEqual(texts("can't"), texts("cant"))

    def test_all_charger_numbers_count_as_one_word(self):
        self.assertEqual(texts("CL-1042"), [NUMBER_WORD])
        self.assertEqual(texts("1042"), texts("l042"))

    def test_one_digit_keeps_its_meaning(self):
        self.assertEqual(texts("plug 2"), ["plug", "2"])

    def test_stressed_letters_are_cut(self):
        self.assertEqual(texts("nooooo"), ["noo"])

    def test_a_message_of_marks_alone_keeps_them(self):
        self.assertEqual(texts("???"), ["???"])
        self.assertEqual(texts("🫠"), ["🫠"])

    def test_marks_that_say_something_alone_are_written_out(self):
        self.assertEqual(texts("👍🏽"), ["ok yes"])
        self.assertEqual(texts("🙏🙏"), ["thank you"])
        self.assertEqual(texts("plug 🔥"), ["plug"])

    def test_a_zip_code_is_no_charger_number(self):
        self.assertEqual(texts("94103"), [ZIP_WORD])
        self.assertEqual(texts("CL-10423"), [NUMBER_WORD])

    def test_where_the_driver_stands_is_no_part_of_what_happens(self):
        for message, plain in (
            ("nothing happens at 1043", "nothing happens"),
            ("no pasa nada en la 1043", "no pasa nada"),
            ("il se passe rien à la borne 1043", "il se passe rien"),
            ("at CL-2011 the cable wont come out", "the cable wont come out"),
        ):
            self.assertEqual(texts(message), texts(plain))

    def test_a_number_that_is_the_message_or_an_amount_stays(self):
        for message in (
            "im at 1042",
            "estoy en la 1042",
            "stopped at 80 percent",
            "stuck at 150 kw since noon",
            "unlock 1042 now",
        ):
            self.assertIn(NUMBER_WORD, texts(message))

    def test_offsets_point_into_the_message_as_typed(self):
        generator = random.Random(7)
        alphabet = "aZ é’'-?!. 0142👍\n\t/ßİ"
        for _ in range(2000):
            message = "".join(generator.choice(alphabet) for _ in range(generator.randrange(30)))
            end = 0
            for word in words_of(message):
                self.assertTrue(end <= word.start < word.end <= len(message))
                self.assertTrue(message[word.start : word.end].strip())
                end = word.end


if __name__ == "__main__":
    unittest.main()
