"""Series whose instances are no usable images, each with the error that must name why."""

from __future__ import annotations

import numpy as np
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate, generate_frames
from pydicom.uid import UID, RLELossless
from tests.phantoms.hostile import HOSTILE, HostileSeries, Maker, hostile, plain, with_new_uid
from tests.phantoms.pixels import COMPRESSED, TRANSFER_SYNTAXES
from tests.phantoms.series import copies, make_series

from delineate.domain import errors

DOCUMENTS = {
    "SR": "1.2.840.10008.5.1.4.1.1.88.22",
    "PR": "1.2.840.10008.5.1.4.1.1.11.1",
    "KO": "1.2.840.10008.5.1.4.1.1.88.59",
}
OF_IMAGES = (
    *("Rows", "Columns", "PixelData", "SamplesPerPixel", "PhotometricInterpretation", "BitsAllocated", "BitsStored"),
    *("HighBit", "PixelRepresentation", "PixelSpacing", "ImagePositionPatient", "ImageOrientationPatient"),
    *("RescaleSlope", "RescaleIntercept", "RescaleType"),
)


@hostile
def rgb() -> HostileSeries:
    series, datasets = plain()
    for dataset in datasets:
        dataset.SamplesPerPixel, dataset.PhotometricInterpretation, dataset.PlanarConfiguration = 3, "RGB", 0
        dataset.BitsAllocated = dataset.BitsStored = 8
        dataset.HighBit = 7
        dataset.PixelData = bytes(3 * 10 * 12)
    return HostileSeries(tuple(datasets), errors.UnsupportedPixels, {"instances": series.sop_uids}, ("RGB",))


@hostile
def mixed_photometric_interpretation() -> HostileSeries:
    series, datasets = plain()
    datasets[4].PhotometricInterpretation = "MONOCHROME1"
    uid = series.sop_uids[4]
    return HostileSeries(
        tuple(datasets), errors.UnsupportedPixels, {"instances": (uid,)}, (uid, "Photometric Interpretation")
    )


@hostile
def palette_colour() -> HostileSeries:
    series, datasets = plain()
    datasets[0].PhotometricInterpretation = "PALETTE COLOR"
    for colour in ("Red", "Green", "Blue"):
        setattr(datasets[0], f"{colour}PaletteColorLookupTableDescriptor", [4096, 0, 16])
        setattr(datasets[0], f"{colour}PaletteColorLookupTableData", bytes(8192))
    return HostileSeries(
        tuple(datasets), errors.UnsupportedPixels, {"instances": (series.sop_uids[0],)}, ("PALETTE COLOR",)
    )


def _with_document(sop_class: str, modality: str) -> Maker:
    def maker() -> HostileSeries:
        _, datasets = plain()
        document = with_new_uid(copies(make_series(shape=(1, 2, 2)))[0])
        for keyword in OF_IMAGES:
            delattr(document, keyword)
        document.SOPClassUID = document.file_meta.MediaStorageSOPClassUID = UID(sop_class)
        document.Modality = modality
        for keyword in ("StudyInstanceUID", "SeriesInstanceUID"):
            setattr(document, keyword, getattr(datasets[0], keyword))
        uid = document.SOPInstanceUID
        return HostileSeries((*datasets, document), errors.NotAnImage, {"instances": (uid,)}, (uid,))

    return maker


for _name, _sop_class in DOCUMENTS.items():
    HOSTILE[f"with-{_name}"] = _with_document(_sop_class, _name)


def _spoilt(spoilt: list[Dataset], nth: int, reason: str) -> HostileSeries:
    uid = str(spoilt[nth].SOPInstanceUID)
    return HostileSeries(
        tuple(spoilt), errors.PixelDataUnusable, {"instances": (uid,)}, (uid, reason), needs_pixels=True
    )


@hostile
def no_pixel_data() -> HostileSeries:
    _, datasets = plain()
    del datasets[5].PixelData
    return _spoilt(datasets, 5, "missing")


@hostile
def zero_length_pixel_data() -> HostileSeries:
    _, datasets = plain()
    datasets[5].PixelData = b""
    return _spoilt(datasets, 5, "empty")


@hostile
def short_pixel_data() -> HostileSeries:
    _, datasets = plain()
    datasets[5].PixelData = datasets[5].PixelData[:-24]
    return _spoilt(datasets, 5, "216 bytes")


@hostile
def long_pixel_data() -> HostileSeries:
    _, datasets = plain()
    datasets[5].PixelData += bytes(24)
    return _spoilt(datasets, 5, "264 bytes")


@hostile
def too_few_frames() -> HostileSeries:
    _, datasets = plain(multiframe=True)
    datasets[0].PixelData = datasets[0].PixelData[: 5 * 240]
    return _spoilt(datasets, 0, "1200 bytes")


@hostile
def too_few_compressed_frames() -> HostileSeries:
    _, datasets = plain(multiframe=True, transfer_syntax=RLELossless)
    lone = plain(shape=(1, 10, 12), transfer_syntax=RLELossless)[1][0]
    datasets[0].PixelData = lone.PixelData
    return _spoilt(datasets, 0, "frame")


def _frames(dataset: Dataset) -> list[bytes]:
    return list(generate_frames(dataset.PixelData, number_of_frames=1))


def _compressed(syntax: UID, spoil: str) -> Maker:
    def maker() -> HostileSeries:
        _, datasets = plain(shape=(8, 40, 48), transfer_syntax=syntax)
        whole = _frames(datasets[5])[0]
        spoilt = {
            "truncated": whole[: len(whole) // 2 & ~1],
            "garbage": np.random.default_rng(3).bytes(len(whole) + len(whole) % 2),
            "other-matrix": _frames(plain(shape=(1, 32, 48), transfer_syntax=syntax)[1][0])[0],
        }[spoil]
        datasets[5].PixelData = encapsulate([spoilt])
        return _spoilt(datasets, 5, "")

    return maker


for _syntax_name, _syntax in TRANSFER_SYNTAXES.items():
    if _syntax in COMPRESSED:
        for _spoil in ("truncated", "garbage", "other-matrix"):
            HOSTILE[f"{_spoil}-{_syntax_name}"] = _compressed(_syntax, _spoil)


@hostile
def constant_volume() -> HostileSeries:
    _, datasets = plain()
    for dataset in datasets:
        dataset.PixelData = bytes(240)
    return HostileSeries(tuple(datasets), errors.ConstantVolume, {}, ("0",), needs_pixels=True)


@hostile
def per_frame_items_missing() -> HostileSeries:
    series, datasets = plain(multiframe=True)
    datasets[0].PerFrameFunctionalGroupsSequence = list(datasets[0].PerFrameFunctionalGroupsSequence)[:5]
    return HostileSeries(
        tuple(datasets),
        errors.MissingGeometry,
        {"instances": series.sop_uids, "attributes": ("PerFrameFunctionalGroupsSequence",)},
    )


@hostile
def multiframe_without_functional_groups() -> HostileSeries:
    series, datasets = plain(multiframe=True)
    del datasets[0].PerFrameFunctionalGroupsSequence, datasets[0].SharedFunctionalGroupsSequence
    return HostileSeries(tuple(datasets), errors.MissingGeometry, {"instances": series.sop_uids})
