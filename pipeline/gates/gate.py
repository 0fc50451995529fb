"""The form of every gate: an outcome, a report, one sentence, an exit code."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from environments.schema import EnvironmentFileError

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parent.parent.parent
REPORTS = ROOT / "reports"


class CouldNotRunError(Exception):
    """The gate found nothing out: that is no pass."""


@dataclass(frozen=True)
class Outcome:
    """What a gate found; `not run` is let through by a recorded override alone."""

    status: Literal["passed", "refused", "not run"]
    sentence: str
    details: dict[str, Any] = field(default_factory=dict)


def run(name: str, judge: Callable[[], Outcome]) -> int:
    """Run a gate, keep its report as `reports/NAME.json`, print its sentence last.

    Exit codes: 0 passed, or let by while it could not run; 1 refused; 2 could not run, which
    refuses. The pipeline stops at anything but 0.
    """
    REPORTS.mkdir(exist_ok=True)
    try:
        outcome = judge()
        code = 1 if outcome.status == "refused" else 0
    except (CouldNotRunError, EnvironmentFileError) as error:
        outcome = Outcome("refused", f"could not run, which refuses: {error}")
        code = 2
    report = {"gate": name, **asdict(outcome)}
    (REPORTS / f"{name}.json").write_text(json.dumps(report, indent=2, default=str))
    sys.stdout.write(f"gate {name}: {outcome.status}: {outcome.sentence}\n")
    return code
