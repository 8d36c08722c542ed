"""The command `k3s` of a testbed node: `k3s server`, `k3s agent`, `k3s --version`."""

import os
import socket
import sys
import threading
from collections.abc import Callable
from pathlib import Path

from .settings import COMMIT, GO_VERSION, VERSION

API_WAIT_SECONDS = 0.3
DATA = Path("/var/lib/rancher/k3s/data")


def notify_ready() -> None:
    """Tell systemd that a Type=notify unit is up."""
    path = os.environ.get("NOTIFY_SOCKET")
    if path:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
            channel.sendto(b"READY=1", "\0" + path[1:] if path.startswith("@") else path)


def run_or_die(name: str, follow: Callable[[], None]) -> None:
    """Run one part until it ends: k3s as a whole exits with it, and systemd starts it again."""
    try:
        follow()
    except Exception as error:  # noqa: BLE001 - the edge of the process: whatever it is ends k3s
        print(f'level=fatal msg="{name} exited: {error}"', file=sys.stderr, flush=True)
    os._exit(1)


def patient(follow: Callable[[], None]) -> Callable[[], None]:
    """Give the same watch made to outlive outages of the API, as an informer does."""
    from .api import ApiError  # noqa: PLC0415 - see serve

    def follow_patiently() -> None:
        pause = threading.Event()
        while True:
            try:
                follow()
            except ApiError as error:
                print(f"watch ended: {error}")
                pause.wait(1.0)

    return follow_patiently


def main() -> int:
    """Run what the arguments say; 0 for the version, 1 for what the twin does not know."""
    if sys.argv[1:] in (["--version"], ["-v"]):
        print(f"k3s version {VERSION} ({COMMIT})\ngo version {GO_VERSION}")
        return 0
    if sys.argv[1:2] not in (["server"], ["agent"]):
        print(f"k3s: the testbed's twin knows server, agent and --version, not {sys.argv[1:]}", file=sys.stderr)
        return 1
    return serve()


def unpack() -> None:
    """Note which build runs, and which did before, as k3s does when it unpacks itself (cmd/k3s/main.go, extract)."""
    folder, current = DATA / COMMIT, DATA / "current"
    if not folder.is_dir():
        folder.mkdir(parents=True)
        if current.is_symlink():
            current.rename(DATA / "previous")
        current.symlink_to(folder)


def serve() -> int:
    """Register, start flannel once, then keep the Node alive and follow peers and pods; never returns 0."""
    # Imported here so that `k3s --version` stays as quick as the real one.
    from . import flannel, kubelet  # noqa: PLC0415
    from .api import Api, ApiError  # noqa: PLC0415
    from .kernel import CommandError  # noqa: PLC0415
    from .pods import Pods  # noqa: PLC0415
    from .services import Services  # noqa: PLC0415
    from .settings import Settings  # noqa: PLC0415

    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    settings = Settings.read()
    print(f"Starting k3s {settings.role} {VERSION} ({COMMIT})")
    unpack()
    pause = threading.Event()
    while True:
        try:
            api = Api(settings.access)
            kubelet.register(api, settings)
            break
        except (ApiError, OSError) as error:
            print(f"Waiting for the API server: {error}")
            pause.wait(API_WAIT_SECONDS)
    heart = kubelet.Heart(settings)
    threading.Thread(target=run_or_die, args=("kubelet", heart.beat_forever), daemon=True).start()
    notify_ready()
    try:
        flannel.start(api, settings.name)
    except (CommandError, ApiError, ValueError, KeyError) as error:
        print(f'level=fatal msg="flannel exited: {error}"', file=sys.stderr)
        return 1
    parts: dict[str, Pods | Services] = {"kubelet": Pods(settings), "kube-proxy": Services(settings)}
    for name, part in parts.items():
        threading.Thread(target=run_or_die, args=(name, patient(part.follow)), daemon=True).start()
    run_or_die("flannel", patient(flannel.Peers(settings).follow))
    return 1


if __name__ == "__main__":
    sys.exit(main())
