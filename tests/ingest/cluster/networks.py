"""Nodes of Ray in network namespaces of this machine, each with an address of its own, that ask for a token."""

import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

BRIDGE, NETWORK = "rtr-bridge", "10.213.77"
PORT, CLIENT_PORT = 6379, 10001
STORE_BYTES = 80_000_000
START_S = 120.0


def ip(*words: str) -> str:
    """Run `ip`."""
    return subprocess.run(["ip", *words], check=True, capture_output=True, text=True).stdout


def can_be_made() -> bool:
    """Whether this process may make network namespaces."""
    if os.geteuid() or not shutil.which("ip"):
        return False
    try:
        ip("netns", "add", "rtr-try")
        ip("netns", "delete", "rtr-try")
    except subprocess.CalledProcessError:
        return False
    return True


class Namespace:
    """A computer for everything but its files: number 1 has the address NETWORK.1."""

    def __init__(self, number: int, token: str) -> None:
        self.name, self.address = f"rtr-{number}", f"{NETWORK}.{number}"
        self._outside, self._inside = f"rtr-o{number}", f"rtr-i{number}"
        self._folder = tempfile.mkdtemp(prefix="rtr", dir="/tmp")
        self.environment = os.environ | {
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN": token,
            "RAY_TMPDIR": self._folder,
            "RAY_worker_register_timeout_seconds": "120",
            "TIKTOK_RETRIEVAL_NODE_MEDIA": f"{self._folder}/media",
            "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
        }
        ip("netns", "add", self.name)
        ip("link", "add", self._outside, "type", "veth", "peer", "name", self._inside, "netns", self.name)
        ip("link", "set", self._outside, "master", BRIDGE, "up")
        ip("-n", self.name, "address", "add", f"{self.address}/24", "dev", self._inside)
        for device in ("lo", self._inside):
            ip("-n", self.name, "link", "set", device, "up")

    def command(self, *words: str, **other: str) -> "subprocess.Popen[str]":
        """Start a command there. `other` are further variables of its environment."""
        return subprocess.Popen(
            ["ip", "netns", "exec", self.name, *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=self.environment | other,
        )

    def start_ray(self, head: "Namespace | None" = None, cpus: int = 1) -> None:
        """Start a node: the head, or one that joins it."""
        ray = str(Path(sys.executable).with_name("ray"))
        place = ["--address", f"{head.address}:{PORT}"] if head else ["--head", "--port", str(PORT)]
        options = [
            "--num-cpus",
            str(cpus),
            "--object-store-memory",
            str(STORE_BYTES),
            "--node-ip-address",
            self.address,
        ]
        shown = [] if head else ["--include-dashboard", "false", "--ray-client-server-port", str(CLIENT_PORT)]
        started = self.command(ray, "start", *place, *options, *shown)
        printed, _ = started.communicate(timeout=START_S)
        assert started.returncode == 0, printed

    def set_link(self, state: str) -> None:
        """Cut the network ("down") or bring it back ("up")."""
        ip("link", "set", self._outside, state)

    def kill(self, *, but: tuple[int, ...] = ()) -> None:
        """Kill everything there with -9, except some processes and what they started."""
        for pid in map(int, ip("netns", "pids", self.name).split()):
            if pid not in but:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    continue

    def remove(self) -> None:
        """End everything there."""
        self.kill()
        time.sleep(0.2)
        ip("netns", "delete", self.name)
        subprocess.run(["ip", "link", "delete", self._outside], check=False, capture_output=True)
        shutil.rmtree(self._folder, ignore_errors=True)


class Network:
    """A head without cores of its own (number 1), two nodes with one core each, and a computer that is no node."""

    def __init__(self) -> None:
        token = secrets.token_hex(32)
        ip("link", "add", BRIDGE, "type", "bridge")
        ip("link", "set", BRIDGE, "up")
        self.head, *self.nodes, self.elsewhere = (Namespace(number, token) for number in (1, 2, 3, 4))
        self.start()

    def start(self) -> None:
        """Start Ray on all nodes."""
        self.head.start_ray(cpus=0)
        for node in self.nodes:
            node.start_ray(self.head)

    def stop(self) -> None:
        """End and delete everything."""
        for one in (*self.nodes, self.head, self.elsewhere):
            one.remove()
        ip("link", "delete", BRIDGE)
