"""`python -m actions`: what the dialogue does, as an HTTP server for Rasa on PRIVATE_HOST:ACTIONS_PORT."""

from __future__ import annotations

import logging
import socket
import sys
from pathlib import Path

import structlog

from actions.charging import BridgeClient
from actions.server import make_app
from actions.service import parts_of, store_of
from chargeline import logs
from chargeline.clock import clock_from
from chargeline.settings import Settings, SettingsError

RESPONSES = Path("domain/responses")


def main() -> int:
    try:
        settings = Settings.load()
    except SettingsError as error:
        print(f"actions: {error}", file=sys.stderr)
        return 1
    logs.configure("actions", settings.log_format, settings.log_level)
    log = structlog.get_logger("actions")
    logging.getLogger("rasa_sdk").setLevel(logging.WARNING)
    clock = clock_from(settings.clock_speed, settings.clock_epoch)
    try:
        texts = {file.stem: file.read_text("utf-8") for file in RESPONSES.glob("*.yml")}
    except OSError as error:
        log.error("responses_unreadable", error=str(error))
        return 1
    with socket.socket() as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind((settings.private_host, settings.actions_port))
        except OSError as error:
            print(
                f"actions: cannot listen on {settings.private_host}:{settings.actions_port}: {error.strerror}",
                file=sys.stderr,
            )
            return 1
        bridge = BridgeClient(
            settings.url_of("bridge"), settings.bridge_driver_key, clock, payment_key=settings.bridge_payment_key
        )
        app = make_app(parts_of(settings, bridge, store_of(settings), clock, texts), bridge)
        log.info("listening", host=settings.private_host, port=settings.actions_port)
        app.prepare(sock=listening, single_process=True, access_log=False, motd=False)
        type(app).serve_single(primary=app)
    return 0


if __name__ == "__main__":
    sys.exit(main())
