"""The archive that the settings name."""

from __future__ import annotations

from delineate.adapters.dicomweb import DicomWebArchive
from delineate.settings import Settings


def archive_of(settings: Settings) -> DicomWebArchive:
    """Return the archive that the settings name."""
    password = settings.archive_password.get_secret_value() if settings.archive_password else None
    return DicomWebArchive(
        settings.archive_url, settings.archive_username, password, timeout_s=settings.archive_timeout_s
    )
