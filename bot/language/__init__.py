"""In which language a driver writes, message by message, with some inertia: pure, without a model.

The words are data (words.yml). What is kept for a driver, and what is answered, is the front door's.
"""

from __future__ import annotations

from bot.language.detector import LANGUAGES, detect

__all__ = ["LANGUAGES", "detect"]
