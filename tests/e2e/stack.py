"""The whole product on free ports, started as `make run` starts it: five real processes, a carrier that takes our SMS.

Tests talk to it as its users do: over the terminal channel, the SMS webhook, the sandbox's API, the bridge's API.
"""

from __future__ import annotations

import http.server
import json
import os
import secrets
import signal
import subprocess
import sys
import threading
import time
import urllib.parse
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import httpx
from twilio.request_validator import RequestValidator

from chargeline.ports import free_port
from chargeline.processes import ROOT

T = TypeVar("T")
TWILIO_SID = "ACe2e"
TWILIO_TOKEN = "the-token-of-the-test-account"
OUR_NUMBER = "+16135550100"


def until(what: str, condition: Callable[[], T | None], seconds: float = 30.0, pause: float = 0.05) -> T:
    """Polls until the condition gives something truthy; fails with `what` was awaited."""
    deadline = time.monotonic() + seconds
    last: object = None
    while time.monotonic() < deadline:
        try:
            found = condition()
            if found:
                return found
            last = found
        except (httpx.HTTPError, OSError) as error:
            last = error
        time.sleep(pause)
    raise AssertionError(f"not within {seconds} s: {what} (last: {last!r})")


class Carrier:
    """Takes messages as Twilio's Messages resource does, and lists them again."""

    def __init__(self) -> None:
        self.sent: list[dict[str, str]] = []
        carrier = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
                form = dict(urllib.parse.parse_qsl(body, keep_blank_values=True))
                message = {
                    "sid": f"SM{secrets.token_hex(16)}",
                    "to": form.get("To", ""),
                    "from": form.get("From", ""),
                    "body": form.get("Body", ""),
                    "status": "queued",
                    "date_created": time.strftime("%a, %d %b %Y %H:%M:%S +0000", time.gmtime()),
                    "at": f"{time.time():.3f}",
                }
                carrier.sent.append(message)
                self._answer(201, message)

            def do_GET(self) -> None:
                query = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(self.path).query))
                found = [message for message in reversed(carrier.sent) if query.get("To") in (None, message["to"])]
                self._answer(200, {"messages": found})

            def _answer(self, status: int, body: Any) -> None:
                raw = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(raw)))
                self.end_headers()
                self.wfile.write(raw)

            def log_message(self, *_: object) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def to(self, number: str) -> list[str]:
        return [message["body"] for message in list(self.sent) if message["to"] == number]

    def close(self) -> None:
        self._server.shutdown()


class Stack:
    def __init__(self, var: Path, **settings: str) -> None:
        self.var = var
        self.carrier = Carrier()
        self.ports = {
            name: free_port()
            for name in (
                "BOT_PORT",
                "OCPP_PORT",
                "BRIDGE_PORT",
                "RASA_PORT",
                "ACTIONS_PORT",
                "SANDBOX_PORT",
                "PAYMENTS_PORT",
            )
        }
        self.bot = f"http://127.0.0.1:{self.ports['BOT_PORT']}"
        self.sandbox = f"http://127.0.0.1:{self.ports['SANDBOX_PORT']}"
        self.bridge = f"http://127.0.0.1:{self.ports['BRIDGE_PORT']}"
        self._settings = {
            "VAR_DIR": str(var),
            "DESK": "off",
            "TWILIO_ACCOUNT_SID": TWILIO_SID,
            "TWILIO_AUTH_TOKEN": TWILIO_TOKEN,
            "TWILIO_FROM_NUMBER": OUR_NUMBER,
            "TWILIO_API_URL": self.carrier.url,
            **{name: str(port) for name, port in self.ports.items()},
            **settings,
        }
        self.http = httpx.Client(timeout=20, trust_env=False)
        self._process: subprocess.Popen[bytes] | None = None

    # --- life

    def start(self) -> None:
        self.var.mkdir(parents=True, exist_ok=True)
        self._log = (self.var / "run.log").open("ab")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "chargeline.run", "--no-train"],
            cwd=ROOT,
            env={**os.environ, **self._settings},
            stdout=self._log,
            stderr=subprocess.STDOUT,
        )
        try:
            until("the stack says that it is ready", self._announced, 180, 0.5)
        except AssertionError:
            self.stop()
            raise

    def _announced(self) -> bool:
        assert self._process is not None
        if self._process.poll() is not None:
            raise AssertionError(f"make run ended early:\n{self.log()[-3000:]}")
        return "Chargeline is ready" in self.log()

    def log(self) -> str:
        return (self.var / "run.log").read_text(errors="replace")

    def stop(self) -> int:
        assert self._process is not None
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
            try:
                self._process.wait(30)
            except subprocess.TimeoutExpired:
                self._process.kill()
        self.carrier.close()
        return self._process.wait()

    def kill(self, name: str) -> None:
        """kill -9; the supervisor starts the process again."""
        os.kill(int((self.var / "run" / f"{name}.pid").read_text()), signal.SIGKILL)

    def key(self, name: str) -> str:
        lines = (self.var / "keys.env").read_text().splitlines()
        return dict(line.split("=", 1) for line in lines if "=" in line)[name]

    # --- drivers

    def text(
        self, number: str, body: str, sid: str | None = None, token: str = TWILIO_TOKEN, host: str = "localhost"
    ) -> httpx.Response:
        """An inbound SMS, signed as Twilio signs, for the URL under `host`."""
        form = {
            "MessageSid": sid or f"SM{secrets.token_hex(16)}",
            "AccountSid": TWILIO_SID,
            "From": number,
            "To": OUR_NUMBER,
            "Body": body,
            "NumMedia": "0",
            "NumSegments": "1",
            "FromCity": "",
        }
        url = f"http://{host}:{self.ports['BOT_PORT']}/webhooks/twilio/sms"
        signature = RequestValidator(token).compute_signature(url, form)
        return self.http.post(f"{self.bot}/webhooks/twilio/sms", data=form, headers={"X-Twilio-Signature": signature})

    # --- chargers

    def station(self, charger: str) -> dict[str, Any]:
        """A simulated charger as it really is, whatever anyone says about it."""
        chargers = self.http.get(f"{self.sandbox}/v1/chargers").json()["chargers"]
        found: dict[str, Any] = next(row for row in chargers if row["id"] == charger)
        return found

    def reset_network(self) -> None:
        self.http.post(f"{self.sandbox}/v1/reset").raise_for_status()
        until("the simulated chargers are back", lambda: self.http.get(f"{self.sandbox}/readyz").status_code == 200, 60)

    def ask_bridge(self, path: str, **params: str) -> Any:
        key = {"Authorization": f"Bearer {self.key('BRIDGE_OPERATOR_KEY')}"}
        return self.http.get(f"{self.bridge}/v1/{path}", params=params, headers=key).raise_for_status().json()

    def charger(self, charger: str) -> dict[str, Any]:
        """A charger as the bridge sees it."""
        found: dict[str, Any] = self.ask_bridge(f"chargers/{charger}")
        return found

    def sessions(self, charger: str) -> list[dict[str, Any]]:
        sessions: list[dict[str, Any]] = self.ask_bridge("sessions", charger=charger)["sessions"]
        return sessions


@contextmanager
def running(var: Path, **settings: str) -> Iterator[Stack]:
    stack = Stack(var, **settings)
    stack.start()
    try:
        yield stack
    finally:
        stack.stop()
