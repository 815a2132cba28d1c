"""DICOM Structured Reports: measurements of segments, and the prompts that they were made from."""

from delineate.adapters.dicom_sr.codec import DicomSrCodec

__all__ = ["DicomSrCodec"]
