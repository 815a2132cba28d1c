"""What ``make demo`` does with the stack: segment once, say the address, wait for Ctrl-C."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from delineate.demo import sample
from delineate.demo.errors import SegmentationFailedError
from delineate.demo.stack import DemoSettings, DemoStack, Say, delineate_command, demo_stack
from delineate.demo.upload import archive_client, has_segmentation

PROMPTS = Path(__file__).with_name("head_prompts.json")
"""The prompts of the demo's one segment, in patient coordinates of the sample series."""

SEGMENT_TIMEOUT_S = 600.0
"""How long the demo's one segmentation may take."""

END_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""What ends the demo in an orderly way; a shell starts background jobs with SIGINT ignored."""

SUPERVISION_PERIOD_S = 0.5
"""How often the demo looks whether everything still runs."""


def segment_sample(stack: DemoStack, say: Say) -> None:
    """Segment the sample series once, by the command line, and store the result.

    Parameters
    ----------
    stack : DemoStack
        The running stack.
    say : callable
        Takes each line of progress.

    Raises
    ------
    SegmentationFailedError
        If the command fails.
    """
    archive = stack.archive
    if has_segmentation(archive_client(archive.dicomweb_url, archive.username, archive.password)):
        return
    say("Segmenting the head MRI (delineate segment) ...")
    command = [
        *delineate_command("segment"),
        *("--study", sample.STUDY_INSTANCE_UID),
        *("--series", sample.SERIES_INSTANCE_UID),
        *("--prompts", str(PROMPTS)),
        *("--url", stack.service_url),
        "--accept",
    ]
    environment = {**os.environ, "no_proxy": "127.0.0.1"}
    try:
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=SEGMENT_TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise SegmentationFailedError(f"no answer after {SEGMENT_TIMEOUT_S:g} s") from error
    if done.returncode != 0:
        raise SegmentationFailedError(done.stderr.strip() or done.stdout.strip())
    say(f"The DICOM SEG is stored: {json.dumps(json.loads(done.stdout))}")


def run_demo(settings: DemoSettings, say: Say) -> None:
    """Run the demo until Ctrl-C (or a termination signal).

    Parameters
    ----------
    settings : DemoSettings
        Ports and folders.
    say : callable
        Takes each line of progress, the viewer's address last.

    Raises
    ------
    DemoError
        If a part does not start, or ends by itself; everything else was ended then.
    """
    started = time.monotonic()
    try:
        with _signals_as_interrupt(), demo_stack(settings, say) as stack:
            segment_sample(stack, say)
            say(f"Ready after {time.monotonic() - started:.1f} s. Logs: {settings.state / 'logs'}")
            say("Open this address; a double click on the SEG at the left shows it. Ctrl-C ends the demo.")
            say(stack.viewer_url)
            while True:
                stack.require_running()
                time.sleep(SUPERVISION_PERIOD_S)
    except KeyboardInterrupt:
        say("The demo has ended.")


@contextmanager
def _signals_as_interrupt() -> Iterator[None]:
    """Treat each of these signals like Ctrl-C, so that everything is ended."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in END_SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
