"""What an archive answers to a STOW-RS request.

References
----------
PS3.18 10.5.3 (responses), I.2 (Store Instances Response Module), PS3.4 B.2.3 (failure and warning reasons).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import requests

from delineate.adapters.dicomweb.faults import DENIED, fault_of_status
from delineate.domain.errors import ArchiveError, ArchiveUnreachable, StoreRefused
from delineate.domain.ports import StoreReceipt

RETRIEVE_URL, FAILED, REFERENCED, OTHER_FAILURES = "00081190", "00081198", "00081199", "0008119A"
FAILURE_REASON, WARNING_REASON = "00081197", "00081196"

RESOURCE_LIMITATION = 0x0213
OUT_OF_RESOURCES = range(0xA700, 0xA800)

FAILURES = {
    0x0110: "processing failure",
    0x0111: "an instance of that UID is there already",
    0x0117: "invalid SOP Instance UID",
    0x0122: "SOP class not supported",
    0x0124: "not authorised",
    0x0213: "resource limitation",
}
WARNINGS = {
    0xB000: "the archive changed attributes",
    0xB006: "the archive discarded attributes",
    0xB007: "the instance does not match its SOP class",
}


def receipt_of(response: requests.Response, archive: str) -> StoreReceipt:
    """Return the receipt for one stored instance.

    Parameters
    ----------
    response
        The archive's answer.
    archive
        Its address, for the sentence of an error.

    Raises
    ------
    StoreRefused
        If the archive refused for good.
    ArchiveUnreachable, ArchiveTimeout, ArchiveDenied
        If it may take the instance another time, or not from us.
    """
    answer = _answer(response)
    failures = [*_items(answer, FAILED), *_items(answer, OTHER_FAILURES)]
    if failures:
        raise _refusal(failures, archive)
    if not response.ok:
        raise _fault_of_store(response.status_code, archive)
    warnings = [_worded(item, WARNING_REASON, WARNINGS) for item in _items(answer, REFERENCED)]
    urls = [*_values(answer, RETRIEVE_URL)]
    for item in _items(answer, REFERENCED):
        urls[:0] = _values(item, RETRIEVE_URL)
    return StoreReceipt(str(urls[0]) if urls else None, tuple(warning for warning in warnings if warning))


def _refusal(failures: list[Mapping[str, Any]], archive: str) -> ArchiveError:
    reasons = {_code(item, FAILURE_REASON) for item in failures}
    words = "; ".join(_worded(item, FAILURE_REASON, FAILURES) or "no reason given" for item in failures)
    if all(reason == RESOURCE_LIMITATION or reason in OUT_OF_RESOURCES for reason in reasons):
        return ArchiveUnreachable(
            f"The archive at {archive} has no room for the instance now ({words}). Try again later."
        )
    return StoreRefused(
        f"The archive at {archive} refused the instance ({words}). See the archive's log for the cause."
    )


def _fault_of_store(status: int, archive: str) -> ArchiveError:
    if status == 413:
        return StoreRefused(
            f"The instance is larger than the archive at {archive} takes (HTTP 413). "
            "Raise the body limit of the archive or of the proxy before it."
        )
    if status < 500 and status not in (*DENIED, 408, 425, 429):
        return StoreRefused(f"The archive at {archive} refused to store (HTTP {status}). See the archive's log.")
    return fault_of_status(status, archive)


def _answer(response: requests.Response) -> Mapping[str, Any]:
    """Return the answer in the DICOM JSON model; empty if it is none, for then the status alone counts."""
    try:
        answer = response.json()
    except ValueError:
        return {}
    if isinstance(answer, list) and answer:
        answer = answer[0]
    return answer if isinstance(answer, Mapping) else {}


def _values(item: Mapping[str, Any], tag: str) -> list[Any]:
    element = item.get(tag)
    found = element.get("Value") if isinstance(element, Mapping) else None
    return found if isinstance(found, list) else []


def _items(item: Mapping[str, Any], tag: str) -> list[Mapping[str, Any]]:
    return [value for value in _values(item, tag) if isinstance(value, Mapping)]


def _code(item: Mapping[str, Any], tag: str) -> int | None:
    try:
        return int(_values(item, tag)[0])
    except (IndexError, TypeError, ValueError):
        return None


def _worded(item: Mapping[str, Any], tag: str, words: Mapping[int, str]) -> str | None:
    code = _code(item, tag)
    if code is None:
        return None
    known = words.get(code) or ("out of resources" if code in OUT_OF_RESOURCES else "")
    return f"{code:04X}: {known}" if known else f"{code:04X}"
