"""The API's exec: a command in a pod, over a websocket of the channels that kubectl speaks as well."""

import json
from typing import Final

from aiohttp import WSMsgType, web

from lab import probing
from lab.commands import Call, run
from lab.network_commands import PROGRAMS
from lab.store import NotFoundError
from lab.world import World

_PROTOCOLS: Final = ("v5.channel.k8s.io", "v4.channel.k8s.io")
_CHUNK: Final = 32 * 1024


async def serve(request: web.Request, world: World, namespace: str, name: str) -> web.StreamResponse:
    """Run what is asked for in a pod's network; its image has the programs of the demo's nodes."""
    found = [(m, p) for m in world.nodes.values() for p in m.overlay.pods if (p.namespace, p.pod) == (namespace, name)]
    if not found:
        raise NotFoundError(f'pods "{name}" not found')
    machine, netns = found[0]
    socket = web.WebSocketResponse(protocols=_PROTOCOLS)
    await socket.prepare(request)
    argv = tuple(request.query.getall("command"))
    said: list[str] = []
    if (asked := probing.volley(argv)) is not None:
        text = await _read(socket, asked[0])
        code = await probing.run(world, machine, text, said.append, root=False, netns=netns)
    else:
        done = await run(Call(world, machine, argv, root=False, netns=netns), PROGRAMS)
        said.append(done.out)
        code = done.rc
    out = "".join(said).encode()
    for first in range(0, len(out), _CHUNK):
        await socket.send_bytes(b"\1" + out[first : first + _CHUNK])
    await socket.send_bytes(b"\3" + json.dumps(_status(code)).encode())
    await socket.close()
    return socket


async def _read(socket: web.WebSocketResponse, length: int) -> str:
    got = bytearray()
    while len(got) < length:
        message = await socket.receive()
        if message.type != WSMsgType.BINARY:
            break
        got += message.data[1:]
    return got[:length].decode("utf-8", "replace")


def _status(code: int) -> dict[str, object]:
    if code == 0:
        return {"status": "Success"}
    causes = [{"reason": "ExitCode", "message": str(code)}]
    said = f"command terminated with non-zero exit code: exit status {code}"
    return {"status": "Failure", "reason": "NonZeroExitCode", "message": said, "details": {"causes": causes}}
