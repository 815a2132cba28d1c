"""Take a prompt into a session, and take a waiting one back."""

from __future__ import annotations

from concurrent.futures import Future
from typing import Any

from delineate.domain.errors import (
    DelineateError,
    PredictionFailed,
    PromptCancelled,
    PromptMalformed,
    PromptNotFound,
    WrongFrameOfReference,
)
from delineate.domain.prompts import LabelmapPrompt, Prompt
from delineate.domain.rasterise import rasterise
from delineate.domain.records import Json, prompt_to_json
from delineate.domain.session import Change
from delineate.domain.volume import VolumePlan
from delineate.usecases.host import SessionHost, problem_json
from delineate.usecases.live import LiveSession, Preview
from delineate.usecases.run_prompts import enqueue


def submit_prompt(
    host: SessionHost,
    live: LiveSession,
    number: int,
    prompt: Prompt,
    *,
    run: bool,
    digest: str,
    preview: Preview | None = None,
) -> Future[Change]:
    """Check a prompt, journal it, and queue it; the future tells what it did.

    The same prompt again gives the same future or outcome, and changes nothing.

    Raises
    ------
    PromptError
        If it cannot be taken; the session is as it was.
    SessionError
        If the session or segment does not take prompts now.
    SegmenterBusy
        If too many of the user's prompts wait or run already.
    ArchiveError, SeriesError
        If the volume is not in memory and cannot be fetched again.
    """
    try:
        return _submit(host, live, number, prompt, run, digest, preview)
    except DelineateError:
        host.meter.prompt_ended(prompt.kind, "refused")
        raise


def _submit(
    host: SessionHost, live: LiveSession, number: int, prompt: Prompt, run: bool, digest: str, preview: Preview | None
) -> Future[Change]:
    plan = live.plan
    prompt_id = prompt.origin.id
    with live.lock:
        if live.session.replied(prompt_id, digest):
            return _again(host, live, number, prompt_id, preview)
        live.unlocked_segment(number)
    _check(host, plan, prompt)
    if run:
        host.capacity.check_waiting(live.session.user)
    host.ensure_volume(live)
    with live.lock:
        if live.session.replied(prompt_id, digest):
            return _again(host, live, number, prompt_id, preview)
        live.unlocked_segment(number)
        data, blob = prompt_to_json(prompt)
        alone = run and not live.draining and not live.session.segment(number).pending
        intent = host.entry("prompt", blob, segment=number, prompt=data, run=run, key=prompt_id, digest=digest)
        attempt = host.entry("attempt", segment=number, prompt_ids=[prompt_id])
        host.record(live, intent, *([attempt] if alone else []))  # one write where it runs at once
        if not run:
            return _done(live, prompt_id)
        enqueue(host, live, number, preview)
        job = live.job(prompt_id)
        if job is None:
            raise PredictionFailed("The prompt could not be queued.")
        job.announced = alone
        return job.future


def cancel_prompt(host: SessionHost, live: LiveSession, number: int, prompt_id: str, **request: Any) -> None:  # noqa: ANN401
    """Cancel a waiting or running prompt, so that it has no effect; ``request`` is the key and digest of who asks.

    Raises
    ------
    PromptNotFound
        If there is no such prompt, or it is done already.
    """
    error = PromptCancelled("The prompt was cancelled; the segment is as it was before.")
    with live.lock:
        segment = live.session.segment(number)
        if prompt_id not in segment.pending:
            if (live.session.ended(prompt_id) or {}).get("error") == PromptCancelled.__name__:
                return
            raise PromptNotFound(f"Segment {number} has no waiting or running prompt {prompt_id}; undo a finished one.")
        job = live.job(prompt_id)
        running = job is not None and job in live.running
        if job is not None:
            job.cancelled.set()
        if job is not None and not running:
            live.jobs.remove(job)
            host.queue.look_again()
        request |= {"segment": number, "prompt_ids": [prompt_id], "problem": problem_json(error)}
        host.record(live, host.entry("prompts_ended", **request))
    if job is not None and not running:
        job.future.set_exception(error)
    elif job is not None:
        job.future.exception()


def _check(host: SessionHost, plan: VolumePlan, prompt: Prompt) -> None:
    if not isinstance(prompt, LabelmapPrompt):
        rasterise(prompt, plan, host.segmenter.info)
        return
    expected = plan.geometry.frame_of_reference_uid
    if prompt.origin.frame_of_reference_uid != expected:
        raise WrongFrameOfReference(prompt.origin.frame_of_reference_uid, expected)
    if not plan.geometry.box.contains(prompt.packed.box):
        raise PromptMalformed(
            f"The labelmap's box {prompt.packed.box.bounds} lies outside the volume of shape {plan.geometry.shape}."
        )


def _again(
    host: SessionHost, live: LiveSession, number: int, prompt_id: str, preview: Preview | None
) -> Future[Change]:
    job = live.job(prompt_id)
    if job is not None:
        return job.future
    ended = live.session.ended(prompt_id)
    if ended is not None:
        future: Future[Change] = Future()
        future.set_exception(error_of(ended))
        return future
    if live.session.change_of(prompt_id) is None:
        enqueue(host, live, number, preview)
        job = live.job(prompt_id)
        if job is not None:
            return job.future
    return _done(live, prompt_id)


def _done(live: LiveSession, prompt_id: str) -> Future[Change]:
    change = live.session.change_of(prompt_id)
    future: Future[Change] = Future()
    if change is None:
        future.set_exception(PredictionFailed("The prompt has no outcome."))
    else:
        future.set_result(change)
    return future


def error_of(problem: Json) -> PromptCancelled | PredictionFailed:
    """Return the error that ended a prompt, as the journal keeps it."""
    kind = PromptCancelled if problem["error"] == PromptCancelled.__name__ else PredictionFailed
    return kind(problem["detail"])
