"""A gate's report: what its build exports to `pithead release`, and the file of its artifacts.

A gate writes two files, and both hold a `GateReport`: `reports/NAME.json` with its details, for
artifacts and people, and `reports/NAME.exported` without them. A build exports the latter of all
its gates in the variable `VARIABLE`, in phase `post_build`, which follows a failed `build`
(CodeBuild, "Build phase transitions"): "After the post_build phase ends, the value of exported
variables cannot change" (CodeBuild API, `ExportedEnvironmentVariable`). `BatchGetBuilds` returns
it. A gate that was killed has no report; those beside it have theirs.

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
"""`not run` is let through by a recorded override alone."""
VARIABLE = "GATE_REPORTS"
"""The exported variable of a build: one JSON object a gate, one after the other."""
EXPORT = f'export {VARIABLE}="$(cat reports/*.exported 2>/dev/null)"'
"""The command of phase `post_build` that sets it."""
MAX_EXPORTED_BYTES = 4096
"""Of one report; thirteen gates in one build take less than half of CodePipeline's limit."""
_MAX_RULES_BYTES = 1024
_CUT = "…"


class GateReportError(ValueError):
    """A text is no report of a gate; the message says what was found."""


@dataclass(frozen=True)
class GateReport:
    """How a gate ended."""

    gate: str
    status: Status
    sentence: str
    next: str | None = None
    """What to do after a refusal."""
    rules: tuple[str, ...] = ()
    """Rules of the findings that refuse, in order and each once, or of the reason not to run."""
    seconds: float = 0.0
    findings: int = 0
    """How many are left after the waivers."""
    waived: int = 0
    details: dict[str, Any] = field(default_factory=dict)
    """The gate's own; empty in an exported report."""

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

    def write(self, folder: Path) -> None:
        """Write `NAME.json` and `NAME.exported` to a folder.

        The latter appears whole or not at all: a gate may be killed at any moment.
        """
        text = json.dumps(asdict(self), indent=2, default=str)
        (folder / f"{self.gate}.json").write_text(text, encoding="utf-8")
        partial = folder / f"{self.gate}.exported.partial"
        partial.write_text(self.exported(), encoding="ascii")
        partial.replace(folder / f"{self.gate}.exported")

    def exported(self) -> str:
        """Return one line of ASCII, at most `MAX_EXPORTED_BYTES` long.

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


_ONE = TypeAdapter(GateReport)


def parse(text: bytes | str) -> GateReport:
    """Return the report in the text of `NAME.json`.

    Raises:
        GateReportError: it is none.
    """
    try:
        return _ONE.validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise GateReportError(f"{place}: {first['msg']}" if place else first["msg"]) from error


def parse_exported(value: str) -> tuple[GateReport, ...]:
    """Return the reports in the value of `VARIABLE`, in its order.

    Raises:
        GateReportError: it is cut, or one is no report.
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
    return replace(report, sentence=report.sentence[: max(0, end)] + _CUT)


def _text(report: GateReport) -> str:
    return json.dumps(asdict(report))
