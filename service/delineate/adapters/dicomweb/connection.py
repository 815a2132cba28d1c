"""HTTP to one archive: one session for each thread, time-outs, and retries with back-off."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import requests
import tenacity
from dicomweb_client.web import DICOMwebClient
from requests.auth import AuthBase, HTTPBasicAuth

from delineate.adapters.dicomweb.faults import translated
from delineate.domain.errors import ArchiveTimeout, ArchiveUnreachable

T = TypeVar("T")

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ArchiveAddress:
    """Where the archive is, and who we are to it."""

    url: str
    """DICOMweb root, without a trailing slash."""
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    ca_bundle: str | None = None


@dataclass(frozen=True, slots=True)
class Patience:
    """How long we wait for the archive, and how often."""

    connect_timeout_s: float
    read_timeout_s: float
    """Longest silence; no new attempt is begun after that long."""
    attempts: int
    backoff_s: float
    """First pause between attempts; doubles each time, with jitter, up to MAX_PAUSE_S."""


MAX_PAUSE_S = 8.0
"""Longest pause between two attempts."""


class _Authentication(AuthBase):
    """Basic authentication if there are credentials; takes back dicomweb-client's Host header, which lacks the port."""

    def __init__(self, address: ArchiveAddress) -> None:
        known = address.username is not None
        self._basic = HTTPBasicAuth(address.username or "", address.password or "") if known else None

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers.pop("Host", None)
        if self._basic:
            self._basic(request)
        return request


class Connection:
    """Makes requests to the archive; may be used from several threads."""

    def __init__(self, address: ArchiveAddress, patience: Patience) -> None:
        self._address, self._patience = address, patience
        self._of_thread = threading.local()

    @property
    def url(self) -> str:
        """DICOMweb root, without a trailing slash."""
        return self._address.url

    @property
    def timeout(self) -> tuple[float, float]:
        """Connect and read time-out, seconds."""
        return (self._patience.connect_timeout_s, self._patience.read_timeout_s)

    @property
    def session(self) -> requests.Session:
        """The session of the current thread."""
        if not hasattr(self._of_thread, "session"):
            self._of_thread.session = self._new_session()
        session: requests.Session = self._of_thread.session
        return session

    @property
    def client(self) -> Any:  # noqa: ANN401  (dicomweb-client is untyped)
        """The DICOMweb client of the current thread, over the same session."""
        if not hasattr(self._of_thread, "client"):
            client = DICOMwebClient(self.url, session=self.session, timeout=self.timeout, permissive_uid=True)
            client.set_http_retry_params(retry=False)
            logging.getLogger("retrying").setLevel(logging.ERROR)  # logs a traceback for each fault, retried or not
            logging.getLogger("dicomweb_client").setLevel(logging.WARNING)  # it says what was asked for
            self._of_thread.client = client
        return self._of_thread.client

    def _new_session(self) -> requests.Session:
        session = requests.Session()
        session.trust_env = False  # no proxy, no .netrc: only the configured archive with the configured credentials
        session.max_redirects = 0
        session.auth = _Authentication(self._address)
        session.verify = self._address.ca_bundle or True
        return session

    def get(self, path: str, accept: str) -> requests.Response:
        """Begin a GET whose body is read as a stream; raises requests' exceptions."""
        headers = {"Accept": accept, "Accept-Encoding": "identity"}
        response = self.session.get(f"{self.url}/{path}", headers=headers, stream=True, timeout=self.timeout)
        if not response.ok:
            response.close()
        response.raise_for_status()
        return response

    def call(self, request: Callable[[], T]) -> T:
        """Make a request, again with back-off while the fault may pass; raise ArchiveError leaves."""
        for attempt in self._retrying():
            with attempt, translated(self.url):
                return request()
        raise AssertionError  # pragma: no cover  (tenacity re-raises the last fault)

    def _retrying(self) -> tenacity.Retrying:
        patience = self._patience
        return tenacity.Retrying(
            stop=tenacity.stop_after_attempt(patience.attempts) | tenacity.stop_after_delay(patience.read_timeout_s),
            wait=tenacity.wait_exponential_jitter(
                multiplier=patience.backoff_s, max=MAX_PAUSE_S, jitter=patience.backoff_s
            ),
            retry=tenacity.retry_if_exception_type((ArchiveUnreachable, ArchiveTimeout)),
            before_sleep=_log_retry,
            reraise=True,
        )


def _log_retry(state: tenacity.RetryCallState) -> None:
    fault = state.outcome.exception() if state.outcome else None
    pause_s = state.next_action.sleep if state.next_action else 0.0
    _log.warning("archive: attempt %d failed (%s), next in %.1f s", state.attempt_number, type(fault).__name__, pause_s)
