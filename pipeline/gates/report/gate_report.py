"""The report of a gate: a JSON file, and the part that its build exports.

A gate writes a `GateReport` to two files: `reports/NAME.json` with the details, for artifacts and
people, and `reports/NAME.exported` without. A build exports the latter of all its gates to `pithead
release` in the variable `VARIABLE`. It does so in phase `post_build`, which runs after a failed
`build`, too (CodeBuild, "Build phase transitions"): "After the post_build phase ends, the value of
exported variables cannot change" (CodeBuild API, `ExportedEnvironmentVariable`). `BatchGetBuilds`
returns the variable. A gate that was killed has no report; other gates of its build have theirs.

CodePipeline fails an action with more than 122,880 bytes of output variables ("Quotas in AWS
CodePipeline"), so an exported report is at most `MAX_EXPORTED_BYTES` long.
"""

from __future__ import annotations

import json
from bisect import bisect_right
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

from pydantic import TypeAdapter, ValidationError

if TYPE_CHECKING:
    from pathlib import Path

Status = Literal["passed", "refused", "not run"]
"""`not run` passes under a recorded override alone."""
VARIABLE = "GATE_REPORTS"
"""The exported variable of a build: the JSON objects of its gates, concatenated."""
EXPORT = f'export {VARIABLE}="$(cat reports/*.exported 2>/dev/null)"'
"""The command of phase `post_build` that sets the variable."""
MAX_EXPORTED_BYTES = 4096
"""Of one report; thirteen gates in one build use less than half of the limit."""
_MAX_RULES_BYTES = 1024
_ELLIPSIS = "…"


class GateReportError(ValueError):
    """A text is not a report of a gate; the message says what was found."""


@dataclass(frozen=True)
class GateReport:
    """The result of a gate."""

    gate: str
    status: Status
    sentence: str
    next: str | None = None
    """The next step after a refusal."""
    rules: tuple[str, ...] = ()
    """Rules of the refusing findings, in order and once, or of the reason not to run."""
    seconds: float = 0.0
    findings: int = 0
    """Number of findings that are not waived."""
    waived: int = 0
    details: dict[str, Any] = field(default_factory=dict)
    """Details of the gate; empty in an exported report."""

    @property
    def tools(self) -> dict[str, float]:
        """Seconds of each of its tools, if the details have them."""
        tools = self.details.get("tools")
        timed = tools.items() if isinstance(tools, dict) else ()
        return {
            name: float(tool["seconds"])
            for name, tool in timed
            if isinstance(tool, dict) and "seconds" in tool
        }

    def write(self, folder: Path) -> None:
        """Write `NAME.json` and `NAME.exported` to a folder.

        The latter is written atomically, because a gate may be killed at any moment.
        """
        text = json.dumps(asdict(self), indent=2, default=str)
        (folder / f"{self.gate}.json").write_text(text, encoding="utf-8")
        partial = folder / f"{self.gate}.exported.partial"
        partial.write_text(self.exported(), encoding="ascii")
        partial.replace(folder / f"{self.gate}.exported")

    def exported(self) -> str:
        """Return one line of ASCII of at most `MAX_EXPORTED_BYTES`.

        A longer sentence is cut, and so is a list of rules above 1 KB.
        """
        rules = range(len(self.rules) + 1)
        fitting = bisect_right(rules, _MAX_RULES_BYTES, key=lambda end: _size(self.rules[:end]))
        short = replace(self, rules=self.rules[: fitting - 1], details={})
        if len(_text(short)) <= MAX_EXPORTED_BYTES:
            return _text(short)
        ends = range(len(self.sentence) + 1)
        fitting = bisect_right(
            ends, MAX_EXPORTED_BYTES, key=lambda end: len(_text(_cut(short, end)))
        )
        return _text(_cut(short, fitting - 1))


_ADAPTER = TypeAdapter(GateReport)


def parse(text: bytes | str) -> GateReport:
    """Return the report in the text of `NAME.json`.

    Raises:
        GateReportError: the text is not a report.
    """
    try:
        return _ADAPTER.validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise GateReportError(f"{place}: {first['msg']}" if place else first["msg"]) from error


def parse_exported(value: str) -> tuple[GateReport, ...]:
    """Return the reports in the value of `VARIABLE`, in order.

    Raises:
        GateReportError: the value is cut, or an object is not a report.
    """
    found = []
    while value := value.lstrip():
        try:
            _, end = json.JSONDecoder().raw_decode(value)
        except ValueError as error:
            raise GateReportError(str(error)) from error
        found.append(parse(value[:end]))
        value = value[end:]
    return tuple(found)


def _size(rules: tuple[str, ...]) -> int:
    return len(json.dumps(rules))


def _cut(report: GateReport, end: int) -> GateReport:
    return replace(report, sentence=report.sentence[: max(0, end)] + _ELLIPSIS)


def _text(report: GateReport) -> str:
    return json.dumps(asdict(report))
