"""Attachments on their way to Jira: names that survive, one streamed body, answers in order."""

from __future__ import annotations

import email
import email.policy
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from node.errors import TrackerUncertain
from node.trackers.base import FileToAttach
from node.trackers.issue import Attachment
from node.trackers.jira.files import LONGEST_NAME, in_order, multipart, safe_name


@given(st.text())
@example('a"b.txt')
@example("a\r\nContent-Type: text/html\r\n\r\n")
@example("../../etc/passwd")
@example("..")
@example("x" * 400 + ".png")
def test_a_name_is_safe_in_a_header_and_on_a_disk(name: str) -> None:
    """No control character, quote or path; never empty, never too long; safe names stay as they are."""
    safe = safe_name(name)
    assert 0 < len(safe) <= LONGEST_NAME
    assert not set(safe) & set('\r\n\0"/\\')
    assert safe.strip(".")
    safe.encode()
    assert safe_name(safe) == safe


def test_a_long_name_keeps_its_ending() -> None:
    """The ending says how to open a file."""
    assert safe_name("x" * 400 + ".png").endswith("x.png")
    assert safe_name("Résumé 2026 (1).pdf") == "Résumé 2026 (1).pdf"


def test_several_files_become_one_body(tmp_path: Path) -> None:
    """Each is a part named `file` with its name, type and bytes; a type that is none is not repeated."""
    first, second = tmp_path / "1", tmp_path / "2"
    first.write_bytes(b"hello\r\n--boundary")
    second.write_bytes(b"")
    files = [
        FileToAttach(first, 'Ünïcode "x".txt', "text/plain"),
        FileToAttach(second, "b\r\nX-Evil: 1", "text/plain\r\nX-Evil: 1"),
    ]
    upload = multipart(files)
    assert upload.size == first.stat().st_size
    with upload.opened() as encoder:
        head = f"Content-Type: {encoder.content_type}\r\n\r\n".encode()
        message = email.message_from_bytes(head + encoder.read(), policy=email.policy.HTTP)
    parts = list(message.iter_parts())
    assert [part.get_param("name", header="content-disposition") for part in parts] == ["file", "file"]
    assert b"\xc3\x9cn\xc3\xafcode 'x'.txt" in head + multipart_bytes(files)
    assert [part.get_content_type() for part in parts] == ["text/plain", "application/octet-stream"]
    assert [part.get_payload(decode=True) for part in parts] == [b"hello\r\n--boundary", b""]
    assert all(part["X-Evil"] is None for part in parts)


def multipart_bytes(files: list[FileToAttach]) -> bytes:
    with multipart(files).opened() as encoder:
        body: bytes = encoder.read()
        return body


def attachment(number: str, name: str) -> Attachment:
    return Attachment(id=number, name=name, size=1, content_url="")


def test_the_answer_is_put_in_order() -> None:
    """By name, twins in turn; a name that Jira changed is what is left."""
    files = [FileToAttach(Path("x"), name, None) for name in ("odd?", "b", "a", "a")]
    answer = [attachment("1", "a"), attachment("2", "b"), attachment("3", "a"), attachment("4", "odd")]
    assert [entry.id for entry in in_order(answer, files)] == ["4", "2", "1", "3"]


@pytest.mark.parametrize("names", [[], ["a"], ["a", "b", "c"]])
def test_an_answer_of_another_length_leaves_the_upload_uncertain(names: list[str]) -> None:
    """Something was attached, but nobody can say what."""
    files = [FileToAttach(Path("x"), name, None) for name in ("a", "b")]
    with pytest.raises(TrackerUncertain):
        in_order([attachment(str(number), name) for number, name in enumerate(names)], files)
