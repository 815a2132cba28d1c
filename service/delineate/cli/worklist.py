"""``delineate preload``: which series are meant, and having the service read them."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from delineate.client import Client, ServiceError
from delineate.domain.errors import DelineateError

POLL_S = 0.2
Say = Callable[[str], object]


@dataclass(frozen=True, slots=True)
class Named:
    """A study, and those of its series that are meant; none: all."""

    study_instance_uid: str
    series_instance_uids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Asked:
    study_instance_uid: str
    series_instance_uid: str


def read_worklist(path: Path) -> list[Named]:
    """Read a file with a study, or a study and its series, on each line, apart by blanks or commas."""
    named = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        words = line.partition("#")[0].replace(",", " ").split()
        if any(set(word) - set("0123456789.") or len(word) > 64 for word in words):
            raise ValueError(f"Line {number} of {path} holds something that is no UID. Give a study, then its series.")
        if words:
            named.append(Named(words[0], tuple(words[1:])))
    return named


def preload_all(
    client: Client, named: Sequence[Named], query: Sequence[str], modalities: Sequence[str], *, wait: bool, say: Say
) -> int:
    """Have all of them read in the background; return how many failed (known only after waiting).

    Raises
    ------
    ValueError
        If nothing is named, or the archive cannot be searched.
    """
    if not (named or query):
        raise ValueError("Name a study, a --worklist or a --query.")
    asked = list(dict.fromkeys(_series_of(named, query, modalities)))
    for one in asked:
        state = client.preload(one.study_instance_uid, one.series_instance_uid, background=True)
        if not wait:
            _tell(one, state, say)
    return sum(_waited_for(client, one, say) for one in asked) if wait else 0


def _series_of(named: Iterable[Named], query: Sequence[str], modalities: Sequence[str]) -> Iterator[_Asked]:
    searches: list[dict[str, str]] = []
    for one in named:
        yield from (_Asked(one.study_instance_uid, series) for series in one.series_instance_uids)
        if not one.series_instance_uids:
            searches.append({"StudyInstanceUID": one.study_instance_uid})
    if query:
        searches.append(_filters(query))
    yield from _found(searches, modalities)


def _filters(query: Sequence[str]) -> dict[str, str]:
    filters = dict(word.split("=", 1) for word in query if "=" in word)
    if len(filters) < len(query):
        raise ValueError("A --query is KEYWORD=VALUE, such as StudyDate=20260102, each keyword once.")
    return filters


def _found(searches: Sequence[dict[str, str]], modalities: Sequence[str]) -> Iterator[_Asked]:
    if not searches:
        return
    from delineate.settings import load_settings
    from delineate.wiring.archive import archive_of

    try:
        archive = archive_of(load_settings())
        for filters in searches:
            for found in archive.find_series(filters):
                if found.modality in modalities or not modalities:
                    yield _Asked(found.study_instance_uid, found.series_instance_uid)
    except DelineateError as error:
        raise ValueError(error.detail) from error


def _waited_for(client: Client, one: _Asked, say: Say) -> bool:
    """Wait until a series has come to its end; tell whether it failed."""
    while True:
        try:
            state = client.preload_state(one.series_instance_uid)
        except ServiceError as error:  # it was ready, and has made room for others
            state = {"state": "gone", "problem": error.problem}
        if state["state"] not in ("waiting", "loading"):
            _tell(one, state, say)
            return bool(state["state"] == "failed")
        time.sleep(POLL_S)


def _tell(one: _Asked, state: dict[str, object], say: Say) -> None:
    say(json.dumps({"series_instance_uid": one.series_instance_uid, **state}))
