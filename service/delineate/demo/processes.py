"""Foreground servers that live exactly as long as the code which started them."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from delineate.demo.errors import ServerNotReadyError

STOP_TIMEOUT_S = 10.0
"""How long a server may take to end by itself before it is killed."""

READY_POLL_S = 0.05
"""Pause between two questions whether a server is ready."""

LOG_TAIL_LINES = 15
"""How many lines of a log an error quotes."""


def free_port() -> int:
    """Find a TCP port of the loopback interface that nobody listens on.

    Returns
    -------
    int
        A port; another program may take it before the caller does.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def is_port_free(port: int) -> bool:
    """Say whether a server could listen on a port, on every address.

    Parameters
    ----------
    port : int
        A TCP port.

    Returns
    -------
    bool
        False when another program listens there.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("", port))
        except OSError:
            return False
        return True


def _dies_with_parent(command: Sequence[str]) -> list[str]:
    """Let the kernel end a command when its parent was killed without a chance to clean up."""
    setpriv = shutil.which("setpriv")
    prefix = [setpriv, "--pdeathsig", "TERM", "--"] if setpriv else []
    return [*prefix, *command]


def write_private(file: Path, text: str) -> None:
    """Write a file that only this user can read, in place of what was there."""
    file.unlink(missing_ok=True)
    file.touch(mode=0o600)
    file.write_text(text)


@dataclass(slots=True)
class Server:
    """One child process in its own process group, with a log and a readiness check.

    It ends with the thread that started it, so start it from the main thread.

    Parameters
    ----------
    name : str
        Name for messages.
    command : sequence of str
        Program and arguments; it has to stay in the foreground.
    log : Path
        File that standard output and error are appended to.
    is_ready : callable
        Asked until it returns true.
    environment : mapping of str to str
        Variables added to those of this process.
    ready_timeout_s : float
        How long the server may take to be ready.
    """

    name: str
    command: Sequence[str]
    log: Path
    is_ready: Callable[[], bool]
    environment: Mapping[str, str] = field(default_factory=dict)
    ready_timeout_s: float = 30.0
    _process: subprocess.Popen[bytes] | None = field(default=None, init=False)

    def __enter__(self) -> Self:
        """Start the server."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop the server."""
        self.stop()

    @property
    def returncode(self) -> int | None:
        """Exit status, or None while the server runs or was not started."""
        return self._process.poll() if self._process else None

    def start(self) -> None:
        """Start the server and wait until it is ready; do nothing when it runs.

        Raises
        ------
        ServerNotReadyError
            If it ended or was not ready in time; it is stopped then.
        """
        self.launch()
        try:
            self.await_ready()
        except BaseException:
            self.stop()
            raise

    def launch(self) -> None:
        """Start the server without waiting for it; do nothing when it runs."""
        if self._process is not None and self._process.poll() is None:
            return
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                _dies_with_parent(self.command),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, **self.environment},
                start_new_session=True,
            )

    def await_ready(self) -> None:
        """Wait until the launched server is ready.

        Raises
        ------
        ServerNotReadyError
            If it ended or was not ready in time.
        """
        deadline = time.monotonic() + self.ready_timeout_s
        # In this order: another program on the port could answer for a server that ended.
        while self.returncode is not None or not self.is_ready():
            if self.returncode is not None:
                raise ServerNotReadyError(self.name, f"it ended with status {self.returncode}", self.log_tail())
            if time.monotonic() > deadline:
                raise ServerNotReadyError(self.name, f"not ready after {self.ready_timeout_s:g} s", self.log_tail())
            time.sleep(READY_POLL_S)

    def stop(self) -> None:
        """End the server's process group and wait for it; do nothing when it does not run."""
        process, self._process = self._process, None
        if process is None:
            return
        self._signal(process, signal.SIGTERM)
        try:
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._signal(process, signal.SIGKILL)
            process.wait()

    def kill(self) -> None:
        """End the server's process group at once, as a crash would."""
        process, self._process = self._process, None
        if process is not None:
            self._signal(process, signal.SIGKILL)
            process.wait()

    def log_tail(self) -> str:
        """Return the last lines of the log."""
        lines = self.log.read_text(errors="replace").splitlines()
        return "\n".join(lines[-LOG_TAIL_LINES:])

    @staticmethod
    def _signal(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
        # The leader of the group is a child that was not waited for yet, so its
        # id cannot belong to anybody else.
        if process.poll() is None:
            os.killpg(process.pid, number)


class Managed:
    """A program of ours around one server, which lives as long as the context."""

    __slots__ = ()

    server: Server

    def prepare(self) -> None:
        """Write what the server reads when it starts."""

    def start(self) -> None:
        """Start the server on what it kept, and wait until it is ready; see ``Server.start``."""
        self.prepare()
        self.server.start()

    def stop(self) -> None:
        """Stop the server in an orderly way; what it kept stays."""
        self.server.stop()

    def __enter__(self) -> Self:
        """Start the server."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop the server."""
        self.stop()
