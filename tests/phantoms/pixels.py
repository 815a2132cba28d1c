"""Stored pixel values as Pixel Data in every transfer syntax that the service takes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import imagecodecs
import numpy as np
import numpy.typing as npt
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    HTJ2KLossless,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)

NATIVE = (ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian)
COMPRESSED = (RLELossless, JPEGLSLossless, JPEG2000Lossless, JPEGLosslessSV1, HTJ2KLossless)
TRANSFER_SYNTAXES: dict[str, UID] = {
    "explicit": ExplicitVRLittleEndian,
    "implicit": ImplicitVRLittleEndian,
    "big-endian": ExplicitVRBigEndian,
    "deflated": DeflatedExplicitVRLittleEndian,
    "rle": RLELossless,
    "jpeg-ls": JPEGLSLossless,
    "jpeg-2000": JPEG2000Lossless,
    "jpeg-lossless": JPEGLosslessSV1,
    "htj2k": HTJ2KLossless,
}


Frame = npt.NDArray[Any]


def put_pixels(dataset: Dataset, frames: npt.NDArray[np.int64], syntax: UID) -> None:
    """Write frames (n, rows, columns) as Pixel Data of ``dataset``, whose pixel attributes are set already."""
    signed = bool(dataset.PixelRepresentation)
    kind = np.dtype(f"{'i' if signed else 'u'}{dataset.BitsAllocated // 8}")
    dataset.file_meta.TransferSyntaxUID = syntax
    dataset["PixelData"] = _element(b"", dataset.BitsAllocated)
    if syntax in NATIVE:
        stored = frames.astype(kind.newbyteorder(">") if syntax == ExplicitVRBigEndian else kind)
        raw = stored.tobytes()
        dataset["PixelData"] = _element(raw + b"\0" * (len(raw) % 2), dataset.BitsAllocated)
    elif syntax in ENCODERS:
        encode = ENCODERS[syntax]
        codestreams = [encode(np.ascontiguousarray(frame)) for frame in frames.astype(kind)]
        dataset["PixelData"] = _element(encapsulate(codestreams), 8)
        dataset["PixelData"].is_undefined_length = True
    else:
        dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        raw = frames.astype(kind).tobytes()
        dataset["PixelData"] = _element(raw + b"\0" * (len(raw) % 2), dataset.BitsAllocated)
        dataset.compress(syntax, generate_instance_uid=False)


def _jpeg_lossless(frame: Frame) -> bytes:
    unsigned = frame.view(frame.dtype.str.replace("i", "u"))
    return bytes(imagecodecs.ljpeg_encode(unsigned, bitspersample=8 * frame.itemsize))


def _htj2k(frame: Frame) -> bytes:
    return bytes(imagecodecs.htj2k_encode(frame))


def _jpeg_2000(frame: Frame) -> bytes:
    return bytes(imagecodecs.jpeg2k_encode(frame, level=0, codecformat="j2k", reversible=True, resolutions=1))


ENCODERS: dict[UID, Callable[[Frame], bytes]] = {
    JPEGLosslessSV1: _jpeg_lossless,
    HTJ2KLossless: _htj2k,
    JPEG2000Lossless: _jpeg_2000,
}
"""Those that pydicom lacks, or that it has not for images of a few pixels (JPEG 2000)."""


def _element(raw: bytes, bits_allocated: int) -> DataElement:
    return DataElement(0x7FE00010, "OB" if bits_allocated == 8 else "OW", raw)
