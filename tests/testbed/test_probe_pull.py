"""probe pull on nodes whose crictl is a stand-in (the testbed has no containerd): consent, root, messages, bounds."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.testbed import underlay
from tests.testbed.cluster import Testbed
from tests.testbed.probing import probe

pytestmark = pytest.mark.testbed

IMAGE = "registry.outside.test/shop/web:1.0"
STAND_IN = r"""#!/bin/sh
[ "$1" = crictl ] || exec /usr/local/bin/k3s.twin "$@"
[ "$(id -u)" = 0 ] || { echo "permission denied" >&2; exit 1; }
[ "$2" = pull ] || exit 1
name=${3#*/}
url="https://${3%%/*}/v2/${name%:*}/manifests/${name##*:}"
code=$(curl -s -o /dev/null -w '%{http_code}' -H 'Accept: application/vnd.docker.distribution.manifest.v2+json' "$url")
echo "$3" >>/run/pulled
if [ "$code" = 200 ]; then echo "Image is up to date for sha256:0123"; exit 0; fi
echo "FATA[0000] pulling image: rpc error: code = NotFound desc = failed to pull and unpack image \"$3\": $3: not found"
exit 1
"""


@contextmanager
def crictl(testbed: Testbed, node: str) -> Iterator[None]:
    """Have a node's k3s answer to crictl for a while."""
    testbed.run_on(node, ("mv", "/usr/local/bin/k3s", "/usr/local/bin/k3s.twin"))
    testbed.run_on(node, ("sh", "-c", "cat >/usr/local/bin/k3s; chmod 755 /usr/local/bin/k3s"), text=STAND_IN)
    try:
        yield
    finally:
        testbed.run_on(node, ("mv", "/usr/local/bin/k3s.twin", "/usr/local/bin/k3s"))
        testbed.run_on(node, ("rm", "-f", "/run/pulled"))


def pulled(testbed: Testbed, node: str) -> list[str]:
    """List what was pulled on a node."""
    return testbed.run_on(node, ("cat", "/run/pulled"), check=False).stdout.split()


def test_nothing_is_pulled_without_consent(testbed: Testbed) -> None:
    """Without --write-images the command is shown and nothing runs; without named nodes likewise."""
    with crictl(testbed, "samwise"):
        done = underlay.run(testbed, "probe", "pull", IMAGE, "--nodes", "samwise")
        assert (done.returncode, done.stdout) == (3, "")
        assert f"`k3s crictl pull {IMAGE}`" in done.stderr
        unnamed = underlay.run(testbed, "probe", "pull", IMAGE, "--write-images")
        assert (unnamed.returncode, unnamed.stdout) == (3, "")
        assert pulled(testbed, "samwise") == []


def test_pulls_run_on_the_nodes_named_and_say_what_they_say(testbed: Testbed) -> None:
    """So many times on that node; an image that is not there is told once, in containerd's own words."""
    with crictl(testbed, "samwise"):
        named = ("--nodes", "samwise", "--write-images")
        status, read = probe(testbed, "pull", IMAGE, *named, "-n", "2")
        assert (status, [each["outcome"] for each in read["results"]]) == (0, ["ok"])
        assert pulled(testbed, "samwise") == [IMAGE] * 2
        status, read = probe(testbed, "pull", "registry.outside.test/shop/nosuch:1", *named)
        assert (status, [each["outcome"] for each in read["results"]]) == (2, ["no-image"])
        assert len(pulled(testbed, "samwise")) == 3
