"""The same on a GPU: the adapter against the unmodified session, and a click beside a long job."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from tests.bare_session import BareSession, load_artifacts
from tests.engine_cases import Steps, elongated, prompt
from tests.tiny_model import LICENCE, write_tiny_model

from delineate.adapters.nninteractive.segmenter import NnInteractiveSegmenter, load_segmenter

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"),
]
SHAPE = (32, 48, 110)
MIDDLE = (16, 24, 55)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_model(tmp_path_factory.mktemp("model") / "tiny")


@pytest.fixture
def segmenter(folder: Path, tmp_path: Path) -> Iterator[NnInteractiveSegmenter]:
    segmenter = load_segmenter(str(folder), licence_accepted=LICENCE, data_dir=tmp_path, device="cuda", threads=2)
    yield segmenter
    segmenter.close()


def test_a_gpu_gives_the_voxels_of_the_bare_session_on_it(segmenter: NnInteractiveSegmenter, folder: Path) -> None:
    volume = elongated(SHAPE, (5, 5, 36))
    steps = Steps(segmenter.open(volume, "u"), SHAPE)
    reference = BareSession(load_artifacts(folder, device="cuda"), volume.voxels, device="cuda")
    torch.backends.cudnn.benchmark = False  # or each thread chooses its own algorithms
    for step in (prompt("lasso", MIDDLE, 0, include=True), prompt("point", (16, 24, 85), 0, include=False)):
        assert steps.add(step).equals(reference.prompt([step], 7))
    assert steps.outcomes[0].passes > 3
