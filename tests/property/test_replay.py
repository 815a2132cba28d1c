"""Any sequence of commands, cut at any point, rebuilds the same state from the journal."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.fakes import World
from tests.property.commands import (
    Command,
    canonical,
    new_world,
    perform,
    seen_by_user,
    sequences,
    settle,
    watched,
)

from delineate.domain.session import Session


@settings(max_examples=50)
@given(sequence=sequences)
def test_whatever_was_appended_when_the_process_died_rebuilds_what_it_had(sequence: list[Command]) -> None:
    world = new_world()
    live = world.open(segments=3)
    name = live.session.id
    had: dict[int, object] = {}
    watched(world, live, lambda session: had.update({len(world.journal.read(name)): canonical(session)}))
    for number, command in enumerate(sequence):
        perform(world, name, command, number)
    world.host.close()
    rebuilt = Session(name)
    for count, entry in enumerate(world.journal.read(name), start=1):
        rebuilt.apply(entry)
        if count in had:
            assert canonical(rebuilt) == had[count], f"after {count} entries, the last {entry.kind}"


@settings(max_examples=100)
@given(sequence=sequences, cut=st.integers(0, 60), again=st.booleans())
def test_a_session_cut_anywhere_comes_to_the_same_end_when_the_last_request_is_sent_again(
    sequence: list[Command], cut: int, again: bool
) -> None:
    straight = new_world()
    name = straight.open(segments=3).session.id
    lengths = [len(straight.journal.read(name))]
    replies = []
    for number, command in enumerate(sequence):
        replies.append(perform(straight, name, command, number))
        lengths.append(len(straight.journal.read(name)))
    cut = min(lengths[0] + cut, lengths[-1])
    done = sum(length <= cut for length in lengths[1:])
    restarted = killed(straight, name, cut)
    if again and done and cut == lengths[done]:  # only its reply was lost with the process
        assert perform(restarted, name, sequence[done - 1], done - 1) == replies[done - 1]
    for number in range(done, len(sequence)):
        assert perform(restarted, name, sequence[number], number) == replies[number], f"{number}: {sequence[number]}"
    ends = [seen_by_user(world.host.get(name, "ada").session) for world in (straight, restarted)]
    assert ends[0] == ends[1]
    straight.host.close()
    restarted.host.close()


def killed(world: World, session_id: str, cut: int) -> World:
    """Return a world that was started with what the journal held at that point, and has gone on by itself."""
    restarted = new_world()
    restarted.host.close()
    restarted.journal.entries[session_id] = world.journal.read(session_id)[:cut]
    restarted.restart()
    settle(restarted.host.get(session_id, "ada"))
    return restarted


def test_the_commands_reach_every_kind_of_entry() -> None:
    """So that the properties above say something."""
    kinds: set[str] = set()

    @settings(max_examples=40)
    @given(sequence=sequences)
    def collect(sequence: Sequence[Command]) -> None:
        world = new_world()
        name = world.open(segments=3).session.id
        for number, command in enumerate(sequence):
            perform(world, name, command, number)
        world.host.close()
        kinds.update(entry.kind for entry in world.journal.read(name))

    collect()
    unused = {"load_failed", "accepted", "segmentation_opened", "interrupted"}  # the last: of a stop during a run
    every = {name.removeprefix("_on_") for name in vars(Session) if name.startswith("_on_")}
    assert every - unused == kinds
