"""Any sequence of commands, cut at any point, rebuilds the same state from the journal."""

from __future__ import annotations

import uuid

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.fakes import SHAPE, World, point

from delineate.domain.errors import DelineateError
from delineate.domain.session import Session
from delineate.usecases.segments import delete_segment
from delineate.usecases.submit_prompt import submit_prompt
from delineate.usecases.undo import redo, reset, undo

voxels = st.tuples(*(st.integers(0, n - 1) for n in SHAPE))
commands = st.lists(
    st.tuples(
        st.sampled_from(["include", "exclude", "collect", "undo", "redo", "reset", "delete"]), st.integers(1, 3), voxels
    ),
    max_size=25,
)


def state_of(session: Session) -> object:
    return [
        (
            number,
            segment.revision,
            segment.position,
            segment.remembered,
            list(segment.pending),
            session.labelmap(number).to_array().tobytes(),
        )
        for number, segment in session.segments.items()
    ]


def run(world: World, session_id: str, verb: str, number: int, voxel: tuple[int, int, int]) -> None:
    live = world.host.get(session_id, "ada")
    key = (str(uuid.uuid4()), "d")
    try:
        match verb:
            case "undo":
                undo(world.host, live, number, *key)
            case "redo":
                redo(world.host, live, number, *key)
            case "reset":
                reset(world.host, live, number, *key)
            case "delete":
                delete_segment(world.host, live, number, *key)
            case _:
                prompt = point(*voxel, include=verb != "exclude")
                submit_prompt(world.host, live, number, prompt, run=verb != "collect", digest="d").result(10)
    except DelineateError:
        pass  # nothing to undo, a deleted segment: refused, which must leave no trace


@settings(max_examples=30)
@given(commands=commands, cut=st.integers(0, 25))
def test_replay_equals_live(commands: list[tuple[str, int, tuple[int, int, int]]], cut: int) -> None:
    straight, restarted = World(), World()
    for world in (straight, restarted):
        live = world.open(segments=3)
        for n, command in enumerate(commands):
            if world is restarted and n == cut:
                world.host.close()
                world.restart()
            run(world, live.session.id, *command)
        world.host.close()
    first, second = (next(iter(w.host.all())).session for w in (straight, restarted))
    rebuilt = Session(second.id)
    for entry in restarted.journal.read(second.id):
        rebuilt.apply(entry)
    assert [s[1:4:2] for s in _shape(first)] == [s[1:4:2] for s in _shape(second)]
    assert state_of(rebuilt) == state_of(second)
    assert [x[-1] for x in _shape(first)] == [x[-1] for x in _shape(second)]


def _shape(session: Session) -> list[tuple[int, int, int, int, bytes]]:
    """Return number, revision, position, count of remembered prompts and voxels of each segment."""
    return [
        (n, s.revision, s.position, len(s.remembered), session.labelmap(n).to_array().tobytes())
        for n, s in session.segments.items()
    ]
