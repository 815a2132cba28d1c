"""A link to a server that is slow, or holds its breath: ``python -m tests.link PORT BYTES_PER_SECOND``."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

CHUNK = 64 * 1024
BURST_S = 0.01
"""How far ahead of its rate a link may be."""


class Link:
    """Forwards connections to a port of this machine.

    Parameters
    ----------
    port
        Where to.
    bytes_per_s
        Of what comes back, all connections together; None: as fast as it goes.
    """

    def __init__(self, port: int, bytes_per_s: float | None = None) -> None:
        self._target = port
        self.rate = bytes_per_s
        self._open = threading.Event()
        self._open.set()
        self._left: int | None = None
        self._free_at = 0.0
        self._guard = threading.Lock()
        self.held = threading.Event()
        """Set once it holds back what comes."""
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._server.getsockname()[1]
        self._connections: list[tuple[threading.Thread, socket.socket]] = []
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()

    def hold_after(self, nbytes: int) -> None:
        """Hold back what comes after so many bytes from now on."""
        with self._guard:
            self._left = nbytes
            self.held.clear()
            self._open.clear()

    def release(self) -> None:
        """Let everything through."""
        with self._guard:
            self._left = None
            self._open.set()

    def close(self) -> None:
        """End all connections."""
        self.release()
        _end(self._server)
        self._accepting.join()
        for thread, near in self._connections:
            _end(near)
            thread.join()

    def _accept(self) -> None:
        with self._server, suppress(OSError):
            while True:
                near, _ = self._server.accept()
                thread = threading.Thread(target=self._connect, args=(near,), daemon=True)
                self._connections.append((thread, near))
                thread.start()

    def _connect(self, near: socket.socket) -> None:
        with near, socket.create_connection(("127.0.0.1", self._target)) as far:
            there = threading.Thread(target=self._forward, args=(near, far, False), daemon=True)
            there.start()
            self._forward(far, near, True)
            there.join()

    def _forward(self, source: socket.socket, sink: socket.socket, back: bool) -> None:
        with suppress(OSError):
            while data := source.recv(CHUNK):
                if back:
                    self._wait_turn(len(data))
                sink.sendall(data)
        for end in (source, sink):
            _end(end)

    def _wait_turn(self, nbytes: int) -> None:
        with self._guard:
            held = self._left is not None and self._left < nbytes
            if self._left is not None and not held:
                self._left -= nbytes
        if held:
            self.held.set()
            self._open.wait()
        if self.rate is not None:
            with self._guard:
                now = time.monotonic()
                self._free_at = max(self._free_at, now - BURST_S) + nbytes / self.rate
                ahead = self._free_at - now
            if ahead > 0:
                time.sleep(ahead)


def _end(one: socket.socket) -> None:
    with suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)


@contextmanager
def link_process(port: int, bytes_per_s: float) -> Iterator[int]:
    """Run a link in a process of its own; yields its port."""
    command = [sys.executable, "-m", "tests.link", str(port), str(bytes_per_s)]
    with subprocess.Popen(command, cwd=Path(__file__).parents[1], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline())
        finally:
            process.kill()


if __name__ == "__main__":
    link = Link(int(sys.argv[1]), float(sys.argv[2]))
    sys.stdout.write(f"{link.port}\n")
    sys.stdout.flush()
    threading.Event().wait()
