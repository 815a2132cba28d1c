"""Every fault of a series is named, with its instances and positions."""

from __future__ import annotations

import contextlib

import numpy as np
import pytest
from tests.phantoms import HOSTILE, HostileSeries, make_series

from delineate.adapters.dicom_series import DicomSeriesReader
from delineate.domain.errors import MissingGeometry, NotAnImage, SeriesError
from delineate.domain.volume import Volume


def read(series: HostileSeries) -> Volume:
    reader = DicomSeriesReader()
    plan = reader.plan(series.headers(), None)
    assert series.needs_pixels, "the headers should have been refused"
    return reader.read(plan, series.part10())


def assert_members(error: SeriesError, hostile: HostileSeries) -> None:
    for name, expected in hostile.members.items():
        found = getattr(error, name)
        if name == "positions":
            assert np.allclose(np.array(found), np.array(expected), atol=1e-3)
        else:
            assert sorted(found) == sorted(expected)
    for text in hostile.mentions:
        assert text in error.detail


@pytest.mark.parametrize("name", HOSTILE)
def test_fault_is_named(name: str) -> None:
    hostile = HOSTILE[name]()
    with pytest.raises(SeriesError) as caught:
        read(hostile)
    assert type(caught.value) is hostile.leaf
    assert_members(caught.value, hostile)


def test_no_instances_are_no_image() -> None:
    with pytest.raises(NotAnImage):
        DicomSeriesReader().plan([], None)


@pytest.mark.parametrize(
    "value", [[], ["a", 0, 0], [0, 0], [0, 0, float("nan")], [0, 0, 1e300], [None, 0, 0], [{}, 0, 0]]
)
def test_malformed_position_is_missing_geometry(value: list[object]) -> None:
    headers = make_series(shape=(3, 4, 5)).headers()
    headers[1]["00200032"] = {"vr": "DS", "Value": value}
    with pytest.raises(MissingGeometry) as caught:
        DicomSeriesReader().plan(headers, None)
    assert caught.value.attributes == ("ImagePositionPatient",)


@pytest.mark.parametrize("tag", ["00200032", "00200037", "00280030", "00280010", "00280004", "00080008", "00080016"])
@pytest.mark.parametrize("element", [{}, {"vr": "UN", "InlineBinary": "AAAA"}, {"vr": "DS", "Value": 3}, 17, None])
def test_malformed_headers_are_refused_by_name_or_taken(tag: str, element: object) -> None:
    headers = make_series(shape=(3, 4, 5)).headers()
    headers[1][tag] = element
    with contextlib.suppress(SeriesError):
        DicomSeriesReader().plan(headers, None)
