"""A phone in the terminal, for trying the SMS channel without a carrier.

Type a text: it is posted to the SMS webhook, signed as Twilio signs. What the front door sends goes to TWILIO_API_URL, where
this program listens and prints it. Usage, with the settings of `.env` or the environment the same as for `make run`:

    TWILIO_ACCOUNT_SID=AC_trial TWILIO_AUTH_TOKEN=trial TWILIO_FROM_NUMBER=+16135550100 TWILIO_API_URL=http://127.0.0.1:9200

    .venv/bin/python -m tools.phone +16135550123
"""

from __future__ import annotations

import argparse
import asyncio
import secrets
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import httpx
from sanic import HTTPResponse, Request, Sanic
from sanic.response import json
from twilio.request_validator import RequestValidator

from chargeline.settings import Settings


@dataclass
class Phone:
    settings: Settings
    number: str

    async def text(self, http: httpx.AsyncClient, body: str, sid: str | None = None) -> int:
        """Posts one inbound SMS; returns the webhook's status."""
        s = self.settings
        form = {
            "MessageSid": sid or f"SM{secrets.token_hex(16)}",
            "AccountSid": s.twilio_account_sid,
            "From": self.number,
            "To": s.twilio_from_number,
            "Body": body,
            "NumMedia": "0",
            "NumSegments": "1",
            "FromCity": "",
        }
        signature = RequestValidator(s.twilio_auth_token).compute_signature(
            f"{s.public_base_url}/webhooks/twilio/sms", form
        )
        answer = await http.post(
            f"{s.url_of('bot')}/webhooks/twilio/sms", data=form, headers={"X-Twilio-Signature": signature}
        )
        return answer.status_code


def carrier(on_message: Any) -> Sanic[Any, Any]:
    """Takes what the front door posts to Twilio's Messages resource, and lists it again when asked."""
    app: Sanic[Any, Any] = Sanic("phone", configure_logging=False)
    sent: list[dict[str, str]] = []

    @app.post("/2010-04-01/Accounts/<account>/Messages.json", name="create")
    async def create(request: Request, account: str) -> HTTPResponse:
        form = request.form or {}
        message = {
            "sid": f"SM{secrets.token_hex(16)}",
            "to": str(form.get("To", "")),
            "from": str(form.get("From", "")),
            "body": str(form.get("Body", "")),
            "status": "queued",
            "date_created": datetime.now(UTC).strftime("%a, %d %b %Y %H:%M:%S +0000"),
        }
        sent.append(message)
        on_message(message)
        return json(message, status=201)

    @app.get("/2010-04-01/Accounts/<account>/Messages.json", name="list")
    async def messages(request: Request, account: str) -> HTTPResponse:
        wanted = request.args.get("To")
        return json({"messages": [message for message in reversed(sent) if wanted in (None, message["to"])]})

    return app


async def main(number: str) -> int:
    settings = Settings.load()
    where = urlsplit(settings.twilio_api_url)
    if not settings.twilio_account_sid or where.hostname not in {"127.0.0.1", "localhost"} or where.port is None:
        print(
            "phone: set TWILIO_ACCOUNT_SID, TWILIO_AUTH_TOKEN, TWILIO_FROM_NUMBER and "
            "TWILIO_API_URL=http://127.0.0.1:9200, for make run as for this program",
            file=sys.stderr,
        )
        return 1
    phone = Phone(settings, number)
    app = carrier(lambda message: print(f"\n  {message['body']}\n> ", end="", flush=True))
    server = await app.create_server("127.0.0.1", where.port, return_asyncio_server=True, access_log=False)
    if server is None:
        return 1
    await server.startup()
    loop = asyncio.get_running_loop()
    print(f"You are {number}. Type a text; Ctrl-D ends.\n> ", end="", flush=True)
    async with httpx.AsyncClient(timeout=10, trust_env=False) as http:
        while line := await loop.run_in_executor(None, sys.stdin.readline):
            if line.strip():
                try:
                    status = await phone.text(http, line.strip())
                except httpx.HTTPError as error:
                    print(f"phone: the front door cannot be reached: {error}", file=sys.stderr)
                    return 1
                if status >= 300:
                    print(f"phone: the webhook answered {status}")
            print("> ", end="", flush=True)
    return 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tools.phone", description="A phone in the terminal.")
    parser.add_argument("number", nargs="?", default="+16135550123", help="the number that texts")
    sys.exit(asyncio.run(main(parser.parse_args().number)))
