"""What a gate answered: out of the log of its build, or out of the report that it left here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, Field, ValidationError

from pipeline.gates.answer import (
    Status,  # pydantic reads the annotation
    read,
)

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from console.aws import Aws
    from pipeline.gates.answer import Answer

_MAX_LINES = 1000
"""At a log's end; a gate's answer is the last line that it writes."""


class Report(BaseModel):
    """A gate's summary, `reports/NAME.json`."""

    gate: str
    status: Status
    sentence: str
    next: str | None
    """What to do after a refusal."""
    seconds: float
    findings: Annotated[int, Field(ge=0)]
    waived: Annotated[int, Field(ge=0)]
    details: dict[str, Any]

    @property
    def tools(self) -> dict[str, float]:
        """How long each of its tools took, in seconds, where it says so."""
        tools = self.details.get("tools")
        timed = tools.items() if isinstance(tools, dict) else ()
        return {
            name: float(tool["seconds"])
            for name, tool in timed
            if isinstance(tool, dict) and "seconds" in tool
        }


def report(path: Path) -> Report | None:
    """A gate's report; None where there is none, or none that can be read."""
    try:
        return Report.model_validate_json(path.read_bytes())
    except (FileNotFoundError, ValidationError):
        return None


def answers(lines: Iterable[str]) -> tuple[Answer, ...]:
    """The answers in a build's log, one a gate: the last that it gave."""
    found = filter(None, map(read, lines))
    return tuple({answer.gate: answer for answer in found}.values())


def answers_of_build(aws: Aws, build_id: str) -> tuple[Answer, ...]:
    """The same, out of CloudWatch Logs."""
    builds = aws.client("codebuild").batch_get_builds(ids=[build_id])["builds"]
    log = builds[0]["logs"] if builds else {}
    if "streamName" not in log:
        return ()  # it ended before it wrote a line
    events = aws.client("logs").get_log_events(
        logGroupName=log["groupName"], logStreamName=log["streamName"], limit=_MAX_LINES
    )["events"]
    return answers(each["message"] for each in events)
