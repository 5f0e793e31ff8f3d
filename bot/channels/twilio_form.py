"""A form of Twilio's: its fields, whether its signature is right, the place in it. What follows from it is decided elsewhere."""

from __future__ import annotations

from urllib.parse import parse_qsl

from sanic import Request
from twilio.request_validator import (
    HMAC_SHA1,
    SIGNATURE_HEADER,
    SIGNATURE_SETTINGS_HEADER,
    RequestValidator,
    get_signature_algorithm,
)

from bot.store.model import Place
from chargeline.settings import Settings

_MAX_FIELDS = 300


class Params(dict[str, list[str]]):
    """Form fields, each with all its values, in the shape that twilio's validator asks for."""

    def getlist(self, name: str) -> list[str]:
        return self.get(name, [])

    def one(self, name: str) -> str:
        return self.get(name, [""])[0]


def parse_form(body: bytes) -> Params:
    """All fields, empty ones too, since the signature covers them. Raises ValueError where the form is malformed."""
    params = Params()
    text = body.decode("utf-8")  # a form is ASCII; UnicodeDecodeError is a ValueError
    for name, value in parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=_MAX_FIELDS):
        params.setdefault(name, []).append(value)
    return params


def signed_urls(settings: Settings, request: Request) -> list[str]:
    """The URLs that may have been signed. Behind a proxy only PUBLIC_URL is right, since the request does not know it.

    Where PUBLIC_URL is not set, the front door is called directly, by whichever name of this machine: then the name in the
    request counts too. It proves nothing by itself; the signature still needs the auth token.
    """
    query = f"?{request.query_string}" if request.query_string else ""
    bases = [settings.public_base_url]
    if not settings.public_url and request.host:
        bases.append(f"http://{request.host}")
    return [f"{base}{request.path}{query}" for base in bases]


class Signatures:
    """Both of Twilio's schemes: the account's auth token (SHA-1), or a shared key (SHA-256) where a header names one.

    Source: https://www.twilio.com/docs/usage/webhooks/webhook-shared-keys
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._by_token = RequestValidator(settings.twilio_auth_token)
        self._by_key = RequestValidator(settings.twilio_webhook_key) if settings.twilio_webhook_key else None

    def are_right(self, request: Request, params: Params) -> bool:
        signature = request.headers.get(SIGNATURE_HEADER, "")
        named = request.headers.get(SIGNATURE_SETTINGS_HEADER, "")
        algorithm = get_signature_algorithm(named).upper()
        # The header is not signed, so it must not choose a weaker way: a key is for SHA-256, the token for SHA-1.
        validator = self._by_token if algorithm == HMAC_SHA1 and not named else self._by_key
        if validator is None or not signature.isascii():
            return False
        urls = signed_urls(self._settings, request)
        return any(validator.validate(url, params, signature, algorithm) for url in urls)


def place_of(params: Params) -> Place | None:
    """The shared place in the form; None where there is none, or where it is nowhere on Earth."""
    return place_from(params.one("Latitude"), params.one("Longitude"), params.one("Label"), params.one("Address"))


def place_from(latitude: object, longitude: object, name: object = None, address: object = None) -> Place | None:
    try:
        north, east = float(str(latitude)), float(str(longitude))
    except ValueError:
        return None
    if not (-90 <= north <= 90 and -180 <= east <= 180):  # false for "nan" too
        return None
    texts = [text if isinstance(text, str) and text.strip() else None for text in (name, address)]
    return Place(north, east, *texts)
