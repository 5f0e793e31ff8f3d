"""Tokenizer for text messages: words come out normalised (see `normalise`), their offsets point into the message as typed."""

from __future__ import annotations

from typing import Any, Dict, List, Text

from rasa.engine.recipes.default_recipe import DefaultV1Recipe
from rasa.nlu.constants import TOKENS_NAMES
from rasa.nlu.tokenizers.tokenizer import Token, Tokenizer
from rasa.shared.nlu.constants import TEXT
from rasa.shared.nlu.training_data.message import Message

from bot.nlu.normalise import words_of
from bot.nlu.service import install

install()


def heard(message: Message) -> Text:
    """A tokenised message as encoders and counts take it in."""
    return " ".join(token.text for token in message.get(TOKENS_NAMES[TEXT]))


@DefaultV1Recipe.register(DefaultV1Recipe.ComponentType.MESSAGE_TOKENIZER, is_trainable=False)
class SmsTokenizer(Tokenizer):
    """Splits intents never, messages at white space and punctuation."""

    @staticmethod
    def get_default_config() -> Dict[Text, Any]:
        return {"intent_tokenization_flag": False, "intent_split_symbol": "_", "token_pattern": None}

    def tokenize(self, message: Message, attribute: Text) -> List[Token]:
        text = message.get(attribute)
        tokens = [Token(word.text, word.start, word.end) for word in words_of(text)]
        # Later components expect at least one token, also for a message of white space or control characters.
        return tokens or [Token(text or " ", 0, max(1, len(text)))]
