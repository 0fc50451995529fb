"""What a gate answered, out of the log of its build."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from console.aws import Aws

_TAIL = 200  # lines; a gate's sentence is the last that its program writes
_SENTENCE = re.compile(r"gate ([^:]+): (passed|refused|not run): (.+)")


@dataclass(frozen=True)
class Answer:
    """A gate's answer."""

    gate: str
    status: str
    """passed, refused, or not run: let by without a look, by an override that expires."""
    sentence: str


def answer(lines: Iterable[str]) -> Answer | None:
    """The gate's answer in a build's log, None where the build asked no gate."""
    found = [match for line in lines if (match := _SENTENCE.match(line.strip()))]
    return Answer(*found[-1].groups()) if found else None


def answer_of_build(aws: Aws, build_id: str) -> Answer | None:
    """The same, out of CloudWatch Logs."""
    builds = aws.client("codebuild").batch_get_builds(ids=[build_id])["builds"]
    log = builds[0]["logs"] if builds else {}
    if "streamName" not in log:
        return None  # it ended before it wrote a line
    events = aws.client("logs").get_log_events(
        logGroupName=log["groupName"], logStreamName=log["streamName"], limit=_TAIL
    )["events"]
    return answer(each["message"] for each in events)
