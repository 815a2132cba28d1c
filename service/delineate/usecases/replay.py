"""Make recorded segments again, and tell whether they are the same."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from delineate.domain.errors import DelineateError
from delineate.domain.labelmap import NOTHING, Labelmap, PackedRegion
from delineate.domain.ports import Engine, Segmenter, SegmentHistory
from delineate.domain.prompts import LabelmapPrompt, VoxelPrompt
from delineate.domain.rasterise import rasterise
from delineate.domain.recording import RecordedSegment, Recording, differences, differing_voxels, labelmap_digest
from delineate.domain.session import Entry, SegmentRecord, Session, step_seed
from delineate.domain.volume import Volume

USER = "replay"


@dataclass(frozen=True, slots=True)
class ReplayedSegment:
    """How a segment that was made again compares with the recorded one."""

    number: int
    label: str
    differing_voxels: int
    first_differing_step: int | None
    """Counted from 1 over the segment's steps, undone ones included; None if all are as recorded."""

    @property
    def equal(self) -> bool:
        """Whether it has the same voxels."""
        return self.differing_voxels == 0


@dataclass(frozen=True, slots=True)
class Replayed:
    """What became of a replay."""

    segments: tuple[ReplayedSegment, ...]
    differences: tuple[str, ...]
    """What is another one than when it was recorded, in words: the model, versions of software."""
    problem: str | None = None
    """Why it could not come to its end."""

    @property
    def equal(self) -> bool:
        """Whether every segment came to its end with the same voxels."""
        return self.problem is None and all(segment.equal for segment in self.segments)


def replay(
    recording: Recording, load: Callable[[], Volume], segmenter: Segmenter, software: Mapping[str, str]
) -> Replayed:
    """Carry out a recording's journal: every prompt, step and undo in order, the model's steps by the model.

    Parameters
    ----------
    load
        Returns the recording's volume as the archive has it; an error of it is not caught.
    software
        Names and versions of what computes now.
    """
    told = tuple(differences(recording.model, segmenter.info, recording.software, software))
    work = _Replay(recording, load(), segmenter)
    problem = None
    try:
        work.run()
    except DelineateError as error:
        problem = f"After {work.steps} steps: {error.detail}"
    finally:
        work.close()
    return Replayed(tuple(work.compared(segment) for segment in recording.segments), told, problem)


@dataclass(slots=True)
class _Steps:
    done: int = 0
    first_differing: int | None = None


@dataclass(slots=True, eq=False)
class _Replay:
    """A session folded from the recording's entries, with the model's answers made anew."""

    recording: Recording
    volume: Volume
    segmenter: Segmenter
    session: Session = field(default_factory=lambda: Session("replay"))
    engine: Engine | None = None
    steps: int = 0
    of_segment: dict[int, _Steps] = field(default_factory=dict)

    def run(self) -> None:
        self.session.plan = self.recording.plan
        for place, entry in enumerate(self.recording.entries):
            made = self._made(entry)
            self.session.apply(made)
            if entry.kind == "step":
                self._compare(place, entry.data["segment"])

    def close(self) -> None:
        if self.engine is not None:
            self.engine.close()

    def compared(self, recorded: RecordedSegment) -> ReplayedSegment:
        shape = self.recording.plan.geometry.shape
        record = self.session.segments.get(recorded.number)
        now = record.packed if record is not None else NOTHING
        different = differing_voxels(now.labelmap(shape), recorded.packed.labelmap(shape))
        steps = self.of_segment.get(recorded.number, _Steps())
        return ReplayedSegment(recorded.number, recorded.label, different, steps.first_differing)

    def _compare(self, place: int, number: int) -> None:
        self.steps += 1
        steps = self.of_segment.setdefault(number, _Steps())
        steps.done += 1
        record = self.session.segments[number]
        if steps.first_differing is None and labelmap_digest(record.packed) != self.recording.digests.get(place):
            steps.first_differing = steps.done

    def _made(self, entry: Entry) -> Entry:
        """Return a journal entry with what it says of the labelmap made anew."""
        if entry.kind != "step" or entry.data["step"] == "opened":
            return entry
        packed = self._after(entry)
        return dataclasses.replace(entry, data={**entry.data, "box": packed.box.bounds}, blob=packed.data)

    def _after(self, entry: Entry) -> PackedRegion:
        if entry.data["step"] == "reset":
            return NOTHING
        prompts = [self.session.prompts[name] for name in entry.data["prompt_ids"]]
        content = prompts[-1]
        if isinstance(content, LabelmapPrompt):
            return PackedRegion.of(Labelmap(self.session.shape, content.packed.region().tight()).region)
        record = self.session.segment(entry.data["segment"])
        history = self._history(record)
        voxel_prompts = [self._rasterised(p.origin.id) for p in prompts]
        outcome = self._engine().run(
            history,
            [p for p in voxel_prompts if p is not None],
            state=f"{record.number}@{record.revision + 1}",
            seed=step_seed(entry.data["prompt_ids"][-1]),
            cancelled=lambda: False,
        )
        return PackedRegion.of(history.labelmap.apply(outcome.change).region)

    def _history(self, record: SegmentRecord) -> SegmentHistory:
        remembered = [self._rasterised(name) for name in record.remembered]
        labelmap = record.packed.labelmap(self.session.shape)
        return SegmentHistory(record.state_name, labelmap, tuple(p for p in remembered if p is not None))

    def _rasterised(self, name: str) -> VoxelPrompt | None:
        prompt = self.session.prompts[name]
        if isinstance(prompt, LabelmapPrompt):
            return None
        return rasterise(prompt, self.recording.plan, self.segmenter.info)

    def _engine(self) -> Engine:
        self.engine = self.engine or self.segmenter.open(self.volume, USER)
        return self.engine
