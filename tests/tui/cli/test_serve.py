"""`underlay serve`: the screens reach a browser on this machine, and nothing else."""

import asyncio
import re
import sys
from pathlib import Path

import aiohttp
import pytest

from tui.cli import arguments

ROOT = Path(__file__).parents[3]


async def test_a_browser_on_this_machine_gets_the_screens() -> None:
    """The page links nothing foreign, its socket carries the screens, and other origins and names are refused."""
    argv = (sys.executable, "-m", "tui", "--demo", "healthy", "serve", "--port", "0")
    process = await asyncio.create_subprocess_exec(*argv, cwd=ROOT, stdout=asyncio.subprocess.PIPE)
    try:
        assert process.stdout is not None
        async with asyncio.timeout(30):
            said = (await process.stdout.readline()).decode()
            url = said.split()[0]
            assert re.fullmatch(r"http://127\.0\.0\.1:\d+", url)
            assert "this machine only" in said
            async with aiohttp.ClientSession() as session:
                await _look(session, url)
    finally:
        process.terminate()
        await process.wait()


async def _look(session: aiohttp.ClientSession, url: str) -> None:
    async with session.get(url) as page:
        html = await page.text()
    linked = set(re.findall(r"(?:https?|wss?)://[^/\"']+", html)) - {"http://www.w3.org"}
    assert linked == {url, url.replace("http", "ws")}
    for headers in ({"Origin": "http://evil.example"}, {"Host": "evil.example"}):
        async with session.get(f"{url}/ws", headers=headers) as refused:
            assert refused.status == 403
    async with session.ws_connect(f"{url}/ws?width=100&height=30", origin=url) as socket:
        seen = b""
        async for message in socket:
            seen += message.data if message.type is aiohttp.WSMsgType.BINARY else b""
            if b"nothing is wrong" in seen:
                return
    raise AssertionError(f"never shown: {seen[-500:]!r}")


@pytest.mark.parametrize("options", [["--port", "x"], ["--port", "70000"], ["--host", "0.0.0.0"]])
def test_other_addresses_are_refused(options: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """There is no way to bind to another address, and a port that is none is one sentence."""
    with pytest.raises(SystemExit) as ended:
        arguments.parse(["serve", *options])
    assert ended.value.code == 3
    assert capsys.readouterr().err.count("\n") == 1
