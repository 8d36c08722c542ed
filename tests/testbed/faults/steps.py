"""Steps: what a fault's file may do to the testbed, each a mapping with one verb.

    {node: samwise, run: [ip, link, del, flannel.1]}     a program on a node, as root; `text` is its standard input
    {at: lan, run: [ip, link, set, to-samwise, down]}    a program in a place of the network
    {node: samwise, write: /run/x, text: "…", age: 60}   a file (age: seconds since its last change); no text: removed
    {node: samwise, remake: {id: 2}}                     flannel.1 with its entries as it was, but for this
    {restart: samwise}                                   the unit, until flannel has started again
    {stop: apiserver}, {start: apiserver}                a daemon of the control plane
    {patch: Node samwise, body: {…}}                     a merge patch; "@-60" is the time 60 seconds ago
    {create: {…}}, {delete: Pod shop/ledger}             an object with its status
    {fail: GitRepository flux-system/shop, reason: GitOperationFailed, message: "…"}
    {unpulled: registry.outside.test/shop/ledger:1, node: samwise, cause: "…"}

In programs and texts, {mac_NODE} is the MAC of a node's flannel.1, and {mac_v6_NODE} of its flannel-v6.1.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from tests.testbed.cluster import Testbed
from tests.testbed.commands import TestbedError, run
from tests.testbed.faults.ground import Ground
from tests.testbed.faults.objects import Objects

Step = Mapping[str, Any]


class Hands:
    """What takes the steps."""

    def __init__(self, bed: Testbed, ground: Ground, objects: Objects) -> None:
        self._bed = bed
        self._ground = ground
        self._objects = objects
        self._stopped: set[str] = set()
        self._touched: set[str] = set()

    def take(self, steps: Iterable[Step]) -> None:
        """Take steps in their order."""
        for step in steps:
            if "node" in step and "unpulled" not in step:
                self._touched.add(step["node"])
            self._take(step)

    def _take(self, step: Step) -> None:
        match dict(step):
            case {"node": node, "run": argv, **rest}:
                argv = [self._filled(str(word)) for word in argv]
                self._ground.run(node, argv, text=rest.get("text"))
            case {"node": node, "write": name, **rest}:
                self._ground.write(node, name, rest.get("text"), age=rest.get("age"))
            case {"node": node, "remake": other}:
                self._ground.remake(node, **{name: str(value) for name, value in other.items()})
            case {"at": place, "run": argv}:
                run(self._bed.fabric.inside(place, [str(word) for word in argv]))
            case {"restart": node}:
                self._bed.restart_unit(node)
                self._touched.add(node)
            case _:
                self._take_api(step)

    def _take_api(self, step: Step) -> None:
        match dict(step):
            case {"stop": daemon}:
                self._bed.plane.stop(daemon)
                self._stopped.add(daemon)
            case {"start": daemon}:
                self._bed.plane.start(daemon)
                self._stopped.discard(daemon)
            case {"patch": reference, "body": body}:
                self._objects.patch(reference, body)
            case {"create": item}:
                self._objects.create(item)
            case {"delete": reference}:
                self._objects.delete(reference)
            case {"fail": reference, "reason": reason, "message": message, **rest}:
                self._objects.fail(reference, reason, message, since=rest.get("since", 300))
            case {"unpulled": image, "node": node, "cause": cause}:
                self._objects.unpulled(node, image, cause)
            case _:
                raise TestbedError(f"there is no such step: {dict(step)}")

    def _filled(self, text: str) -> str:
        for node, saved in self._ground.saved.items():
            text = text.replace(f"{{mac_{node}}}", saved.mac).replace(f"{{mac_v6_{node}}}", saved.mac_v6)
        return text

    def put_back(self) -> None:
        """Take back what was done to daemons, objects and nodes."""
        for daemon in sorted(self._stopped):
            self._bed.plane.start(daemon)
        if self._stopped:
            self._bed.plane.wait_ready(self._bed.kubeconfig_of("admin"))
        self._stopped.clear()
        self._objects.restore()
        for node in sorted(self._touched):
            self._ground.restore(node)
        self._touched.clear()
