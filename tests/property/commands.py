"""What a user can do to a session, as data: drawn at random, carried out, and carried out again after a crash."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any, Literal

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from tests.fakes import SHAPE, FakeEngine, FakeSegmenter, MemoryJournal, World
from tests.property import strategies

from delineate.domain.errors import DelineateError
from delineate.domain.geometry import Box, PatientPoint
from delineate.domain.labelmap import Region
from delineate.domain.ports import SegmentHistory, StepOutcome
from delineate.domain.prompts import DrawnPrompt, LabelmapPrompt, PointPrompt, Prompt, PromptOrigin, VoxelPrompt
from delineate.domain.segment import CodedConcept, SegmentDescription
from delineate.domain.session import Change, Entry, Session
from delineate.usecases.live import LiveSession
from delineate.usecases.open_session import close_session
from delineate.usecases.run_collected import run_collected
from delineate.usecases.segments import add_segment, change_segment, delete_segment
from delineate.usecases.submit_prompt import cancel_prompt, submit_prompt
from delineate.usecases.undo import redo, reset, undo

Voxel = tuple[int, int, int]
PromptVerb = Literal["point", "box", "scribble", "lasso", "labelmap"]
Verb = Literal["prompt", "cancel", "run", "undo", "redo", "reset", "add", "change", "lock", "delete", "close"]

settings.load_profile(strategies.PROFILE)
PATIENCE_S = 60.0
ORGANS = (None, CodedConcept("66720007", "SCT", "Lateral Ventricle"), CodedConcept("10200004", "SCT", "Liver"))


@dataclass(frozen=True)
class Command:
    """One request; its place in the sequence makes its key, so that it can be sent again."""

    verb: Verb
    segment: int
    kind: PromptVerb = "point"
    include: bool = True
    collect: bool = False
    corners: tuple[Voxel, Voxel] = ((0, 0, 0), (0, 0, 0))
    which: int = 0
    """Of a cancellation: how many commands before this one the prompt was sent. Of a change: what is said."""


VERBS: tuple[Verb, ...] = (
    *("prompt",) * 8,
    *("undo",) * 4,
    *("redo",) * 2,
    *("cancel",) * 3,
    *("run",) * 2,
    *("reset", "add", "change", "lock", "delete", "close"),
)
HABITS: tuple[tuple[Verb, ...], ...] = (
    ("prompt", "undo", "redo"),
    ("prompt", "prompt", "undo", "undo", "redo"),
    ("prompt", "undo", "prompt", "undo"),
    ("prompt", "prompt", "run", "undo"),
    ("prompt", "reset", "undo", "redo"),
    ("prompt", "cancel", "prompt"),
    ("lock", "prompt", "lock", "prompt"),
)
"""What users often do one after the other to one segment, and what single commands seldom come to."""
voxels = st.tuples(*(st.integers(0, n - 1) for n in SHAPE))
segments = st.sampled_from((1, 1, 1, 1, 2, 3))
commands = st.builds(
    Command,
    verb=st.sampled_from(VERBS),
    segment=segments,
    kind=st.sampled_from(("point", "box", "scribble", "lasso", "labelmap")),
    include=st.booleans(),
    collect=st.integers(0, 2).map(lambda n: n == 0),
    corners=st.tuples(voxels, voxels),
    which=st.integers(0, 3),
)


@st.composite
def habits(draw: st.DrawFn) -> list[Command]:
    segment, collect = draw(segments), draw(st.booleans())
    return [
        replace(draw(commands), verb=verb, segment=segment, collect=collect, which=place % 4)
        for place, verb in enumerate(draw(st.sampled_from(HABITS)))
    ]


sequences = st.lists(commands.map(lambda one: [one]) | habits(), min_size=1, max_size=12).map(
    lambda parts: [command for part in parts for command in part]
)


def prompt_of(command: Command, prompt_id: str) -> Prompt:
    """Return what is drawn between the command's corners, in the slice of the first."""
    origin = PromptOrigin(prompt_id, command.include, "1.2.3")
    (k, j0, i0), (k1, j1, i1) = command.corners

    def at(j: int, i: int) -> PatientPoint:
        return PatientPoint(i, j, k)

    normal = (0.0, 0.0, 1.0)
    match command.kind:
        case "point":
            return PointPrompt(origin, at(j0, i0))
        case "box":
            return DrawnPrompt(origin, "box", (at(j0, i0), at(j0, i1), at(j1, i1), at(j1, i0)), normal)
        case "scribble":
            return DrawnPrompt(origin, "scribble", (at(j0, i0), at(j1, i1)), normal)
        case "lasso":
            return DrawnPrompt(origin, "lasso", (at(j0, i0), at(j1, i0), at(j1, i1)), normal)
        case "labelmap":
            low, high = (min(k, k1), min(j0, j1), min(i0, i1)), (max(k, k1), max(j0, j1), max(i0, i1))
            box = Box(low, (high[0] + 1, high[1] + 1, high[2] + 1))
            seen = np.random.default_rng([*low, *high]).random(box.shape) < 0.5
            return LabelmapPrompt.of(origin, Region(box, seen))


def perform(world: World, session_id: str, command: Command, number: int) -> object:
    """Carry out a command, the ``number``-th of its sequence, and return its reply, whatever it is."""
    live = world.host.get(session_id, "ada")
    try:
        return _reply(_send(world, live, command, number))
    except DelineateError as error:
        return type(error).__name__
    finally:
        settle(live)


def settle(live: LiveSession) -> None:
    """Wait until nothing runs."""
    end = time.monotonic() + PATIENCE_S
    while live.draining:
        assert time.monotonic() < end
        time.sleep(0.0005)


def _send(world: World, live: LiveSession, command: Command, number: int) -> object:
    host, segment, key = world.host, command.segment, (f"key{number}", f"digest{number}")
    match command.verb:
        case "prompt":
            prompt, run = prompt_of(command, key[0]), not command.collect
            return submit_prompt(host, live, segment, prompt, run=run, digest=key[1])
        case "cancel":
            cancel_prompt(host, live, segment, f"key{number - 1 - command.which}")
        case "run":
            return run_collected(host, live, segment, *key)
        case "undo":
            return undo(host, live, segment, *key)
        case "redo":
            return redo(host, live, segment, *key)
        case "reset":
            return reset(host, live, segment, *key)
        case "add":
            return add_segment(host, live, SegmentDescription(f"added {number}"), *key).number
        case "change":
            said: dict[str, object] = {"label": f"said {number}", "type": ORGANS[command.which % len(ORGANS)]}
            return change_segment(host, live, segment, said, *key).number
        case "lock":
            return change_segment(host, live, segment, {"locked": command.which > 1}, *key).number
        case "delete":
            delete_segment(host, live, segment, *key)
        case "close":
            close_session(host, live)
    return None


def _reply(answer: object) -> object:
    if isinstance(answer, Future):
        answer = answer.result(PATIENCE_S)
    if isinstance(answer, Change):
        return (answer.segment, answer.base_revision, answer.revision, answer.prompt_ids, canonical(answer.after))
    return answer


# --- the world ------------------------------------------------------------------------------------


class JsonJournal(MemoryJournal):
    """Keeps what a journal on disk gives back: JSON has no tuples."""

    def append(self, session_id: str, entries: Sequence[Entry], *, epoch: int = 0) -> None:
        kept = [Entry(e.kind, e.at, json.loads(json.dumps(e.data)), e.blob) for e in entries]
        super().append(session_id, kept, epoch=epoch)


class MindfulSegmenter(FakeSegmenter):
    """Its outcome depends on every prompt that the history holds, their order, the seed and the state's name."""

    def open(self, volume: Any, user: str) -> FakeEngine:
        super().open(volume, user)
        return MindfulEngine(self)


class MindfulEngine(FakeEngine):
    def run(
        self, history: SegmentHistory, prompts: Sequence[VoxelPrompt], *, state: str, seed: int, **rest: Any
    ) -> StepOutcome:
        outcome = super().run(history, prompts, state=state, seed=seed, **rest)
        known = repr([canonical(prompt) for prompt in (*history.prompts, *prompts)])
        digest = hashlib.sha256(f"{known} {history.state} {state} {seed}".encode()).digest()
        k, j, i = (digest[n] % size for n, size in enumerate(SHAPE))
        mark = Region(Box((k, j, i), (k + 1, j + 1, i + 1)), np.ones((1, 1, 1), dtype=np.bool_))
        after = history.labelmap.apply(outcome.change).apply(mark)
        return StepOutcome(history.labelmap.change_to(after), 1, 1.0)


def new_world() -> World:
    world = World()
    world.host.close()
    world.journal, world.segmenter = JsonJournal(), MindfulSegmenter()
    world.restart()
    return world


def watched(world: World, live: LiveSession, look: Callable[[Session], None]) -> None:
    """Have ``look`` called with the session after each append to its journal."""
    record = world.host.record

    def record_and_look(changed: LiveSession, *entries: Entry) -> None:
        with changed.lock:
            record(changed, *entries)
            if changed is live:
                look(changed.session)

    world.host.record = record_and_look  # type: ignore[method-assign,assignment]


# --- comparing ------------------------------------------------------------------------------------


def canonical(value: object) -> object:
    """Return everything that a value holds, so that two of them can be compared, and told apart, as data."""
    if isinstance(value, Session):
        return {name: canonical(held) for name, held in vars(value).items()}
    if isinstance(value, np.ndarray):
        return (value.shape, value.tobytes())
    if is_dataclass(value) and not isinstance(value, type):
        held = {f.name: canonical(getattr(value, f.name)) for f in fields(value) if f.name != "counted"}
        return (type(value).__name__, held)
    if isinstance(value, dict):
        return [(canonical(key), canonical(held)) for key, held in value.items()]  # the order matters
    if isinstance(value, list | tuple):
        return [canonical(held) for held in value]
    return value


def seen_by_user(session: Session) -> object:
    """Return what of a session must not depend on when its process died: all but times and random identifiers."""
    return [
        session.state,
        session.next_segment,
        [
            (
                *(n, s.revision, s.position, s.description, s.remembered, s.applied, s.is_manual),
                [(name, p.run) for name, p in s.pending.items()],
                [(step.kind, step.prompt_ids, step.revision, canonical(step.after)) for step in s.steps],
            )
            for n, s in session.segments.items()
        ],
    ]
