"""A patch gives the other side the same voxels, whatever the labelmaps are."""

from __future__ import annotations

import base64
import contextlib
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.property.strategies import boxes, labelmaps, masks, shapes

from delineate.domain.geometry import Box
from delineate.domain.labelmap import Labelmap, Region, pack, pack_text, true_bounds, unpack, unpack_text

SHAPE = (7, 6, 9)


@given(data=st.data())
def test_packing_round_trips_in_any_shape(data: st.DataObject) -> None:
    shape = data.draw(shapes(0, 11))
    voxels = data.draw(masks(shape))
    assert np.array_equal(unpack(pack(voxels), shape), voxels)
    assert np.array_equal(unpack_text(pack_text(voxels), shape), voxels)


@given(data=st.data())
def test_packing_is_the_format_of_the_contract(data: st.DataObject) -> None:
    """C order, 1 bit each, most significant first, no row padding, raw deflate, base64: decoded by other means."""
    shape = data.draw(shapes(1, 6))
    voxels = data.draw(masks(shape))
    raw = zlib.decompress(base64.b64decode(pack_text(voxels)), wbits=-15)
    bits = "".join(f"{byte:08b}" for byte in raw)
    n_k, n_j, n_i = shape
    assert len(raw) == -(-n_k * n_j * n_i // 8)
    for k, j, i in np.ndindex(*shape):
        assert bits[(k * n_j + j) * n_i + i] == str(int(voxels[k, j, i]))


@given(data=st.data())
def test_any_other_bytes_are_refused_or_give_the_shape(data: st.DataObject) -> None:
    shape = data.draw(shapes(0, 6))
    junk = data.draw(st.binary(max_size=60))
    with contextlib.suppress(ValueError):
        assert unpack(junk, shape).shape == shape


@given(data=st.data())
def test_truncated_or_extended_bytes_are_refused(data: st.DataObject) -> None:
    shape = data.draw(shapes(1, 8))
    packed = pack(data.draw(masks(shape)))
    for wrong in (packed[:-1], packed[: len(packed) // 2], packed + b"\0", packed + packed, b""):
        with pytest.raises(ValueError):
            unpack(wrong, shape)


@given(before=labelmaps(SHAPE), after=labelmaps(SHAPE))
def test_a_change_turns_one_labelmap_into_the_other_and_is_tight(before: Labelmap, after: Labelmap) -> None:
    change = before.change_to(after)
    assert before.apply(change).equals(after)
    assert np.array_equal(before.apply(change).to_array(), after.to_array())
    differs = before.to_array() != after.to_array()
    assert change.box == true_bounds(differs)
    assert before.equals(after) == (not differs.any())


@given(before=labelmaps(SHAPE), data=st.data())
def test_values_are_absolute_so_that_applying_twice_changes_nothing(before: Labelmap, data: st.DataObject) -> None:
    box = data.draw(boxes(SHAPE))
    change = Region(box, data.draw(masks(box.shape)))
    once = before.apply(change)
    expected = before.to_array()
    expected[box.slices] = change.voxels
    assert np.array_equal(once.to_array(), expected)
    assert once.apply(change).equals(once)


@given(chain=st.lists(labelmaps(SHAPE), min_size=2, max_size=5))
def test_changes_applied_in_order_give_the_last_labelmap(chain: list[Labelmap]) -> None:
    """As a viewer applies previews, then the final patch."""
    shown = chain[0].to_array()
    current = chain[0]
    for target in chain[1:]:
        change = current.change_to(target)
        shown[change.box.slices] = change.voxels
        current = target
    assert np.array_equal(shown, chain[-1].to_array())


@given(first=labelmaps(SHAPE), second=labelmaps(SHAPE), third=labelmaps(SHAPE))
def test_one_patch_of_the_union_box_replaces_two(first: Labelmap, second: Labelmap, third: Labelmap) -> None:
    box = first.change_to(second).box.union(second.change_to(third).box)
    assert first.apply(Region(box, third.crop(box))).equals(third)


@given(data=st.data())
def test_region_of_a_labelmap_is_tight_and_holds_all(data: st.DataObject) -> None:
    voxels = data.draw(masks(data.draw(shapes(1, 9))))
    labelmap = Labelmap.from_array(voxels)
    assert labelmap.count == voxels.sum()
    assert labelmap.is_empty == (not voxels.any())
    where = np.argwhere(voxels)
    if len(where):
        assert labelmap.region.box == Box.from_bounds(np.stack([where.min(axis=0), where.max(axis=0) + 1], axis=1))
    assert np.array_equal(labelmap.to_array(), voxels)
    box = data.draw(boxes(labelmap.shape))
    assert np.array_equal(labelmap.crop(box), voxels[box.slices])
