"""Journal and ResultStore in one Redis: a stream for each session, a hash for each result."""

from __future__ import annotations

import json
import secrets
from collections.abc import Collection, Sequence
from typing import Any, cast

from redis import Redis

from delineate.adapters.redis_journal.connection import Connection, key
from delineate.adapters.redis_journal.news import CHANNEL
from delineate.adapters.redis_journal.scripts import APPEND, PURGE
from delineate.domain.errors import ResultNotFound, SessionOwnedElsewhere
from delineate.domain.ports import Opening
from delineate.domain.records import result_from_json, result_to_json
from delineate.domain.result import Result
from delineate.domain.session import ENDINGS, Entry

Lines = list[tuple[bytes, dict[bytes, bytes]]]
"""Of a stream: ids and fields."""
SESSIONS = key("sessions")
"""Sorted set: session ids by the time of their first entry."""
ENDED = key("ended-sessions")
"""Set: ids of the sessions that were closed or could not be loaded."""
UNFINISHED = key("unfinished-results")
"""Set: ids of the results that are neither stored nor failed."""


class RedisJournal:
    """Journal and ResultStore of all processes that share a Redis (ports.Journal, ports.ResultStore).

    An append is one script: all of its entries or none, in order, never between another's. It is kept once, even if the
    answer was lost and the call repeated. It is durable on return as far as Redis is (see the package).
    Never call it on an event loop.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._append = connection.client.register_script(APPEND)
        self._purge = connection.client.register_script(PURGE)

    # --- Journal ----------------------------------------------------------------------------------

    def append(self, session_id: str, entries: Sequence[Entry], *, epoch: int = 0) -> None:
        """Append entries, all or none, in order; durable on return."""
        if not entries:
            return
        first = entries[0]
        opened = json.dumps(first.data) if first.kind == "opened" else ""
        ended = int(any(entry.kind in ENDINGS for entry in entries))
        columns: list[Any] = [session_id, epoch, secrets.token_hex(8), repr(first.at), opened, ended]
        for entry in entries:
            columns += [entry.kind, repr(entry.at), json.dumps(entry.data), entry.blob]
        keys = [*_keys(session_id), _openings(first.data.get("user", ""))]
        if not self._connection.run(lambda _: self._append(keys, columns)):
            raise SessionOwnedElsewhere(session_id)

    def sessions(self) -> list[str]:
        """Return the ids of all sessions, oldest first."""
        names = self._connection.run(lambda client: cast(list[bytes], client.zrange(SESSIONS, 0, -1)))
        return [name.decode() for name in names]

    def openings(self, user: str) -> list[Opening]:
        """Return how that user's sessions began, oldest first."""
        known = self._connection.run(lambda client: cast(dict[bytes, bytes], client.hgetall(_openings(user))))
        names = [name.decode() for name in known]
        if not names:
            return []

        def ask(client: Redis) -> list[Any]:
            with client.pipeline(transaction=True) as pipe:
                pipe.zmscore(SESSIONS, names)
                pipe.smismember(ENDED, names)
                answers: list[Any] = pipe.execute()
            return answers

        began, ended = self._connection.run(ask)
        found = sorted(
            (at, name, opened, bool(over))
            for name, opened, at, over in zip(names, known.values(), began, ended, strict=True)
            if at is not None
        )
        return [Opening(name, json.loads(opened), over) for _, name, opened, over in found]

    def untouched_since(self, at: float) -> list[str]:
        """Return the ids of the sessions whose last entry is from before ``at``."""
        names = self.sessions()

        def ask(client: Redis) -> list[Any]:
            with client.pipeline(transaction=False) as pipe:
                for name in names:
                    pipe.xrevrange(_stream(name), count=1)
                answers: list[Any] = pipe.execute()
            return answers

        lasts: list[Lines] = self._connection.run(ask)
        return [name for name, last in zip(names, lasts, strict=True) if last and float(last[0][1][b"at"]) < at]

    def read(self, session_id: str) -> list[Entry]:
        """Return a session's entries in order."""
        return _entries(self._connection.run(lambda client: cast(Lines, client.xrange(_stream(session_id)))))

    def purge(self, session_id: str, *, epoch: int = 0) -> None:
        """Forget a session for good, its lease included."""
        first = self._connection.run(lambda client: cast(Lines, client.xrange(_stream(session_id), count=1)))
        user = _entries(first)[0].data.get("user", "") if first else ""
        keys = [*_keys(session_id), _openings(user), key("lease", session_id)]
        if not self._connection.run(lambda _: self._purge(keys, [session_id, epoch])):
            raise SessionOwnedElsewhere(session_id)

    # --- ResultStore ------------------------------------------------------------------------------

    def save(self, result: Result) -> None:
        """Write a result's state; durable on return."""
        data = json.dumps(result_to_json(result))

        def write(client: Redis) -> None:
            with client.pipeline(transaction=True) as pipe:
                pipe.set(_result(result.id), data)
                (pipe.srem if result.state in ("stored", "failed") else pipe.sadd)(UNFINISHED, result.id)
                pipe.publish(CHANNEL, data)
                pipe.execute()

        self._connection.run(write)

    def load(self, result_id: str) -> Result:
        """Return a result; ResultNotFound if there is none."""
        data = self._connection.run(lambda client: client.get(_result(result_id)))
        if data is None:
            raise ResultNotFound(f"There is no result {result_id}.")
        return result_from_json(json.loads(data))

    def unfinished(self) -> list[Result]:
        """Return the results that are neither stored nor failed."""
        names = self._connection.run(lambda client: cast(set[bytes], client.smembers(UNFINISHED)))
        found = self._connection.run(lambda client: client.mget([_result(n.decode()) for n in names])) if names else []
        return [result_from_json(json.loads(data)) for data in found if data is not None]

    def write_file(self, result_id: str, name: str, data: bytes) -> None:
        """Write a file of a result, whole or not at all; durable on return."""
        self._connection.run(lambda client: client.hset(_files(result_id), name, data))

    def read_file(self, result_id: str, name: str) -> bytes | None:
        """Return a file of a result, or None."""
        return self._connection.run(lambda client: cast(bytes | None, client.hget(_files(result_id), name)))

    def purge_files(self, result_id: str, keep: Collection[str] = ()) -> None:
        """Forget the files of a result but those named in ``keep``; its state stays."""

        def purge(client: Redis) -> None:
            names = [name.decode() for name in cast(list[bytes], client.hkeys(_files(result_id)))]
            if doomed := [name for name in names if name not in keep]:
                client.hdel(_files(result_id), *doomed)

        self._connection.run(purge)

    def purge_result(self, result_id: str) -> None:
        """Forget a result and its files."""

        def purge(client: Redis) -> None:
            with client.pipeline(transaction=True) as pipe:
                pipe.unlink(_result(result_id), _files(result_id))
                pipe.srem(UNFINISHED, result_id)
                pipe.execute()

        self._connection.run(purge)


def _entries(lines: Lines) -> list[Entry]:
    return [
        Entry(line[b"kind"].decode(), float(line[b"at"]), json.loads(line[b"data"]), line[b"blob"]) for _, line in lines
    ]


def _keys(session_id: str) -> list[str]:
    return [_stream(session_id), _fence(session_id), _recent(session_id), SESSIONS, ENDED]


def _openings(user: str) -> str:
    """Return the key of the hash of a user's sessions: how each opened."""
    return key("openings", user)


def _stream(session_id: str) -> str:
    return key("session", session_id)


def _fence(session_id: str) -> str:
    return key("fence", session_id)


def _recent(session_id: str) -> str:
    """Return the key of the list of the last appends' tokens."""
    return key("recent", session_id)


def _result(result_id: str) -> str:
    return key("result", result_id)


def _files(result_id: str) -> str:
    return key("result-files", result_id)
