"""The embedded journal says without reading a session whether something is left to be done for it."""

from __future__ import annotations

import tempfile
from contextlib import closing
from pathlib import Path

from hypothesis import given, settings
from tests.fakes import is_under_way
from tests.property.commands import Command, new_world, perform, sequences

from delineate.adapters.sqlite_journal import SqliteJournal


@settings(max_examples=15)
@given(sequence=sequences)
def test_whatever_was_appended_when_the_process_died_what_is_left_to_do_is_found(sequence: list[Command]) -> None:
    world = new_world()
    name = world.open(segments=3).session.id
    for number, command in enumerate(sequence):
        perform(world, name, command, number)
    world.host.close()
    entries = world.journal.read(name)
    cuts = {str(count): entries[:count] for count in range(1, len(entries) + 1)}
    with tempfile.TemporaryDirectory() as folder, closing(SqliteJournal(Path(folder))) as journal:
        for cut, kept in cuts.items():
            journal.append(cut, kept)
        assert set(journal.sessions_under_way()) == {cut for cut, kept in cuts.items() if is_under_way(kept)}
