"""Each private thing of nnInteractive 2.6.0 that the adapter relies on, one test each.

When one fails after an update of the package, the adapter has to be looked at before the pin moves.
"""

from __future__ import annotations

import inspect
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from nnInteractive.inference import inference_session
from nnInteractive.inference.inference_session import nnInteractiveInferenceSession
from nnInteractive.utils import bboxes
from tests.bare_session import Artifacts, BareSession, load_artifacts
from tests.engine_cases import elongated, mixed_prompts, prompt, scene
from tests.tiny_model import write_tiny_model
from torch.nn.functional import interpolate

from delineate.adapters.nninteractive import package
from delineate.adapters.nninteractive.session import EngineSession
from delineate.domain.geometry import VoxelIndex
from delineate.domain.labelmap import Labelmap
from delineate.domain.prompts import VoxelPoint
from delineate.domain.volume import Volume

SHAPE = (24, 40, 48)
AROUND = (12, 20, 24)
PENDING = ("new_interaction_centers", "new_interaction_zoom_out_factors")
LONG = (32, 48, 110)
MIDDLE = (16, 24, 55)


@pytest.fixture(scope="module")
def artifacts(tmp_path_factory: pytest.TempPathFactory) -> Artifacts:
    return load_artifacts(write_tiny_model(tmp_path_factory.mktemp("model") / "tiny"))


@pytest.fixture(scope="module")
def volume() -> Volume:
    return scene(SHAPE, [(AROUND, 8)])


@pytest.fixture(scope="module")
def long() -> Volume:
    return elongated(LONG, (5, 5, 36))


@pytest.fixture(autouse=True, scope="module")
def installed() -> None:
    package.install()


def engine_session(artifacts: Artifacts, volume: Volume) -> EngineSession:
    prepared = BareSession(artifacts, volume.voxels).session.preprocessed_image
    return EngineSession(artifacts, artifacts["network"], prepared, torch.device("cpu"), 2)


def state_of(session: nnInteractiveInferenceSession) -> tuple[Any, ...]:
    interactions = session.interactions
    if not isinstance(interactions, torch.Tensor):
        interactions = torch.from_numpy(interactions[:])
    pending = tuple(str(getattr(session, name)) for name in PENDING)
    return (interactions, session.current_interaction_intensity, pending, session.target_buffer)


def assert_same_state(a: nnInteractiveInferenceSession, b: nnInteractiveInferenceSession) -> None:
    first, second = state_of(a), state_of(b)
    assert torch.equal(first[0], second[0])
    assert first[1:3] == second[1:3]
    assert np.array_equal(first[3], second[3])


def test_the_version_is_the_one_that_these_tests_were_written_for() -> None:
    assert version("nninteractive") == "2.6.0"


def test_artifacts_are_what_several_sessions_share(artifacts: Artifacts, volume: Volume) -> None:
    assert {"network", "capability_content", "point_interaction", "configuration_manager", "license"} <= set(artifacts)
    a, b = (BareSession(artifacts, volume.voxels).session for _ in range(2))
    assert a.network is b.network is artifacts["network"]


def test_an_injected_volume_is_never_written_and_answers_as_a_set_one(artifacts: Artifacts, volume: Volume) -> None:
    session, bare = engine_session(artifacts, volume), BareSession(artifacts, volume.voxels)
    before = session.preprocessed_image.clone()
    for step in mixed_prompts(4, SHAPE):
        session.give(step, predict=True)
        bare.prompt([step], 0)
    assert torch.equal(session.preprocessed_image, before)
    assert_same_state(session, bare.session)


@pytest.mark.parametrize("storage", ["tensor", "blosc2"])
def test_restoring_leads_to_the_bits_of_the_undisturbed_session(
    artifacts: Artifacts, volume: Volume, storage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(EngineSession, "AUTO_TENSOR_MAX_VOXELS", 2**27 if storage == "tensor" else 0)
    session, bare = engine_session(artifacts, volume), BareSession(artifacts, volume.voxels)
    assert session._interactions_storage_resolved == storage
    prompts = mixed_prompts(12, SHAPE)
    for count, step in enumerate(prompts, 1):
        labelmap = bare.prompt([step], 0)
        session.restore(labelmap)
        for earlier in prompts[:count]:
            session.give(earlier, predict=False)
        session.forget_pending()
        assert_same_state(session, bare.session)


def test_restoring_leads_to_the_state_after_an_initial_segmentation(artifacts: Artifacts, volume: Volume) -> None:
    session, bare = engine_session(artifacts, volume), BareSession(artifacts, volume.voxels)
    given = np.zeros(SHAPE, dtype=np.bool_)
    given[4:9, 10:20, 30:48] = True
    for voxels in (given, np.zeros_like(given)):
        for step in mixed_prompts(2, SHAPE):
            session.give(step, predict=True)
            bare.prompt([step], 0)
        session.restore(Labelmap.from_array(voxels))
        bare.start_from(Labelmap.from_array(voxels))
        assert_same_state(session, bare.session)


def test_restoring_survives_the_renormalisation_of_old_prompts(artifacts: Artifacts, volume: Volume) -> None:
    """Each prompt is worth 1/0.98 of the one before, until half precision is full: after about 550 prompts."""
    session, bare = engine_session(artifacts, volume), BareSession(artifacts, volume.voxels)
    prompts = mixed_prompts(560, SHAPE)
    for step in prompts[:-1]:
        bare.give(step, predict=False)
    bare.prompt([prompts[-1]], 0)
    highest = max(session.interaction_decay**-n for n in range(560))
    assert bare.session.current_interaction_intensity < highest
    session.restore(Labelmap.from_array(bare.target))
    for step in prompts:
        session.give(step, predict=False)
    session.forget_pending()
    assert_same_state(session, bare.session)


def test_nothing_but_prompts_and_predictions_is_pending(artifacts: Artifacts, volume: Volume) -> None:
    session = engine_session(artifacts, volume)
    step = prompt("point", AROUND, 0, include=True)
    session.give(step, predict=False)
    assert [len(getattr(session, name)) for name in PENDING] == [1, 1]
    session.give(step, predict=True)
    assert [len(getattr(session, name)) for name in PENDING] == [0, 0]


def test_memory_for_interactions_is_zero_without_being_claimed(artifacts: Artifacts, volume: Volume) -> None:
    session = engine_session(artifacts, volume)
    assert session.interactions.dtype == torch.float16
    assert session.interactions.shape == (7, *SHAPE)
    assert not session.interactions.any()


def test_a_prediction_tells_what_it_looks_at_and_refines(artifacts: Artifacts, long: Volume) -> None:
    session = engine_session(artifacts, long)
    told: list[tuple[str, Any]] = []

    class Told:
        def looking(self, bounds: Any) -> None:
            told.append(("looking", bounds))

        def refining(self, patches: Any, coarse: torch.Tensor, bounds: Any) -> None:
            told.append(("refining", patches))
            assert list(coarse.shape) == [b - a for a, b in bounds]
            assert set(np.unique(coarse.numpy()).tolist()) <= {0, 1}

    passes: list[tuple[int, ...]] = []
    network = artifacts["network"]

    def counted(patch: torch.Tensor) -> torch.Tensor:
        passes.append(tuple(patch.shape))
        logits: torch.Tensor = network(patch)
        return logits

    session.network = counted
    session.watcher = Told()
    session.give(VoxelPoint(VoxelIndex(*MIDDLE), include=True), predict=True)
    kinds = [kind for kind, _ in told]
    assert kinds.index("refining") == len(kinds) - 1, "one refinement, after all that is looked at"
    zoomed, patches = len(kinds) - 1, told[-1][1]
    assert len(passes) == zoomed + len(patches), "one pass for each look and each patch, in that order"
    assert set(passes) == {(1, 8, 64, 64, 64)}
    assert [b - a for a, b in told[0][1]] == [64, 64, 64]
    assert all([b - a for a, b in patch] == [64, 64, 64] for patch in patches)


def test_the_only_draw_is_one_choice_in_the_box_planner() -> None:
    root = Path(inspect.getfile(inference_session)).parents[1]
    found = {
        (path.name, line.strip())
        for path in root.rglob("*.py")
        for line in path.read_text(encoding="utf-8").splitlines()
        if "np.random" in line or "torch.rand" in line or "import random" in line
    }
    assert found == {("bboxes.py", "idx = np.random.choice(len(indices))")}


def test_a_guarded_run_draws_what_a_seeded_process_would() -> None:
    mask = torch.zeros((40, 40, 40), dtype=torch.uint8)
    mask[2:38:7, 2:38:7, 2:38:7] = 1
    np.random.seed(5)
    expected = [bboxes.random_sampling_fallback(mask.clone(), (64,) * 3, (24,) * 3, 5) for _ in range(2)]
    np.random.seed(6)
    with package.guarded(5):
        drawn = [bboxes.random_sampling_fallback(mask.clone(), (64,) * 3, (24,) * 3, 5) for _ in range(2)]
    assert drawn == expected
    assert expected[0] != expected[1]


@pytest.mark.parametrize("value", [0.0, 1.0])
@pytest.mark.parametrize("kernel", [3, 7])
@pytest.mark.parametrize("smallest", [True, False])
def test_empty_channels_are_resampled_to_what_the_originals_make_of_them(
    value: float, kernel: int, smallest: bool
) -> None:
    tensor = torch.zeros((1, 1, 30, 31, 32), dtype=torch.float16)
    tensor[..., 12:20, 12:20, 12:20] = value
    pool = inference_session.iterative_3x3_same_padding_pool3d
    plain = pool(tensor, kernel, use_min_pool=smallest), interpolate(tensor, [20, 20, 20], mode="area")
    with package.guarded(0):
        guarded = (
            pool(tensor, kernel, use_min_pool=smallest),
            inference_session.interpolate(tensor, [20, 20, 20], mode="area"),
        )
    assert all(torch.equal(a, b) for a, b in zip(plain, guarded, strict=True))
    assert all(a.dtype == b.dtype for a, b in zip(plain, guarded, strict=True))


def test_sessions_print_to_the_log_only(
    artifacts: Artifacts, volume: Volume, capfd: pytest.CaptureFixture[str]
) -> None:
    engine_session(artifacts, volume).give(prompt("lasso", AROUND, 0, include=True), predict=True)
    assert capfd.readouterr() == ("", "")
