"""Independent readers find in a stored DICOM SEG what was accepted; through a real Orthanc, there and back."""

from __future__ import annotations

import io
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pydicom
import pytest
from dicomweb_client.api import DICOMwebClient
from dicomweb_client.session_utils import create_session_from_user_pass
from pydicom.uid import ImplicitVRLittleEndian, JPEG2000Lossless, JPEGLSLossless, RLELossless
from tests.phantoms import PhantomSeries, make_series, part10
from tests.readers import ohif
from tests.readers.acceptances import COLOURS, Mask, acceptance_of
from tests.readers.by_position import position_masks
from tests.readers.cases import CASES, Case, everywhere, three_slices, two
from tests.readers.tools import dcentvfy_errors, dciodvfy_errors, dcmqi_masks

from delineate.adapters.dicom_seg import DicomSegCodec
from delineate.adapters.dicom_seg.parity import packed_length
from delineate.demo.orthanc import OrthancServer
from delineate.domain.errors import StoredDifferently
from delineate.domain.ports import SegmentationEncoding

CODEC = DicomSegCodec()
AS_STORED = (("application/dicom", "*"),)
BY_NAME = {case.name: case for case in CASES}
BINARY = [case.name for case in CASES if case.encoding == "BINARY"]

needs_node = pytest.mark.skipif(not ohif.can_read(), reason="`npm ci` in tests/readers installs OHIF's packages")
needs_dicom3tools = pytest.mark.skipif(shutil.which("dciodvfy") is None, reason="Debian's dicom3tools is not installed")


@dataclass(frozen=True, eq=False)
class Stored:
    """A segmentation that went to the archive and back."""

    case: Case
    series: PhantomSeries
    masks: list[Mask]
    sent: bytes
    received: bytes

    def holds(self, found: dict[int, Mask]) -> bool:
        """Tell whether a reader found the accepted voxels, all of them and no others."""
        return sorted(found) == list(range(1, len(self.masks) + 1)) and all(
            np.array_equal(found[number], mask) for number, mask in enumerate(self.masks, 1)
        )


@dataclass(frozen=True, eq=False)
class Archive:
    """The little of DICOMweb that these tests need."""

    server: OrthancServer
    client: DICOMwebClient

    def put(self, *datasets: pydicom.Dataset) -> None:
        self.client.store_instances(list(datasets))

    def get(self, seg: pydicom.Dataset, media_types: Any = AS_STORED) -> bytes:
        uids = (seg.StudyInstanceUID, seg.SeriesInstanceUID, seg.SOPInstanceUID)
        return part10(self.client.retrieve_instance(*uids, media_types=media_types))

    def store(self, case: Case) -> Stored:
        """Store a source, encode a segmentation from the archive's headers, store it and fetch it back."""
        series = case.series()
        masks = case.segments(series.voxels.shape)
        self.put(*series.datasets)
        headers = self.client.retrieve_series_metadata(series.study_uid, series.series_uid)
        sent = CODEC.encode(acceptance_of(series, masks, encoding=case.encoding), headers)
        dataset = parsed(sent)
        self.put(dataset)
        return Stored(case, series, masks, sent, self.get(dataset))

    def modified(self, seg: pydicom.Dataset, **how: Any) -> bytes:
        """Return the instance as Orthanc changes it."""
        rest = httpx.Client(base_url=self.server.rest_url, auth=(self.server.username, self.server.password))
        with rest:
            (found,) = rest.post("/tools/lookup", content=str(seg.SOPInstanceUID)).raise_for_status().json()
            request = {"Force": True, "Keep": ["SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID"], **how}
            return rest.post(f"/instances/{found['ID']}/modify", json=request).raise_for_status().content


def parsed(seg: bytes) -> pydicom.FileDataset:
    return pydicom.dcmread(io.BytesIO(seg))


@pytest.fixture(scope="module")
def archive(orthanc: OrthancServer) -> Archive:
    session = create_session_from_user_pass(orthanc.username, orthanc.password)
    return Archive(orthanc, DICOMwebClient(orthanc.dicomweb_url, session=session))


@pytest.fixture(scope="module")
def stored(archive: Archive) -> dict[str, Stored]:
    return {case.name: archive.store(case) for case in CASES}


@pytest.fixture(scope="module")
def shown(stored: dict[str, Stored], tmp_path_factory: pytest.TempPathFactory) -> dict[str, ohif.OhifReadings]:
    """Read all of them in one node process."""
    jobs = [(s.received, s.series, s.series.datasets) for s in stored.values()]
    return dict(zip(stored, ohif.read_segs(jobs, tmp_path_factory.mktemp("ohif")), strict=True))


@pytest.mark.parametrize("name", BY_NAME)
def test_what_the_archive_gives_back_is_what_was_sent(stored: dict[str, Stored], name: str) -> None:
    assert CODEC.compare(stored[name].sent, stored[name].received).coerced == ()


@pytest.mark.parametrize("name", BY_NAME)
def test_positions_and_references_hold_the_accepted_voxels(stored: dict[str, Stored], name: str) -> None:
    assert stored[name].holds(position_masks(stored[name].received, stored[name].series))


@pytest.mark.parametrize("name", [name for name, case in BY_NAME.items() if "patient_name" in case.options])
def test_names_survive_the_archives_json(stored: dict[str, Stored], name: str) -> None:
    assert str(parsed(stored[name].received).PatientName) == stored[name].series.spec.patient_name


@pytest.mark.parametrize("name", BY_NAME)
def test_dcmqi_reads_the_accepted_voxels(stored: dict[str, Stored], name: str) -> None:
    assert stored[name].holds(dcmqi_masks(stored[name].received, stored[name].series))


@needs_dicom3tools
@pytest.mark.parametrize("name", BINARY)
def test_dciodvfy_finds_no_error(stored: dict[str, Stored], name: str) -> None:
    assert dciodvfy_errors(stored[name].received) == []


@needs_dicom3tools
@pytest.mark.parametrize("name", BY_NAME)
def test_it_contradicts_its_source_nowhere(stored: dict[str, Stored], name: str) -> None:
    errors = dcentvfy_errors([stored[name].received, *stored[name].series.part10()])
    if stored[name].series.spec.character_set != "ISO_IR 192":
        errors = [error for error in errors if "<PatientName>" not in error]  # dcentvfy compares undecoded bytes
    assert errors == []


@needs_node
@pytest.mark.parametrize("name", BY_NAME)
def test_ohif_shows_the_accepted_voxels(
    stored: dict[str, Stored], shown: dict[str, ohif.OhifReadings], name: str
) -> None:
    reading = shown[name].whole
    if reading.error is not None:
        # Never scrambled: OHIF says so, and asks the archive for the frames (docs/adr/0005).
        assert not stored[name].case.is_aligned or name == "odd-length-full"
        reading = shown[name].frames
    assert reading.skipped == 0
    assert stored[name].holds(reading.masks)


@needs_node
@pytest.mark.parametrize("name", BY_NAME)
def test_ohifs_other_loader_shows_them_or_refuses(
    stored: dict[str, Stored], shown: dict[str, ohif.OhifReadings], name: str
) -> None:
    reading = shown[name].buffer
    if reading.error is not None:
        assert not stored[name].case.is_aligned or name == "odd-length-full"
    else:
        assert stored[name].holds(reading.masks)


@needs_node
@pytest.mark.parametrize("name", ["overlapping", "labelmap"])
def test_ohif_lists_segments_in_the_order_of_their_colours(shown: dict[str, ohif.OhifReadings], name: str) -> None:
    segments = [number for number, _ in shown[name].whole.segments]
    assert segments[: len(COLOURS)] == [1, 2, 3] if name == "overlapping" else [1, 2, 0]


@needs_node
def test_ohif_3_13_2_scrambles_frames_that_begin_within_a_byte(tmp_path: Path) -> None:
    """The reason for ADR 0005: once this fails, OHIF's packages are mended and the padding byte can go."""
    series = make_series(shape=(12, 20, 23))
    dataset = parsed(CODEC.encode(acceptance_of(series, three_slices(series.spec.shape)), series.headers()))
    frames = 4
    assert dataset.NumberOfFrames > frames
    del dataset.PerFrameFunctionalGroupsSequence[frames:]
    dataset.NumberOfFrames = frames
    dataset.PixelData = dataset.PixelData[: packed_length(frames, 20 * 23)]
    seg = part10(dataset)
    (reading,) = ohif.read_segs([(seg, series, series.datasets)], tmp_path)
    (true,) = position_masks(seg, series).values()
    assert reading.whole.error is None
    assert not np.array_equal(reading.whole.masks[1], true)
    assert np.array_equal(reading.buffer.masks[1], true)


@pytest.mark.parametrize(
    ("encoding", "syntax"),
    [
        ("BINARY", ImplicitVRLittleEndian),
        ("LABELMAP", ImplicitVRLittleEndian),
        ("LABELMAP", JPEGLSLossless),
    ],
)
def test_transcoding_is_no_difference(
    archive: Archive, encoding: SegmentationEncoding, syntax: pydicom.uid.UID
) -> None:
    kept = archive.store(Case(f"transcoded-{encoding}", {"shape": (6, 64, 72)}, two, encoding))
    received = archive.modified(parsed(kept.sent), Transcode=str(syntax))
    assert parsed(received).file_meta.TransferSyntaxUID == syntax
    assert CODEC.compare(kept.sent, received).coerced == ()


@pytest.mark.parametrize("syntax", [RLELossless, JPEG2000Lossless])
def test_a_compressed_copy_in_the_archive_is_no_difference(archive: Archive, syntax: pydicom.uid.UID) -> None:
    """As an archive has it that compresses what it takes in; Orthanc itself cannot write these."""
    series = make_series(shape=(6, 64, 72))
    sent = CODEC.encode(acceptance_of(series, two(series.spec.shape), encoding="LABELMAP"), series.headers())
    dataset = parsed(sent)
    dataset.compress(syntax, generate_instance_uid=False)
    archive.put(dataset)
    received = archive.get(dataset)
    assert parsed(received).file_meta.TransferSyntaxUID == syntax
    assert CODEC.compare(sent, received).coerced == ()


def test_an_archive_that_changes_an_identifier_has_not_stored_it(archive: Archive) -> None:
    kept = archive.store(Case("tampered"))
    dataset = parsed(kept.sent)
    with pytest.raises(StoredDifferently, match="PatientID"):
        CODEC.compare(kept.sent, archive.modified(dataset, Replace={"PatientID": "OTHER"}))
    with pytest.raises(StoredDifferently, match="FrameOfReferenceUID"):
        CODEC.compare(kept.sent, archive.modified(dataset, Replace={"FrameOfReferenceUID": "1.2.3"}))
    with pytest.raises(StoredDifferently, match="SOPInstanceUID"):
        CODEC.compare(kept.sent, archive.modified(dataset, Keep=[]))
    with pytest.raises(StoredDifferently, match="SegmentLabel"):
        CODEC.compare(kept.sent, archive.modified(dataset, Replace={"SegmentSequence[0].SegmentLabel": "Other"}))


def test_an_archive_that_coerces_the_rest_has_stored_it(archive: Archive) -> None:
    kept = archive.store(Case("coerced"))
    changes = {"PatientName": "Other^Name", "StudyDescription": "Abdomen", "InstitutionName": "Hospital"}
    difference = CODEC.compare(kept.sent, archive.modified(parsed(kept.sent), Replace=changes))
    assert sorted(difference.coerced) == sorted(changes)


def test_orthanc_gives_no_frames_of_an_unaligned_segmentation(archive: Archive) -> None:
    """Orthanc 1.10.1 answers 400 for frames whose columns do not fill bytes; whole instances are right (ADR 0005)."""
    kept = archive.store(Case("unaligned-frames", {"shape": (12, 20, 23)}, everywhere))
    dataset = parsed(kept.sent)
    path = f"studies/{dataset.StudyInstanceUID}/series/{dataset.SeriesInstanceUID}/instances/{dataset.SOPInstanceUID}"
    reply = httpx.get(
        f"{archive.server.dicomweb_url}/{path}/frames/1", auth=(archive.server.username, archive.server.password)
    )
    assert reply.status_code == 400
