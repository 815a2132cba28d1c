"""What travels over HTTP: requests are checked here, replies are made from the domain here."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from delineate.domain.errors import PromptMalformed
from delineate.domain.geometry import Box, PatientPoint, VolumeGeometry
from delineate.domain.labelmap import Region, pack_text, unpack_text
from delineate.domain.model import ModelInfo
from delineate.domain.prompts import MAX_POINTS, DrawnPrompt, LabelmapPrompt, PointPrompt, Prompt, PromptOrigin
from delineate.domain.segment import CODES, CodedConcept
from delineate.domain.segmentation import OpenedFrom
from delineate.domain.session import Patch, SegmentRecord
from delineate.http.prompt_replies import PromptReply, prompt_replies
from delineate.usecases.device_queue import DeviceQueue
from delineate.usecases.live import LiveSession

Uid = Annotated[str, StringConstraints(pattern=r"^[0-9]+(\.[0-9]+)*$", max_length=64)]
"""A DICOM unique identifier (PS3.5 9.1)."""
Finite = Annotated[float, Field(allow_inf_nan=False)]
Triple = tuple[Finite, Finite, Finite]
Bound = tuple[Annotated[int, Field(ge=0)], Annotated[int, Field(ge=0)]]


class Request(BaseModel):
    """Base of requests: unknown fields are refused."""

    model_config = ConfigDict(extra="forbid")


class OpenSession(Request):
    """Body of ``POST /delineate/sessions``."""

    study_instance_uid: Uid
    series_instance_uid: Uid
    volume: Annotated[str, Field(max_length=200)] | None = None
    segmentation_sop_instance_uid: Uid | None = None
    """Of a stored segmentation of the series, to be refined into its next version."""
    model: Annotated[str, Field(max_length=500)] | None = None


class Code(Request):
    """A coded concept: value, coding scheme designator, meaning."""

    value: Annotated[str, Field(min_length=1, max_length=16)]
    scheme: Annotated[str, Field(min_length=1, max_length=16)]
    meaning: Annotated[str, Field(min_length=1, max_length=64)]

    def concept(self) -> CodedConcept:
        """Return the domain's concept."""
        return CodedConcept(self.value, self.scheme, self.meaning)


class DescribeSegment(Request):
    """Body of ``POST .../segments`` and ``PATCH .../segments/{n}``: only what is given is changed."""

    label: Annotated[str, Field(max_length=64)] | None = None
    category: Code | None = None
    type: Code | None = None
    region: Code | None = None
    laterality: Code | None = None
    colour: tuple[int, int, int] | None = None
    locked: bool | None = None

    def changes(self) -> dict[str, Any]:
        """Return the given fields in the domain's types."""
        out: dict[str, Any] = {}
        for name in self.model_fields_set:
            value = getattr(self, name)
            if isinstance(value, Code):
                value = value.concept()
            if value is not None or name in CODES:
                out[name] = value
        return out


class SubmitPrompt(Request):
    """Body of ``POST .../segments/{n}/prompts``."""

    id: UUID
    kind: Literal["point", "box", "scribble", "lasso", "labelmap"]
    include: bool = True
    frame_of_reference_uid: Uid
    plane_normal: Triple | None = None
    sop_instance_uid: Uid | None = None
    frame_number: Annotated[int, Field(ge=1)] | None = None
    points: Annotated[list[Triple], Field(max_length=MAX_POINTS)] | None = None
    box: tuple[Bound, Bound, Bound] | None = None
    voxels: str | None = None
    encoding: Literal["bits-deflate-base64"] | None = None
    run: bool = True

    def prompt(self, shape: tuple[int, int, int]) -> Prompt:
        """Return the domain's prompt for a volume of ``shape`` (k, j, i).

        Raises
        ------
        PromptMalformed
            If the kind's fields are not there, or a labelmap does not fit the volume or cannot be read.
        """
        origin = PromptOrigin(
            str(self.id), self.include, self.frame_of_reference_uid, self.sop_instance_uid, self.frame_number
        )
        if self.kind == "labelmap":
            return self._labelmap(origin, shape)
        points = tuple(PatientPoint(*p) for p in self.points or ())
        if self.kind == "point":
            if len(points) != 1:
                raise PromptMalformed(f"A point prompt has exactly one point; this one has {len(points)}.")
            return PointPrompt(origin, points[0])
        if self.plane_normal is None:
            raise PromptMalformed(f"A {self.kind} needs plane_normal, the normal of the plane that it was drawn on.")
        return DrawnPrompt(origin, self.kind, points, self.plane_normal)

    def _labelmap(self, origin: PromptOrigin, shape: tuple[int, int, int]) -> LabelmapPrompt:
        if self.box is None or self.voxels is None or self.encoding is None:
            raise PromptMalformed("A labelmap needs box, voxels and encoding.")
        try:
            box = Box.from_bounds(self.box)
            inside = Box((0, 0, 0), shape).contains(box)
            region = Region(box, unpack_text(self.voxels, box.shape)) if inside else None
        except ValueError as error:
            raise PromptMalformed(f"The labelmap cannot be read: {error}.") from error
        if region is None:
            raise PromptMalformed(f"The labelmap's box {box.bounds} lies outside the volume of shape {shape}.")
        return LabelmapPrompt.of(origin, region)


# --- replies --------------------------------------------------------------------------------------


class TimingReply(BaseModel):
    """Milliseconds."""

    queue: float
    model: float
    encode: float


class PatchReply(BaseModel):
    """A patch: absolute voxels of the changed box (DESIGN section 12)."""

    segment: int
    revision: int
    base_revision: int
    final: bool
    prompt_ids: list[str]
    box: list[list[int]]
    voxels: str
    encoding: Literal["bits-deflate-base64"] = "bits-deflate-base64"
    volume_ml: float
    timing_ms: TimingReply

    @classmethod
    def of(cls, patch: Patch) -> PatchReply:
        """Make the reply of a patch."""
        return cls(
            segment=patch.segment,
            revision=patch.revision,
            base_revision=patch.base_revision,
            final=patch.final,
            prompt_ids=list(patch.prompt_ids),
            box=patch.region.box.bounds,
            voxels=pack_text(patch.region.voxels),
            volume_ml=round(patch.volume_ml, 6),
            timing_ms=TimingReply(queue=patch.timing.queue, model=patch.timing.model, encode=patch.timing.encode),
        )


class CodeReply(BaseModel):
    """A coded concept."""

    value: str
    scheme: str
    meaning: str


class SegmentReply(BaseModel):
    """A segment."""

    number: int
    label: str
    category: CodeReply | None
    type: CodeReply | None
    region: CodeReply | None
    """The anatomic region that a finding is in."""
    laterality: CodeReply | None
    """The side of the region if there is one, else of the type."""
    colour: tuple[int, int, int]
    locked: bool
    tracking_id: str
    tracking_uid: str
    revision: int
    can_undo: bool
    can_redo: bool
    pending_prompt_ids: list[str]
    volume_ml: float
    queue_position: int | None
    """Model runs of other work ahead of its first prompt that waits or runs; null when there is none."""
    prompts: list[PromptReply]

    @classmethod
    def of(cls, live: LiveSession, segment: SegmentRecord, queue: DeviceQueue) -> SegmentReply:
        """Make the reply of a segment; the caller holds the session's lock."""
        d = segment.description
        place = queue.position(live, segment.number)
        voxel_volume_ml = live.session.plan.geometry.voxel_volume_ml if live.session.plan else 0.0
        codes = {
            name: CodeReply(value=c.value, scheme=c.scheme, meaning=c.meaning) if c else None
            for name, c in zip(CODES, d.codes, strict=True)
        }
        return cls(
            number=segment.number,
            label=d.label,
            colour=d.colour,
            locked=d.locked,
            tracking_id=segment.tracking_id,
            tracking_uid=segment.tracking_uid,
            revision=segment.revision,
            can_undo=segment.can_undo,
            can_redo=segment.position < len(segment.steps),
            pending_prompt_ids=list(segment.pending),
            volume_ml=round(segment.voxel_count * voxel_volume_ml, 6),
            queue_position=place[1] if place else None,
            prompts=prompt_replies(live, segment),
            category=codes["category"],
            type=codes["type"],
            region=codes["region"],
            laterality=codes["laterality"],
        )


class GeometryReply(BaseModel):
    """The grid of the volume."""

    shape: tuple[int, int, int]
    """Voxels along (k, j, i)."""
    affine: list[list[float]]
    """4x4, row-major; times (k, j, i, 1) gives LPS mm of voxel centres."""
    frame_of_reference_uid: str

    @classmethod
    def of(cls, geometry: VolumeGeometry) -> GeometryReply:
        """Make the reply of a geometry."""
        return cls(
            shape=geometry.shape,
            affine=[list(row) for row in geometry.affine],
            frame_of_reference_uid=geometry.frame_of_reference_uid,
        )


class SliceReply(BaseModel):
    """The image of slice k."""

    sop_instance_uid: str
    frame_number: int


class ModelReply(BaseModel):
    """A model."""

    id: str
    name: str
    demo: bool
    licence: str
    version: str
    weights_sha256: str
    prompts: list[str]
    oblique_prompts: list[str]
    scribble_thickness_voxels: int

    @classmethod
    def of(cls, info: ModelInfo) -> ModelReply:
        """Make the reply of a model."""
        return cls(
            id=info.id,
            name=info.name,
            demo=info.demo,
            licence=info.licence,
            version=info.version,
            weights_sha256=info.weights_sha256,
            prompts=list(info.prompts),
            oblique_prompts=list(info.oblique_prompts),
            scribble_thickness_voxels=info.scribble_thickness_voxels,
        )


class ProgressReply(BaseModel):
    """How much of a volume has come from the archive."""

    done: int
    """Instances."""
    total: int
    """Instances; 0 while it is not known."""
    bytes: int

    @classmethod
    def of(cls, progress: tuple[int, int, int]) -> ProgressReply:
        """Make the reply of instances done, in all, bytes."""
        done, total, size = progress
        return cls(done=done, total=total, bytes=size)


class OpenedFromReply(BaseModel):
    """The stored segmentation that a session was opened from."""

    series_instance_uid: str
    sop_instance_uid: str
    read_only: str | None
    """Why it cannot be refined, in a sentence; null if it can."""

    @classmethod
    def of(cls, opened: OpenedFrom) -> OpenedFromReply:
        """Make the reply of what a session was opened from."""
        return cls(
            series_instance_uid=opened.reference.series_instance_uid,
            sop_instance_uid=opened.reference.sop_instance_uid,
            read_only=opened.read_only,
        )


class SessionReply(BaseModel):
    """A session."""

    id: str
    state: Literal["loading", "ready", "failed", "closed"]
    study_instance_uid: str
    series_instance_uid: str
    volume: str | None
    geometry: GeometryReply | None
    slices: list[SliceReply]
    model: ModelReply
    segments: list[SegmentReply]
    results: list[str]
    problem: dict[str, Any] | None = None
    progress: ProgressReply
    touched_at: float
    """Seconds since the epoch, of the last change."""
    opened_from: OpenedFromReply | None
    """Null while the session is loading, and where it began empty."""

    @classmethod
    def of(cls, live: LiveSession, info: ModelInfo, queue: DeviceQueue) -> SessionReply:
        """Make the reply of a session; the caller holds its lock."""
        session = live.session
        plan = session.plan
        sources = plan.slices if plan else ()
        return cls(
            id=session.id,
            state=session.state,
            study_instance_uid=session.study_instance_uid,
            series_instance_uid=session.series_instance_uid,
            volume=session.volume,
            geometry=GeometryReply.of(plan.geometry) if plan else None,
            slices=[SliceReply(sop_instance_uid=s.sop_instance_uid, frame_number=s.frame_number) for s in sources],
            model=ModelReply.of(info),
            segments=[SegmentReply.of(live, s, queue) for s in session.segments.values()],
            results=session.results,
            problem=session.problem,
            progress=ProgressReply.of(live.progress),
            touched_at=session.touched_at,
            opened_from=OpenedFromReply.of(session.opened_from) if session.opened_from else None,
        )
