"""Run the prompts that were collected."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future

from delineate.domain.errors import DelineateError, NothingToRun, PredictionFailed, PromptCancelled
from delineate.domain.session import Change
from delineate.usecases.host import SessionHost
from delineate.usecases.live import Job, LiveSession
from delineate.usecases.run_prompts import enqueue
from delineate.usecases.submit_prompt import error_of


def run_collected(host: SessionHost, live: LiveSession, number: int, key: str, digest: str) -> Future[Change]:
    """Queue every prompt of a segment that was collected, in order; the future tells what they did together.

    A prompt whose run could not begin before (the archive was away) runs with them. The same request again gives the
    same outcome.

    Raises
    ------
    NothingToRun
        If no prompt was collected.
    SessionError
        If the session or segment cannot be worked with now.
    ArchiveError, SeriesError
        If the volume is not in memory and cannot be fetched again.
    """
    _ = live.plan
    host.ensure_volume(live)
    with live.lock:
        if not live.session.replied(key, digest):
            segment = live.unlocked_segment(number)
            ids = [name for name in segment.pending if live.job(name) is None]
            if not ids:
                raise NothingToRun(f"Segment {number} has no collected prompt. Send one with run=false first.")
            host.record(live, host.entry("run", segment=number, prompt_ids=ids, key=key, digest=digest))
        ids = list(live.session.made(key))
        segments = live.session.segments
        if number in segments and any(name in segments[number].pending and live.job(name) is None for name in ids):
            enqueue(host, live, number)
        jobs = [job for name in ids if (job := live.job(name)) is not None]
    done: Future[Change] = Future()
    _after_all(jobs, lambda: _settle(done, live, key, ids, jobs))
    return done


def _after_all(jobs: Sequence[Job], then: Callable[[], None]) -> None:
    """Call ``then`` once, when every job is done; at once if there is none."""
    left = len(jobs)
    guard = threading.Lock()
    if not jobs:
        then()

    def one_less(_: Future[Change]) -> None:
        nonlocal left
        with guard:
            left -= 1
            last = left == 0
        if last:
            then()

    for job in jobs:
        job.future.add_done_callback(one_less)


def _settle(done: Future[Change], live: LiveSession, key: str, ids: Sequence[str], jobs: Sequence[Job]) -> None:
    """Answer with the first fault, else with what was done, else with the cancellation."""
    with live.lock:
        ended = [error_of(problem) for name in ids if (problem := live.session.ended(name)) is not None]
        change = live.session.change_of(key)
    passing = [error for job in jobs if isinstance(error := job.future.exception(), DelineateError)]
    faults = [error for error in (*ended, *passing) if not isinstance(error, PromptCancelled)]
    if faults:
        done.set_exception(faults[0])
    elif change is not None:
        done.set_result(change)
    else:
        done.set_exception((*ended, PredictionFailed("The prompts have no outcome."))[0])
