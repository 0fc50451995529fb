"""The acts: what each commit changes, and how its release should end.

An edit names the text that it replaces, so that one that no longer fits the checkout is an
error and never another change than was meant.
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
    """A text of a file, and what takes its place."""

    path: str
    old: str
    new: str

    def apply(self, root: Path) -> None:
        """Change the file below a checkout's root.

        Raises:
            ConsoleError: the file does not have the text just once.
        """
        file = root / self.path
        text = file.read_text(encoding="utf-8") if file.exists() else ""
        if text.count(self.old) != 1:
            raise ConsoleError(
                f"{self.path}: found {self.old.strip()!r} {text.count(self.old)} times, and the "
                "rehearsal edits it where it stands once; bring the act that edits it up to date"
            )
        file.write_text(text.replace(self.old, self.new), encoding="utf-8")


@dataclass(frozen=True)
class Act:
    """One commit on its way."""

    name: str
    message: str
    """Of the commit."""
    edits: tuple[Edit, ...]
    expected: Ending
    gate: str | None = None
    """The gate that is to refuse it."""
    rule: str | None = None
    """The rule of that gate by which it is to refuse."""
    verdict: str | None = None
    """The judge's word, one of `pipeline.names.VERDICTS`, that is to stop its canary."""
    new_action: tuple[str, str] | None = None
    """Stage and action that only the changed pipeline has."""


PIPELINE_CHANGE = Act(
    name="pipeline-change",
    message="Check that every module compiles, beside the gates",
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
"""The platform's own act, of any service."""


def acts() -> tuple[Act, ...]:
    """Return the service's acts in the order in which they are played.

    By default, the pipeline's change is the only act.
    """
    rehearsal = part("rehearsal")
    found: tuple[Act, ...] = rehearsal.ACTS if rehearsal else (PIPELINE_CHANGE,)
    return found
