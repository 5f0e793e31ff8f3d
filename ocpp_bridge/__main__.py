"""`python -m ocpp_bridge`: the bridge as a process. Ends cleanly on SIGTERM and SIGINT; what keeps it from starting is one line."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import ssl
import sys

import structlog

from chargeline.clock import clock_from
from chargeline.imports import note_missing_modules
from chargeline.logs import configure
from chargeline.settings import Settings, SettingsError
from chargeline.sqlite import SchemaTooNew
from ocpp_bridge.bridge import Bridge
from ocpp_bridge.importing import ImportProblem
from ocpp_bridge.server.channel import Proxies
from ocpp_bridge.server.websocket import BACKLOG
from ocpp_bridge.store import open_store

log = structlog.get_logger(__name__)


class CannotStart(Exception):
    """The message is for whoever started the process."""


def listen(host: str, port: int, what: str) -> socket.socket:
    """A listening socket. Raises CannotStart, naming the setting, where the port is taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise CannotStart(f"cannot listen on {host}:{port} ({what}): {error.strerror}") from None
    listener.setblocking(False)
    return listener


def tls_context(settings: Settings) -> ssl.SSLContext:
    """TLS 1.2 and up; a charger's certificate is asked for where OCPP_TLS_CLIENT_CA says who may sign one. Raises CannotStart."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(settings.ocpp_tls_cert, settings.ocpp_tls_key or None)
        if settings.ocpp_tls_client_ca:
            context.load_verify_locations(settings.ocpp_tls_client_ca)
            context.verify_mode = ssl.CERT_OPTIONAL  # profile 3 demands it, charger by charger
    except OSError as error:  # ssl.SSLError is one
        raise CannotStart(f"OCPP_TLS_CERT, OCPP_TLS_KEY or OCPP_TLS_CLIENT_CA cannot be used: {error}") from None
    return context


def check_proxies(settings: Settings) -> None:
    try:
        Proxies.read(settings.ocpp_proxies, settings.ocpp_client_name_header)
    except ValueError as error:
        raise CannotStart(f"OCPP_PROXIES: {error}") from None


async def run(settings: Settings) -> None:
    check_proxies(settings)
    chargers = listen(settings.host, settings.ocpp_port, "OCPP_PORT")
    api = listen(settings.private_host, settings.bridge_port, "BRIDGE_PORT")
    tls = None
    if settings.ocpp_tls_cert:
        tls = listen(settings.host, settings.ocpp_tls_port, "OCPP_TLS_PORT"), tls_context(settings)
    bridge = Bridge(settings, open_store(settings), clock_from(settings.clock_speed, settings.clock_epoch), alone=True)
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    try:
        await bridge.start(chargers, api, tls)
        await ended.wait()
    finally:
        await bridge.stop()
    log.info("bridge_ended")


def main() -> int:
    try:
        note_missing_modules()
        settings = Settings.load()
        configure("bridge", settings.log_format, settings.log_level)
        with contextlib.suppress(ImportError):
            import uvloop

            asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
        asyncio.run(run(settings))
    except (CannotStart, SettingsError, ImportProblem, SchemaTooNew) as error:
        print(f"bridge: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
