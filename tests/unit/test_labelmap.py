"""Labelmaps and their wire format: limits and refusals."""

from __future__ import annotations

import base64
import tracemalloc
import zlib

import numpy as np
import pytest

from delineate.domain.geometry import Box
from delineate.domain.labelmap import Labelmap, Region, pack, true_bounds, unpack, unpack_text


def test_a_zip_bomb_is_inflated_no_further_than_the_shape() -> None:
    compressor = zlib.compressobj(9, zlib.DEFLATED, -15)
    bomb = compressor.compress(bytes(20_000_000)) + compressor.flush()
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match="once inflated"):
            unpack(bomb, (10, 10, 10))
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("shape", [(1024, 1024, 1025), (2**32, 2**32, 2)])
def test_a_shape_that_is_too_large_is_refused_before_anything_is_inflated(shape: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError, match="more than 1073741824"):
        unpack(b"", shape)


@pytest.mark.parametrize("text", ["é", "a", "====", "AA AA"])
def test_text_that_is_not_base64_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="base64"):
        unpack_text(text, (1, 1, 1))


def test_a_preset_dictionary_or_other_container_is_refused() -> None:
    raw = np.packbits(np.ones(8, dtype=np.bool_)).tobytes()
    for data in (zlib.compress(raw), raw, base64.b64encode(raw)):
        with pytest.raises(ValueError):
            unpack(data, (2, 2, 2))


def test_a_region_has_the_shape_and_type_of_its_box() -> None:
    with pytest.raises(ValueError, match="boolean voxels"):
        Region(Box((0, 0, 0), (1, 1, 1)), np.zeros((1, 1, 2), dtype=np.bool_))
    with pytest.raises(ValueError, match="boolean voxels"):
        Region(Box((0, 0, 0), (1, 1, 1)), np.zeros((1, 1, 1), dtype=np.uint8))


def test_a_labelmap_lies_inside_its_volume() -> None:
    with pytest.raises(ValueError, match="outside the volume"):
        Labelmap((2, 2, 2), Region(Box((1, 1, 1), (3, 2, 2)), np.ones((2, 1, 1), dtype=np.bool_)))


def test_a_labelmap_cannot_be_changed_behind_its_back() -> None:
    voxels = np.ones((2, 2, 2), dtype=np.bool_)
    labelmap = Labelmap.from_array(voxels)
    voxels[:] = False
    assert labelmap.count == 8
    with pytest.raises(ValueError, match="read-only"):
        labelmap.region.voxels[0, 0, 0] = False
    labelmap.to_array()[:] = False
    labelmap.crop(Box((0, 0, 0), (1, 1, 1)))[:] = False
    assert labelmap.count == 8


def test_from_array_takes_numbers() -> None:
    array = np.zeros((3, 3, 3), dtype=np.int16)
    array[1, 2, 0] = -7
    labelmap = Labelmap.from_array(array)
    assert labelmap.region.box == Box((1, 2, 0), (2, 3, 1))


def test_an_empty_change_gives_the_same_labelmap() -> None:
    labelmap = Labelmap.from_array(np.ones((2, 2, 2), dtype=np.bool_))
    assert labelmap.apply(Region.empty()) is labelmap
    assert labelmap.change_to(labelmap).box.is_empty
    assert Labelmap((2, 2, 2)).change_to(Labelmap((2, 2, 2))).box.is_empty


def test_bounds_of_nothing() -> None:
    assert true_bounds(np.zeros((0, 3, 2), dtype=np.bool_)).is_empty
    assert true_bounds(np.zeros((4, 3, 2), dtype=np.bool_)).is_empty


def test_a_large_organ_takes_few_bytes() -> None:
    """Whole-byte rows compress best; the wire takes any box."""
    k, j, i = np.ogrid[-75:75, -75:75, -76:76]
    organ = k**2 + j**2 + i**2 < 70**2
    text = pack(organ)
    assert len(text) < 20_000
    assert np.array_equal(unpack(text, (150, 150, 152)), organ)
