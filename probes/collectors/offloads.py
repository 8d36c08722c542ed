"""The offload features of the flannel device: ``ethtool -k``."""

import re
from typing import Final

from probes.collectors.batch import Step
from probes.collectors.reading import Outputs, Unreadable, said

STEPS: Final = (Step("offloads", ("ethtool", "-k", "flannel.1")),)

_KEPT: Final = frozenset(
    {
        *("rx-checksumming", "tx-checksumming", "tx-checksum-ip-generic", "tx-checksum-ipv4", "tx-checksum-ipv6"),
        *("tcp-segmentation-offload", "generic-segmentation-offload", "generic-receive-offload"),
        *("tx-udp-segmentation", "tx-udp_tnl-segmentation", "tx-udp_tnl-csum-segmentation"),
        *("rx-udp-gro-forwarding", "rx-gro-list"),
    }
)
"""Those that checksums and sizes of packets hang on."""
_FEATURE: Final = re.compile(r"\s*([a-z0-9_-]{1,60}): (on|off)(?: \[[a-z ]{1,40}\])?\s*")


def parse(outputs: Outputs) -> dict[str, bool] | None:
    """Read the features that matter, None where there is no flannel.1; raises Unreadable, also without ethtool."""
    done = outputs.get("offloads")
    if done is not None and done.returncode not in {0, 127} and "No such device" in done.stderr:
        return None
    found = (_FEATURE.fullmatch(line) for line in said(outputs, "offloads").splitlines())
    features = {feature[1]: feature[2] == "on" for feature in found if feature and feature[1] in _KEPT}
    if not features:
        raise Unreadable("`ethtool -k flannel.1` named no feature")
    return features
