from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import replace
from io import StringIO
from typing import TYPE_CHECKING

import pytest
from rich.console import Console

from console.judge.picture import svg
from console.judge.replay import replay_record
from console.judge.screen import drawn

if TYPE_CHECKING:
    from pipeline.judge.statistics.record import Record
    from tests.console.judge.conftest import Played

_SVG = "{http://www.w3.org/2000/svg}"


def parsed(record: Record) -> ET.Element:
    return ET.XML(svg(replay_record(record).course))


def shown(record: Record, width: int = 100) -> str:
    out = StringIO()
    Console(file=out, width=width, color_system=None).print(drawn(replay_record(record).course))
    return out.getvalue()


def test_the_picture_describes_the_outcome(bad: Record) -> None:
    picture, root = svg(replay_record(bad).course), parsed(bad)
    words = [each.text for each in root.iter(f"{_SVG}text")]
    assert "files in prod: version 3 was rolled back" in words
    assert "version 3 (canary)" in words
    assert "version 2 (stable)" in words
    assert "rollback from 2" in words
    assert any(bad.deployment_id in (each or "") for each in words)
    canary = bad.periods[0].counts["failures"].canary
    assert f"{canary.failures} of {canary.requests}" in words
    assert len(list(root.iter(f"{_SVG}circle"))) == 1
    assert "prefers-color-scheme: dark" in picture
    assert "http" not in picture.replace("http://www.w3.org/2000/svg", "")


@pytest.mark.parametrize("minutes", [1, 2, 12, 13, 60])
def test_everything_lies_within_the_picture(minutes: int, record: Played) -> None:
    release = record(minutes=minutes, bad=0.002, per_minute=300)
    root = parsed(release)
    _, _, width, height = map(float, root.attrib["viewBox"].split())
    for each in root.iter():
        for axis, most in (("x", width), ("y", height)):
            for name in (axis, f"{axis}1", f"{axis}2", f"c{axis}"):
                assert 0 <= float(each.attrib.get(name, 0)) <= most


def test_text_from_a_record_is_escaped(bad: Record) -> None:
    hostile = replace(bad, canary="<script>&", sentence="</svg>[red]", service='"><g onload="x')
    root = parsed(hostile)
    assert not list(root.iter(f"{_SVG}script"))
    assert not any("onload" in each.attrib for each in root.iter())
    assert "version <script>& (canary)" in shown(hostile)


def test_an_undecided_release_has_a_line_and_no_crossing(record: Played) -> None:
    release = record(minutes=2, bad=0.0, stable=0.0)
    assert release.verdict == "undecided"
    course = replay_record(release).course
    assert course.crossed is None
    assert course.objectives == ("failures",)
    assert "<circle" not in svg(course)
    assert "●" not in shown(release)
    assert "╌╌ rollback from 2" in shown(release)


def test_the_terminal_shows_both_versions_and_the_crossing(bad: Record) -> None:
    text = shown(bad)
    assert "failures, share of requests   ━━ version 3 (canary)   ━━ version 2 (stable)" in text
    assert text.count("●") == 1
    assert "12:01" in text
    assert max(map(len, text.splitlines())) <= 100


def test_an_objective_without_bad_requests_is_omitted(record: Played) -> None:
    release = record(bad=0.05, stable=0.0, minutes=3)
    assert replay_record(release).course.objectives == ("failures",)
    assert "slow-requests" not in shown(release)


def test_a_version_without_requests_leaves_a_gap(record: Played) -> None:
    release = record(share=0.0, minutes=3, stable=0.01)
    assert replay_record(release).course.crossed is None
    picture = svg(replay_record(release).course)
    assert 'class="stable"' in picture
    assert 'class="canary"' not in picture
