"""A hand at the API in the operator's namespace: `python -m tests.testbed.faults.hand SEED_JSON`.

Each line of standard input is one request of the testbed's admin, {"method", "path", "body", "type"}.
"""

import json
import sys
from pathlib import Path
from typing import Any

from tests.testbed.twin.api import Access, Api, ApiError


def main() -> int:
    """Answer until standard input ends."""
    api = Api(Access(**json.loads(Path(sys.argv[1]).read_text())["access"]))
    for line in sys.stdin:
        asked = json.loads(line)
        print(json.dumps(answer(api, asked)), flush=True)
    return 0


def answer(api: Api, asked: dict[str, Any]) -> dict[str, Any]:
    """Send one request, once more where the wire was dead: the API server may have been ended since the last one."""
    said: dict[str, Any] = {}
    for _ in range(2):
        try:
            return {"body": api.request(asked["method"], asked["path"], asked.get("body"), asked["type"])}
        except ApiError as error:
            said = {"status": error.status, "error": str(error)}
            if error.status:
                break
    return said


if __name__ == "__main__":
    sys.exit(main())
