"""A series that is read before anybody opens it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, is_dataclass
from typing import Any, Literal, Self

from delineate.domain.errors import DelineateError, said_of

PreloadState = Literal["waiting", "loading", "ready", "failed"]


@dataclass(frozen=True, slots=True)
class PreloadOrder:
    """Which volume is to be read."""

    study_instance_uid: str
    series_instance_uid: str
    volume: str | None = None
    """The selector of one volume when the series holds several, else None."""


@dataclass(frozen=True, slots=True)
class PreloadRecord:
    """How far an order is."""

    order: PreloadOrder
    state: PreloadState = "waiting"
    progress: tuple[int, int, int] = (0, 0, 0)
    """Instances done, in all, bytes."""
    fingerprint: str | None = None
    """Of the plan that is, or was, loaded."""
    problem: Mapping[str, Any] | None = None
    """Why it failed: ``error`` (the leaf's name), ``detail`` and ``members``."""

    def to_json(self) -> dict[str, Any]:
        """Return the record as JSON."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Turn JSON back into the record."""
        done, total, size = data["progress"]
        return cls(**{**data, "order": PreloadOrder(**data["order"]), "progress": (done, total, size)})


def problem_of(error: Exception) -> dict[str, Any]:
    """Return an error as a record keeps it; nothing is said of one that nobody expected."""
    if not isinstance(error, DelineateError):
        return {"error": None, "detail": said_of(error), "members": {}}
    names: list[str] = [field.name for field in fields(error)] if is_dataclass(error) else []
    members = {name: getattr(error, name) for name in names if name != "text"}
    return {"error": type(error).__name__, "detail": error.detail, "members": members}
