"""A session is its journal: this module folds journal entries into the session's state.

Nothing here touches a disk, a network or a model. Use cases append an :class:`Entry` through the journal port and then
apply it; after a restart the same entries are read and applied again, so that both give one state.

Entry kinds, each with the fields of its ``data``:

====================  ==========================================================================================
opened                user, study_instance_uid, series_instance_uid, volume, model, segmentation
loaded                plan
load_failed           problem
segmentation_opened   reference, read_only                    of the stored segmentation that is to be refined
segment_added         segment, description, tracking_id, tracking_uid, origin
segment_changed       segment, description, tracking_id, tracking_uid
segment_deleted       segment
prompt                segment, prompt, run                    intent; blob: voxels of a labelmap prompt
attempt               segment, prompt_ids                     a model run begins (the step's bounds)
step                  segment, step, prompt_ids, box, timing  outcome; blob: the labelmap afterwards
prompts_ended         segment, prompt_ids, problem            cancelled or failed: no effect
run                   segment, prompt_ids                     collected prompts are to run
undo, redo            segment
accepted              result
closed
====================  ==========================================================================================

Entries that come from a request also carry ``key`` and ``digest``, so that the same request again gives the same reply.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from delineate.domain.errors import (
    IdempotencyConflict,
    NothingToRedo,
    NothingToUndo,
    PromptConflict,
    SegmentNotFound,
)
from delineate.domain.geometry import Box
from delineate.domain.labelmap import NOTHING, Labelmap, PackedRegion, Region
from delineate.domain.prompts import Prompt
from delineate.domain.records import Json, description_from_json, plan_from_json, prompt_from_json
from delineate.domain.segment import SegmentDescription
from delineate.domain.segmentation import OpenedFrom, SegmentOrigin, opened_from_json, origin_from_json
from delineate.domain.volume import VolumePlan

SessionState = Literal["loading", "ready", "failed", "closed"]
StepKind = Literal["opened", "prompts", "labelmap", "reset"]
"""``opened`` is what a stored segmentation holds of the segment: the ground on which steps are made and undone."""

TRANSITIONS: Mapping[tuple[SessionState, str], SessionState] = {
    ("loading", "loaded"): "ready",
    ("loading", "load_failed"): "failed",
    ("loading", "closed"): "closed",
    ("ready", "closed"): "closed",
    ("failed", "closed"): "closed",
}
"""Session state and entry kind to the next state; any other kind keeps the state."""

ENDINGS = ("closed", "load_failed")
"""Kinds of the entries after which a session is not worked with any more."""
MAX_ATTEMPTS = 2
"""A prompt whose run crashed the process this often is marked failed, and the session goes on."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the journal."""

    kind: str
    at: float
    """Seconds since the epoch."""
    data: Json = field(default_factory=dict)
    blob: bytes = b""


@dataclass(frozen=True, slots=True)
class Timing:
    """Where the time of a step went, milliseconds."""

    queue: float = 0.0
    model: float = 0.0
    encode: float = 0.0


@dataclass(frozen=True, slots=True)
class Step:
    """One model run, manual edit or reset of a segment: the unit of undo."""

    kind: StepKind
    prompt_ids: tuple[str, ...]
    revision: int
    """That the step made; names the step, as revisions are never reused."""
    after: PackedRegion


@dataclass(frozen=True, slots=True)
class Change:
    """What a request did to a segment's labelmap: the material of a patch."""

    segment: int
    base_revision: int
    revision: int
    prompt_ids: tuple[str, ...]
    before: PackedRegion
    after: PackedRegion
    timing: Timing = Timing()


@dataclass(slots=True)
class Pending:
    """A prompt without outcome."""

    prompt: Prompt
    run: bool
    attempts: int = 0


@dataclass(slots=True)
class SegmentRecord:
    """A segment of a session."""

    number: int
    description: SegmentDescription
    tracking_id: str
    tracking_uid: str
    steps: list[Step] = field(default_factory=list)
    position: int = 0
    """How many of the steps are in effect; those behind it can be redone."""
    revision: int = 0
    pending: dict[str, Pending] = field(default_factory=dict)
    origin: SegmentOrigin | None = None
    """What it was in the stored segmentation that the session was opened from."""
    counted: tuple[PackedRegion, int] = field(default=(NOTHING, 0), repr=False)
    """A labelmap, and the number of its voxels."""

    @property
    def packed(self) -> PackedRegion:
        """The labelmap now, packed."""
        return self.steps[self.position - 1].after if self.position else NOTHING

    @property
    def state_name(self) -> str:
        """Names the present state of labelmap and prompts (ports.SegmentHistory.state)."""
        return f"{self.number}@{self.steps[self.position - 1].revision if self.position else 0}"

    @property
    def active_steps(self) -> list[Step]:
        """Steps in effect since the last reset, the reset left out."""
        active = self.steps[: self.position]
        resets = [n for n, step in enumerate(active) if step.kind == "reset"]
        return active[resets[-1] + 1 :] if resets else active

    @property
    def remembered(self) -> tuple[str, ...]:
        """Ids of the prompts that the model remembers: all since the last labelmap prompt or reset."""
        ids: list[str] = []
        for step in self.active_steps:
            ids = [] if step.kind in ("labelmap", "opened") else [*ids, *step.prompt_ids]
        return tuple(ids)

    @property
    def applied(self) -> tuple[str, ...]:
        """Ids of the prompts whose steps are in effect, in order: all since the last reset."""
        return tuple(name for step in self.active_steps for name in step.prompt_ids)

    @property
    def voxel_count(self) -> int:
        """Number of voxels set now; counted once for each labelmap."""
        packed = self.packed
        if self.counted[0] is not packed:
            self.counted = (packed, packed.count)
        return self.counted[1]

    @property
    def is_manual(self) -> bool:
        """Whether no model output is left in the labelmap, of this session or of before."""
        before = self.origin is None or self.origin.manual
        return all(step.kind == "labelmap" or (step.kind == "opened" and before) for step in self.active_steps)

    @property
    def is_predicted(self) -> bool:
        """Whether output of the session's model is left in the labelmap."""
        return any(step.kind == "prompts" for step in self.active_steps)

    @property
    def is_untouched(self) -> bool:
        """Whether the labelmap is the one that was opened."""
        return self.position > 0 and self.steps[self.position - 1].kind == "opened"

    @property
    def can_undo(self) -> bool:
        """Whether a step is in effect that was made in this session."""
        return self.position > 0 and not self.is_untouched


class Session:
    """One user's work on one series. Changed by :meth:`apply` only."""

    def __init__(self, session_id: str) -> None:
        self.id = session_id
        self.state: SessionState = "loading"
        self.user = ""
        self.study_instance_uid = ""
        self.series_instance_uid = ""
        self.volume: str | None = None
        self.model = ""
        self.plan: VolumePlan | None = None
        self.problem: Json | None = None
        self.segmentation: str | None = None
        """SOP Instance UID of the stored segmentation to open, if the session is to refine one."""
        self.opened_from: OpenedFrom | None = None
        """The same once it is open."""
        self.segments: dict[int, SegmentRecord] = {}
        self.next_segment = 1
        self.prompts: dict[str, Prompt] = {}
        self.results: list[str] = []
        self.opened_at = 0.0
        self.touched_at = 0.0
        self._digests: dict[str, str] = {}
        self._changes: dict[str, Change] = {}
        self._ended: dict[str, Json] = {}
        self._made: dict[str, Any] = {}
        self._runs: dict[str, str] = {}

    # --- reading ----------------------------------------------------------------------------------

    def segment(self, number: int) -> SegmentRecord:
        """Return a segment; SegmentNotFound if there is none, or no longer."""
        try:
            return self.segments[number]
        except KeyError:
            known = ", ".join(map(str, self.segments)) or "none yet"
            raise SegmentNotFound(f"The session has no segment {number}; it has: {known}.") from None

    @property
    def shape(self) -> tuple[int, int, int]:
        """Shape (k, j, i) of the volume; (0, 0, 0) while it is loading."""
        return self.plan.geometry.shape if self.plan else (0, 0, 0)

    def labelmap(self, number: int) -> Labelmap:
        """Return a segment's labelmap."""
        return self.segment(number).packed.labelmap(self.shape)

    def replied(self, key: str | None, digest: str) -> bool:
        """Tell whether a request of that key was taken before.

        Raises
        ------
        IdempotencyConflict
            If it was another request.
        """
        if key is None or key not in self._digests:
            return False
        if self._digests[key] != digest:
            if key in self.prompts:
                raise PromptConflict(f"Prompt {key} was sent before with another body. Use a new id for a new prompt.")
            raise IdempotencyConflict(f"Idempotency-Key {key} was used before for another request. Use a new one.")
        return True

    def change_of(self, key: str) -> Change | None:
        """Return what the request of that key did, if it is done."""
        return self._changes.get(key)

    def ended(self, prompt_id: str) -> Json | None:
        """Return the problem that ended a prompt without effect, if so."""
        return self._ended.get(prompt_id)

    def made(self, key: str) -> Any:  # noqa: ANN401
        """Return what the request of that key made: a segment's number or a result's id."""
        return self._made[key]

    # --- folding ----------------------------------------------------------------------------------

    def apply(self, entry: Entry) -> Change | None:
        """Fold one entry into the state, and return what it did to a labelmap, if anything."""
        self.touched_at = entry.at
        self.state = TRANSITIONS.get((self.state, entry.kind), self.state)
        data = entry.data
        key = data.get("key")
        if key is not None:
            self._digests[key] = data["digest"]
        change: Change | None = getattr(self, f"_on_{entry.kind}")(entry, data, key)
        return change

    def _on_opened(self, entry: Entry, data: Json, _key: str | None) -> None:
        self.user, self.model, self.volume = data["user"], data["model"], data["volume"]
        self.study_instance_uid = data["study_instance_uid"]
        self.series_instance_uid = data["series_instance_uid"]
        self.segmentation = data.get("segmentation")
        self.opened_at = entry.at

    def _on_loaded(self, _entry: Entry, data: Json, _key: str | None) -> None:
        self.plan = plan_from_json(data["plan"])

    def _on_load_failed(self, _entry: Entry, data: Json, _key: str | None) -> None:
        self.problem = data["problem"]

    def _on_segmentation_opened(self, _entry: Entry, data: Json, _key: str | None) -> None:
        self.opened_from = opened_from_json(data)

    def _on_segment_added(self, _entry: Entry, data: Json, key: str | None) -> None:
        number = data["segment"]
        self.segments[number] = SegmentRecord(
            number,
            description_from_json(data["description"]),
            data["tracking_id"],
            data["tracking_uid"],
            origin=origin_from_json(data.get("origin")),
        )
        self.next_segment = number + 1
        self._remember(key, number)

    def _on_segment_changed(self, _entry: Entry, data: Json, key: str | None) -> None:
        segment = self.segments[data["segment"]]
        segment.description = description_from_json(data["description"])
        segment.tracking_id, segment.tracking_uid = data["tracking_id"], data["tracking_uid"]
        self._remember(key, segment.number)

    def _on_segment_deleted(self, _entry: Entry, data: Json, key: str | None) -> None:
        del self.segments[data["segment"]]
        self._remember(key, data["segment"])

    def _on_prompt(self, entry: Entry, data: Json, _key: str | None) -> None:
        segment = self.segments[data["segment"]]
        prompt = prompt_from_json(data["prompt"], entry.blob)
        self.prompts[prompt.origin.id] = prompt
        segment.pending[prompt.origin.id] = Pending(prompt, data["run"])
        if not data["run"]:
            self._changes[prompt.origin.id] = _unchanged(segment, (prompt.origin.id,))

    def _on_run(self, _entry: Entry, data: Json, key: str | None) -> None:
        segment = self.segments[data["segment"]]
        for prompt_id in data["prompt_ids"]:
            segment.pending[prompt_id].run = True
            if key is not None:
                self._runs[prompt_id] = key
        self._remember(key, tuple(data["prompt_ids"]))

    def _on_attempt(self, _entry: Entry, data: Json, _key: str | None) -> None:
        segment = self.segments[data["segment"]]
        for prompt_id in data["prompt_ids"]:
            segment.pending[prompt_id].attempts += 1

    def _on_interrupted(self, _entry: Entry, data: Json, _key: str | None) -> None:
        """Take an attempt back: an orderly stop in its middle is no fault of the prompt."""
        segment = self.segments[data["segment"]]
        for prompt_id in data["prompt_ids"]:
            segment.pending[prompt_id].attempts -= 1

    def _on_step(self, entry: Entry, data: Json, key: str | None) -> Change:
        segment = self.segments[data["segment"]]
        ids = tuple(data["prompt_ids"])
        before, base = segment.packed, segment.revision
        step = Step(data["step"], ids, base + 1, PackedRegion(Box.from_bounds(data["box"]), entry.blob))
        del segment.steps[segment.position :]
        segment.steps.append(step)
        segment.position += 1
        segment.revision = step.revision
        change = Change(segment.number, base, step.revision, ids, before, step.after, Timing(**data["timing"]))
        for prompt_id in ids:
            segment.pending.pop(prompt_id, None)
            self._changes.setdefault(prompt_id, change)
        for run in {self._runs.pop(name) for name in ids if name in self._runs}:
            self._changes[run] = _joined(self._changes.get(run), change)
        if key is not None:
            self._changes[key] = change
        return change

    def _on_prompts_ended(self, _entry: Entry, data: Json, key: str | None) -> None:
        segment = self.segments.get(data["segment"])
        for prompt_id in data["prompt_ids"]:
            if segment is not None:
                segment.pending.pop(prompt_id, None)
            self._changes.pop(prompt_id, None)
            self._runs.pop(prompt_id, None)
            self._ended[prompt_id] = data["problem"]
        if key is not None and segment is not None:
            self._changes[key] = _unchanged(segment, tuple(data["prompt_ids"]))

    def _on_undo(self, _entry: Entry, data: Json, key: str | None) -> Change:
        return self._move(self.segments[data["segment"]], -1, key)

    def _on_redo(self, _entry: Entry, data: Json, key: str | None) -> Change:
        return self._move(self.segments[data["segment"]], +1, key)

    def _on_accepted(self, _entry: Entry, data: Json, key: str | None) -> None:
        self.results.append(data["result"])
        self._remember(key, data["result"])

    def _on_closed(self, _entry: Entry, _data: Json, _key: str | None) -> None:
        for segment in self.segments.values():
            segment.pending.clear()

    def _move(self, segment: SegmentRecord, by: int, key: str | None) -> Change:
        moved = segment.steps[segment.position - 1] if by < 0 else segment.steps[segment.position]
        before, base = segment.packed, segment.revision
        segment.position += by
        segment.revision += 1
        change = Change(segment.number, base, segment.revision, moved.prompt_ids, before, segment.packed)
        if key is not None:
            self._changes[key] = change
        return change

    def _remember(self, key: str | None, made: object) -> None:
        if key is not None:
            self._made[key] = made


def check_undo(segment: SegmentRecord) -> None:
    """Raise NothingToUndo if no step is in effect, or only what was opened."""
    if not segment.can_undo:
        raise NothingToUndo(f"Segment {segment.number} has no step to undo.")


def check_redo(segment: SegmentRecord) -> None:
    """Raise NothingToRedo if no undone step is left."""
    if segment.position == len(segment.steps):
        raise NothingToRedo(f"Segment {segment.number} has no undone step to redo.")


def step_seed(prompt_id: str) -> int:
    """Return the seed of a step: the first 4 bytes of SHA-256 of its last prompt's id, big-endian."""
    return int.from_bytes(hashlib.sha256(prompt_id.encode()).digest()[:4], "big")


def _unchanged(segment: SegmentRecord, prompt_ids: tuple[str, ...]) -> Change:
    return Change(segment.number, segment.revision, segment.revision, prompt_ids, segment.packed, segment.packed)


def _joined(first: Change | None, then: Change) -> Change:
    """Return two changes of one segment, one after the other, as one."""
    if first is None:
        return then
    a, b = first.timing, then.timing
    return Change(
        segment=first.segment,
        base_revision=first.base_revision,
        revision=then.revision,
        prompt_ids=(*first.prompt_ids, *then.prompt_ids),
        before=first.before,
        after=then.after,
        timing=Timing(a.queue, round(a.model + b.model, 3), round(a.encode + b.encode, 3)),
    )


@dataclass(frozen=True, slots=True, eq=False)
class Patch:
    """The part of a segment's labelmap that changed, with the revision that it leads to."""

    segment: int
    revision: int
    base_revision: int
    final: bool
    prompt_ids: tuple[str, ...]
    region: Region
    """Absolute values; empty when nothing changed."""
    volume_ml: float
    """Of the whole segment at this revision."""
    timing: Timing


def _whole_bytes(region: Region, after: Labelmap) -> Region:
    """Widen a region along i to whole bytes a row: rows that begin alike deflate to half the size."""
    if region.box.is_empty:
        return region
    (k0, j0, i0), (k1, j1, i1) = region.box.start, region.box.stop
    width = -(-(i1 - i0) // 8) * 8
    left = max(0, min(i0, after.shape[2] - width))
    box = Box((k0, j0, left), (k1, j1, min(after.shape[2], left + width)))
    return Region(box, after.crop(box))


def patch_of(change: Change, shape: tuple[int, int, int], voxel_volume_ml: float) -> Patch:
    """Return the patch of a change on a volume of ``shape`` (k, j, i)."""
    after = change.after.labelmap(shape)
    region = Region.empty() if change.before is change.after else change.before.labelmap(shape).change_to(after)
    region = _whole_bytes(region, after)
    return Patch(
        segment=change.segment,
        revision=change.revision,
        base_revision=change.base_revision,
        final=True,
        prompt_ids=change.prompt_ids,
        region=region,
        volume_ml=after.count * voxel_volume_ml,
        timing=change.timing,
    )
