"""The site's own segment names: read from the file that a setting names."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from delineate.domain.errors import SegmentInvalid
from delineate.domain.segment import CODES, LATERALITIES, CodedConcept, SegmentDescription
from delineate.settings import SettingsError

FIELDS = {"label", *CODES, "colour"}


def load_presets(file: Path | None) -> tuple[SegmentDescription, ...]:
    """Return the presets of a file, in its order; none without a file.

    The file holds ``{"presets": [{"label", "category", "type", "region"?, "laterality"?, "colour"?}]}``, with codes and
    colours as the HTTP API takes them.

    Raises
    ------
    SettingsError
        If it cannot be read, or a preset is not one that a segment could be given.
    """
    if file is None:
        return ()
    try:
        items = json.loads(file.read_text(encoding="utf-8"))["presets"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SettingsError(f'DELINEATE_PRESETS_FILE={file} should hold {{"presets": [...]}}: {error}.') from error
    return tuple(_preset(file, number, item) for number, item in enumerate(items, 1))


def _preset(file: Path, number: int, item: Any) -> SegmentDescription:  # noqa: ANN401
    try:
        made = _described(item)
    except (SegmentInvalid, KeyError, TypeError, ValueError) as error:
        raise SettingsError(f"Preset {number} of {file} is not one: {error}.") from error
    if not made.is_named:
        raise SettingsError(f"Preset {number} of {file} needs a label, a category and a type.")
    if made.states_side_twice or made.laterality not in (None, *LATERALITIES):
        raise SettingsError(f"Preset {number} of {file} has a laterality that does not go with its type or region.")
    return made


def _described(item: dict[str, Any]) -> SegmentDescription:
    if unknown := set(item) - FIELDS:
        raise ValueError(f"unknown fields {sorted(unknown)}")
    category, kind, region, side = (CodedConcept(**item[n]) if item.get(n) else None for n in CODES)
    made = SegmentDescription(item["label"], category, kind, region, side)
    if not item.get("colour"):
        return made
    red, green, blue = item["colour"]
    return replace(made, colour=(red, green, blue))
