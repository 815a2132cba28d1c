"""Reading attributes in the DICOM JSON model, where any of them may be absent, empty or malformed.

References
----------
PS3.18 F.2 (DICOM JSON model).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cache
from typing import Any

from pydicom.datadict import tag_for_keyword

Item = Mapping[str, Any]
"""A dataset or a sequence item in the DICOM JSON model."""


@cache
def json_tag(keyword: str) -> str:
    """Return the key of an attribute in the JSON model: eight hexadecimal digits."""
    tag = tag_for_keyword(keyword)
    if tag is None:
        raise ValueError(f"{keyword} is no DICOM keyword")
    return f"{tag:08X}"


def values(item: Item, keyword: str) -> list[Any]:
    """Return an attribute's values; none if it is absent or empty."""
    element = item.get(json_tag(keyword))
    found = element.get("Value") if isinstance(element, Mapping) else None
    return [value for value in found if value is not None] if isinstance(found, list) else []


def items(item: Item, keyword: str) -> list[Item]:
    """Return the items of a sequence."""
    return [value for value in values(item, keyword) if isinstance(value, Mapping)]


def text(item: Item, keyword: str) -> str | None:
    """Return the first value as text, or None if there is none."""
    found = values(item, keyword)
    return str(found[0]).strip() or None if found else None


def texts(item: Item, keyword: str) -> tuple[str, ...]:
    """Return all values as text."""
    return tuple(str(value).strip() for value in values(item, keyword))


def numbers(item: Item, keyword: str) -> tuple[float, ...] | None:
    """Return all values as numbers, or None if there is none or one is no finite number."""
    try:
        found = tuple(float(value) for value in values(item, keyword))
    except (TypeError, ValueError):
        return None
    return found if found and all(map(math.isfinite, found)) else None


def number(item: Item, keyword: str) -> float | None:
    """Return the first value as a finite number, or None."""
    found = numbers(item, keyword)
    return found[0] if found else None


def integer(item: Item, keyword: str) -> int | None:
    """Return the first value as a whole number, or None."""
    found = number(item, keyword)
    return int(found) if found is not None and found == int(found) else None
