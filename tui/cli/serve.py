"""``underlay serve``: the live screens in a browser, on this machine only, by textual-serve."""

import asyncio
import re
import shlex
import sys
from collections.abc import Awaitable, Callable
from typing import Final

from aiohttp import web
from textual_serve.server import Server

from tui.cli.arguments import Arguments
from tui.cli.place import Place, PlaceError

HOST: Final = "127.0.0.1"
_FOREIGN: Final = re.compile(r"<link[^>]*https?://[^>]*>")
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


async def run(arguments: Arguments, place: Place) -> int:
    """Serve until interrupted; raises PlaceError where the port cannot be had."""
    server = Server(shlex.join(command(arguments, place)), host=HOST, port=arguments.port, title="underlay")
    app = await server._make_app()  # noqa: SLF001 - its own way to run takes the loop and all signals
    app.on_startup.clear()  # it prints its own greeting
    app.middlewares.append(guard)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        site = web.TCPSite(runner, HOST, arguments.port)
        try:
            await site.start()
        except OSError as error:
            raise PlaceError(f"port {arguments.port}: {error.strerror}; choose another with --port") from error
        server.public_url = f"http://{HOST}:{runner.addresses[0][1]}"
        sys.stdout.write(
            f"{server.public_url} shows underlay, on this machine only; it asks for no password: whoever is logged in\n"
            "here can open it and sees what you may see. ctrl-c ends it.\n"
        )
        sys.stdout.flush()
        await asyncio.Event().wait()
    finally:
        await runner.cleanup()
    return 0


def command(arguments: Arguments, place: Place) -> list[str]:
    """Make the command line of the screens of one browser tab."""
    argv = [sys.executable, "-m", "tui", "screen"]
    for option, value in (
        ("--context", place.context),
        ("--kubeconfig", place.kubeconfig),
        ("--config", arguments.config),
        ("--ssh-config", place.ssh_config),
        ("--nodes", ",".join(place.nodes)),
        ("--theme", arguments.theme),
    ):
        if value:
            argv.append(f"{option}={value}")
    return argv


@web.middleware
async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuse other pages of the browser and names that were pointed here; ask no other host for anything."""
    here = {f"{name}:{request.url.port}" for name in (HOST, "localhost")}
    origin = request.headers.get("Origin", "")
    if request.host not in here or (origin and origin.partition("://")[2] not in here):
        raise web.HTTPForbidden(text="underlay serves its own page alone")
    response = await handler(request)
    if isinstance(response, web.Response) and response.content_type == "text/html" and response.text:
        response.text = _FOREIGN.sub("", response.text)  # a font that falls back to the browser's own
        response.headers["Content-Security-Policy"] = (
            "default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:; connect-src 'self' ws: ; form-action 'none'"
        )
    return response
