"""A real ``delineate worker`` for tests: beside a service, killed, started again."""

from __future__ import annotations

import signal
import subprocess
import time

from tests.service import START_TIMEOUT_S, ServiceProcess


class WorkerProcess:
    """``delineate worker`` with the settings, the data folder and the archive of a service."""

    def __init__(self, service: ServiceProcess) -> None:
        self._service = service
        self.log = service.data_dir.parent / "worker.log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        begun = self.log.stat().st_size if self.log.exists() else 0
        self._process = self._service.run("worker", self.log)
        end = time.monotonic() + START_TIMEOUT_S
        while "worker started" not in self.log.read_text(encoding="utf-8")[begun:]:
            if self._process.poll() is not None or time.monotonic() > end:
                self.kill()
                raise RuntimeError(f"the worker did not start: {self.log.read_text(encoding='utf-8')[-3000:]}")
            time.sleep(0.05)

    def kill(self) -> None:
        """End it as a power cut would."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """End it as an administrator would."""
        self._end(signal.SIGTERM)

    def _end(self, how: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(timeout=30)
            self._process = None
