"""Run a session's waiting prompts, one step after another, in the order in which they came."""

from __future__ import annotations

import logging
import time
from concurrent.futures import Future
from functools import partial
from itertools import takewhile

from delineate.domain.errors import DelineateError, PredictionFailed, PromptCancelled, SegmenterError
from delineate.domain.labelmap import Labelmap, PackedRegion, Region
from delineate.domain.ports import SegmentHistory, StepOutcome
from delineate.domain.prompts import LabelmapPrompt, VoxelPrompt
from delineate.domain.rasterise import rasterise
from delineate.domain.session import Change, Entry, SegmentRecord, Timing, step_seed
from delineate.usecases.events import QueueMoved, SegmentChanged
from delineate.usecases.host import SessionHost, problem_json
from delineate.usecases.live import Job, LiveSession, Preview
from delineate.usecases.meter import Meter, outcome_of

log = logging.getLogger(__name__)


def enqueue(host: SessionHost, live: LiveSession, number: int, preview: Preview | None = None) -> None:
    """Queue every pending prompt of a segment that has no job yet, in order, and start the session's lane.

    ``preview`` belongs to the last of them. The caller holds the session's lock.
    """
    segment = live.session.segment(number)
    waiting = [p.prompt for p in segment.pending.values() if live.job(p.prompt.origin.id) is None]
    for prompt in waiting:
        content = prompt if isinstance(prompt, LabelmapPrompt) else rasterise(prompt, live.plan, host.segmenter.info)
        job = Job(number, prompt.origin.id, content, time.monotonic())
        job.preview = preview if prompt is waiting[-1] else None
        job.future.add_done_callback(partial(_count, host.meter, prompt.kind))
        live.jobs.append(job)
    if live.jobs and not live.draining:
        live.draining = True
        host.lanes.submit(_drain, host, live)


def _count(meter: Meter, kind: str, future: Future[Change]) -> None:
    meter.prompt_ended(kind, outcome_of(future))


def resume(host: SessionHost, live: LiveSession) -> None:
    """After a restart: run again every prompt that was to run and has no outcome."""
    with live.lock:
        for segment in live.session.segments.values():
            if any(p.run for p in segment.pending.values()):
                enqueue(host, live, segment.number)


def end_jobs(host: SessionHost, live: LiveSession, number: int, error: PromptCancelled) -> None:
    """Cancel every pending prompt of a segment and wait until none has an effect any more."""
    with live.lock:
        segment = live.session.segment(number)
        running = [j for j in live.running if j.segment == number]
        for job in running:
            job.cancelled.set()
        doomed = [j for j in live.jobs if j.segment == number]
        for job in doomed:
            live.jobs.remove(job)
        host.queue.look_again()
        ids = [name for name in segment.pending if all(j.prompt_id != name for j in running)]
        if ids:
            host.record(live, _ended(host, number, ids, error))
    for job in doomed:
        job.future.set_exception(error)
    for job in running:
        job.future.exception()


def _ended(host: SessionHost, number: int, ids: list[str], error: DelineateError) -> Entry:
    return host.entry("prompts_ended", segment=number, prompt_ids=ids, problem=problem_json(error))


def _drain(host: SessionHost, live: LiveSession) -> None:
    more = True
    while more:
        with host.queue.turn(live, lambda: _needs_model(live)) as admitted:
            more = _run_next(host, live, admitted)
    if live.session.state == "closed" or live.dropped is not None:
        host.queue.release(live)


def _needs_model(live: LiveSession) -> bool:
    """Tell whether the next waiting prompt, if there is one, needs the model."""
    try:
        return not isinstance(live.jobs[0].content, LabelmapPrompt)
    except IndexError:
        return False


def _run_next(host: SessionHost, live: LiveSession, admitted: bool) -> bool:
    """Run what comes next, which needs the model only if the session was admitted; False if nothing waits."""
    with live.lock:
        if not live.jobs:
            live.draining = False
            return False
        if _needs_model(live) and not admitted:
            return True
        live.running = _take_batch(live, host.segmenter.info.crop_shape)
        live.listeners.publish(SegmentChanged(live.running[0].segment), QueueMoved())
    try:
        _run_batch(host, live, live.running)
    except Exception as error:  # whatever happens, the session goes on
        _batch_failed(host, live, live.running, error)
    return True


def _take_batch(live: LiveSession, crop_shape: tuple[int, int, int]) -> tuple[Job, ...]:
    """Take the longest run of waiting prompts that may share a step (DESIGN section 5)."""
    first = live.jobs[0]
    if isinstance(first.content, LabelmapPrompt):
        return (live.jobs.popleft(),)
    same = list(
        takewhile(lambda j: j.segment == first.segment and not isinstance(j.content, LabelmapPrompt), live.jobs)
    )
    count = next(n for n in range(len(same), 0, -1) if n == 1 or _in_one_crop(same[:n], crop_shape))
    return tuple(live.jobs.popleft() for _ in range(count))


def _in_one_crop(jobs: list[Job], crop_shape: tuple[int, int, int]) -> bool:
    """Tell whether all prompts lie inside the crop around the last one, where the model predicts."""
    boxes = [job.content.box for job in jobs if not isinstance(job.content, LabelmapPrompt)]
    for axis, size in enumerate(crop_shape):
        centre = (boxes[-1].start[axis] + boxes[-1].stop[axis] - 1) // 2
        low, high = centre - size // 2 + 1, centre + size // 2 - 1
        if any(box.start[axis] < low or box.stop[axis] > high for box in boxes):
            return False
    return True


def _run_batch(host: SessionHost, live: LiveSession, jobs: tuple[Job, ...]) -> None:
    started = time.monotonic()
    content = jobs[-1].content
    if isinstance(content, LabelmapPrompt):
        after = Labelmap(live.session.shape, content.packed.region().tight())
        _conclude(host, live, jobs, "labelmap", after, Timing(queue=_ms(started - jobs[0].queued_at)))
        return
    outcome, after = _run_model(host, live, jobs)
    timing = Timing(queue=_ms(started - jobs[0].queued_at), model=outcome.model_ms)
    host.meter.model_ran(queue_s=started - jobs[0].queued_at, model_s=outcome.model_ms / 1000.0, passes=outcome.passes)
    _conclude(host, live, jobs, "prompts", after, timing)


def _run_model(host: SessionHost, live: LiveSession, jobs: tuple[Job, ...]) -> tuple[StepOutcome, Labelmap]:
    engine = host.ensure_engine(live)
    ids = [job.prompt_id for job in jobs]
    with live.lock:
        unannounced = [job.prompt_id for job in jobs if not job.announced]
        if unannounced:
            host.record(live, host.entry("attempt", segment=jobs[0].segment, prompt_ids=unannounced))
        for job in jobs:
            job.announced = False
        segment = live.session.segment(jobs[0].segment)
        base = segment.revision
        history, state = history_of(host, live, segment), f"{segment.number}@{base + 1}"
    previews = [job.preview for job in jobs if job.preview is not None]

    def show(region: Region) -> None:
        for preview in previews:
            preview(base, region)

    outcome = engine.run(
        history,
        [job.content for job in jobs if not isinstance(job.content, LabelmapPrompt)],
        state=state,
        seed=step_seed(ids[-1]),
        cancelled=lambda: any(job.cancelled.is_set() for job in jobs),
        preview=show if previews else None,
    )
    return outcome, history.labelmap.apply(outcome.change)


def history_of(host: SessionHost, live: LiveSession, segment: SegmentRecord) -> SegmentHistory:
    """Return what the model needs to know of a segment to go on with it."""
    prompts: list[VoxelPrompt] = []
    for prompt_id in segment.remembered:
        prompt = live.session.prompts[prompt_id]
        if not isinstance(prompt, LabelmapPrompt):
            prompts.append(rasterise(prompt, live.plan, host.segmenter.info))
    return SegmentHistory(segment.state_name, segment.packed.labelmap(live.session.shape), tuple(prompts))


def _conclude(
    host: SessionHost, live: LiveSession, jobs: tuple[Job, ...], kind: str, after: Labelmap, timing: Timing
) -> None:
    began = time.monotonic()
    packed = PackedRegion.of(after.region)
    encoded = Timing(round(timing.queue, 3), round(timing.model, 3), _ms(time.monotonic() - began))
    ids = [job.prompt_id for job in jobs]
    with live.lock:
        if any(job.cancelled.is_set() for job in jobs):
            raise PromptCancelled("The prompt was cancelled; the segment is as it was before.")
        host.record(
            live,
            host.entry(
                "step",
                packed.data,
                segment=jobs[0].segment,
                step=kind,
                prompt_ids=ids,
                box=packed.box.bounds,
                timing={"queue": encoded.queue, "model": encoded.model, "encode": encoded.encode},
            ),
        )
        live.running = ()
        changes = [live.session.change_of(name) for name in ids]
    log.info("step", extra={"session": live.session.id, "prompts": ids, "model_ms": encoded.model})
    for job, change in zip(jobs, changes, strict=True):
        if change is not None:
            job.future.set_result(change)


def _batch_failed(host: SessionHost, live: LiveSession, jobs: tuple[Job, ...], error: Exception) -> None:
    """End the jobs that were cancelled or failed; put the others of a cancelled batch back in front."""
    if not isinstance(error, DelineateError):
        log.error("prompt failed", exc_info=error, extra={"session": live.session.id})
        error = PredictionFailed(
            "The model failed on this prompt; the segment is as it was before. Try another prompt, and tell the "
            "administrator if it happens again."
        )
    with live.lock:
        error = live.dropped or error
        cancelled = isinstance(error, PromptCancelled)
        ended = [job for job in jobs if not cancelled or job.cancelled.is_set()]
        live.jobs.extendleft(reversed([job for job in jobs if job not in ended]))
        live.running = ()
        live.listeners.publish(SegmentChanged(jobs[0].segment), QueueMoved())
        lasting = isinstance(error, SegmenterError) and not host.closing.is_set()
        if lasting and jobs[0].segment in live.session.segments:
            # other errors (the archive is away, the series changed, the process ends) leave the intents pending
            host.record(live, _ended(host, jobs[0].segment, [job.prompt_id for job in ended], error))
    for job in ended:
        job.future.set_exception(error)


def _ms(seconds: float) -> float:
    return round(seconds * 1000.0, 3)
