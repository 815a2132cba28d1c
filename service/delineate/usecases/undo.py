"""Undo, redo and reset a segment, without a limit of depth."""

from __future__ import annotations

from delineate.domain.errors import PromptCancelled
from delineate.domain.labelmap import NOTHING
from delineate.domain.session import Change, check_redo, check_undo
from delineate.usecases.host import SessionHost
from delineate.usecases.live import LiveSession
from delineate.usecases.run_prompts import end_jobs
from delineate.usecases.submit_prompt import cancel_prompt


def undo(host: SessionHost, live: LiveSession, number: int, key: str, digest: str) -> Change:
    """Take the last step back; a waiting or running prompt is cancelled instead.

    Raises
    ------
    NothingToUndo
        If no step is in effect and no prompt waits.
    """
    with live.lock:
        if live.session.replied(key, digest):
            return _known(live, key)
        segment = live.unlocked_segment(number)
        last = next(reversed(segment.pending), None)
        if last is None:
            check_undo(segment)
            host.record(live, host.entry("undo", segment=number, key=key, digest=digest))
            return _known(live, key)
    cancel_prompt(host, live, number, last, key=key, digest=digest)
    return _known(live, key)


def redo(host: SessionHost, live: LiveSession, number: int, key: str, digest: str) -> Change:
    """Do the last undone step again, without the model; a waiting or running prompt is cancelled first.

    Raises
    ------
    NothingToRedo
        If no undone step is left.
    """
    with live.lock:
        if live.session.replied(key, digest):
            return _known(live, key)
        check_redo(live.unlocked_segment(number))
    return _quietly(host, live, number, "redo", key, digest)


def reset(host: SessionHost, live: LiveSession, number: int, key: str, digest: str) -> Change:
    """Empty a segment and make the model forget its prompts, as a step that can be undone."""
    with live.lock:
        if live.session.replied(key, digest):
            return _known(live, key)
        live.unlocked_segment(number)
    return _quietly(host, live, number, "step", key, digest)


def _quietly(host: SessionHost, live: LiveSession, number: int, kind: str, key: str, digest: str) -> Change:
    """Record the entry at a moment when no prompt of the segment is pending."""
    while True:
        end_jobs(host, live, number, PromptCancelled("The prompt was cancelled by a reset or redo of its segment."))
        with live.lock:
            segment = live.unlocked_segment(number)
            if segment.pending:
                continue
            if kind == "redo":
                check_redo(segment)
                entry = host.entry("redo", segment=number, key=key, digest=digest)
            else:
                entry = host.entry(
                    "step",
                    NOTHING.data,
                    segment=number,
                    step="reset",
                    prompt_ids=[],
                    box=NOTHING.box.bounds,
                    timing={},
                    key=key,
                    digest=digest,
                )
            host.record(live, entry)
            return _known(live, key)


def _known(live: LiveSession, key: str) -> Change:
    change = live.session.change_of(key)
    if change is None:
        raise PromptCancelled("The request had no effect.")
    return change
