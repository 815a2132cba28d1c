"""Both journals behind one way to open them, and programs that write into them until they are killed.

``python -m tests.journals write KIND WHERE`` appends batches of BATCH entries to session ``s``, and prints the number
of each batch once it is kept. ``python -m tests.journals hold URL LEASE_S`` takes the lease of session ``s``, and obeys
commands of a line each.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal, Protocol

from delineate.adapters.redis_journal import Connection, RedisJournal, RedisLeases
from delineate.adapters.sqlite_journal import SqliteJournal
from delineate.domain.errors import DelineateError
from delineate.domain.ports import Journal, ResultStore
from delineate.domain.session import Entry

BATCH = 3
Kind = Literal["sqlite", "redis"]


class Store(Journal, ResultStore, Protocol):
    """What both adapters are."""


@dataclass(frozen=True)
class Backend:
    """A place that a journal is in: opened any number of times, one after another."""

    kind: Kind
    where: str
    """The folder, or the URL."""

    @contextmanager
    def open(self) -> Iterator[Store]:
        if self.kind == "sqlite":
            journal = SqliteJournal(Path(self.where))
            try:
                yield journal
            finally:
                journal.close()
        else:
            connection = Connection(self.where)
            try:
                yield RedisJournal(connection)
            finally:
                connection.close()


def batch(number: int) -> list[Entry]:
    """Return the entries of one append, each with its place and a blob that only it has."""
    blob = number.to_bytes(4) * 5000
    return [Entry("step", number + part / 10, {"part": part}, blob) for part in range(BATCH)]


class Program:
    """This module in a process of its own."""

    def __init__(self, *arguments: str) -> None:
        command = ["setpriv", "--pdeathsig", "KILL", sys.executable, "-m", "tests.journals", *arguments]
        root = Path(__file__).parents[1]
        self._process = subprocess.Popen(
            command, cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ}
        )

    def __enter__(self) -> Program:
        return self

    def __exit__(self, *_: object) -> None:
        if not self._out.closed:
            self.kill()

    @property
    def _out(self) -> IO[str]:
        assert self._process.stdout is not None
        return self._process.stdout

    def line(self) -> str:
        """Return the next line that it prints, without its end."""
        line = self._out.readline()
        assert line.endswith("\n"), f"the program ended with status {self._process.poll()}"
        return line[:-1]

    def ask(self, command: str) -> str:
        """Give it a line, and return its answer."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{command}\n")
        self._process.stdin.flush()
        return self.line()

    def signal(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def kill(self) -> list[str]:
        """Kill it with -9, and return what it had printed meanwhile."""
        self._process.kill()
        rest = self._out.read()
        self._process.wait()
        self._out.close()
        if self._process.stdin is not None:
            self._process.stdin.close()
        return [line[:-1] for line in rest.splitlines(keepends=True) if line.endswith("\n")]


def _write(backend: Backend) -> None:
    with backend.open() as journal:
        number = len(journal.read("s")) // BATCH
        while True:
            journal.append("s", batch(number))
            _say(str(number))
            number += 1


def _hold(url: str, lease_s: float) -> None:
    connection = Connection(url)
    journal, leases = RedisJournal(connection), RedisLeases(connection, lease_s=lease_s)
    lost: list[int] = []
    leases.on_loss(lambda gone: lost.append(gone.epoch))
    lease = leases.acquire("s")
    _say(f"epoch {lease.epoch}")
    for command in sys.stdin:
        match command.strip():
            case "append":
                try:
                    journal.append("s", batch(99), epoch=lease.epoch)
                    _say("kept")
                except DelineateError as error:
                    _say(type(error).__name__)
            case "held":
                _say(f"held {leases.held(lease)} lost {lost}")


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["write", "sqlite" | "redis" as kind, where]:
            _write(Backend(kind, where))
        case ["hold", url, seconds]:
            _hold(url, float(seconds))
