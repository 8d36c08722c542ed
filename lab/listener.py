"""A listening socket of loopback that knows whom it let in, and can end every connection for certain."""

import asyncio
import contextlib
import socket
import weakref
from typing import Any, Final

BACKLOG: Final = 128
CUT_SECONDS: Final = 5.0
"""How long what was cut may take to end; it takes a few rounds of the loop."""


class Listener(socket.socket):
    """A listening TCP socket of 127.0.0.1; port 0 is any free one.

    A server that closes waits for its peers: for TLS's last word, for SSH's goodbye, for a handshake that hangs. A
    peer that was killed says none of it, so what is to end for certain is cut below all of them.
    """

    def __init__(self, port: int = 0) -> None:
        super().__init__(socket.AF_INET, socket.SOCK_STREAM)
        self.accepted: weakref.WeakSet[socket.socket] = weakref.WeakSet()
        try:
            self.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self.settimeout(0)  # not blocking
            self.bind(("127.0.0.1", port))
            self.listen(BACKLOG)
        except OSError:
            self.close()
            raise

    def accept(self) -> tuple[socket.socket, Any]:
        """Accept as every socket does, and remember who came."""
        peer, address = super().accept()
        self.accepted.add(peer)
        return peer, address

    async def refuse(self) -> None:
        """Let nobody in any more; whoever was has a transport when this returns, which a server's close relies on."""
        if self.fileno() != -1:  # closed already while it was paused
            asyncio.get_running_loop().remove_reader(self)
        await asyncio.sleep(0)

    async def cut(self) -> None:
        """Cut every connection, and return when all of them are closed."""
        for peer in tuple(self.accepted):
            if peer.fileno() != -1:
                with contextlib.suppress(OSError):  # it is gone already: its end has yet to be read
                    peer.shutdown(socket.SHUT_RDWR)
        async with asyncio.timeout(CUT_SECONDS):
            while any(peer.fileno() != -1 for peer in tuple(self.accepted)):  # noqa: ASYNC110 - no event tells of a close
                await asyncio.sleep(0)  # their transports close in the rounds to come
