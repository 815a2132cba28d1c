"""A PET series whose SUVbw is known: 70 kg, 350 MBq, one half-life before the scan, so 4e-4 per Bq/ml."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from pydicom.dataset import Dataset
from tests.phantoms import PhantomSeries, copies, make_series

FACTOR = 4e-4


def make_pet(**options: Any) -> PhantomSeries:
    """Make a PET series in Bq/ml with a slope of its own in each slice; options as for ``make_series``."""
    series = make_series(modality="PT", **options)
    datasets = copies(series)
    for dataset in datasets:
        put_pet_attributes(dataset)
    return replace(series, datasets=tuple(datasets))


def put_pet_attributes(dataset: Dataset) -> None:
    dataset.Units = "BQML"
    dataset.CorrectedImage = ["DECY", "ATTN", "SCAT", "DTIM", "RAN", "NORM"]
    dataset.DecayCorrection = "START"
    dataset.PatientWeight = "70"
    dataset.SeriesDate = dataset.AcquisitionDate = "20260102"
    dataset.SeriesTime, dataset.AcquisitionTime = "101500.0", "101500.000000"
    dataset.FrameReferenceTime, dataset.ActualFrameDuration = "0", "180000"
    injection = Dataset()
    injection.RadiopharmaceuticalStartDateTime = "20260102082512.00"
    injection.RadiopharmaceuticalStartTime = "082512.00"
    injection.RadionuclideTotalDose = "350000000"
    injection.RadionuclideHalfLife = "6588"
    dataset.RadiopharmaceuticalInformationSequence = [injection]


def put_philips_factors(dataset: Dataset, suv: str | None, activity: str | None) -> None:
    """Counts instead of Bq/ml, with Philips' private factors where given."""
    dataset.Units = "CNTS"
    block = dataset.private_block(0x7053, "Philips PET Private Group", create=True)
    for element, factor in ((0x00, suv), (0x09, activity)):
        if factor is not None:
            block.add_new(element, "DS", factor)


def put_ge_scan_time(dataset: Dataset) -> None:
    """A series made an hour after its scan, whose time is in GE's private element, in a block that is not the first.

    Its first image is of ten minutes later, so that nothing else tells when the scan began.
    """
    dataset.SeriesTime, dataset.AcquisitionTime = "111500", "102500"
    dataset.private_block(0x0009, "SOMEBODY ELSE", create=True).add_new(0x0D, "LO", "20200101000000")
    block = dataset.private_block(0x0009, "GEMS_PETD_01", create=True)
    block.add_new(0x0D, "DT", "20260102101500.00")
