"""What a driver's short message means letter by letter: lower case, plain apostrophes, abbreviations written out, numbers made alike.

Pure; the tokenizer keeps where each word stood in the message as typed, so entities still point at the driver's own text.
"""

from __future__ import annotations

import re
from typing import Iterator, NamedTuple

# Abbreviations of text messages. Only those with one meaning on a support line.
WRITTEN_OUT = {
    "u": "you",
    "ur": "your",
    "r": "are",
    "k": "ok",
    "kk": "ok",
    "okay": "ok",
    "pls": "please",
    "plz": "please",
    "plss": "please",
    "thx": "thanks",
    "thnx": "thanks",
    "tx": "thanks",
    "ty": "thank you",
    "tysm": "thank you so much",
    "rn": "right now",
    "asap": "as soon as possible",
    "idk": "i do not know",
    "dunno": "do not know",
    "cuz": "because",
    "bc": "because",
    "w": "with",
    "w/": "with",
    "w/o": "without",
    "b4": "before",
    "2nd": "second",
    "1st": "first",
    "ppl": "people",
    "msg": "message",
    "txt": "text",
    "yea": "yes",
    "yeah": "yes",
    "yep": "yes",
    "yup": "yes",
    "nope": "no",
    "nah": "no",
    "naw": "no",
    "gonna": "going to",
    "wanna": "want to",
    "gotta": "have to",
    "cant": "can not",
    "can't": "can not",
    "cannot": "can not",
    "wont": "will not",
    "won't": "will not",
    "dont": "do not",
    "don't": "do not",
    "doesnt": "does not",
    "doesn't": "does not",
    "didnt": "did not",
    "didn't": "did not",
    "isnt": "is not",
    "isn't": "is not",
    "aint": "is not",
    "ain't": "is not",
    "wasnt": "was not",
    "wasn't": "was not",
    "havent": "have not",
    "haven't": "have not",
    "hasnt": "has not",
    "hasn't": "has not",
    "im": "i am",
    "i'm": "i am",
    "ive": "i have",
    "i've": "i have",
    "its": "it is",
    "it's": "it is",
    "thats": "that is",
    "that's": "that is",
    "whats": "what is",
    "what's": "what is",
    "theres": "there is",
    "there's": "there is",
    "lemme": "let me",
    "gimme": "give me",
    "sry": "sorry",
    "srry": "sorry",
    "prob": "problem",
    "probs": "problems",
    "evse": "charger",
    "chargr": "charger",
    "chrger": "charger",
    "charher": "charger",
    "chager": "charger",
    "chargin": "charging",
    "chargng": "charging",
    "nuthin": "nothing",
    "nothin": "nothing",
    "wrking": "working",
    "workin": "working",
    "strt": "start",
    "conector": "connector",
    "pluged": "plugged",
    "pluggd": "plugged",
    # Spanish
    "q": "que",
    "xq": "porque",
    "pq": "porque",
    "xk": "porque",
    "porq": "porque",
    "tb": "también",
    "tmb": "también",
    "toy": "estoy",
    "pa": "para",
    "pal": "para el",
    "porfa": "por favor",
    "porfis": "por favor",
    "porfavor": "por favor",
    "xfa": "por favor",
    "xfavor": "por favor",
    "msj": "mensaje",
    "msjs": "mensajes",
    "cel": "celular",
    "grax": "gracias",
    "nomas": "solo",
    "nomás": "solo",
    "ahorita": "ahora",
    "jala": "funciona",
    "troca": "camioneta",
    "parqueado": "estacionado",
    "parqueo": "estacionamiento",
    # Quebec's spoken French, in the words that the sentence encoder knows
    "chu": "je suis",
    "chui": "je suis",
    "jsuis": "je suis",
    "svp": "s'il vous plaît",
    "stp": "s'il vous plaît",
    "pis": "et",
    "faque": "alors",
    "icitte": "ici",
    "asteure": "maintenant",
    "pantoute": "pas du tout",
    "char": "auto",
    "chars": "autos",
    "frette": "froid",
    "piton": "bouton",
    "boucane": "fumée",
    "plogué": "branché",
    "plogue": "branche",
    "ploguée": "branchée",
    "déplogué": "débranché",
    "plugué": "branché",
    "pogné": "pris",
    "pognée": "prise",
    "débarre": "déverrouille",
    "débarrer": "déverrouiller",
    "débarrez": "déverrouillez",
    "débarré": "déverrouillé",
    "barré": "verrouillé",
    "barrée": "verrouillée",
    "piasses": "dollars",
    "piastres": "dollars",
    "tantôt": "plus tôt",
    "y'a": "il y a",
    "c'est-tu": "est-ce que c'est",
    "y'a-tu": "est-ce qu'il y a",
}

_WORD = re.compile(r"[^\W_]+(?:['’/-][^\W_]+)*|[^\w\s]+", re.UNICODE)
# What marks say where a message has no words.
MARKS = {
    "👍": "ok yes",
    "👌": "ok yes",
    "✅": "yes",
    "☑": "yes",
    "💯": "yes",
    "👎": "no",
    "❌": "no",
    "🙅": "no",
    "🙏": "thank you",
    "❤": "thank you",
    "🤝": "thank you",
    "😊": "thank you",
    "👋": "hello",
    "🔥": "fire",
    "🚒": "fire",
    "💨": "smoke",
    "⚡": "sparks",
}

# A charger's number differs with every message; one stand-in lets all of them count as the same word. Five digits alone are
# as a rule a ZIP code and get another.
_NUMBER_LIKE = re.compile(r"(?:[a-z]{1,3}-?)?[0-9oil]*[0-9]{2,}[0-9oil]*")
_ZIP_LIKE = re.compile(r"[0-9]{5}(?:-[0-9]{4})?")
NUMBER_WORD = "1234"
ZIP_WORD = "90210"


# "Nothing happens at 1043" means what "nothing happens" means: where the driver stands is read elsewhere, and left out of the
# meaning. Only behind such a word, so that a number that is the message itself ("I'm at 1042") or an amount stays.
_AT = frozenset({"at", "en", "a", "à", "au", "aux", "sur"})
_BETWEEN = frozenset(
    {"the", "la", "le", "el", "charger", "station", "number", "no", "cargador", "estación", "estacion", "número", "numero",
     "borne", "numéro", "chargeur"}
)  # fmt: skip
_ID_LIKE = re.compile(r"(?:[a-z]{1,3}-?)?[0-9oil]*[0-9]{3,}[0-9oil]*")
_UNITS = frozenset(
    {"kw", "kwh", "km", "kms", "miles", "mi", "mph", "percent", "volts", "v", "amps", "a", "am", "pm", "cents", "dollars", "pesos",
     "por", "pour", "pourcent", "h", "heures", "minutos", "minutes", "min"}
)  # fmt: skip
# What says no more than "here I am".
_HERE = frozenset(
    {"i", "i am", "am", "we", "are", "is", "it", "it is", "the", "my", "car", "here", "standing", "stand", "parked", "sitting", "ok",
     "yes", "no", "sorry", "hi", "hello", "that", "that is", "was", "and", "so", "one", "charger", "station", "estoy", "estamos",
     "es", "soy", "aquí", "aqui", "parado", "parada", "hola", "sí", "si", "y", "un", "una", "yo", "je", "je suis", "suis", "on",
     "est", "c'est", "ici", "et", "oui", "non", "bonjour", "allo", "allô", "nous", "sommes", "il", "se", "de", "me", "borne", "cargador"}
)  # fmt: skip
_ENOUGH = 2  # words beside


class Word(NamedTuple):
    text: str  # normalised
    start: int  # where it stood in the message as typed
    end: int


def words_of(message: str) -> Iterator[Word]:
    """The words of `message`, normalised; punctuation and emoji are left out except where a message has nothing else, and
    where the driver stands ("at 1043") where enough other words say what happens.
    """
    yield from _without_place(list(_all_words(message)), message)


def plain(message: str) -> str:
    """The words of `message` in a row, as encoders and counts take them in."""
    return " ".join(word.text for word in words_of(message))


def _without_place(words: list[Word], message: str) -> list[Word]:
    """The words without "at 1043" and its like, where enough others say what happens."""

    def raw(word: Word) -> str:
        return message[word.start : word.end].lower()

    for index, word in enumerate(words):
        if word.text != NUMBER_WORD or not _ID_LIKE.fullmatch(raw(word)):
            continue
        if index + 1 < len(words) and raw(words[index + 1]) in _UNITS:
            continue
        first = index - 1
        while first >= 0 and raw(words[first]) in _BETWEEN:
            first -= 1
        if first < 0 or raw(words[first]) not in _AT:
            continue
        rest = words[:first] + words[index + 1 :]
        if sum(one.text not in _HERE for one in rest) >= _ENOUGH:
            return rest
    return words


def _all_words(message: str) -> Iterator[Word]:
    only_marks = True
    marks = []
    for found in _WORD.finditer(message):
        raw = found.group().lower().replace("’", "'")
        if not raw[0].isalnum():
            marks.append(Word(_said_by(raw), found.start(), found.end()))
            continue
        only_marks = False
        if _ZIP_LIKE.fullmatch(raw):
            text = ZIP_WORD
        else:
            text = NUMBER_WORD if _NUMBER_LIKE.fullmatch(raw) else WRITTEN_OUT.get(raw, _shortened(raw))
        yield Word(text, found.start(), found.end())
    if only_marks:
        yield from marks


def _said_by(marks: str) -> str:
    """The words for the first mark that has some; the marks themselves where none has."""
    return next((MARKS[mark] for mark in marks if mark in MARKS), marks)


def _shortened(word: str) -> str:
    """Letters repeated for stress ("pleeease", "noooo") are cut to two at most."""
    return re.sub(r"([^\W\d])\1{2,}", r"\1\1", word)
