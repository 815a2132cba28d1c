"""Multipart messages in any chunks."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from delineate.adapters.dicomweb.multipart import (
    MalformedMultipartError,
    TruncatedMultipartError,
    boundary_of,
    encoded_part,
    iter_parts,
)

CONTENTS = st.lists(st.binary(max_size=60).filter(lambda content: b"--edge" not in content), min_size=1, max_size=5)


def message(contents: list[bytes]) -> bytes:
    return b"".join(b"\r\n--edge\r\nContent-Type: a/b\r\n\r\n" + c for c in contents) + b"\r\n--edge--\r\n"


def chunked(data: bytes, size: int) -> list[bytes]:
    return [data[at : at + size] for at in range(0, len(data), size)]


@given(CONTENTS, st.integers(1, 40))
def test_parts_come_out_as_they_went_in(contents: list[bytes], size: int) -> None:
    assert list(iter_parts(chunked(message(contents), size), "edge")) == contents


@given(CONTENTS, st.integers(1, 40), st.integers(4, 200))
def test_a_cut_message_is_never_taken_for_a_whole_one(contents: list[bytes], size: int, cut: int) -> None:
    data = message(contents)[: -min(cut, len(message(contents)))]
    received: list[bytes] = []
    with pytest.raises(MalformedMultipartError) as caught:
        received.extend(iter_parts(chunked(data, size), "edge"))
    # cut before its first delimiter, a message cannot be told from something else
    assert isinstance(caught.value, TruncatedMultipartError) or b"--edge" not in data
    assert received == contents[: len(received)]


def test_what_is_no_multipart_is_refused() -> None:
    with pytest.raises(MalformedMultipartError):
        list(iter_parts([b"<html>this is a web page</html>"], "edge"))
    with pytest.raises(MalformedMultipartError):
        list(iter_parts([b"--edge\r\nno end of header\r\n--edge--"], "edge"))
    for content_type in ("", "text/html", "multipart/related", "multipart/form-data; boundary=a"):
        with pytest.raises(MalformedMultipartError):
            boundary_of(content_type)


def test_boundaries_may_be_quoted() -> None:
    assert boundary_of('Multipart/Related; boundary="a b"; type="application/dicom"') == "a b"


@given(st.binary(max_size=60))
def test_one_part_goes_out_as_it_is(content: bytes) -> None:
    assert list(iter_parts([encoded_part(content, "0f3c", "application/dicom")], "0f3c")) == [content]
