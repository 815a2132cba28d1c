"""Settings: environment variables with the prefix ``DELINEATE_``, or a file named by ``DELINEATE_ENV_FILE``."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from pydantic import Field, SecretStr, model_validator
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
        env_prefix=PREFIX, frozen=True, extra="forbid", use_attribute_docstrings=True, hide_input_in_errors=True
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
    local_user: str = "Local^User"
    """User's name when there are no tokens."""
    data_dir: Path = Path("delineate-data")
    """Journal, results and model downloads. Holds patient data; one process at a time."""
    cache_dir: Path | None = None
    """Folder of the volume cache, on a local disk; several processes of one machine may share it. Without it, the
    folder ``volumes`` in ``DELINEATE_DATA_DIR``. Holds patient data."""
    cache_bytes: int = Field(default=20 * 1024**3, ge=0)
    """Most bytes of the volume cache; the least recently used volumes go first, never one in use. 0: nothing is
    written to disk, and volumes are in memory only while somebody uses them."""
    model: str = "demo"
    """``demo``, the id of an official nnInteractive model, or a folder with one. If it cannot be loaded, the service
    runs and answers every request with the reason (503), so that the viewer can show it."""
    model_licence_accepted: str | None = None
    """The licence string of an official model, copied from its folder, to say that its terms are accepted."""
    device: str = "auto"
    """``auto``, ``cpu``, ``cuda`` or ``cuda:N``."""
    threads: int = Field(default_factory=lambda: os.cpu_count() or 1, ge=1)
    """CPU threads of the model."""
    engine_limit: int = Field(default=4, ge=1)
    """Sessions that keep an engine in memory at once; idle ones beyond it are parked."""
    session_retention_days: float = Field(default=30.0, gt=0)
    """Days after its last change that a session is purged from the journal at start-up."""
    body_limit_bytes: int = Field(default=16 * 1024 * 1024, ge=1024)
    """Largest request body."""
    log_level: str = "INFO"
    """Level of the service's log lines."""

    @model_validator(mode="after")
    def _refuse_open_doors(self) -> Self:
        if not self.tokens and not is_loopback(self.host):
            raise ValueError(
                f"DELINEATE_HOST={self.host} is reachable from other machines, but nobody would have to identify. Set "
                'DELINEATE_TOKENS (a JSON object such as {"Doe^Jane": "a long random token"}), or listen on 127.0.0.1.'
            )
        secrets = [token.get_secret_value() for token in self.tokens.values()]
        if any(len(secret) < SHORTEST_TOKEN for secret in secrets) or len(set(secrets)) < len(secrets):
            raise ValueError(f"Each token in DELINEATE_TOKENS is unique and has at least {SHORTEST_TOKEN} characters.")
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
