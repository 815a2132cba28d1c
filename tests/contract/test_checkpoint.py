"""Which model folders may be loaded, and what is said of those that may not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from nnInteractive import model_management
from tests.tiny_model import INFO, LICENCE, write_tiny_model

from delineate.adapters.nninteractive.checkpoint import DEMO_FOLDER, MEASURED, find_checkpoint
from delineate.adapters.nninteractive.segmenter import load_segmenter
from delineate.domain.errors import LicenceNotAccepted, ModelNotFound

OFFICIAL = "nnInteractive_v1.0"
SETTING = "DELINEATE_MODEL_LICENCE_ACCEPTED"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_tiny_model(tmp_path / "tiny")


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("NNINTERACTIVE_MODEL_DIR", str(tmp_path / "none"))

    def unreachable(*_: object, **__: object) -> None:
        raise OSError("no network")

    monkeypatch.setattr(model_management, "_load_remote_manifest", unreachable)


def test_a_folder_loads_under_its_own_licence(folder: Path, tmp_path: Path) -> None:
    found = find_checkpoint(str(folder), licence_accepted=LICENCE, data_dir=tmp_path)
    assert (found.id, found.folder, found.licence, found.demo) == ("tiny", folder, LICENCE, False)


@pytest.mark.parametrize("accepted", [None, "", "CC BY-NC-SA 4.0", LICENCE.lower()])
def test_another_licence_than_the_folder_s_is_refused_by_name(
    folder: Path, tmp_path: Path, accepted: str | None
) -> None:
    with pytest.raises(LicenceNotAccepted) as caught:
        find_checkpoint(str(folder), licence_accepted=accepted, data_dir=tmp_path)
    assert LICENCE in caught.value.detail
    assert SETTING in caught.value.detail


@pytest.mark.parametrize("content", [None, "", " \n\n"])
def test_a_missing_licence_is_refused_whatever_was_accepted(tmp_path: Path, content: str | None) -> None:
    folder = write_tiny_model(tmp_path / "tiny", licence=None)
    if content is not None:
        (folder / "LICENSE").write_text(content, encoding="utf-8")
    for accepted in (None, "", "!!MISSING!!"):
        with pytest.raises(LicenceNotAccepted, match="carries no licence"):
            find_checkpoint(str(folder), licence_accepted=accepted, data_dir=tmp_path)


def test_the_demo_model_needs_no_acceptance_by_its_name_only(tmp_path: Path) -> None:
    found = find_checkpoint("demo", licence_accepted=None, data_dir=tmp_path)
    assert found.demo
    assert found.licence
    with pytest.raises(LicenceNotAccepted):
        find_checkpoint(str(DEMO_FOLDER), licence_accepted=None, data_dir=tmp_path)


@pytest.mark.parametrize("name", ["plans.json", "dataset.json", "fold_0/checkpoint_final.pth"])
def test_a_folder_that_lacks_a_file_is_no_model(folder: Path, tmp_path: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(ModelNotFound, match=Path(name).name):
        find_checkpoint(str(folder), licence_accepted=LICENCE, data_dir=tmp_path)


def test_a_folder_that_does_not_exist_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFound, match="DELINEATE_MODEL"):
        find_checkpoint(str(tmp_path / "nowhere"), licence_accepted=LICENCE, data_dir=tmp_path)


def test_a_broken_checkpoint_is_no_model(folder: Path, tmp_path: Path) -> None:
    (folder / "fold_0" / "checkpoint_final.pth").write_bytes(b"not a checkpoint")
    with pytest.raises(ModelNotFound, match="cannot be loaded"):
        load_segmenter(str(folder), licence_accepted=LICENCE, data_dir=tmp_path, device="cpu", threads=2)


def test_a_model_that_draws_its_points_at_random_cannot_be_rebuilt(folder: Path, tmp_path: Path) -> None:
    (folder / "inference_info.json").write_text(json.dumps({**INFO, "point_radius": [2, 5]}), encoding="utf-8")
    with pytest.raises(ModelNotFound, match="point_radius"):
        load_segmenter(str(folder), licence_accepted=LICENCE, data_dir=tmp_path, device="cpu", threads=2)


@pytest.mark.usefixtures("offline")
def test_an_official_model_is_not_fetched_before_its_licence_is_accepted(tmp_path: Path) -> None:
    with pytest.raises(LicenceNotAccepted, match="CC BY-NC-SA"):
        find_checkpoint(OFFICIAL, licence_accepted=None, data_dir=tmp_path)


@pytest.mark.usefixtures("offline")
def test_without_network_the_remedy_is_a_folder(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFound, match="set DELINEATE_MODEL to that folder"):
        find_checkpoint(OFFICIAL, licence_accepted="CC BY-NC-SA 4.0", data_dir=tmp_path)


@pytest.mark.usefixtures("offline")
@pytest.mark.parametrize("place", ["data/nninteractive", "none"])
def test_an_official_model_that_is_here_needs_no_network(tmp_path: Path, place: str) -> None:
    folder = tmp_path / place / "models" / OFFICIAL
    folder.parent.mkdir(parents=True)
    write_tiny_model(folder)
    found = find_checkpoint(OFFICIAL, licence_accepted=LICENCE, data_dir=tmp_path / "data")
    assert (found.id, found.folder) == (OFFICIAL, folder)


def test_measured_oblique_kinds_count_for_the_weights_that_were_measured(folder: Path, tmp_path: Path) -> None:
    plain = find_checkpoint(str(folder), licence_accepted=LICENCE, data_dir=tmp_path)
    assert plain.oblique_prompts == ("point",)
    measured = {"oblique_prompts": ["point", "scribble"], "weights_sha256": plain.weights_sha256}
    (folder / MEASURED).write_text(json.dumps(measured), encoding="utf-8")
    assert find_checkpoint(str(folder), licence_accepted=LICENCE, data_dir=tmp_path).oblique_prompts == (
        "point",
        "scribble",
    )
    (folder / MEASURED).write_text(json.dumps({**measured, "weights_sha256": "0"}), encoding="utf-8")
    assert find_checkpoint(str(folder), licence_accepted=LICENCE, data_dir=tmp_path).oblique_prompts == ("point",)


@pytest.mark.parametrize("content", ["{", "[]", "{}"])
def test_unreadable_figures_are_named(folder: Path, tmp_path: Path, content: str) -> None:
    (folder / MEASURED).write_text(content, encoding="utf-8")
    with pytest.raises(ModelNotFound, match=MEASURED):
        find_checkpoint(str(folder), licence_accepted=LICENCE, data_dir=tmp_path)
