"""Series that hold several volumes: listed by name, and each opened by its name."""

from __future__ import annotations

import numpy as np
import pytest
from tests.phantoms import HOSTILE, MULTI, SINGLE, SeveralVolumes, make_kind, make_series, make_volumes

from delineate.adapters.dicom_series import DicomSeriesReader
from delineate.domain.errors import DuplicatePositions, MissingSlice, UnknownVolume, VolumeChoiceRequired

KINDS = [(kind, False) for kind in SINGLE] + [(kind, True) for kind in MULTI]


def choices(headers: list[dict[str, object]]) -> dict[str, dict[str, object]]:
    with pytest.raises(VolumeChoiceRequired) as caught:
        DicomSeriesReader().plan(headers, None)
    return {str(volume["id"]): volume for volume in caught.value.volumes}


def assert_each_opens(series: SeveralVolumes) -> None:
    reader = DicomSeriesReader()
    truth = {volume.slices: volume for volume in series.volumes}
    for name, choice in choices(series.headers()).items():
        plan = reader.plan(series.headers(), name)
        expected = truth.pop(tuple((s.sop_instance_uid, s.frame_number) for s in plan.slices))
        assert np.array_equal(reader.read(plan, series.part10()).voxels, expected.voxels)
        assert np.allclose(plan.geometry.matrix, expected.affine, atol=1e-9)
        assert plan.volume == name
        assert choice["instances"] == len(expected.slices)
    assert truth == {}


@pytest.mark.parametrize(("kind", "multiframe"), KINDS)
def test_volumes_are_listed_and_each_opens(kind: str, *, multiframe: bool) -> None:
    assert_each_opens(make_kind(kind, multiframe=multiframe))


def test_names_do_not_depend_on_the_order_of_headers() -> None:
    series = make_kind("b-value")
    assert list(choices(series.headers())) == list(choices(series.headers()[::-1]))


def test_names_tell_what_differs() -> None:
    assert list(choices(make_kind("echo-time").headers())) == ["echo-time-4.92", "echo-time-7.38"]
    assert "b-value-1000_gradient-0-0.6-0.8" in choices(make_kind("b-value").headers())


def test_an_unknown_name_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UnknownVolume) as caught:
        DicomSeriesReader().plan(make_kind("echo-time").headers(), "echo-time-1")
    assert [volume["id"] for volume in caught.value.volumes] == ["echo-time-4.92", "echo-time-7.38"]


def test_a_series_of_one_volume_has_no_choice() -> None:
    with pytest.raises(UnknownVolume) as caught:
        DicomSeriesReader().plan(make_series(shape=(3, 4, 5)).headers(), "echo-time-1")
    assert caught.value.volumes == ()


def test_localizer_stays_apart_and_the_slices_open() -> None:
    series = HOSTILE["localizer"]()
    named = choices(series.headers())
    slices = next(name for name, volume in named.items() if volume["instances"] == 8)
    assert "localizer" not in slices
    assert DicomSeriesReader().plan(series.headers(), slices).geometry.shape == (8, 10, 12)


def test_a_fault_of_one_volume_does_not_touch_the_other() -> None:
    series = make_kind("echo-time")
    gone = series.volumes[0].sop_uids[2]
    headers = [header for header in series.headers() if header["00080018"]["Value"] != [gone]]
    reader = DicomSeriesReader()
    assert reader.plan(headers, "echo-time-7.38").geometry.shape == (5, 10, 12)
    with pytest.raises(MissingSlice):
        reader.plan(headers, "echo-time-4.92")


def test_halves_of_two_volumes_are_never_stacked() -> None:
    """Two echoes of which different slices arrived: together a regular grid, and yet no volume."""
    series = make_kind("echo-time", shape=(6, 10, 12))
    wanted = {*series.volumes[0].sop_uids[:3], *series.volumes[1].sop_uids[3:]}
    headers = [header for header in series.headers() if header["00080018"]["Value"][0] in wanted]
    assert len(choices(headers)) == 2


def test_nearly_equal_echo_times_are_one() -> None:
    def vary(dataset: object, n: int) -> None:
        dataset.EchoTime = ["4.920", "4.921"][n]  # type: ignore[attr-defined]

    series = make_volumes(vary, 2, modality="MR", shape=(3, 4, 5))
    with pytest.raises(DuplicatePositions):
        DicomSeriesReader().plan(series.headers(), None)


def test_a_time_of_its_own_for_each_slice_separates_nothing() -> None:
    """Each image has another acquisition time: no set of times covers every position."""
    series = make_volumes(lambda *_: None, 2, modality="MR", shape=(4, 4, 5))
    for n, dataset in enumerate(series.datasets):
        dataset.AcquisitionTime = f"1015{n:02}"
    with pytest.raises(DuplicatePositions):
        DicomSeriesReader().plan(series.headers(), None)


def test_multiframe_instances_that_each_hold_a_volume_are_told_apart() -> None:
    first = make_series(shape=(4, 6, 7), modality="MR", multiframe=True)
    second = make_series(
        shape=(4, 6, 7),
        modality="MR",
        multiframe=True,
        seed=1,
        study_uid=first.study_uid,
        series_uid=first.series_uid,
        frame_of_reference_uid=first.frame_of_reference_uid,
    )
    assert_each_opens(SeveralVolumes((*first.datasets, *second.datasets), (first, second)))
