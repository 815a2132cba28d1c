"""Lengths of Pixel Data that viewers can take."""

from __future__ import annotations

import io

import numpy as np
import pydicom
import pytest
from tests.phantoms import make_series
from tests.readers.acceptances import acceptance_of
from tests.readers.by_position import position_masks
from tests.readers.cases import overlapping, three_slices

from delineate.adapters.dicom_seg import DicomSegCodec
from delineate.adapters.dicom_seg.parity import empty_frames, packed_length, suits_all, suits_ohif


def test_packed_length() -> None:
    assert [packed_length(f, b) for f, b in ((1, 8), (1, 9), (3, 72), (2, 460), (0, 5))] == [1, 2, 27, 115, 0]


def test_whole_bytes_have_to_be_even_and_split_bytes_odd() -> None:
    assert suits_ohif(2, 72)
    assert not suits_ohif(3, 72)
    assert suits_ohif(1, 460)
    assert not suits_ohif(12, 460)
    assert suits_ohif(11, 437)


def test_a_length_that_fits_frames_padded_one_by_one_is_ambiguous() -> None:
    assert suits_ohif(4, 45901)
    assert not suits_all(4, 45901)
    assert suits_all(2, 72)


@pytest.mark.parametrize("bits", [8, 64, 72, 99, 437, 460, 45901, 262144])
@pytest.mark.parametrize("slices", [range(3, 4), range(3, 9), range(20)])
def test_enough_empty_slices_always_cure(bits: int, slices: range) -> None:
    chosen = empty_frames([list(slices)], 60, bits)
    assert suits_all(len(slices) + len(chosen), bits)
    assert len(chosen) <= 20
    assert not {k for _, k in chosen} & set(slices)
    assert not any(suits_all(len(slices) + n, bits) for n in range(len(chosen)))


def test_no_frame_where_none_helps_or_there_is_no_room() -> None:
    assert empty_frames([[0, 1, 2]], 9, 4096) == []
    assert empty_frames([[0, 1, 2]], 3, 72) == []


def test_slices_in_use_come_first_then_the_nearest() -> None:
    assert empty_frames([[4, 5], [5, 6, 7]], 12, 72) == [(0, 6)]
    assert empty_frames([[4, 5, 6]], 12, 72) == [(0, 3)]
    assert empty_frames([[0, 1, 2]], 12, 72) == [(0, 3)]


@pytest.mark.parametrize("shape", [(12, 8, 9), (12, 20, 23), (12, 9, 11)])
@pytest.mark.parametrize("encoding", ["BINARY", "LABELMAP"])
def test_the_extra_frames_are_empty(shape: tuple[int, int, int], encoding: str) -> None:
    series = make_series(shape=shape)
    masks = three_slices(shape)
    seg = DicomSegCodec().encode(acceptance_of(series, masks, encoding=encoding), series.headers())
    dataset = pydicom.dcmread(io.BytesIO(seg))
    assert suits_all(dataset.NumberOfFrames, dataset.Rows * dataset.Columns * dataset.BitsAllocated)
    assert np.array_equal(position_masks(seg, series)[1], masks[0])


def test_the_extra_frame_makes_no_overlap() -> None:
    shape = (12, 8, 9)
    series = make_series(shape=shape)
    lone = three_slices(shape)[0]
    codec = DicomSegCodec()
    for masks, overlap in ([lone], "NO"), (overlapping(shape), "YES"), ([lone, np.roll(lone, 3, axis=0) & ~lone], "NO"):
        seg = codec.encode(acceptance_of(series, masks), series.headers())
        assert pydicom.dcmread(io.BytesIO(seg)).SegmentsOverlap == overlap
        read = position_masks(seg, series)
        assert all(np.array_equal(read[n], mask) for n, mask in enumerate(masks, 1))
