"""An archive with faults: a proxy before the real one that refuses, changes or counts."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

import httpx

Reply = tuple[int, dict[str, str], bytes]
PASSED_ON = ("content-type", "accept", "authorization")


@dataclass
class Tampering:
    """What to do with requests and replies; changed by the test while the proxy runs."""

    url: str = ""
    answer: Callable[[str, str], Reply | None] = lambda _method, _path: None
    """Given method and path: a reply instead of the archive's, or None."""
    change: Callable[[str, str, bytes], bytes] = lambda _method, _path, body: body
    """Given method, path and the archive's body: the body to pass on, of the same length."""
    stores: int = 0
    """Store requests that reached the archive."""
    seen: list[str] = field(default_factory=list)


@contextmanager
def tampering_proxy(dicomweb_url: str) -> Iterator[Tampering]:
    """Run a proxy before ``dicomweb_url``."""
    rules = Tampering()
    parts = urlsplit(dicomweb_url)
    upstream = httpx.Client(base_url=f"{parts.scheme}://{parts.netloc}", timeout=60)
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Keep quiet."""

        def do_GET(self) -> None:
            self._forward("GET", b"")

        def do_POST(self) -> None:
            self._forward("POST", self._body())

        def _body(self) -> bytes:
            if "content-length" in self.headers:
                return self.rfile.read(int(self.headers["content-length"]))
            body = b""
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return body

        def _forward(self, method: str, body: bytes) -> None:
            rules.seen.append(f"{method} {self.path}")
            instead = rules.answer(method, self.path)
            if instead is None:
                headers = {name: value for name, value in self.headers.items() if name.lower() in PASSED_ON}
                with lock:
                    reply = upstream.request(method, self.path, content=body, headers=headers)
                rules.stores += method == "POST"
                content = rules.change(method, self.path, reply.content)
                instead = (reply.status_code, {"content-type": reply.headers.get("content-type", "")}, content)
            status, headers, content = instead
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    rules.url = f"http://127.0.0.1:{server.server_address[1]}{parts.path}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield rules
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
        upstream.close()
