"""Which Rasa this code is written against. Its inner parts are used and mended here, so another release must not start silently."""

from __future__ import annotations

import rasa

SUPPORTED = "3.6.21"


class UnsupportedRasa(RuntimeError):
    """Rasa's release is not the one whose inner parts were read and tested."""


def require_supported_rasa(found: str = rasa.__version__) -> None:
    """Raises UnsupportedRasa for any release but SUPPORTED."""
    if found != SUPPORTED:
        raise UnsupportedRasa(f"Rasa {found} is installed; bot/nlu is written for {SUPPORTED}. Run tools/setup rasa.")
