"""How a Sanic app of ours listens and ends: a bound socket first, so that a port in use is one clear line; open requests get a moment."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from sanic import Sanic

_END_S = 2.0  # how long requests that are being answered may take when the process ends


class CannotListen(RuntimeError):
    """The port is taken, or the address is not ours; the message says which."""


def listener(host: str, port: int, setting: str = "") -> socket.socket:
    """A bound socket; `setting`: what to change where the port is taken, for the message. Raises CannotListen."""
    bound: socket.socket | None = None
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        bound = socket.socket(family, socket.SOCK_STREAM)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
    except OSError as error:
        if bound is not None:
            bound.close()
        named = f" ({setting})" if setting else ""
        raise CannotListen(f"cannot listen on {host}:{port}{named}: {error.strerror or error}") from error
    return bound


@asynccontextmanager
async def serving(
    app: Sanic[Any, Any], bound: socket.socket, before_end: Callable[[], None] = lambda: None
) -> AsyncIterator[None]:
    """`before_end`: ends what would hold the server open, such as event streams."""
    # Sanic leaves most of its server object's methods untyped, hence Any.
    server: Any = await app.create_server(
        sock=bound, return_asyncio_server=True, access_log=False, asyncio_server_kwargs={"start_serving": False}
    )
    await server.startup()
    await server.before_start()
    await server.start_serving()
    await server.after_start()
    try:
        yield
    finally:
        before_end()
        server.close()
        await server.before_stop()
        deadline = asyncio.get_running_loop().time() + _END_S
        while server.connections and asyncio.get_running_loop().time() < deadline:
            for connection in list(server.connections):
                connection.close_if_idle()
            await asyncio.sleep(0.02)
        for connection in list(server.connections):
            connection.abort()
        await server.after_stop()
