"""The workflows of the repository's host: zizmor, without a network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipeline.gates.findings import Finding
from pipeline.gates.gate import CouldNotRunError
from pipeline.scanners import tool

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

ZIZMOR = (str(tool.SCRIPTS / "zizmor"),)
INPUTS = (".github", ".pre-commit-config.yaml")
"""What zizmor knows to audit: workflows, actions, Dependabot's and pre-commit's configuration."""
_FOUND = {11, 12, 13, 14}
"""Its exit codes for findings, by the highest severity."""


class _Point(tool.Answer):
    row: int
    """From 0."""


class _Span(tool.Answer):
    start_point: _Point


class _Concrete(tool.Answer):
    location: _Span
    feature: str


class _Symbolic(tool.Answer):
    key: dict[str, Any]
    kind: str
    annotation: str


class _Location(tool.Answer):
    symbolic: _Symbolic
    concrete: _Concrete


class _Audited(tool.Answer):
    ident: str
    desc: str
    ignored: bool
    locations: list[_Location]


def scan(root: Path, inputs: Sequence[str] = INPUTS) -> tool.Scan:
    """Audit the workflows of a checkout.

    Raises:
        CouldNotRunError: zizmor is missing, crashed, could not read a file, or left one out.
    """
    present = [each for each in inputs if (root / each).exists()]
    command = [*ZIZMOR, "--offline", "--strict-collection", "--no-progress", "--color=never"]
    done = tool.run("zizmor", [*command, "--format=json-v1", *present], root, {0, *_FOUND})
    audited = [each for each in tool.read("zizmor", done, list[_Audited]) if not each.ignored]
    if bool(audited) != (done.returncode in _FOUND):
        raise CouldNotRunError(
            f"zizmor ended with exit code {done.returncode} and {len(audited)} findings"
        )
    seen = {
        line.rsplit("completed ", 1)[1].strip().removeprefix("./")
        for line in done.stderr.splitlines()
        if "completed " in line
    }
    workflows = [each.relative_to(root).as_posix() for each in _workflows(root, inputs)]
    missed = [each for each in workflows if each not in seen]
    if missed or not seen:
        raise CouldNotRunError(f"zizmor audited no {', '.join(missed) or 'file'}")
    return tool.Scan(
        "zizmor", tuple(_finding(each) for each in audited), tool.counted(len(seen), "file")
    )


def _workflows(root: Path, inputs: Sequence[str]) -> list[Path]:
    folder = root / ".github" / "workflows"
    found = [*folder.glob("*.yml"), *folder.glob("*.yaml")]
    return [each for each in found if any(each.is_relative_to(root / path) for path in inputs)]


def _finding(audited: _Audited) -> Finding:
    primary = next(each for each in audited.locations if each.symbolic.kind == "Primary")
    path = str(primary.symbolic.key["Local"]["verbatim_path"])
    return Finding(
        tool="zizmor",
        rule=audited.ident,
        message=f"{audited.desc}: {primary.symbolic.annotation}",
        path=path.removeprefix("./"),
        line=primary.concrete.location.start_point.row + 1,
        subject=" ".join(primary.concrete.feature.split()),
    )
