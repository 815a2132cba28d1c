"""The volumes that one series holds, told apart by attributes; never by guessing."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from delineate.adapters.dicom_series.images import Image
from delineate.adapters.dicom_series.placement import Placement, can_be_placed
from delineate.adapters.dicom_series.traits import TRAITS, Role, Trait, Value
from delineate.domain.errors import UnknownVolume, VolumeChoiceRequired

RANK = "trigger"
"""Name of the trait that counts the images at one position by Trigger Time."""
UNITS = {trait.name: trait.unit for trait in TRAITS}
Key = tuple[tuple[str, Value], ...]
"""Name and value of each trait that tells a volume apart."""


@dataclass(frozen=True, slots=True)
class CandidateVolume:
    """Images that belong together, and what tells them apart from the others."""

    key: Key
    images: tuple[Image, ...]

    @property
    def name(self) -> str:
        """The selector: made of the traits' values alone, so that it does not depend on order or count."""
        return "_".join(f"{name}-{_slug(value)}" for name, value in self.key)

    @property
    def label(self) -> str:
        """The same for a person."""
        return ", ".join(_worded(name, value) for name, value in self.key)


def choose(images: Sequence[Image], volume: str | None) -> CandidateVolume:
    """Return the images of the volume asked for.

    Parameters
    ----------
    images
        All images of the series.
    volume
        Its selector; None if the series holds only one.

    Raises
    ------
    VolumeChoiceRequired
        If there are several and none was chosen.
    UnknownVolume
        If there is none of that name.
    """
    found = volumes_of(images)
    if volume is None and len(found) == 1:
        return found[0]
    listed = _listed(found) if len(found) > 1 else ()
    if volume is None:
        raise VolumeChoiceRequired(listed)
    for entry, candidate in zip(listed, found, strict=False):
        if entry["id"] == volume:
            return candidate
    raise UnknownVolume(volume, listed)


def volumes_of(images: Sequence[Image]) -> list[CandidateVolume]:
    """Split images into volumes; one if nothing tells them apart."""
    separated = _split(CandidateVolume((), tuple(images)), _telling(images, "separates"))
    return [volume for candidate in separated for volume in _resolve(candidate)]


def _listed(volumes: Sequence[CandidateVolume]) -> tuple[dict[str, object], ...]:
    seen: dict[str, int] = {}
    entries: list[dict[str, object]] = []
    for volume in volumes:
        seen[volume.name] = count = seen.get(volume.name, 0) + 1
        name = volume.name if count == 1 else f"{volume.name}-{count}"
        example = min(image.sop_instance_uid for image in volume.images)
        entries.append(
            {"id": name, "label": volume.label, "instances": len(volume.images), "sop_instance_uid": example}
        )
    return tuple(entries)


def _telling(images: Sequence[Image], role: Role) -> list[tuple[str, Callable[[Image], Value]]]:
    """Return the traits of a role that differ between the images, with a reader of each."""
    found = []
    for trait in TRAITS:
        if trait.role != role:
            continue
        same = _representatives(trait, [image.traits.get(trait.name) for image in images])
        if len(set(same.values())) > 1:
            found.append((trait.name, _reader(trait.name, same)))
    return found


def _reader(name: str, same: Mapping[Value, Value]) -> Callable[[Image], Value]:
    return lambda image: same[image.traits.get(name)]


def _representatives(trait: Trait, values: Sequence[Value]) -> dict[Value, Value]:
    """Map each value to the one that stands for it: numbers within the trait's tolerance are the same."""
    same: dict[Value, Value] = {}
    kept: list[Value] = []
    for value in sorted(set(values), key=_order):
        near = (other for other in reversed(kept) if _near(value, other, trait.tolerance))
        same[value] = representative = next(near, value)
        if representative is value:
            kept.append(value)
    return same


def _near(one: Value, other: Value, tolerance: float) -> bool:
    if isinstance(one, float) and isinstance(other, float):
        return abs(one - other) <= tolerance
    if isinstance(one, tuple) and isinstance(other, tuple) and len(one) == len(other):
        return all(abs(a - b) <= tolerance for a, b in zip(one, other, strict=True))
    return one == other


def _order(value: Value) -> tuple[int, tuple[float, ...], str]:
    if isinstance(value, float):
        return (1, (value,), "")
    if isinstance(value, tuple):
        return (1, value, "")
    return (0, (), "") if value is None else (2, (), value)


def _split(
    candidate: CandidateVolume, telling: Sequence[tuple[str, Callable[[Image], Value]]]
) -> list[CandidateVolume]:
    """Split by the values of all those traits together."""
    parts: dict[Key, list[Image]] = {}
    for image in candidate.images:
        key = tuple((name, read(image)) for name, read in telling)
        parts.setdefault(key, []).append(image)
    ordered = sorted(parts, key=lambda key: [_order(value) for _, value in key])
    return [CandidateVolume((*candidate.key, *key), tuple(parts[key])) for key in ordered]


def _resolve(candidate: CandidateVolume) -> list[CandidateVolume]:
    """Split further where several images lie at one position, if that makes each position unique."""
    if not can_be_placed(candidate.images) or not _has_duplicates(candidate.images):
        return [candidate]
    contrast = _telling(candidate.images, "resolves contrast")
    split = _split(candidate, contrast)
    if len(split) > 1 and not any(_has_duplicates(part.images) for part in split):
        return split
    levels = len(Placement.of(candidate.images).levels)
    for telling in _telling(candidate.images, "resolves time"):
        split = _split(candidate, [*contrast, telling])
        if _is_complete(split, levels):
            return split
    return _by_rank(candidate) or [candidate]


def _has_duplicates(images: Sequence[Image]) -> bool:
    return any(len(level) > 1 for level in Placement.of(images).levels)


def _is_complete(split: Sequence[CandidateVolume], levels: int) -> bool:
    """Whether each part has exactly one image at each of so many positions."""
    return all(len(part.images) == levels and not _has_duplicates(part.images) for part in split)


def _by_rank(candidate: CandidateVolume) -> list[CandidateVolume] | None:
    """Split by the rank of Trigger Time at each position: in gated series its values differ a little between slices.

    Done only if every position has equally many images, all of different times.
    """
    placement = Placement.of(candidate.images)
    ranked: list[list[Image]] = []
    for level in placement.levels:
        images = [placement.images[n] for n in level]
        times = [time for image in images if isinstance(time := image.traits.get("trigger-time"), float)]
        if len(set(times)) != len(images):
            return None
        order = sorted(range(len(images)), key=times.__getitem__)
        ranked.append([images[n] for n in order])
    if len({len(images) for images in ranked}) != 1:
        return None
    return [
        CandidateVolume((*candidate.key, (RANK, float(n + 1))), tuple(phase))
        for n, phase in enumerate(zip(*ranked, strict=True))
    ]


def _text_of(value: Value) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, tuple):
        return " ".join(f"{component:.4g}" for component in value)
    return "none" if value is None else value


def _slug(value: Value) -> str:
    # Keeps the minus signs of a gradient, so that opposite directions have different names.
    return re.sub(r"[^a-z0-9.-]+", "-", _text_of(value).lower())


def _worded(name: str, value: Value) -> str:
    unit = UNITS.get(name, "")
    return f"{name.replace('-', ' ')} {_text_of(value)}" + (f" {unit}" if unit and value is not None else "")
