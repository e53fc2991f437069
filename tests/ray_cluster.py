"""A Ray cluster of two nodes in a network of its own, which has no address but loopback.

Whatever address Ray is given, some of its processes listen on all that there are.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from processes import ROOT
from watching import wait_until

ADDRESS = "127.0.0.1:6379"
"""Of the cluster's head, within the network."""
LOOPBACK = ("0100007F", "0000000000000000FFFF00000100007F", "00000000000000000000000001000000")
"""127.0.0.1, the same within IPv6, and ::1, as the kernel writes them."""
ALONE = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_AUTH_MODE": "disabled"}
"""Ray makes no token in the home folder of who tests; nobody else is in the network."""
LISTENS = "0A"
"""The state of a socket that listens."""
UNSHARE = ("unshare", "--map-root-user", "--net")
NETWORK = "ip link set lo up && echo ready && exec cat"


class Network:
    """A network of its own, which lasts as long as the process in it.

    Args:
        pid: of that process.
    """

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._namespace = os.readlink(f"/proc/{pid}/ns/net")

    def start(self, command: Sequence[object], log: Path, **environment: str) -> subprocess.Popen:
        """Start a process in this network, which writes to ``log``."""
        enter = ["nsenter", "--target", self.pid, "--user", "--net", "--preserve-credentials"]
        with log.open("w") as out:
            return subprocess.Popen(
                [*map(str, enter), *map(str, command)],
                stdout=out,
                stderr=out,
                cwd=ROOT,
                env={**os.environ, **environment},
            )

    def processes(self) -> list[int]:
        """All processes in this network but the one that it lasts as long as."""
        found = []
        for path in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                if os.readlink(path / "ns" / "net") == self._namespace:
                    found.append(int(path.name))
        return [pid for pid in found if pid != self.pid]

    def listening(self) -> set[str]:
        """The addresses that processes in this network listen on, as the kernel writes them."""
        lines = []
        for table in ("tcp", "tcp6"):
            lines += Path(f"/proc/{self.pid}/net/{table}").read_text().splitlines()[1:]
        sockets = [line.split() for line in lines]
        return {socket[1].rpartition(":")[0] for socket in sockets if socket[3] == LISTENS}

    def end(self) -> bool:
        """Kill all processes in this network; whether none is left."""
        for pid in self.processes():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return not self.processes()


@contextmanager
def network() -> Iterator[Network]:
    """A network in which nobody is left afterwards; the test is skipped where there can be none."""
    command = [*UNSHARE, "sh", "-c", NETWORK]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, text=True, **pipes) as holder:
        try:
            if holder.stdout.readline() != "ready\n":
                pytest.skip(f"no network of its own here: {holder.stderr.read()}")
            inside = Network(holder.pid)
            try:
                yield inside
            finally:
                wait_until(inside.end)
        finally:
            holder.kill()


@contextmanager
def cluster(folder: Path) -> Iterator[Network]:
    """A cluster of two nodes with a core each; its head is at ADDRESS.

    The environment of a node's processes has its number, TEST_NODE.

    Args:
        folder: of the nodes' logs.
    """
    head = ["--head", f"--port={ADDRESS.rpartition(':')[2]}", "--include-dashboard=false"]
    settings = ["--block", "--num-cpus=1", f"--object-store-memory={80 * 2**20}"]
    with network() as inside:
        nodes = []
        try:
            for number, words in enumerate([head, [f"--address={ADDRESS}"]], start=1):
                command = [Path(sys.executable).with_name("ray"), "start", *settings, *words]
                command += [f"--node-ip-address=127.0.0.{number}"]
                log = folder / f"node{number}.log"
                environment = {**ALONE, "TEST_NODE": str(number)}
                nodes.append(node := inside.start(command, log, **environment))
                wait_until(lambda log=log, node=node: runs(node, log))
            yield inside
        finally:
            wait_until(inside.end)
            for node in nodes:
                node.wait()


def runs(node: subprocess.Popen, log: Path) -> bool:
    """Whether a node has started.

    Raises:
        AssertionError: if it has ended instead.
    """
    text = log.read_text()
    assert node.poll() is None, text
    return "Ray runtime started" in text


def node_of(pid: int) -> str | None:
    """The node that a worker process belongs to."""
    with suppress(OSError):
        environment = Path(f"/proc/{pid}/environ").read_text().split("\0")
        return next((word[-1] for word in environment if word.startswith("TEST_NODE=")), None)
