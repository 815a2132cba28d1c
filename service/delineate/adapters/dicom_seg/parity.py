"""Frames that make a bit-packed segmentation's Pixel Data even, for viewers that cannot take the padding byte.

``docs/adr/0004-odd-packed-length-of-binary-seg.md`` tells why.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count


def packed_length(frames: int, pixels_per_frame: int) -> int:
    """Return the bytes that 1-bit frames take, packed without gaps (PS3.5 8.1.1), before padding to even length."""
    return (frames * pixels_per_frame + 7) // 8


def extra_frames(frames: int, pixels_per_frame: int) -> int:
    """Return how many empty frames make the packed length even; 0 if it is."""
    return next(n for n in count() if packed_length(frames + n, pixels_per_frame) % 2 == 0)


def empty_frames(used: Sequence[Sequence[int]], slices: int, pixels_per_frame: int) -> list[tuple[int, int]]:
    """Choose which segment gets an empty frame at which slice.

    Parameters
    ----------
    used
        For each segment, the slices (k) that hold some of it, in ascending order, at least one.
    slices
        Number of slices of the volume.
    pixels_per_frame
        Rows times columns.

    Returns
    -------
    (segment index, k) pairs: slices that the segmentation has already first, then those next to the segment. Empty if
    the length is even as it is, or if there are too few empty slices to make it so.
    """
    wanted = extra_frames(sum(map(len, used)), pixels_per_frame)
    present = set().union(*used)
    free = [
        (k not in present, _distance(k, own), segment, k)
        for segment, own in enumerate(used)
        for k in sorted(set(range(slices)).difference(own))
    ]
    if wanted == 0 or len(free) < wanted:
        return []
    return [(segment, k) for _, _, segment, k in sorted(free)[:wanted]]


def _distance(k: int, own: Sequence[int]) -> int:
    return max(own[0] - k, k - own[-1], 0)
