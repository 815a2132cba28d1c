"""Open a session on a series, and close it."""

from __future__ import annotations

import hashlib
import logging
import secrets
from concurrent.futures import InvalidStateError
from contextlib import suppress
from functools import partial
from typing import Any

from delineate.domain.errors import DelineateError, ModelNotFound, PromptCancelled
from delineate.domain.records import plan_to_json
from delineate.domain.session import Entry, Session
from delineate.domain.volume import VolumePlan
from delineate.usecases.host import SessionHost, problem_json
from delineate.usecases.live import LiveSession
from delineate.usecases.open_segmentation import opening_entries
from delineate.usecases.run_prompts import end_jobs, resume

log = logging.getLogger(__name__)


def open_session(
    host: SessionHost,
    *,
    user: str,
    study_instance_uid: str,
    series_instance_uid: str,
    volume: str | None,
    segmentation: str | None,
    model: str | None,
    key: str | None,
    digest: str,
) -> LiveSession:
    """Begin a session and start loading its volume; ``loading`` of the result tells when it is there.

    With ``segmentation``, the SOP Instance UID of a stored segmentation of the series, the session goes on where that
    ended.

    Raises
    ------
    ModelNotFound
        If another model than the loaded one is asked for.
    IdempotencyConflict
        If the key was used for another request.
    TooManySessions
        If the user, or everybody together, has too many open.
    """
    known = host.opened_by(user, key, digest)
    if known is not None:
        return known
    loaded = host.segmenter.info.id
    if model not in (None, loaded):
        raise ModelNotFound(f"This service has no model {model!r}; it has: {loaded}.")
    host.capacity.check_open(user)
    request: dict[str, Any] = {"key": key, "digest": digest} if key else {}
    live = host.add(
        _session_id(series_instance_uid, user, key),
        host.entry(
            "opened",
            user=user,
            study_instance_uid=study_instance_uid,
            series_instance_uid=series_instance_uid,
            volume=volume,
            segmentation=segmentation,
            model=loaded,
            **request,
        ),
    )
    start_loading(host, live)
    return live


def _session_id(series_instance_uid: str, user: str, key: str | None) -> str:
    """Return the id of the session that a request opens: the same for the same request, whichever process has it."""
    made = hashlib.sha256(f"{user}\n{key}".encode()).hexdigest()[:16] if key else secrets.token_hex(8)
    return f"{series_instance_uid}~{made}"


def start_loading(host: SessionHost, live: LiveSession) -> None:
    """Fetch the session's volume in the background."""
    host.loaders.submit(_load, host, live)


def go_on(host: SessionHost, live: LiveSession) -> None:
    """Go on with a session that was read back from the journal."""
    if live.session.state == "loading":
        start_loading(host, live)
    else:
        resume(host, live)


def close_session(host: SessionHost, live: LiveSession) -> None:
    """Close a session: what waits is cancelled, memory is released; closing twice is once."""
    with live.lock:
        if live.session.state == "closed":
            return
        numbers = list(live.session.segments)
    for number in numbers:
        end_jobs(host, live, number, PromptCancelled("The session was closed."))
    with live.lock:
        host.record(live, host.entry("closed"))
    host.queue.release(live)


def _load(host: SessionHost, live: LiveSession) -> None:
    session = live.session
    opening: list[Entry] = []
    try:
        with host.reading():
            plan = _plan(host, session)
            if session.segmentation is not None:
                opening = opening_entries(host, host.segmentations.read(session.segmentation, plan))
        live.progressed(0, len(plan.instances), 0)
        with host.loaded_volume(live, plan) as volume:
            live.progressed(len(plan.instances), len(plan.instances), live.progress[2])
            with live.lock:
                if session.state == "loading":
                    host.record(live, host.entry("loaded", plan=plan_to_json(plan)), *opening)
                    live.volume = volume
    except DelineateError as error:
        _fail(host, live, error)
    except Exception as error:
        log.exception("loading failed", extra={"session": session.id})
        _fail(host, live, error)
    else:
        live.settle()


def _plan(host: SessionHost, session: Session) -> VolumePlan:
    """Plan the volume; of several, where none was chosen, the one that the segmentation was made on."""
    study, segmentation = session.study_instance_uid, session.segmentation
    sources = partial(host.segmentations.sources, study, segmentation) if segmentation is not None else None
    return host.shelf.plan(study, session.series_instance_uid, session.volume, sources)


def _fail(host: SessionHost, live: LiveSession, error: Exception) -> None:
    problem = problem_json(error) if isinstance(error, DelineateError) else {"error": "Exception", "detail": "internal"}
    with live.lock:
        if live.session.state == "loading" and not host.closing.is_set() and live.dropped is None:
            host.record(live, host.entry("load_failed", problem=problem))  # else it loads when it is taken again
    with suppress(InvalidStateError):  # they were told before
        live.loading.set_exception(error)
