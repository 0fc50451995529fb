"""Loosened settings that `pithead release` prints."""

from __future__ import annotations

import io
import json
import zipfile
from typing import TYPE_CHECKING, Any

from rich.console import Console

from console.release.looser import looser, show

if TYPE_CHECKING:
    from pipeline.gates.looser import Looser
    from tests.console.fakes import FakeAws, FakePipeline

LIMIT = {
    "rule": "PH707",
    "subject": "environments/staging.toml load.max_p95_ms",
    "message": "max_p95_ms is looser: 250 becomes 900",
    "severity": "error",
}
CODE = {"rule": "PH709", "subject": "pipeline/gates", "message": "other", "severity": "warning"}


def _report(aws: FakeAws, pipeline: FakePipeline, **reports: list[dict[str, str]]) -> None:
    """Add executions, each with a comparison that reported these settings."""
    bodies = {}
    for name, found in reports.items():
        pipeline.execution(name, 0, commit="c" * 40)
        pipeline.action(name, "Build", "Changes", 1, 2)
        place = {"bucket": "artifacts", "key": name}
        output = {"outputArtifacts": [{"name": "Changes_Output", "s3location": place}]}
        pipeline.details[name][-1]["output"] = output
        content = io.BytesIO()
        with zipfile.ZipFile(content, "w") as archive:
            archive.writestr("changes.json", json.dumps({"details": {"looser": found}}))
        bodies[name] = content.getvalue()

    def get_object(**place: str) -> dict[str, Any]:
        return {"Body": io.BytesIO(bodies[place["Key"]])}

    aws.answers[("s3", "get_object")] = get_object


def test_each_loosened_setting_is_listed_once(aws: FakeAws, pipeline: FakePipeline) -> None:
    _report(aws, pipeline, before=[LIMIT, CODE], after=[CODE])
    found = looser(aws, ["before", "after"])
    assert [each.rule for each in found if not isinstance(each, str)] == ["PH707", "PH709"]
    assert _shown(found) == (
        "Looser than what was promoted last:\n"
        "  PH707 max_p95_ms is looser: 250 becomes 900\n"
        "  PH709 other\n"
    )


def test_a_release_that_loosens_nothing_is_not_mentioned(
    aws: FakeAws, pipeline: FakePipeline
) -> None:
    _report(aws, pipeline, one=[])
    assert _shown(looser(aws, ["one"])) == ""


def test_an_unreadable_report_is_named(aws: FakeAws, pipeline: FakePipeline) -> None:
    _report(aws, pipeline, one=[{"rule": "PH707"}])
    assert "the report of gate changes cannot be read" in _shown(looser(aws, ["one"]))


def _shown(found: tuple[Looser, ...] | str) -> str:
    console = Console(file=io.StringIO(), width=200)
    show(console, found)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()
