"""`delineate replay`: from settings to a replay on the archive's volume."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from delineate.adapters.dicom_series import DicomSeriesReader
from delineate.adapters.software import software_versions
from delineate.adapters.volume_cache import MemoryVolumeCache
from delineate.domain.recording import recording_of
from delineate.settings import Settings
from delineate.usecases.replay import replay
from delineate.usecases.volumes import VolumeShelf
from delineate.wiring.archive import archive_of
from delineate.wiring.segmenter import segmenter_of


def replay_file(settings: Settings, file: Path) -> dict[str, Any]:
    """Make the segments of a recording again, with the settings' model and archive, and say whether they are the same.

    Raises
    ------
    RecordingUnreadable
        If the file is no recording.
    ModelNotFound, LicenceNotAccepted
        If the model cannot be used.
    SeriesChanged, ArchiveError
        If the archive does not have the volume any more.
    """
    recording = recording_of(file.read_bytes())
    shelf = VolumeShelf(archive_of(settings), DicomSeriesReader(), MemoryVolumeCache())
    segmenter = segmenter_of(settings)
    try:
        done = replay(recording, lambda: shelf.load_unchanged(recording.plan), segmenter, software_versions())
    finally:
        segmenter.close()
        shelf.close()
    return {
        "equal": done.equal,
        "differences": list(done.differences),
        "problem": done.problem,
        "segments": [{**asdict(segment), "equal": segment.equal} for segment in done.segments],
    }
