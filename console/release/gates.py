"""What a gate answered: out of the log of its build, or out of the report that it left here."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, Field, ValidationError

from console.aws.account import answered_at
from pipeline.gates.report.answer import Status, read

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime
    from pathlib import Path

    from console.aws.account import Aws
    from pipeline.gates.report.answer import Answer

_MAX_LINES = 1000
"""At a log's end; a gate's answer is the last line that it writes."""
_COMMANDS_ENDED = "Phase complete: BUILD"
"""CodeBuild's line behind the commands of phase BUILD."""
_POLL_INTERVAL_SECONDS = 0.5
_LONGEST_DELAY_SECONDS = 60.0
"""Of the cloud's clock, since the build's end: a line that is not shown by then is missing."""


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


def answers_of_build(
    aws: Aws, build_id: str, rest: Callable[[float], None] = time.sleep
) -> tuple[Answer, ...]:
    """The same, out of CloudWatch Logs, which shows a line some time after it was written.

    `rest` is called with the seconds to wait until the log is read again.
    """
    builds = aws.client("codebuild").batch_get_builds(ids=[build_id])["builds"]
    log = builds[0]["logs"] if builds else {}
    if "streamName" not in log:
        return ()  # it ended before it wrote a line
    while True:
        answer = aws.client("logs").get_log_events(
            logGroupName=log["groupName"], logStreamName=log["streamName"], limit=_MAX_LINES
        )
        lines = [each["message"] for each in answer["events"]]
        if not _lines_may_come(builds[0], lines, answer):
            return answers(lines)
        rest(_POLL_INTERVAL_SECONDS)


def _lines_may_come(build: dict[str, Any], lines: Iterable[str], answer: dict[str, Any]) -> bool:
    """Whether a log may still lack lines of the build's commands."""
    phases = build.get("phases") or []
    if not any(each["phaseType"] == "BUILD" and each.get("phaseStatus") for each in phases):
        return False
    ended: datetime | None = build.get("endTime")
    if ended is None or any(_COMMANDS_ENDED in line for line in lines):
        return False
    return (answered_at(answer) - ended).total_seconds() < _LONGEST_DELAY_SECONDS
