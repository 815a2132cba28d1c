"""`delineate demo` as a user runs it in a terminal: started, interrupted, started again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from delineate.demo.orthanc import OrthancServer
from delineate.demo.processes import free_port

END_TIMEOUT_S = 60.0


@dataclass(slots=True)
class DemoProcess:
    """The demo in a folder and on ports of its own."""

    state: Path
    port: int = field(default_factory=free_port)
    archive_port: int = field(default_factory=free_port)
    service_port: int = field(default_factory=free_port)
    redis_port: int | None = None
    """With it, the demo has a Redis."""
    process: subprocess.Popen[str] | None = None

    def start(self) -> list[str]:
        """Start it and return what it says up to the address of the viewer."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith("DELINEATE_")}
        environment |= {
            "DEMO_STATE": str(self.state),
            "DEMO_PORT": str(self.port),
            "DEMO_ARCHIVE_PORT": str(self.archive_port),
            "DEMO_SERVICE_PORT": str(self.service_port),
            "DEMO_REDIS": "1" if self.redis_port else "",
            "DEMO_REDIS_PORT": str(self.redis_port or ""),
        }
        command = [str(Path(sys.executable).with_name("delineate")), "demo"]
        self.process = subprocess.Popen(
            command,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        assert self.process.stdout is not None
        said: list[str] = []
        for line in self.process.stdout:
            said.append(line.rstrip())
            if line.startswith("http"):
                return said
        raise AssertionError(f"The demo ended with status {self.process.wait()}: {said}")

    def interrupt(self) -> int:
        """Press Ctrl-C, as a terminal does it, and return the exit status."""
        assert self.process is not None
        process, self.process = self.process, None
        os.killpg(process.pid, signal.SIGINT)
        process.communicate(timeout=END_TIMEOUT_S)
        return process.returncode

    def stop(self) -> None:
        """End it if it runs."""
        if self.process is not None:
            self.interrupt()

    def descendants(self) -> set[int]:
        """Return the ids of all processes below it."""
        assert self.process is not None
        parents = _parents()
        found: set[int] = set()
        fresh = {self.process.pid}
        while fresh:
            fresh = {pid for pid, parent in parents.items() if parent in fresh}
            found |= fresh
        return found

    @property
    def archive(self) -> OrthancServer:
        """Its archive, described and not started: for the address and the credentials."""
        password = (self.state / "archive-password").read_text()
        return OrthancServer(self.state / "orthanc", self.archive_port, "delineate", password)


def running(pids: set[int]) -> set[int]:
    """Return those of some processes that still run."""
    return pids & _parents().keys()


def _parents() -> dict[int, int]:
    """Return every process's parent, zombies left out."""
    parents = {}
    for file in Path("/proc").glob("[0-9]*/stat"):
        try:
            text = file.read_text()
        except OSError:
            continue
        state, parent = text.rpartition(")")[2].split()[:2]
        if state != "Z":
            parents[int(file.parent.name)] = int(parent)
    return parents
