"""The parts of a ``multipart/related`` message, one at a time, while it arrives.

dicomweb-client's own decoder takes a message that breaks off for one that ends; here that is an error, because an
archive that closes its connection (Orthanc sends no length) would otherwise deliver half an instance as a whole one.

References
----------
RFC 2046 5.1.1 (multipart syntax), PS3.18 8.6.1.2 (multipart payload).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

END_OF_HEADERS = b"\r\n\r\n"


class MalformedMultipartError(ValueError):
    """The message is not multipart as announced."""


class TruncatedMultipartError(MalformedMultipartError):
    """The message ends before its closing delimiter."""


def boundary_of(content_type: str) -> str:
    """Return the boundary that a Content-Type header names.

    >>> boundary_of('multipart/related; type="application/dicom"; boundary=a-b')
    'a-b'
    """
    found = re.search(r'^\s*multipart/related\b.*;\s*boundary=("[^"]+"|[^\s;]+)', content_type, re.IGNORECASE)
    if found is None:
        raise MalformedMultipartError("no multipart/related message with a boundary")
    return found.group(1).strip('"')


def iter_parts(chunks: Iterable[bytes], boundary: str) -> Iterator[bytes]:
    r"""Yield the content of each part; holds one part and one chunk at a time.

    Parameters
    ----------
    chunks
        The message's body as it arrives.
    boundary
        Delimits the parts.

    Raises
    ------
    MalformedMultipartError
        If a part has no header, or there is no delimiter at all.
    TruncatedMultipartError
        If the message breaks off.

    Examples
    --------
    >>> list(iter_parts([b"--x\r\nA: b\r\n\r\none\r", b"\n--x\r\n\r\ntwo\r\n--x--"], "x"))
    [b'one', b'two']
    """
    delimiter = b"\r\n--" + boundary.encode()
    buffer = bytearray(b"\r\n")  # a message may begin with its first delimiter
    started = False
    searched = 0
    for chunk in chunks:
        buffer += chunk
        while (at := buffer.find(delimiter, searched)) >= 0:
            if started:
                yield _content(buffer, at)
            started, searched = True, 0
            del buffer[: at + len(delimiter)]
        searched = max(0, len(buffer) - len(delimiter))
    if not started and len(buffer) > len(delimiter):
        raise MalformedMultipartError("the message lacks its delimiter")
    if not (started and buffer.startswith(b"--")):
        raise TruncatedMultipartError("the message breaks off")


def _content(buffer: bytearray, end: int) -> bytes:
    headers_end = buffer.find(END_OF_HEADERS, 0, end)
    if headers_end < 0:
        raise MalformedMultipartError("a part has no end of its header")
    return bytes(memoryview(buffer)[headers_end + len(END_OF_HEADERS) : end])


def encoded_part(content: bytes, boundary: str, media_type: str) -> bytes:
    """Return a message of one part."""
    head = f"--{boundary}\r\nContent-Type: {media_type}\r\n\r\n".encode()
    return b"".join((head, content, f"\r\n--{boundary}--\r\n".encode()))
