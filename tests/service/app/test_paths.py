from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.app.paths import (
    MAX_PATH_BYTES,
    PATTERN,
    PathError,
    RangeError,
    byte_range,
    checked,
    matches,
)

_TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=80)


@pytest.mark.parametrize(
    ("path", "sentence"),
    [
        ("", "the path has a segment ''"),
        ("/a", "the path has a segment ''"),
        ("a//b", "the path has a segment ''"),
        ("a/", "the path has a segment ''"),
        ("a/../b", "the path has a segment '..'"),
        ("a/./b", "the path has a segment '.'"),
        ("a\x01b", "the path has a control character"),
        ("é" * 513, f"the path has 1026 bytes; at most {MAX_PATH_BYTES} are allowed"),
    ],
)
def test_paths_that_name_no_file(path: str, sentence: str) -> None:
    with pytest.raises(PathError) as refused:
        checked(path)
    assert str(refused.value).startswith(sentence)


@given(_TEXT)
def test_a_valid_path_is_unchanged_and_stays_inside(path: str) -> None:
    try:
        once = checked(path)
    except PathError:
        return
    assert checked(once) == once == unicodedata.normalize("NFC", path)
    assert not {"", ".", ".."} & set(once.split("/"))
    assert len(once.encode()) <= MAX_PATH_BYTES


@given(st.one_of(_TEXT, st.text("./a\x00\x9f~é", max_size=8)))
def test_the_schema_of_a_path_matches_its_validation(path: str) -> None:
    try:
        checked(path)
    except PathError:
        assert not re.fullmatch(PATTERN, path)
    else:
        assert re.fullmatch(PATTERN, path)


@given(_TEXT)
def test_equivalent_unicode_names_are_one_file(path: str) -> None:
    def outcome(form: str) -> str:
        try:
            return checked(form)
        except PathError:
            return ""

    composed = unicodedata.normalize("NFC", path)
    assert outcome(unicodedata.normalize("NFD", composed)) == outcome(composed)


@given(st.integers(0, 50), st.integers(0, 60), st.integers(0, 60))
def test_a_range_equals_a_slice(size: int, first: int, last: int) -> None:
    content = bytes(range(size))
    try:
        part = byte_range(f"bytes={first}-{last}", size)
    except RangeError:
        assert first >= size
        return
    if part is None:
        assert last < first
    else:
        assert content[part[0] : part[1] + 1] == content[first : last + 1] != b""


@given(st.integers(0, 50), st.integers(0, 60))
def test_open_ranges_are_the_rest_and_the_end(size: int, number: int) -> None:
    content = bytes(range(size))
    for header, wanted in (
        (f"bytes={number}-", content[number:]),
        (f"bytes=-{number}", content[-number:] if number else b""),
    ):
        if wanted:
            first, last = byte_range(header, size) or (-1, -1)
            assert content[first : last + 1] == wanted
        else:
            with pytest.raises(RangeError, match=rf"bytes \*/{size}$"):
                byte_range(header, size)


@given(st.text(max_size=20), st.integers(0, 50))
def test_any_range_header_parses_to_a_range_inside_the_file_or_none(header: str, size: int) -> None:
    try:
        part = byte_range(header, size)
    except RangeError:
        return
    assert part is None or 0 <= part[0] <= part[1] < size


def test_several_ranges_and_other_units_are_ignored() -> None:
    for header in (None, "", "bytes=-", "bytes=1-2,4-5", "pages=1-2", "bytes=5-2", "bytes=a-b"):
        assert byte_range(header, 10) is None


@pytest.mark.parametrize(
    ("header", "found"),
    [
        (None, False),
        ('"a"', True),
        ('W/"a"', True),
        ('"b", W/"a"', True),
        ("*", True),
        ('"b"', False),
    ],
)
def test_etags_are_compared_weakly(header: str | None, found: bool) -> None:
    assert matches(header, '"a"') is found
