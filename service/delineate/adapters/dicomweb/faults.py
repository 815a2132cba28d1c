"""What goes wrong on the way to an archive, as errors of the domain.

Sentences name the archive's address and the status, never what was asked for.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import requests
from urllib3.exceptions import ReadTimeoutError

from delineate.adapters.dicomweb.multipart import MalformedMultipartError, TruncatedMultipartError
from delineate.domain.errors import (
    ArchiveDenied,
    ArchiveError,
    ArchiveProtocol,
    ArchiveTimeout,
    ArchiveUnreachable,
    SeriesNotFound,
)

_log = logging.getLogger(__name__)

DENIED = (401, 403)
ABSENT = (404, 410)
TOO_SLOW = (408, 504)
NOT_NOW = (425, 429)
NEVER = (501, 505)
"""Server errors that do not pass."""


@contextmanager
def translated(archive: str) -> Iterator[None]:
    """Turn what requests and dicomweb-client raise into ArchiveError leaves.

    Parameters
    ----------
    archive
        The archive's address, for the sentence.
    """
    try:
        yield
    except (requests.RequestException, MalformedMultipartError, ValueError, LookupError, TypeError) as error:
        fault = fault_of(error, archive)
        _log.debug("archive: %s (%s)", type(fault).__name__, type(error).__name__)
        raise fault from error


def fault_of(error: Exception, archive: str) -> ArchiveError:
    """Return the leaf for a foreign exception."""
    if isinstance(error, requests.HTTPError) and error.response is not None:
        return fault_of_status(error.response.status_code, archive)
    if isinstance(error, requests.Timeout) or any(isinstance(cause, ReadTimeoutError) for cause in error.args):
        return ArchiveTimeout(f"The archive at {archive} did not answer in time. Try again, or check its load.")
    if isinstance(error, requests.exceptions.SSLError):
        return ArchiveProtocol(
            f"The certificate of the archive at {archive} cannot be verified. Give the certificate of its authority."
        )
    broken = (requests.ConnectionError, requests.exceptions.ChunkedEncodingError, TruncatedMultipartError)
    if isinstance(error, broken):
        return ArchiveUnreachable(
            f"No connection to the archive at {archive}, or it broke off. Check that the archive runs, and its address."
        )
    if isinstance(error, requests.TooManyRedirects):
        return ArchiveProtocol(f"The archive at {archive} redirects elsewhere. Configure its final address.")
    return ArchiveProtocol(
        f"The archive at {archive} answered something that is not DICOMweb. Check that this is the DICOMweb root."
    )


def fault_of_status(status: int, archive: str) -> ArchiveError:
    """Return the leaf for an HTTP status that is no success."""
    if status in DENIED:
        return ArchiveDenied(
            f"The archive at {archive} refused the credentials (HTTP {status}). Check user name, password and rights."
        )
    if status in ABSENT:
        return SeriesNotFound(f"The archive at {archive} has no such study, series or instance (HTTP {status}).")
    if status in TOO_SLOW:
        return ArchiveTimeout(f"The archive at {archive} took too long (HTTP {status}). Try again, or check its load.")
    if status in NOT_NOW or (status >= 500 and status not in NEVER):
        return ArchiveUnreachable(
            f"The archive at {archive} failed (HTTP {status}). Try again, or see the archive's log."
        )
    return ArchiveProtocol(
        f"The archive at {archive} refused the request (HTTP {status}). Check that this is the DICOMweb root."
    )
