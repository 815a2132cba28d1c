"""A series of DICOM instances as a volume, or the reason why it is none (port ``VolumeReader``)."""

from delineate.adapters.dicom_series.reader import DicomSeriesReader

__all__ = ["DicomSeriesReader"]
