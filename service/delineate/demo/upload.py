"""Puts the sample series into an archive, once."""

from __future__ import annotations

import itertools

import requests
from dicomweb_client import DICOMwebClient

from delineate.demo import sample
from delineate.demo.errors import SampleNotStoredError

BATCH_INSTANCES = 50
"""Instances in one STOW request (6.5 MB of pixels)."""


def archive_client(url: str, username: str, password: str) -> DICOMwebClient:
    """Connect to an archive.

    Parameters
    ----------
    url : str
        DICOMweb root.
    username, password : str
        Its credentials.

    Returns
    -------
    DICOMwebClient
        The client.
    """
    session = requests.Session()
    session.auth = (username, password)
    session.trust_env = False
    return DICOMwebClient(url=url, session=session)


def store_sample(archive: DICOMwebClient) -> bool:
    """Store the sample series unless the archive holds all of it.

    Parameters
    ----------
    archive : DICOMwebClient
        The archive.

    Returns
    -------
    bool
        True if it was stored now, False if it was there already.

    Raises
    ------
    SampleNotStoredError
        If the archive does not hold every instance afterwards.
    """
    if _stored_instances(archive) == sample.SLICES:
        return False
    instances = sample.head_series()
    while batch := list(itertools.islice(instances, BATCH_INSTANCES)):
        archive.store_instances(batch, study_instance_uid=sample.STUDY_INSTANCE_UID)
    count = _stored_instances(archive)
    if count != sample.SLICES:
        raise SampleNotStoredError(f"the archive holds {count} of {sample.SLICES} instances")
    return True


def has_segmentation(archive: DICOMwebClient) -> bool:
    """Say whether the sample study holds a DICOM SEG already.

    Parameters
    ----------
    archive : DICOMwebClient
        The archive.

    Returns
    -------
    bool
        True if an earlier run stored one.
    """
    return bool(archive.search_for_series(sample.STUDY_INSTANCE_UID, search_filters={"Modality": "SEG"}))


def _stored_instances(archive: DICOMwebClient) -> int:
    if not archive.search_for_series(sample.STUDY_INSTANCE_UID):
        return 0
    return len(archive.search_for_instances(sample.STUDY_INSTANCE_UID, sample.SERIES_INSTANCE_UID))
