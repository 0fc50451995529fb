"""The acts of the rehearsal: each is a commit and the expected end of its release.

An edit contains the text that it replaces, so that an outdated edit is an error and not another
change than was meant.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from console.errors import ConsoleError
from pipeline.service import part

if TYPE_CHECKING:
    from pathlib import Path

    from console.release.promotion import Ending


@dataclass(frozen=True)
class Edit:
    """A replacement of text in a file."""

    path: str
    old: str
    new: str

    def apply(self, root: Path) -> None:
        """Apply the edit below a checkout's root.

        Raises:
            ConsoleError: the text does not occur exactly once in the file.
        """
        file = root / self.path
        text = file.read_text(encoding="utf-8") if file.exists() else ""
        if text.count(self.old) != 1:
            raise ConsoleError(
                f"{self.path}: found {self.old.strip()!r} {text.count(self.old)} times; allowed is "
                "once. Update the act that edits it"
            )
        file.write_text(text.replace(self.old, self.new), encoding="utf-8")


@dataclass(frozen=True)
class Act:
    """A commit and the expected end of its release."""

    name: str
    message: str
    """The commit message."""
    edits: tuple[Edit, ...]
    expected: Ending
    gate: str | None = None
    """The gate that should refuse the release."""
    rule: str | None = None
    """The rule of that gate by which it should refuse."""
    verdict: str | None = None
    """The verdict, one of `pipeline.names.VERDICTS`, that should stop the canary."""
    new_action: tuple[str, str] | None = None
    """Stage and action that only the changed pipeline has."""


PIPELINE_CHANGE = Act(
    name="pipeline-change",
    message="Pipeline: compile every module beside the gates",
    edits=(
        Edit(
            "pipeline/delivery/pipeline.py",
            '            self._builds.gate("Security", "security", group="scanners"),\n',
            '            self._builds.gate("Security", "security", group="scanners"),\n'
            "            pipelines.CodeBuildStep(\n"
            '                "Compile",\n'
            "                input=self._builds.source,\n"
            "                role_policy_statements=self._builds.statements,\n"
            '                commands=["python3 -m compileall -q service"],\n'
            "            ),\n",
        ),
    ),
    expected="promoted",
    new_action=("Verify", "Compile"),
)
"""The platform's own act, for any service."""


def acts() -> tuple[Act, ...]:
    """Return the service's acts in order; the default is the pipeline change alone."""
    rehearsal = part("rehearsal")
    found: tuple[Act, ...] = rehearsal.ACTS if rehearsal else (PIPELINE_CHANGE,)
    return found
