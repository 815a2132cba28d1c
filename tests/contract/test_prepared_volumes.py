"""The normalised volume in the cache: bit for bit the unmodified session's, made once, and shared by segmenters."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from tests.bare_session import BareSession, load_artifacts
from tests.engine_cases import scene
from tests.tiny_model import LICENCE

from delineate.adapters.nninteractive.prepared import NAME, PreparedVolumes, Voxels
from delineate.adapters.nninteractive.segmenter import load_segmenter
from delineate.adapters.volume_cache import FileVolumeCache
from delineate.domain.errors import ConstantVolume
from delineate.domain.volume import Volume, VolumePlan

SHAPE = (20, 36, 40)


def test_segmenters_share_what_a_preload_made(tiny_model: Path, tmp_path: Path) -> None:
    cache = FileVolumeCache(tmp_path / "cache", 10**8)
    made = scene(SHAPE, [((10, 18, 20), 6)])
    volume = cache.load(made.plan, lambda out: np.copyto(out, made.voxels))
    PreparedVolumes(2, cache.derived).get(volume)  # as a worker does, in a process of its own

    def not_again() -> Voxels:
        raise AssertionError("it is in the cache")

    kept = cache.derived(volume.plan, NAME, not_again)
    bare = BareSession(load_artifacts(tiny_model), made.voxels)
    assert np.array_equal(kept, bare.session.preprocessed_image.numpy())
    asked: list[str] = []

    def derived(plan: VolumePlan, name: str, _make: Callable[[], Voxels]) -> Voxels:
        asked.append(name)
        return cache.derived(plan, name, not_again)

    segmenter = load_segmenter(
        str(tiny_model),
        licence_accepted=LICENCE,
        data_dir=tmp_path,
        device="cpu",
        threads=2,
        prepared=PreparedVolumes(2, derived),
    )
    engines = [segmenter.open(volume, user) for user in ("ada", "eve")]
    assert asked == [NAME]
    images = [engine._session.preprocessed_image for engine in engines if engine._session is not None]
    assert images[0].data_ptr() == images[1].data_ptr()
    for engine in engines:
        engine.close()
    segmenter.close()


@pytest.mark.parametrize("value", [0.0, 7.0, np.nan])
def test_a_volume_without_contrast_is_refused(value: float) -> None:
    plan = scene(SHAPE, []).plan
    with pytest.raises(ConstantVolume):
        PreparedVolumes(2).get(Volume(plan, np.full(SHAPE, value, dtype=np.float32)))
