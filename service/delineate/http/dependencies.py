"""What routes are given: the parts, the user, the session, the request's key."""

from __future__ import annotations

import hashlib
import hmac
import json
import uuid
from typing import Annotated, Any

from fastapi import Depends, Header, Request
from pydantic import BaseModel

from delineate.domain.errors import NotAuthenticated
from delineate.settings import Settings, is_loopback
from delineate.usecases.live import LiveSession
from delineate.wiring.services import Services


def services(request: Request) -> Services:
    """Return the parts of the running service."""
    parts: Services = request.app.state.services
    return parts


Parts = Annotated[Services, Depends(services)]


def current_user(request: Request, authorization: Annotated[str | None, Header()] = None) -> str:
    """Return the caller's name; the only place that knows how callers are identified.

    Raises
    ------
    NotAuthenticated
        If tokens are configured and none of them was given; or if there are none and the request was not sent to a
        loopback name, as a web page does that has its own name resolve to this machine.
    """
    settings: Settings = request.app.state.settings
    tokens = settings.tokens
    if not tokens:
        if not is_loopback(request.url.hostname or ""):
            raise NotAuthenticated(
                "Without DELINEATE_TOKENS the service answers only to loopback names such as 127.0.0.1 or localhost."
            )
        return settings.local_user
    scheme, _, given = (authorization or "").partition(" ")
    matches = [
        name for name, token in tokens.items() if hmac.compare_digest(token.get_secret_value().encode(), given.encode())
    ]
    if scheme.lower() != "bearer" or not matches:
        raise NotAuthenticated("Send the header 'Authorization: Bearer TOKEN' with a token of this service.")
    return matches[0]


User = Annotated[str, Depends(current_user)]


def own_session(session_id: str, parts: Parts, user: User) -> LiveSession:
    """Return the session of the path, which belongs to the caller."""
    return parts.host.get(session_id, user)


OwnSession = Annotated[LiveSession, Depends(own_session)]


def request_key(
    idempotency_key: Annotated[str | None, Header(min_length=1, max_length=128)] = None,
) -> str:
    """Return the client's Idempotency-Key, or a fresh one that nobody will repeat."""
    return idempotency_key or uuid.uuid4().hex


RequestKey = Annotated[str, Depends(request_key)]


def digest_of(request: Request, body: BaseModel | None) -> str:
    """Return a hash of method, path and body, by which a repeated request is known."""
    content: Any = body.model_dump(mode="json", exclude_unset=True) if body is not None else None
    text = json.dumps([request.method, request.url.path, content], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()
