"""A Python client of the HTTP service: the same verbs, numpy in and out."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx
import httpx_sse
import numpy as np
import numpy.typing as npt

from delineate.domain.geometry import Box
from delineate.domain.labelmap import Labelmap, Region, pack_text, unpack_text

POLL_S = 0.2
LONGEST_SILENCE_S = 60.0
"""Of an event stream, which carries comments while nothing happens."""
Json = dict[str, Any]


class ServiceError(RuntimeError):
    """The service answered with a problem document.

    Attributes
    ----------
    problem
        The document (RFC 9457): type, title, status, detail and the error's own members.
    """

    def __init__(self, problem: Json) -> None:
        super().__init__(f"{problem.get('title', 'error')} {problem.get('detail', '')}".strip())
        self.problem = problem


class Client:
    """A connection to a Delineate service.

    Parameters
    ----------
    base_url
        Root of the service or of the gateway, without ``/delineate``.
    token
        Bearer token, if the service asks for one.
    timeout_s
        Longest wait for a reply.
    """

    def __init__(self, base_url: str, token: str | None = None, *, timeout_s: float = 600.0) -> None:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._http = httpx.Client(base_url=f"{base_url.rstrip('/')}/delineate", headers=headers, timeout=timeout_s)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection; sessions stay open in the service."""
        self._http.close()

    def call(self, method: str, path: str, body: Json | None = None, **options: Any) -> Any:  # noqa: ANN401
        """Send a request below ``/delineate`` and return the reply's JSON; ServiceError for a problem."""
        reply = self._http.request(method, path, json=body, **options)
        if reply.is_error:
            raise ServiceError(_problem(reply))
        return reply.json() if reply.content else None

    def models(self) -> list[Json]:
        """List the service's models."""
        models: list[Json] = self.call("GET", "/models")
        return models

    def terminology(self, query: str = "", *, limit: int = 20, among: str = "types") -> list[Json]:
        """Search what a segment can be (``types``) or be in (``regions``), in English; the common ones for no query."""
        reply = self.call("GET", "/terminology", params={"q": query, "limit": limit, "among": among})
        entries: list[Json] = reply["entries"]
        return entries

    def open_session(
        self,
        study_instance_uid: str,
        series_instance_uid: str,
        *,
        volume: str | None = None,
        segmentation_sop_instance_uid: str | None = None,
    ) -> ClientSession:
        """Open a session, on a stored segmentation if one is named, and wait until its volume is loaded."""
        body: Json = {"study_instance_uid": study_instance_uid, "series_instance_uid": series_instance_uid}
        if volume is not None:
            body["volume"] = volume
        if segmentation_sop_instance_uid is not None:
            body["segmentation_sop_instance_uid"] = segmentation_sop_instance_uid
        made = self.call("POST", "/sessions", body, params={"wait": "true"}, headers=_key())
        return ClientSession(self, made)

    def session(self, session_id: str) -> ClientSession:
        """Go on with an open session."""
        return ClientSession(self, self.call("GET", f"/sessions/{session_id}"))

    def sessions(self, study_instance_uid: str | None = None) -> list[Json]:
        """List the caller's open sessions."""
        parameters = {"study_instance_uid": study_instance_uid} if study_instance_uid else {}
        listed: list[Json] = self.call("GET", "/sessions", params=parameters)
        return listed

    def preload(
        self, study_instance_uid: str, series_instance_uid: str, *, volume: str | None = None, background: bool = False
    ) -> Json:
        """Have a series read before it is opened, after others if in the background; return how far it is."""
        body: Json = {"study_instance_uid": study_instance_uid}
        if background:
            body["background"] = True
        if volume is not None:
            body["volume"] = volume
        state: Json = self.call("PUT", f"/preloads/{series_instance_uid}", body)
        return state

    def preload_state(self, series_instance_uid: str) -> Json:
        """Read how far a preloaded series is."""
        state: Json = self.call("GET", f"/preloads/{series_instance_uid}")
        return state

    def cancel_preload(self, series_instance_uid: str) -> None:
        """Do not read a series ahead after all."""
        self.call("DELETE", f"/preloads/{series_instance_uid}")

    def result(self, result_id: str) -> Json:
        """Read how far an accepted segmentation is."""
        result: Json = self.call("GET", f"/results/{result_id}")
        return result

    def recording(self, result_id: str) -> Json:
        """Read how a result's segments came to be: what `delineate replay` makes them again from."""
        recording: Json = self.call("GET", f"/results/{result_id}/recording")
        return recording

    def segmentations(self, study_instance_uid: str, series_instance_uid: str) -> list[Json]:
        """List the stored segmentations of a series as versions, the oldest first."""
        parameters = {"study_instance_uid": study_instance_uid}
        listed: list[Json] = self.call("GET", f"/series/{series_instance_uid}/segmentations", params=parameters)
        return listed

    def export(self, export_id: str) -> Json:
        """Read how far an export is."""
        export: Json = self.call("GET", f"/exports/{export_id}")
        return export

    def wait_for_export(self, export_id: str, timeout_s: float = 600.0) -> Json:
        """Wait until an export is done; ServiceError if it failed, TimeoutError if it takes too long."""
        end = time.monotonic() + timeout_s
        while time.monotonic() < end:
            export = self.export(export_id)
            if export["state"] == "done":
                return export
            if export["state"] == "failed":
                raise ServiceError({"title": "The segments could not be exported.", "detail": export["reason"]})
            time.sleep(POLL_S)
        raise TimeoutError(f"The export is still {export['state']}, {export['done']} of {export['total']} formats.")

    def fetch_export(self, export_id: str, file: Path) -> None:
        """Write an export's ZIP file, all of it or nothing."""
        part = file.with_name(f"{file.name}.part")
        with self._http.stream("GET", f"/exports/{export_id}/file") as reply:
            if reply.is_error:
                reply.read()
                raise ServiceError(_problem(reply))
            with part.open("wb") as out:
                for chunk in reply.iter_bytes():
                    out.write(chunk)
        part.replace(file)

    def delete_export(self, export_id: str) -> None:
        """Have the service forget an export and its file."""
        self.call("DELETE", f"/exports/{export_id}")

    def wait_for_result(self, result_id: str, timeout_s: float = 120.0) -> Json:
        """Wait until a result is stored; ServiceError if it failed, TimeoutError if it takes too long."""
        end = time.monotonic() + timeout_s
        while time.monotonic() < end:
            result = self.result(result_id)
            if result["state"] == "stored":
                return result
            if result["state"] == "failed":
                raise ServiceError({"title": "The segmentation could not be stored.", "detail": result["reason"]})
            time.sleep(POLL_S)
        raise TimeoutError(f"The result is still {result['state']}: {result['reason'] or 'no reason given'}")

    def stream(self, path: str, body: Json, on_line: Callable[[Json], None]) -> Json:
        """Send a request that is answered line by line; return the last line."""
        last: Json = {}
        headers = {"Accept": "application/x-ndjson"}
        with self._http.stream("POST", path, json=body, headers=headers) as reply:
            if reply.is_error:
                reply.read()
                raise ServiceError(_problem(reply))
            for line in reply.iter_lines():
                last = json.loads(line)
                if last.get("final") is False:
                    on_line(last)
        if "status" in last:
            raise ServiceError(last)
        return last

    def events(self, path: str) -> Iterator[tuple[str, Json]]:
        """Yield kind and data of the server-sent events below ``path``, until the service ends them."""
        quiet_s = httpx.Timeout(self._http.timeout.connect, read=LONGEST_SILENCE_S)
        with httpx_sse.connect_sse(self._http, "GET", path, timeout=quiet_s) as source:
            if source.response.is_error:
                source.response.read()
                raise ServiceError(_problem(source.response))
            for event in source.iter_sse():
                yield event.event, json.loads(event.data)

    def segment_file(
        self,
        study_instance_uid: str,
        series_instance_uid: str,
        segments: Iterable[Json],
        *,
        volume: str | None = None,
        accept: bool = False,
        out: Path | None = None,
    ) -> Json:
        """Do the main job: open a session, give each segment its prompts, and accept or write the labelmaps.

        A session whose segments were stored is closed; any other stays open, to go on with.

        Returns
        -------
        The session's id, each segment's volume, and, when accepted, the stored SEG's UIDs.
        """
        session = self.open_session(study_instance_uid, series_instance_uid, volume=volume)
        volumes: list[Json] = []
        arrays: dict[str, npt.NDArray[np.bool_]] = {}
        for item in segments:
            description = {name: value for name, value in item.items() if name != "prompts"}
            number = session.add_segment(**description)["number"]
            for prompt in item["prompts"]:
                session.submit(number, {"id": str(uuid.uuid4()), **session.located(prompt)})
            labelmap, reply = session.labelmap(number)
            arrays[f"segment_{number}"] = labelmap.to_array()
            volumes.append({"segment": number, "label": item.get("label"), "volume_ml": reply["volume_ml"]})
        made: Json = {"session": session.id, "segments": volumes}
        if out is not None:
            np.savez_compressed(out, affine=np.array(session.info["geometry"]["affine"]), **arrays)  # type: ignore[arg-type]
            made["out"] = str(out)
        if accept:
            stored = self.wait_for_result(session.accept()["id"])
            names = ("state", "study_instance_uid", "series_instance_uid", "sop_instance_uid")
            made |= {name: stored[name] for name in names}
            session.close()
        return made


class ClientSession:
    """A session of the service.

    Attributes
    ----------
    info
        The session as the service described it when it was opened.
    """

    def __init__(self, client: Client, info: Json) -> None:
        self._client = client
        self.info = info
        self.id: str = info["id"]
        self.path = f"/sessions/{self.id}"
        shape = (info.get("geometry") or {}).get("shape", (0, 0, 0))
        self.shape: tuple[int, int, int] = tuple(shape)

    def refresh(self) -> Json:
        """Read the session again."""
        self.info = self._client.call("GET", self.path)
        return self.info

    def close(self) -> None:
        """Close the session for good."""
        self._client.call("DELETE", self.path)

    def add_segment(self, **description: Any) -> Json:  # noqa: ANN401
        """Add a segment: label, category, type, region, laterality, colour, locked."""
        made: Json = self._client.call("POST", f"{self.path}/segments", description, headers=_key())
        return made

    def change_segment(self, number: int, **description: Any) -> Json:  # noqa: ANN401
        """Change what is said of a segment."""
        made: Json = self._client.call("PATCH", f"{self.path}/segments/{number}", description, headers=_key())
        return made

    def delete_segment(self, number: int) -> None:
        """Delete a segment."""
        self._client.call("DELETE", f"{self.path}/segments/{number}", headers=_key())

    def located(self, prompt: Json) -> Json:
        """Return a prompt with the session's frame of reference, unless it names one."""
        return {"frame_of_reference_uid": self.info["geometry"]["frame_of_reference_uid"], **prompt}

    def submit(self, number: int, prompt: Json, on_preview: Callable[[Json], None] | None = None) -> Json:
        """Send a prompt as the API takes it (DESIGN section 12) and return the patch."""
        path = f"{self.path}/segments/{number}/prompts"
        if on_preview is not None:
            return self._client.stream(path, prompt, on_preview)
        patch: Json = self._client.call("POST", path, prompt)
        return patch

    def prompt(
        self,
        number: int,
        kind: str,
        points: npt.ArrayLike,
        *,
        include: bool = True,
        plane_normal: Sequence[float] | None = None,
        run: bool = True,
        **more: Any,  # noqa: ANN401
    ) -> Json:
        """Send a point, box, scribble or lasso.

        Parameters
        ----------
        points
            Shape (n, 3), LPS mm.
        plane_normal
            Unit vector (LPS) of the plane that it was drawn on; not for a point.
        """
        body: Json = {"id": str(uuid.uuid4()), "kind": kind, "include": include, "run": run, **more}
        body["points"] = np.asarray(points, dtype=float).reshape(-1, 3).tolist()
        if plane_normal is not None:
            body["plane_normal"] = [float(v) for v in plane_normal]
        return self.submit(number, self.located(body))

    def set_labelmap(self, number: int, voxels: npt.NDArray[np.bool_]) -> Json:
        """Replace a segment by an array of axes (k, j, i)."""
        region = Labelmap.from_array(voxels).region
        body = {
            "id": str(uuid.uuid4()),
            "kind": "labelmap",
            "box": region.box.bounds,
            "voxels": pack_text(region.voxels),
            "encoding": "bits-deflate-base64",
        }
        return self.submit(number, self.located(body))

    def cancel(self, number: int, prompt_id: str) -> None:
        """Cancel a waiting or running prompt."""
        self._client.call("DELETE", f"{self.path}/segments/{number}/prompts/{prompt_id}")

    def run(self, number: int) -> Json:
        """Run the collected prompts (``prompt(..., run=False)``) and return the patch of all of them."""
        return self._step(number, "run")

    def events(self) -> Iterator[tuple[str, Json]]:
        """Yield kind and data of what happens in the session, its state first, until it is closed."""
        return self._client.events(f"{self.path}/events")

    def undo(self, number: int) -> Json:
        """Take the last step back."""
        return self._step(number, "undo")

    def redo(self, number: int) -> Json:
        """Do the last undone step again."""
        return self._step(number, "redo")

    def reset(self, number: int) -> Json:
        """Empty a segment."""
        return self._step(number, "reset")

    def labelmap(self, number: int) -> tuple[Labelmap, Json]:
        """Return a segment's labelmap, and the reply that carried it."""
        reply: Json = self._client.call("GET", f"{self.path}/segments/{number}/labelmap")
        return Labelmap(self.shape, region_of(reply)), reply

    def measurements(self) -> Json:
        """Return what is measured of each of ``segments``, and the ``unit`` of the values."""
        reply: Json = self._client.call("GET", f"{self.path}/measurements")
        return reply

    def export(self, formats: Sequence[str], segments: Sequence[int] | None = None) -> Json:
        """Have segments written as files of other formats; return the export."""
        body: Json = {"formats": list(formats)}
        if segments is not None:
            body["segments"] = list(segments)
        export: Json = self._client.call("POST", f"{self.path}/exports", body, headers=_key())
        return export

    def accept(self, **options: Any) -> Json:  # noqa: ANN401
        """Accept segments (segments, series_description, encoding, known_versions) and return the result."""
        result: Json = self._client.call("POST", f"{self.path}/accept", options, headers=_key())
        return result

    def _step(self, number: int, verb: str) -> Json:
        patch: Json = self._client.call("POST", f"{self.path}/segments/{number}/{verb}", headers=_key())
        return patch


def region_of(patch: Json) -> Region:
    """Return the voxels of a patch."""
    box = Box.from_bounds(patch["box"])
    return Region(box, unpack_text(patch["voxels"], box.shape))


def _key() -> dict[str, str]:
    return {"Idempotency-Key": str(uuid.uuid4())}


def _problem(reply: httpx.Response) -> Json:
    try:
        document: Json = reply.json()
    except ValueError:
        return {"title": "Unexpected reply.", "status": reply.status_code, "detail": reply.text[:500]}
    return document
