"""What the demo's world outside serves to those who fetch: repositories, registries and their blobs."""

import json
import re
from dataclasses import replace
from typing import Final
from urllib.parse import urlsplit

from lab import outside
from lab.commands import Call, Done

_VALUE: Final = re.compile(r'^(url|data-raw) = "((?:[^"\\]|\\.)*)"$', re.MULTILINE)
_COMMIT: Final = "7d1cbbd4f0a8d6b8d5e4ce5e64dd4a3ba1dcf4f1"
_DIGEST: Final = f"sha256:{'5f' * 32}"
_LAYER: Final = 3 * 2**20
_GIT: Final = "application/x-git-upload-pack"
_MARK: Final = "\nunderlay-curl "


async def curl(call: Call) -> Done:
    """``curl`` whose URL stands in its last argument, or, for ``-K -``, in what it reads, which is given after it."""
    if call.args[-3:-1] != ("-K", "-"):
        return await outside.curl(call)
    told = dict(_VALUE.findall(call.args[-1]))
    url = told.get("url", "").replace("\\\\", "\\")
    status, headers, body = _answer(url, told.get("data-raw", ""))
    is_long = status == 206 or "want " in told.get("data-raw", "")  # noqa: PLR2004 - part of a blob, or a pack
    asked = replace(call, argv=(call.argv[0], *call.args[:-3], url))
    done = await (outside.curl(asked) if is_long else outside.curl(asked, len(body)))
    before, mark, rest = done.out.partition(_MARK)
    fields = rest.split(" ")
    if not mark or fields[0] == "000":
        return done
    kept = body if "-" in call.args[call.args.index("-o") : call.args.index("-o") + 2] else ""
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    if done.rc == 0 and status not in {200, 206}:
        fields[-1] = "0\n"
    return replace(
        done, out=f"HTTP/{fields[1]} {status}\r\n{head}\r\n{kept}{before}{mark}{status} {' '.join(fields[1:])}"
    )


def _answer(url: str, posted: str) -> tuple[int, dict[str, str], str]:
    """Give status, headers and body of what is asked for."""
    parts = urlsplit(url)
    if parts.path.endswith("/info/refs"):
        return 200, {"Content-Type": f"{_GIT}-advertisement"}, ""
    if parts.path.endswith("/git-upload-pack"):
        return 200, {"Content-Type": f"{_GIT}-result"}, f"0032{_COMMIT} HEAD\n0000" if "ls-refs" in posted else ""
    if parts.path == "/v2/":
        realm = f'Bearer realm="https://{parts.netloc}/token",service="{parts.netloc}"'
        return 401, {"WWW-Authenticate": realm}, ""
    if parts.path == "/token":
        return 200, {}, json.dumps({"token": "ZGVtbw"})
    if "/manifests/" in parts.path:
        return 200, {}, json.dumps({"layers": [{"digest": _DIGEST, "size": _LAYER}]})
    if "/blobs/" in parts.path and not parts.netloc.startswith("blobs."):
        return 307, {"Location": f"https://blobs.{parts.netloc}{parts.path}"}, ""
    return 206, {}, ""
