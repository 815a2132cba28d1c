"""Series that hold several volumes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from pydicom.dataset import Dataset
from pydicom.tag import Tag
from tests.phantoms import enhanced
from tests.phantoms.grid import affine_of
from tests.phantoms.plane import decimal
from tests.phantoms.series import (
    PhantomSeries,
    PhantomSpec,
    arranged,
    base_dataset,
    header,
    make_planes,
    make_single,
    part10,
    sources,
    voxels_of,
)

Vary = Callable[[Dataset, int], None]
"""Sets what tells volume n apart, on an instance (single-frame) or a per-frame item (multi-frame)."""


@dataclass(frozen=True, eq=False)
class SeveralVolumes:
    """A series that holds several volumes."""

    datasets: tuple[Dataset, ...]
    volumes: tuple[PhantomSeries, ...]
    """The truth about each; their ``datasets`` are those of the whole series."""

    @property
    def study_uid(self) -> str:
        return self.volumes[0].study_uid

    @property
    def series_uid(self) -> str:
        return self.volumes[0].series_uid

    def part10(self) -> list[bytes]:
        return [part10(dataset) for dataset in self.datasets]

    def headers(self) -> list[dict[str, Any]]:
        return [header(dataset) for dataset in self.datasets]


def make_volumes(vary: Vary, count: int = 2, **options: Any) -> SeveralVolumes:
    """Make a series of ``count`` volumes on one grid, which ``vary`` tells apart."""
    first = PhantomSpec(**options)
    specs = [replace(first, seed=first.seed + n) for n in range(count)]
    affine = affine_of(first.orientation, first.spacing, first.origin)
    planes = [make_planes(spec, affine) for spec in specs]
    if first.multiframe:
        for n, volume in enumerate(planes):
            for plane in volume:
                plane.volume, plane.vary = n, vary
        interleaved = [plane for at_k in zip(*planes, strict=True) for plane in at_k]
        datasets = enhanced.make(first, interleaved, base_dataset)
    else:
        datasets = []
        for n, (spec, volume) in enumerate(zip(specs, planes, strict=True)):
            made = make_single(spec, arranged(spec, volume))
            for dataset in made:
                dataset.InstanceNumber += n * first.shape[0]
                vary(dataset, n)
            datasets.extend(made)
    volumes = tuple(
        PhantomSeries(spec, tuple(datasets), voxels_of(volume), affine, sources(volume))
        for spec, volume in zip(specs, planes, strict=True)
    )
    return SeveralVolumes(tuple(datasets), volumes)


def _item(**attributes: object) -> Dataset:
    item = Dataset()
    for keyword, value in attributes.items():
        setattr(item, keyword, value)
    return item


def _set(keyword: str, *values: object) -> Vary:
    def vary(dataset: Dataset, n: int) -> None:
        setattr(dataset, keyword, values[n])

    return vary


def _trigger_time(dataset: Dataset, n: int) -> None:
    dataset.TriggerTime = decimal(40.0 * n + 0.1 * (int(dataset.InstanceNumber) % 7), 3)


def _diffusion(dataset: Dataset, n: int) -> None:
    """Two gradients of one b-value after an image without gradient."""
    dataset.DiffusionBValue = [0.0, 1000.0, 1000.0][n]
    if n:
        dataset.DiffusionGradientOrientation = [[1.0, 0.0, 0.0], [0.0, 0.6, 0.8]][n - 1]


def _enhanced_diffusion(item: Dataset, n: int) -> None:
    diffusion = _item(DiffusionBValue=[0.0, 1000.0, 1000.0][n], DiffusionDirectionality=["NONE", "DIRECTIONAL"][n > 0])
    if n:
        gradient = _item(DiffusionGradientOrientation=[[1.0, 0.0, 0.0], [0.0, 0.6, 0.8]][n - 1])
        diffusion.DiffusionGradientDirectionSequence = [gradient]
    item.MRDiffusionSequence = [diffusion]


def _enhanced_temporal(item: Dataset, n: int) -> None:
    item.FrameContentSequence[0].TemporalPositionIndex = n + 1


def _enhanced_phase(item: Dataset, n: int) -> None:
    item.CardiacSynchronizationSequence = [_item(NominalPercentageOfCardiacPhase=[10.0, 60.0][n])]


def _enhanced_echo(item: Dataset, n: int) -> None:
    item.MREchoSequence = [_item(EffectiveEchoTime=[4.5, 9.0][n])]


def _enhanced_frame_type(item: Dataset, n: int) -> None:
    item.MRImageFrameTypeSequence = [_item(FrameType=["ORIGINAL", "PRIMARY", "DIXON", ["WATER", "FAT"][n]])]


def _enhanced_index(item: Dataset, n: int) -> None:
    """Only a third dimension index, of an attribute that nothing else is known of."""
    content = item.FrameContentSequence[0]
    content.DimensionIndexValues = [*content.DimensionIndexValues, n + 1]


SINGLE: dict[str, tuple[Vary, int]] = {
    "temporal-position": (_set("TemporalPositionIdentifier", 1, 2, 3), 3),
    "cardiac-phase": (_set("NominalPercentageOfCardiacPhase", 40.0, 75.0), 2),
    "trigger-time": (_trigger_time, 3),
    "b-value": (_diffusion, 3),
    "echo-time": (_set("EchoTime", "4.92", "7.38"), 2),
    "image-type": (_set("ImageType", ["DERIVED", "PRIMARY", "W"], ["DERIVED", "PRIMARY", "F"]), 2),
    "frame-reference-time": (_set("FrameReferenceTime", "5000", "15000"), 2),
    "acquisition-time": (_set("AcquisitionTime", "101500.25", "101530.5"), 2),
}
"""What tells the volumes of a single-frame series apart, and how many there are."""
MULTI: dict[str, tuple[Vary, int]] = {
    "temporal-position": (_enhanced_temporal, 2),
    "cardiac-phase": (_enhanced_phase, 2),
    "b-value": (_enhanced_diffusion, 3),
    "echo-time": (_enhanced_echo, 2),
    "image-type": (_enhanced_frame_type, 2),
    "dimension-index": (_enhanced_index, 2),
}
"""The same for enhanced multi-frame."""


def make_kind(kind: str, *, multiframe: bool = False, **options: Any) -> SeveralVolumes:
    """Make a series of several volumes of a kind named in SINGLE or MULTI."""
    vary, count = (MULTI if multiframe else SINGLE)[kind]
    series = make_volumes(vary, count, **({"modality": "MR", "shape": (5, 10, 12), "multiframe": multiframe} | options))
    if kind == "dimension-index":
        for dataset in series.datasets:
            organization = dataset.DimensionOrganizationSequence[0].DimensionOrganizationUID
            dataset.DimensionIndexSequence.append(
                _item(DimensionOrganizationUID=organization, DimensionIndexPointer=Tag("InversionTimes"))
            )
    return series
