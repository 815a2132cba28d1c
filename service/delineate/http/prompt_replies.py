"""What a segment's reply says of its prompts."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel

from delineate.domain.prompts import DrawnPrompt, LabelmapPrompt, PointPrompt, Prompt
from delineate.domain.session import SegmentRecord
from delineate.usecases.live import LiveSession

Triple = tuple[float, float, float]
PromptState = Literal["applied", "collected", "waiting", "running"]


class PromptReply(BaseModel):
    """A prompt that is in effect or pending."""

    id: str
    kind: Literal["point", "box", "scribble", "lasso", "labelmap"]
    include: bool
    frame_of_reference_uid: str
    plane_normal: Triple | None
    sop_instance_uid: str | None
    frame_number: int | None
    points: list[Triple]
    """LPS mm; empty for a labelmap."""
    state: PromptState

    @classmethod
    def of(cls, prompt: Prompt, state: PromptState) -> PromptReply:
        """Make the reply of a prompt."""
        match prompt:
            case PointPrompt(point=point):
                points, normal = [point.as_tuple()], None
            case DrawnPrompt():
                points, normal = [p.as_tuple() for p in prompt.points], prompt.plane_normal
            case LabelmapPrompt():
                points, normal = [], None
        origin = prompt.origin
        return cls(
            id=origin.id,
            kind=prompt.kind,
            include=origin.include,
            frame_of_reference_uid=origin.frame_of_reference_uid,
            plane_normal=normal,
            sop_instance_uid=origin.sop_instance_uid,
            frame_number=origin.frame_number,
            points=points,
            state=state,
        )


def prompt_replies(live: LiveSession, segment: SegmentRecord) -> list[PromptReply]:
    """Return the segment's prompts since its last reset that are not undone, then the pending ones, each in order."""
    known = live.session.prompts
    applied = [PromptReply.of(known[name], "applied") for name in segment.applied]
    return applied + [PromptReply.of(pending.prompt, live.state_of(pending)) for pending in segment.pending.values()]
