"""Empty frames that give a segmentation's Pixel Data a length that viewers read right, or refuse.

``docs/adr/0004-odd-packed-length-of-binary-seg.md`` and ``docs/adr/0005-unaligned-frames-of-binary-seg.md`` tell why.
"""

from __future__ import annotations

from collections.abc import Sequence


def packed_length(frames: int, bits_per_frame: int) -> int:
    """Return the bytes that frames take, packed without gaps (PS3.5 8.1.1), before padding to even length."""
    return (frames * bits_per_frame + 7) // 8


def suits_ohif(frames: int, bits_per_frame: int) -> bool:
    """Whether OHIF 3.13.2 reads so many frames right, or asks the archive for each frame instead of scrambling them.

    Frames of whole bytes have to fill an even length. Frames that begin within a byte are scrambled, unless a padding
    byte makes the reader give up; a lone frame begins with a byte.
    """
    is_even = packed_length(frames, bits_per_frame) % 2 == 0
    return is_even if bits_per_frame % 8 == 0 else frames == 1 or not is_even


def suits_all(frames: int, bits_per_frame: int) -> bool:
    """Whether in addition the other reader of OHIF's packages does not take the frames for padded one by one."""
    padded = packed_length(frames, bits_per_frame) + packed_length(frames, bits_per_frame) % 2
    is_ambiguous = frames > 1 and bits_per_frame % 8 != 0 and padded == frames * packed_length(1, bits_per_frame)
    return suits_ohif(frames, bits_per_frame) and not is_ambiguous


def empty_frames(used: Sequence[Sequence[int]], slices: int, bits_per_frame: int) -> list[tuple[int, int]]:
    """Choose which segment gets an empty frame at which slice.

    Parameters
    ----------
    used
        For each segment, the slices (k) that hold some of it, in ascending order, at least one.
    slices
        Number of slices of the volume.
    bits_per_frame
        Of Pixel Data.

    Returns
    -------
    (segment index, k) pairs: slices that the segmentation has already first, then those next to the segment. Empty if
    none is needed, or if there are too few slices without the segment.
    """
    frames = sum(map(len, used))
    present = set().union(*used)
    free = [
        (k not in present, _distance(k, own), segment, k)
        for segment, own in enumerate(used)
        for k in sorted(set(range(slices)).difference(own))
    ]
    enough = (
        extra
        for suits in (suits_all, suits_ohif)
        for extra in range(len(free) + 1)
        if suits(frames + extra, bits_per_frame)
    )
    return [(segment, k) for _, _, segment, k in sorted(free)[: next(enough, 0)]]


def _distance(k: int, own: Sequence[int]) -> int:
    return max(own[0] - k, k - own[-1], 0)
