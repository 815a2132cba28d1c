"""The site's own names of segments."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from delineate.adapters.context_groups import terminology_entries
from delineate.domain.terminology import Terminology
from delineate.http.terminology_replies import TerminologyReply
from delineate.settings import SettingsError
from delineate.wiring.presets import load_presets

ANATOMY = {"value": "91723000", "scheme": "SCT", "meaning": "Anatomical Structure"}
KIDNEY: dict[str, Any] = {
    "label": "GTV kidney",
    "category": ANATOMY,
    "type": {"value": "64033007", "scheme": "SCT", "meaning": "Kidney"},
    "laterality": {"value": "7771000", "scheme": "SCT", "meaning": "Left"},
    "colour": [10, 200, 30],
}
LEFT_VENTRICLE = {"value": "87878005", "scheme": "SCT", "meaning": "Left ventricle"}
CYST: dict[str, Any] = {
    "label": "Cyst, left kidney",
    "category": {"value": "49755003", "scheme": "SCT", "meaning": "Morphologically Abnormal Structure"},
    "type": {"value": "367643001", "scheme": "SCT", "meaning": "Cyst"},
    "region": KIDNEY["type"],
    "laterality": KIDNEY["laterality"],
    "colour": [1, 2, 3],
}
LIVER: dict[str, Any] = {
    "label": "Liver",
    "category": ANATOMY,
    "type": {"value": "10200004", "scheme": "SCT", "meaning": "Liver"},
}


def written(folder: Path, content: object) -> Path:
    file = folder / "presets.json"
    file.write_text(json.dumps(content), encoding="utf-8")
    return file


def test_presets_are_offered_before_the_terminology_and_found_by_their_words(tmp_path: Path) -> None:
    presets = load_presets(written(tmp_path, {"presets": [KIDNEY, LIVER]}))
    terminology = Terminology(terminology_entries(), presets)
    assert [p.label for p in terminology.presets("")] == ["GTV kidney", "Liver"]
    for query in ("gtv", "kidney left", "LEFT kid"):
        assert [p.label for p in terminology.presets(query)] == ["GTV kidney"]
    assert terminology.presets("spleen") == []
    reply = TerminologyReply.of(terminology.search("kidney", limit=3), terminology.presets("kidney"))
    assert reply.presets[0].model_dump() == KIDNEY | {"region": None, "colour": (10, 200, 30)}
    assert reply.entries[0].type.meaning == "Kidney"


def test_a_finding_is_found_by_its_region_and_has_the_side_of_that(tmp_path: Path) -> None:
    presets = load_presets(written(tmp_path, {"presets": [KIDNEY, CYST]}))
    terminology = Terminology(terminology_entries(), presets)
    reply = TerminologyReply.of([], terminology.presets("cyst kidney"))
    assert [preset.model_dump() for preset in reply.presets] == [CYST | {"colour": (1, 2, 3)}]


def test_there_are_none_without_a_file() -> None:
    assert load_presets(None) == ()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ([], "presets"),
        ({"presets": [{**KIDNEY, "label": " "}]}, "Preset 1"),
        ({"presets": [LIVER, {**LIVER, "type": {"value": "1"}}]}, "Preset 2"),
        ({"presets": [{**LIVER, "color": [1, 2, 3]}]}, "color"),
        ({"presets": [{**LIVER, "colour": [1, 2, 999]}]}, "Preset 1"),
        ({"presets": [{**LIVER, "laterality": ANATOMY}]}, "laterality"),
        ({"presets": [{**CYST, "region": LEFT_VENTRICLE}]}, "laterality"),
        ({"presets": [{**LIVER, "label": 7}]}, "Preset 1"),
    ],
)
def test_a_wrong_one_is_named_at_the_start(tmp_path: Path, content: object, said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        load_presets(written(tmp_path, content))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="nowhere"):
        load_presets(tmp_path / "nowhere.json")
