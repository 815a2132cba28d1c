"""DICOM Segmentation: writing an acceptance, and checking what an archive gives back."""

from delineate.adapters.dicom_seg.codec import DicomSegCodec

__all__ = ["DicomSegCodec"]
