"""Recorded sessions made again over a real Orthanc: with the model that answered, and with another."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.archive_tools import store_series
from tests.drawing import draw
from tests.phantoms import PhantomSeries, make_series
from tests.tiny_model import LICENCE, write_tiny_model

from delineate.adapters.dicom_series import DicomSeriesReader
from delineate.adapters.dicomweb import DicomWebArchive
from delineate.adapters.nninteractive.segmenter import NnInteractiveSegmenter, load_segmenter
from delineate.adapters.software import software_versions
from delineate.adapters.volume_cache import MemoryVolumeCache
from delineate.client import Client, ClientSession, ServiceError
from delineate.demo.orthanc import OrthancServer
from delineate.domain.errors import RecordingUnreadable
from delineate.domain.recording import recording_of
from delineate.usecases.replay import Replayed, replay
from delineate.usecases.volumes import VolumeShelf

SHAPE = (24, 40, 48)
SESSIONS = 20
ACTIONS = 14
KINDS = ("point", "box", "scribble", "lasso")
NAME: dict[str, Any] = {
    "category": {"value": "91723000", "scheme": "SCT", "meaning": "Anatomical Structure"},
    "type": {"value": "64033007", "scheme": "SCT", "meaning": "Kidney"},
}
VERBS = ("prompt", "prompt", "prompt", "collect", "run", "labelmap", "undo", "undo", "redo", "reset")


@pytest.fixture(scope="module")
def series(orthanc: OrthancServer) -> PhantomSeries:
    series = make_series(shape=SHAPE, orientation="oblique", shuffled=True)
    store_series(orthanc, series)
    return series


@pytest.fixture(scope="module")
def segmenter(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[NnInteractiveSegmenter]:
    made = load_segmenter(str(tiny_model), licence_accepted=LICENCE, data_dir=tmp_path_factory.mktemp("data"))
    yield made
    made.close()


@pytest.fixture(scope="module")
def shelf(orthanc: OrthancServer) -> VolumeShelf:
    archive = DicomWebArchive(orthanc.dicomweb_url, orthanc.username, orthanc.password)
    return VolumeShelf(archive, DicomSeriesReader(), MemoryVolumeCache())


def act(session: ClientSession, series: PhantomSeries, verb: str, random: np.random.Generator) -> None:
    """Do one thing to one of the session's two segments, near the middle; what is not possible now is left out."""
    number = int(random.integers(1, 3))
    at = tuple(int(n // 2 + random.integers(-3, 4)) for n in SHAPE)
    include = bool(random.random() < 0.7)
    kind = str(random.choice(KINDS))
    drawn = draw(
        kind,
        (at[0], at[1], at[2]),
        int(random.integers(3)),
        series.affine,
        series.frame_of_reference_uid,
        include=include,
    )
    try:
        match verb:
            case "prompt":
                session.submit(number, drawn.body)
            case "collect":
                session.submit(number, {**drawn.body, "run": False})
            case "labelmap":
                session.set_labelmap(number, random.random(SHAPE) < 0.05)
            case _:
                getattr(session, verb)(number)
    except ServiceError as error:
        if error.problem["status"] != 409:
            raise


def recorded(client: Client, series: PhantomSeries, seed: int) -> bytes:
    """Work at random, accept, and return the recording."""
    random = np.random.default_rng(seed)
    session = client.open_session(series.study_uid, series.series_uid)
    for number in (1, 2):
        session.add_segment(label=f"Session {seed}, {number}", **NAME)
    for verb in random.choice(VERBS, ACTIONS):
        act(session, series, str(verb), random)
    fill_empty(session, random)
    for verb in ("prompt", "prompt"):
        act(session, series, verb, random)
    fill_empty(session, random)
    result = client.wait_for_result(session.accept()["id"])
    act(session, series, "prompt", random)  # what comes later is not in it
    session.close()
    return json.dumps(client.recording(result["id"])).encode()


def fill_empty(session: ClientSession, random: np.random.Generator) -> None:
    for number in (1, 2):
        if session.labelmap(number)[0].is_empty:
            session.set_labelmap(number, random.random(SHAPE) < 0.05)


def again(data: bytes, shelf: VolumeShelf, segmenter: NnInteractiveSegmenter) -> Replayed:
    recording = recording_of(data)
    return replay(recording, lambda: shelf.load_unchanged(recording.plan), segmenter, software_versions())


@pytest.mark.timeout(900)
def test_recorded_sessions_give_the_same_voxels(
    client: Client, series: PhantomSeries, shelf: VolumeShelf, segmenter: NnInteractiveSegmenter
) -> None:
    seen: set[str] = set()
    for seed in range(SESSIONS):
        data = recorded(client, series, seed)
        done = again(data, shelf, segmenter)
        assert done.equal, (seed, done)
        assert done.differences == ()
        assert [s.first_differing_step for s in done.segments] == [None, None], (seed, done)
        entries = json.loads(data)["entries"]
        seen |= {e["data"]["step"] if e["kind"] == "step" else e["kind"] for e in entries}
        seen |= {e["data"]["prompt"]["kind"] for e in entries if e["kind"] == "prompt"}
    assert seen >= {*KINDS, "labelmap", "undo", "redo", "run", "reset", "prompts"}


def environment(orthanc: OrthancServer, model: Path, folder: Path) -> Mapping[str, str]:
    return {
        "PATH": "/usr/bin:/bin",
        "PYTHONPATH": str(Path(__file__).parents[2]),
        "DELINEATE_ARCHIVE_URL": orthanc.dicomweb_url,
        "DELINEATE_ARCHIVE_USERNAME": orthanc.username,
        "DELINEATE_ARCHIVE_PASSWORD": orthanc.password,
        "DELINEATE_MODEL": str(model),
        "DELINEATE_MODEL_LICENCE_ACCEPTED": LICENCE,
        "DELINEATE_DATA_DIR": str(folder / "data"),
    }


def other_model(folder: Path) -> Path:
    """Return a model of the same kind with other weights."""
    write_tiny_model(folder)
    file = folder / "fold_0" / "checkpoint_final.pth"
    checkpoint = torch.load(file, weights_only=False)
    checkpoint["network_weights"]["threshold"] += 0.5
    torch.save(checkpoint, file)
    return folder


def delineate_replay(file: Path, environment: Mapping[str, str]) -> tuple[int, dict[str, Any], str]:
    command = [str(Path(sys.executable).with_name("delineate")), "replay", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=dict(environment))
    return done.returncode, json.loads(done.stdout or "{}"), done.stderr


def test_the_command_says_whether_it_is_the_same_and_what_is_another(
    client: Client, series: PhantomSeries, orthanc: OrthancServer, tiny_model: Path, tmp_path: Path
) -> None:
    file = tmp_path / "recording.json"
    file.write_bytes(recorded(client, series, 1))
    code, said, _ = delineate_replay(file, environment(orthanc, tiny_model, tmp_path))
    assert (code, said["equal"], said["differences"]) == (0, True, [])
    code, said, _ = delineate_replay(file, environment(orthanc, other_model(tmp_path / "other"), tmp_path))
    assert (code, said["equal"]) == (1, False)
    assert any(d.startswith("The model is ") for d in said["differences"])
    assert said["segments"][0]["differing_voxels"] > 0
    assert said["segments"][0]["first_differing_step"] is not None
    file.write_text('{"format": "something else"}')
    code, _, error = delineate_replay(file, environment(orthanc, tiny_model, tmp_path))
    assert code == 2
    assert "something else" in error


def test_another_model_or_software_is_named(
    client: Client, series: PhantomSeries, shelf: VolumeShelf, segmenter: NnInteractiveSegmenter
) -> None:
    document = json.loads(recorded(client, series, 2))
    document["model"]["weights_sha256"] = "f" * 64
    document["software"]["torch"] = "1.0"
    done = again(json.dumps(document).encode(), shelf, segmenter)
    assert done.equal, "the voxels are the same all the same"
    assert any("recorded was" in d and "ffffffffffff" in d for d in done.differences)
    assert any(d.startswith("torch is ") and "recorded was 1.0" in d for d in done.differences)
    step = next(e for e in document["entries"] if e["kind"] == "step" and e["data"]["step"] == "prompts")
    step["sha256"] = "0" * 64
    first_differing = [s.first_differing_step for s in again(json.dumps(document).encode(), shelf, segmenter).segments]
    assert [n for n, at in enumerate(first_differing, 1) if at is not None] == [step["data"]["segment"]]


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b'{"format": "delineate-recording-1"}', b"\xff"])
def test_what_is_no_recording_is_refused(data: bytes) -> None:
    with pytest.raises(RecordingUnreadable):
        recording_of(data)
