"""The sshd of git servers outside: the line it greets with, as bash reads it, and what ssh-keyscan says of its key."""

import asyncio
import base64
import struct
import time
from typing import Final

from lab import outside
from lab.commands import Call, Done

MARK: Final = "/dev/tcp/$a/$2"
"""By which the text that greets is told from other texts for bash."""
_BANNER: Final = "SSH-2.0-demo"
_KIND: Final = "ssh-ed25519"
_KEY: Final = base64.b64encode(
    b"".join(struct.pack(">I", len(part)) + part for part in (_KIND.encode(), b"demo: nobody's host key, ever"[:32]))
).decode()
_SECONDS: Final = {"dns": 0.002, "connect": 0.012, "banner": 0.031}


async def greet(call: Call) -> Done:
    """Answer ``bash -c TEXT bash HOST PORT SECONDS``: each phase with its beginning and end."""
    host, patience = call.args[3], float(call.args[5])
    if not outside.is_known(call, host):
        return Done(6)
    way = outside.way_out(call, host)
    now = time.time()
    said = f"dns {now} {now + _SECONDS['dns']} {outside.ADDRESS}\n"
    if not way.opens:
        await asyncio.sleep(min(patience, outside.WAIT))
        return Done(124, out=said)
    said += f"connect {now} {now + _SECONDS['connect']}\n"
    if outside.is_lost(call, f"{host}/ssh", way):
        await asyncio.sleep(min(patience, outside.WAIT))
        return Done(8, out=said)
    return Done(out=f"{said}banner {now} {now + _SECONDS['banner']} {_BANNER}\n")


def keyscan(call: Call) -> Done:
    """``ssh-keyscan … HOST``: one host key, of whoever is reached."""
    host = call.args[-1]
    if not outside.is_known(call, host) or not outside.way_out(call, host).opens:
        return Done(1)
    return Done(out=f"{host} {_KIND} {_KEY}\n")
