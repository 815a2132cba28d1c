"""The nnInteractive adapter against the unmodified session: the same voxels, whatever happened in between."""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.bare_session import Artifacts, BareSession, load_artifacts
from tests.engine_cases import KINDS, Kind, Steps, elongated, make_volume, mixed_prompts, never, prompt, scene
from tests.tiny_model import LICENCE, write_tiny_model

from delineate.adapters.nninteractive.engine import NnInteractiveEngine
from delineate.adapters.nninteractive.segmenter import NnInteractiveSegmenter, load_segmenter
from delineate.domain.errors import (
    ConstantVolume,
    PredictionFailed,
    PromptCancelled,
    PromptMalformed,
    SessionClosed,
)
from delineate.domain.geometry import Box, VoxelIndex
from delineate.domain.labelmap import Labelmap, Region
from delineate.domain.ports import SegmentHistory
from delineate.domain.prompts import VoxelBox, VoxelPoint, VoxelPrompt, VoxelStroke
from delineate.domain.volume import Volume

THREADS = 2
SMALL = (40, 48, 56)
BALL = (20, 24, 28)
LONG = (32, 48, 110)
MIDDLE = (16, 24, 55)
SEED = 7


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_model(tmp_path_factory.mktemp("model") / "tiny")


@pytest.fixture(scope="module")
def segmenter(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[NnInteractiveSegmenter]:
    data_dir = tmp_path_factory.mktemp("data")
    segmenter = load_segmenter(str(folder), licence_accepted=LICENCE, data_dir=data_dir, device="cpu", threads=THREADS)
    yield segmenter
    segmenter.close()


@pytest.fixture(scope="module")
def artifacts(folder: Path) -> Artifacts:
    return load_artifacts(folder, threads=THREADS)


@pytest.fixture(scope="module")
def small() -> Volume:
    return scene(SMALL, [(BALL, 9), ((8, 8, 8), 5)])


@pytest.fixture(scope="module")
def long() -> Volume:
    """Reaches beyond the model's crop: AutoZoom zooms out, refines, and draws at random."""
    return elongated(LONG, (5, 5, 36))


Bare = Callable[[Volume], BareSession]


@pytest.fixture(scope="module")
def bare(artifacts: Artifacts) -> Bare:
    return lambda volume: BareSession(artifacts, volume.voxels, threads=THREADS)


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("include", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_every_prompt_gives_the_voxels_of_the_bare_session(
    segmenter: NnInteractiveSegmenter, bare: Bare, small: Volume, kind: Kind, include: bool, axis: int
) -> None:
    steps, reference = Steps(segmenter.open(small, "u"), SMALL), bare(small)
    first = VoxelPoint(VoxelIndex(*BALL), include=True)
    second = prompt(kind, (18, 26, 30), axis, include=include)
    assert steps.add(first).equals(reference.prompt([first], SEED))
    before = steps.labelmap
    assert steps.add(second).equals(reference.prompt([second], SEED))
    assert not before.equals(steps.labelmap), "a prompt that changes nothing proves nothing"


@pytest.mark.parametrize("kind", KINDS)
def test_refinement_gives_the_voxels_of_the_bare_session(
    segmenter: NnInteractiveSegmenter, bare: Bare, long: Volume, kind: Kind
) -> None:
    steps, reference = Steps(segmenter.open(long, "u"), LONG), bare(long)
    for number, step in enumerate(
        (prompt(kind, MIDDLE, 0, include=True), prompt("point", (16, 24, 85), 0, include=False))
    ):
        assert steps.add(step, seed=number).equals(reference.prompt([step], number))
    assert steps.outcomes[0].passes > 3


def test_prompts_of_one_step_are_given_together(segmenter: NnInteractiveSegmenter, bare: Bare, small: Volume) -> None:
    prompts = mixed_prompts(4, SMALL)
    steps, reference = Steps(segmenter.open(small, "u"), SMALL), bare(small)
    assert steps.add(*prompts[:3]).equals(reference.prompt(prompts[:3], SEED))
    assert steps.add(prompts[3]).equals(reference.prompt([prompts[3]], SEED))
    assert [o.passes for o in steps.outcomes] == [1, 1]


def test_from_any_of_twenty_levels_the_next_prompt_is_as_without_the_detour(
    segmenter: NnInteractiveSegmenter, bare: Bare, small: Volume
) -> None:
    prompts = mixed_prompts(20, SMALL)
    engine, reference = segmenter.open(small, "u"), bare(small)
    steps = Steps(engine, SMALL)
    for number, step in enumerate(prompts):
        assert steps.add(step, seed=number).equals(reference.prompt([step], number)), number
    for level in np.random.default_rng(5).permutation(20).tolist():
        history, step = steps.histories[level], prompts[level]
        again = engine.run(history, [step], state=f"again {level}", seed=level, cancelled=never)
        assert history.labelmap.apply(again.change).equals(steps.histories[level + 1].labelmap), level


def test_a_labelmap_without_prompts_is_where_the_bare_session_starts_from_an_initial_segmentation(
    segmenter: NnInteractiveSegmenter, bare: Bare, small: Volume
) -> None:
    voxels = np.zeros(SMALL, dtype=np.bool_)
    voxels[10:25, 12:30, 14:40] = True
    given = Labelmap.from_array(voxels)
    steps, reference = Steps(segmenter.open(small, "u"), SMALL), bare(small)
    steps.add(prompt("point", (8, 8, 8), 0, include=True))
    steps.histories.append(SegmentHistory("manual", given))
    reference.start_from(given)
    for step in mixed_prompts(3, SMALL):
        assert steps.add(step).equals(reference.prompt([step], SEED))


def test_two_segments_on_one_engine_do_not_know_of_each_other(
    segmenter: NnInteractiveSegmenter, bare: Bare, small: Volume
) -> None:
    engine = segmenter.open(small, "u")
    segments = [Steps(engine, SMALL, name) for name in "ab"]
    references = [bare(small) for _ in segments]
    for number, step in enumerate(mixed_prompts(8, SMALL)):
        one = number % 2
        assert segments[one].add(step).equals(references[one].prompt([step], SEED))


class Broken(Exception):
    """What a model might raise."""


def _cancel(engine: NnInteractiveEngine, history: SegmentHistory, step: VoxelPrompt) -> None:
    asked: list[None] = []

    def cancelled() -> bool:
        asked.append(None)
        return len(asked) > 5

    with pytest.raises(PromptCancelled):
        engine.run(history, [step], state="cancelled", seed=1, cancelled=cancelled)


def _break(engine: NnInteractiveEngine, history: SegmentHistory, step: VoxelPrompt) -> None:
    def cancelled() -> bool:
        raise Broken

    with pytest.raises(PredictionFailed, match="Broken"):
        engine.run(history, [step], state="broken", seed=1, cancelled=cancelled)


@pytest.mark.parametrize("disturb", [_cancel, _break])
def test_after_a_cancelled_or_failed_run_the_engine_is_as_if_never_called(
    segmenter: NnInteractiveSegmenter,
    bare: Bare,
    long: Volume,
    disturb: Callable[[NnInteractiveEngine, SegmentHistory, VoxelPrompt], None],
) -> None:
    engine, reference = segmenter.open(long, "u"), bare(long)
    steps = Steps(engine, LONG)
    first, second = prompt("point", (16, 24, 90), 0, include=False), prompt("box", MIDDLE, 1, include=True)
    disturb(engine, steps.histories[0], prompt("lasso", MIDDLE, 0, include=True))
    assert steps.add(first).equals(reference.prompt([first], SEED))
    disturb(engine, steps.histories[1], prompt("lasso", MIDDLE, 0, include=True))
    assert steps.add(second).equals(reference.prompt([second], SEED))


def test_previews_lead_to_the_final_labelmap(segmenter: NnInteractiveSegmenter, long: Volume) -> None:
    engine = segmenter.open(long, "u")
    plain = Steps(segmenter.open(long, "v"), LONG)
    history = plain.histories[0]
    for number, step in enumerate(
        (prompt("point", (16, 24, 90), 0, include=False), prompt("point", MIDDLE, 0, include=True))
    ):
        plain.add(step)
        shown: list[Region] = []
        outcome = engine.run(history, [step], state=f"s{number}", seed=SEED, cancelled=never, preview=shown.append)
        assert outcome.passes == plain.outcomes[-1].passes
        assert len(shown) > 2 if outcome.passes > 3 else not shown
        after = history.labelmap
        for region in shown:
            assert Box((0, 0, 0), LONG).contains(region.box)
            after = after.apply(region)
        assert after.equals(plain.labelmap), "the previews alone"
        assert after.apply(outcome.change).equals(plain.labelmap), "and the final change after them"
        assert history.labelmap.apply(outcome.change).equals(plain.labelmap), "and the final change alone"
        history = SegmentHistory(f"s{number}", plain.labelmap, (*history.prompts, step))
    assert plain.outcomes[-1].passes > 3


def test_random_draws_belong_to_the_run_even_when_runs_are_parallel(
    segmenter: NnInteractiveSegmenter, long: Volume, bare: Bare
) -> None:
    step = prompt("point", MIDDLE, 0, include=True)
    seeds = (11, 12)
    alone = [bare(long).prompt([step], seed) for seed in seeds]
    together: dict[int, Labelmap] = {}

    def work(seed: int) -> None:
        together[seed] = Steps(segmenter.open(long, f"user {seed}"), LONG).add(step, seed=seed)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in seeds]
    state = np.random.get_state(legacy=False)["state"]["key"].tolist()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    now = np.random.get_state(legacy=False)["state"]["key"].tolist()
    assert now == state, "the process's own generator is left alone"
    assert all(together[seed].equals(expected) for seed, expected in zip(seeds, alone, strict=True))


def test_engines_on_one_series_share_its_normalised_volume_and_the_last_releases_it(
    segmenter: NnInteractiveSegmenter,
) -> None:
    gc.collect()
    before = len(segmenter._prepared)
    volume = scene(SMALL, [(BALL, 9)], seed=77)
    again = Volume(volume.plan, volume.voxels.copy())
    other = Volume(volume.plan, volume.voxels + np.float32(1.0))
    engines = [segmenter.open(v, "u") for v in (volume, again, other)]
    pointers = [e._session.preprocessed_image.data_ptr() for e in engines if e._session is not None]
    assert pointers[0] == pointers[1] != pointers[2]
    assert len(segmenter._prepared) == before + 2
    for engine in engines:
        engine.close()
    gc.collect()
    assert len(segmenter._prepared) == before
    with pytest.raises(SessionClosed):
        Steps(engines[0], SMALL).add(prompt("point", BALL, 0, include=True))


REFUSED: dict[str, VoxelPrompt] = {
    "point outside": VoxelPoint(VoxelIndex(40, 0, 0), include=True),
    "point before the volume": VoxelPoint(VoxelIndex(0, -1, 0), include=True),
    "box outside": VoxelBox(Box((0, 0, 0), (1, 49, 5)), include=True),
    "empty box": VoxelBox(Box((3, 3, 3), (3, 5, 5)), include=True),
    "box on many slices": VoxelBox(Box((3, 3, 3), (5, 5, 5)), include=True),
    "empty scribble": VoxelStroke("scribble", Region(Box((3, 3, 3), (4, 5, 5)), np.zeros((1, 2, 2), np.bool_)), True),
    "lasso outside": VoxelStroke("lasso", Region(Box((39, 3, 3), (41, 4, 4)), np.ones((2, 1, 1), np.bool_)), True),
}


@pytest.mark.parametrize("refused", REFUSED.values(), ids=REFUSED)
def test_what_the_session_would_break_on_is_refused_before_it(
    segmenter: NnInteractiveSegmenter, bare: Bare, small: Volume, refused: VoxelPrompt
) -> None:
    steps, reference = Steps(segmenter.open(small, "u"), SMALL), bare(small)
    first = prompt("point", BALL, 0, include=True)
    steps.add(first)
    reference.prompt([first], SEED)
    with pytest.raises(PromptMalformed):
        steps.add(first, refused)
    assert steps.add(first).equals(reference.prompt([first], SEED))


@pytest.mark.parametrize("value", [0.0, 5.0, np.nan])
def test_a_volume_without_contrast_is_refused(segmenter: NnInteractiveSegmenter, value: float) -> None:
    with pytest.raises(ConstantVolume):
        segmenter.open(make_volume(np.full((8, 8, 8), value, dtype=np.float32), f"1.{value}"), "u")


def test_nothing_is_printed(
    segmenter: NnInteractiveSegmenter, small: Volume, capfd: pytest.CaptureFixture[str]
) -> None:
    Steps(segmenter.open(small, "u"), SMALL).add(prompt("box", BALL, 0, include=True))
    assert capfd.readouterr() == ("", "")


def test_the_model_describes_itself(segmenter: NnInteractiveSegmenter) -> None:
    info = segmenter.info
    assert (info.id, info.demo, info.licence, info.version) == ("tiny", False, LICENCE, "nnInteractive 2.6.0")
    assert info.prompts == ("point", "box", "scribble", "lasso", "labelmap")
    assert info.oblique_prompts == ("point",)
    assert info.scribble_thickness_voxels == 2
    assert info.crop_shape == (64, 64, 64)
    assert len(info.weights_sha256) == 64
    assert replace(info) == info


def test_the_demo_model_gives_the_voxels_of_the_bare_session(tmp_path: Path) -> None:
    from delineate.adapters.nninteractive.checkpoint import DEMO_FOLDER

    segmenter = load_segmenter("demo", licence_accepted=None, data_dir=tmp_path, device="cpu", threads=THREADS)
    assert segmenter.info.demo
    shape = (60, 70, 130)
    volume = elongated(shape, (12, 14, 50))
    steps = Steps(segmenter.open(volume, "u"), shape)
    reference = BareSession(DEMO_FOLDER, volume.voxels, threads=THREADS)
    middle = (30, 35, 65)
    for step in (prompt("scribble", middle, 0, include=True), prompt("box", (30, 35, 20), 1, include=False)):
        assert steps.add(step).equals(reference.prompt([step], SEED))
    assert steps.labelmap.count > 0
    segmenter.close()
