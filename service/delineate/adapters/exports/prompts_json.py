"""The prompts that each segment was made from, as JSON that `delineate segment` takes again."""

from __future__ import annotations

import base64
from pathlib import Path

from delineate.adapters.exports.descriptions import said_of, tracking, write_json
from delineate.domain.ports import AcceptedSegment, ExportSource
from delineate.domain.prompts import Prompt
from delineate.domain.records import Json, prompt_to_json

FILE = "prompts.json"


class PromptsExporter:
    """``prompts.json``: name, codes and prompts of each segment, in the form of the HTTP API, and what they belong to.

    Points are LPS mm. The prompts keep their ids, which seed the model.
    """

    def write(self, source: ExportSource, folder: Path) -> tuple[str, ...]:
        """Write the file; see ``Exporter``."""
        acceptance = source.acceptance
        plan, model = acceptance.plan, acceptance.model
        numbered = list(enumerate(acceptance.segments, 1))
        data: Json = {
            "study_instance_uid": plan.study_instance_uid,
            "series_instance_uid": plan.series_instance_uid,
            "volume": plan.volume,
            "frame_of_reference_uid": plan.geometry.frame_of_reference_uid,
            "model": {"id": model.id, "version": model.version, "weights_sha256": model.weights_sha256},
            "segments": [_segment(segment) for segment in acceptance.segments],
            "tracking": [tracking(number, segment) for number, segment in numbered],
        }
        write_json(data, folder / FILE)
        return (FILE,)


def _segment(segment: AcceptedSegment) -> Json:
    return {**said_of(segment), "prompts": [_prompt(prompt) for prompt in segment.prompts]}


def _prompt(prompt: Prompt) -> Json:
    data, voxels = prompt_to_json(prompt)
    if prompt.kind != "labelmap":
        return data
    return {**data, "voxels": base64.b64encode(voxels).decode("ascii"), "encoding": "bits-deflate-base64"}
