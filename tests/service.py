"""A real service process for tests: started on a free port, killed, started again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from delineate.client import Client
from delineate.demo.processes import free_port

START_TIMEOUT_S = 180.0


@dataclass
class ServiceProcess:
    """``delineate serve`` against one archive."""

    archive_url: str
    username: str
    password: str
    data_dir: Path
    environment: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None
    port: int = 0
    http: httpx.Client | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def client(self) -> httpx.Client:
        """One HTTP client for as long as the process is meant to be there."""
        if self.http is None:
            self.http = httpx.Client(base_url=self.url, timeout=300.0)
        return self.http

    @property
    def log(self) -> Path:
        return self.data_dir.parent / f"{self.data_dir.name}.log"

    def connect(self, token: str | None = None) -> Client:
        return Client(self.url, token=token)

    def start(self) -> None:
        self.launch()
        self.await_live()

    def launch(self) -> None:
        """Start it without waiting for it; from the main thread, with which it ends."""
        self.port = self.port or free_port()
        self.process = self.run("serve", self.log, DELINEATE_PORT=str(self.port))

    def run(self, verb: str, log: Path, **settings: str) -> subprocess.Popen[bytes]:
        """Run ``delineate`` with the service's archive, data folder and settings; it ends with this thread."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith("DELINEATE_")}
        environment |= {
            "DELINEATE_ARCHIVE_URL": self.archive_url,
            "DELINEATE_ARCHIVE_USERNAME": self.username,
            "DELINEATE_ARCHIVE_PASSWORD": self.password,
            "DELINEATE_DATA_DIR": str(self.data_dir),
            **settings,
            **self.environment,
        }
        command = ["setpriv", "--pdeathsig", "KILL", str(Path(sys.executable).with_name("delineate")), verb]
        with log.open("ab") as output:
            return subprocess.Popen(command, env=environment, stdout=output, stderr=output, start_new_session=True)

    def kill(self) -> None:
        """End it as a power cut would."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """End it as an administrator would."""
        self._end(signal.SIGTERM)

    def _end(self, how: signal.Signals) -> None:
        if self.http is not None:
            self.http.close()
            self.http = None
        if self.process is not None:
            self.process.send_signal(how)
            self.process.wait(timeout=30)
            self.process = None

    def await_live(self) -> None:
        """Wait until it answers."""
        end = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < end:
            if self.process is None or self.process.poll() is not None:
                raise RuntimeError(f"the service did not start: {self.log.read_text()[-3000:]}")
            try:
                if httpx.get(f"{self.url}/delineate/health/live", timeout=5.0).is_success:
                    return
            except httpx.TransportError:
                time.sleep(0.1)
        raise RuntimeError("the service did not start in time")
