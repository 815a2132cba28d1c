"""Settings: environment variables with the prefix ``DELINEATE_``, or a file named by ``DELINEATE_ENV_FILE``."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

PREFIX = "DELINEATE_"
ENV_FILE = f"{PREFIX}ENV_FILE"
CLIENT_TOKEN = f"{PREFIX}TOKEN_FOR_CLIENT"
"""Of the command line's clients; the service itself has no use for it."""
SHORTEST_TOKEN = 16


class SettingsError(ValueError):
    """The settings do not allow to start; the message says which one and why."""


class Settings(BaseSettings):
    """All settings of the service. Each field's docstring is its reference entry."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_ignore_empty=True,
        frozen=True,
        extra="forbid",
        use_attribute_docstrings=True,
        hide_input_in_errors=True,
    )

    archive_url: str = "http://127.0.0.1:8042/dicom-web"
    """DICOMweb root of the archive."""
    archive_username: str | None = None
    """For HTTP basic authentication at the archive."""
    archive_password: SecretStr | None = None
    """For HTTP basic authentication at the archive."""
    archive_timeout_s: float = Field(default=60.0, gt=0)
    """Longest silence of the archive before a request counts as failed."""
    host: str = "127.0.0.1"
    """Address to listen on. Any but a loopback address needs ``DELINEATE_TOKENS``."""
    port: int = Field(default=8100, ge=0, le=65535)
    """Port to listen on."""
    tokens: dict[str, SecretStr] = Field(default_factory=dict)
    """Bearer tokens as a JSON object, user's name to token. The name goes into the journal and, as content creator,
    into the DICOM SEG (``Family^Given`` or plain). Without tokens everyone on this machine is ``local_user``."""
    metrics_token: SecretStr | None = None
    """Bearer token that opens ``/delineate/metrics`` and nothing else, for Prometheus. Without it, metrics are read
    like everything else: with a token of ``DELINEATE_TOKENS``, or from this machine if there are none."""
    local_user: str = "Local^User"
    """User's name when there are no tokens."""
    data_dir: Path = Path("delineate-data")
    """Journal, results and model downloads. Holds patient data; without Redis, of one process at a time."""
    redis_url: SecretStr | None = None
    """``redis://[:password@]host:port/number``, or ``rediss://``: journal, results, leases and broker of all processes
    of the service. Without it they are in ``DELINEATE_DATA_DIR``, for one process. Holds patient data."""
    lease_s: float = Field(default=10.0, ge=1.0)
    """With Redis: seconds after which another process takes over the sessions of one that has died."""
    cache_dir: Path | None = None
    """Folder of the volume cache, on a local disk; several processes of one machine may share it. Without it, the
    folder ``volumes`` in ``DELINEATE_DATA_DIR``. Holds patient data."""
    cache_bytes: int = Field(default=20 * 1024**3, ge=0)
    """Most bytes of the volume cache; the least recently used volumes go first, never one in use. 0: nothing is
    written to disk; volumes are in memory while somebody uses them, and the last ones, up to 2 GiB."""
    download_limit: int = Field(default=2, ge=1)
    """Series that one process fetches from the archive at the same time; one that a user waits for goes first."""
    machine: str | None = None
    """With Redis: name of the machine whose processes share the volume cache, and so their preloads. Without it, the
    host name."""
    preload_here: bool = True
    """Whether ``delineate serve`` preloads series itself. ``false`` leaves that to a ``delineate worker`` on the same
    machine, so that it takes no time from clicks; needs ``DELINEATE_REDIS_URL``."""
    model: str = "demo"
    """``demo``, the id of an official nnInteractive model, or a folder with one. If it cannot be loaded, the service
    runs and answers every request with the reason (503), so that the viewer can show it."""
    model_licence_accepted: str | None = None
    """The licence string of an official model, copied from its folder, to say that its terms are accepted."""
    presets_file: Path | None = None
    """JSON file with the site's own names of segments, which are offered before all others:
    ``{"presets": [{"label", "category", "type", "region", "laterality", "colour"}]}``, with codes and colours as the
    HTTP API takes them; the last three may be left out."""
    device: str = "auto"
    """``auto``, ``cpu``, ``cuda`` or ``cuda:N``."""
    threads: int = Field(default_factory=lambda: os.cpu_count() or 1, ge=1)
    """CPU threads of the model."""
    engine_limit: int = Field(default=32, ge=1)
    """Sessions that hold an engine of the model at once. Where that or ``DELINEATE_MEMORY_BYTES`` is reached, idle
    sessions are parked, and come back with their next prompt; while all of them run, further prompts wait in a queue
    that takes users in turn."""
    memory_bytes: int | None = Field(default=None, ge=1)
    """Most memory for the engines of sessions, for model runs (1 GiB on a CPU), and for volumes in use where those are
    not files (``DELINEATE_CACHE_BYTES=0``). The process itself with the model takes 0.5 to 3 GB beside it. One engine
    that is larger is still held, alone. Without it, half of the machine's or container's memory."""
    idle_s: float = Field(default=1800.0, gt=0)
    """Seconds after its last change that an open session gives up its engine and volume even if there is room."""
    session_limit: int = Field(default=10_000, ge=1)
    """Open sessions in a process's memory at once, parked ones included; one more is refused with 503 until another is
    closed, or nobody has used it for an hour."""
    user_session_limit: int = Field(default=2_000, ge=1)
    """The same, of one user."""
    user_prompt_limit: int = Field(default=64, ge=1)
    """Prompts of one user that wait or run at once; one more is refused with 503 until others are done."""
    export_dir: Path | None = None
    """Folder of exports. With Redis, every ``delineate worker`` that has the same folder writes them, on a network
    storage that carries locks also one on another machine; at least one has to. Without it, the folder ``exports`` in
    ``DELINEATE_DATA_DIR``, and the service that was asked for an export writes it. Holds patient data."""
    worker_metrics: str | None = Field(default=None, pattern=r"^\S+:\d{1,5}$")
    """``HOST:PORT`` at which a ``delineate worker`` gives its metrics to Prometheus, to whoever asks: they are counts
    and times, and name nobody."""
    session_retention_days: float = Field(default=30.0, gt=0)
    """Days after its last change that a session is purged from the journal, with its results."""
    body_limit_bytes: int = Field(default=16 * 1024 * 1024, ge=1024)
    """Largest request body."""
    log_level: str = "INFO"
    """Level of the service's log lines."""

    @field_validator("redis_url")
    @classmethod
    def _is_redis(cls, url: SecretStr | None) -> SecretStr | None:
        if url is not None and not url.get_secret_value().startswith(("redis://", "rediss://")):
            raise ValueError(
                "DELINEATE_REDIS_URL is no address of a Redis. "
                "Write redis://[:password@]host:port/number, or rediss:// for TLS."
            )
        return url

    @model_validator(mode="after")
    def _refuse_open_doors(self) -> Self:
        if not self.preload_here and self.redis_url is None:
            raise ValueError(
                "DELINEATE_PRELOAD_HERE=false leaves preloading to a delineate worker, which needs DELINEATE_REDIS_URL."
            )
        if not self.tokens and not is_loopback(self.host):
            raise ValueError(
                f"DELINEATE_HOST={self.host} is reachable from other machines, but nobody would have to identify. Set "
                'DELINEATE_TOKENS (a JSON object such as {"Doe^Jane": "a long random token"}), or listen on 127.0.0.1.'
            )
        secrets = [token.get_secret_value() for token in (*self.tokens.values(), self.metrics_token) if token]
        if any(len(secret) < SHORTEST_TOKEN for secret in secrets) or len(set(secrets)) < len(secrets):
            raise ValueError(
                "Each token in DELINEATE_TOKENS, and DELINEATE_METRICS_TOKEN, is unique and has at least "
                f"{SHORTEST_TOKEN} characters."
            )
        if any(not name.strip() or len(name) > 64 or "\\" in name for name in [*self.tokens, self.local_user]):
            raise ValueError("A user's name has 1 to 64 characters without backslash.")
        return self


def load_settings(environment: Mapping[str, str] | None = None) -> Settings:
    """Read the settings.

    Raises
    ------
    SettingsError
        If one is unknown, missing or wrong.
    """
    given = dict(os.environ if environment is None else environment)
    known = {f"{PREFIX}{name}".upper() for name in Settings.model_fields} | {ENV_FILE, CLIENT_TOKEN}
    unknown = sorted(name for name in given if name.upper().startswith(PREFIX) and name.upper() not in known)
    if unknown:
        raise SettingsError(f"Unknown settings: {', '.join(unknown)}. Known are: {', '.join(sorted(known))}.")
    try:
        return Settings(_env_file=given.get(ENV_FILE))  # type: ignore[call-arg]
    except ValueError as error:
        raise SettingsError(str(error)) from error


def is_loopback(host: str) -> bool:
    """Tell whether an address can be reached from this machine only."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
