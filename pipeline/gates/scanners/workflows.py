"""Audit the workflows of the repository's host: zizmor, without a network."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from pipeline.gates.report.findings import Finding
from pipeline.gates.report.result import CouldNotRunError
from pipeline.gates.scanners import repository, tool

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

ZIZMOR = (str(tool.SCRIPTS / "zizmor"),)
INPUTS = (".github", ".pre-commit-config.yaml")
"""Paths that zizmor audits: workflows, actions, and Dependabot's and pre-commit's configuration."""
_AUDITED = re.compile(
    r"\.github/(?:workflows/[^/]+|dependabot)\.ya?ml|\.pre-commit-(?:config|hooks)\.yaml"
    r"|(?:.*/)?action\.ya?ml"
)
_EXIT_CODES_WITH_FINDINGS = {11, 12, 13, 14}
"""One for each highest severity."""


class _Point(tool.Output):
    row: int
    """Line number from 0."""


class _Span(tool.Output):
    start_point: _Point


class _Concrete(tool.Output):
    location: _Span
    feature: str


class _Symbolic(tool.Output):
    key: dict[str, Any]
    kind: str
    annotation: str


class _Location(tool.Output):
    symbolic: _Symbolic
    concrete: _Concrete


class _Audited(tool.Output):
    ident: str
    desc: str
    locations: list[_Location]


def scan(root: Path, paths: Sequence[str] | None = None) -> tool.Scan:
    """Audit the workflows of a checkout, or those among the given files.

    Raises:
        CouldNotRunError: zizmor is missing, crashed, could not read a file, or left one out.
    """
    audits = audited_files(repository.files(root) if paths is None else paths)
    # zizmor rejects a single file such as an issue template, but skips it in a folder.
    whole = (*INPUTS, *(each for each in audits if not each.startswith(INPUTS)))
    present = [each for each in (whole if paths is None else audits) if (root / each).exists()]
    command = [*ZIZMOR, "--offline", "--strict-collection", "--no-progress", "--color=never"]
    # No comment, zizmor.yml or .gitignore may hide what the repository's host would run.
    command += ["--no-config", "--no-ignores", "--collect=all", "--format=json-v1"]
    done = tool.run("zizmor", [*command, *present], root, {0, *_EXIT_CODES_WITH_FINDINGS})
    audited = tool.read("zizmor", done, list[_Audited])
    if bool(audited) != (done.returncode in _EXIT_CODES_WITH_FINDINGS):
        raise CouldNotRunError(
            f"zizmor ended with exit code {done.returncode} and {len(audited)} findings"
        )
    seen = {
        line.rsplit("completed ", 1)[1].strip().removeprefix("./")
        for line in done.stderr.splitlines()
        if "completed " in line
    }
    missed = [each for each in audits if each not in seen]
    if missed or not seen:
        raise CouldNotRunError(f"zizmor audited no {', '.join(missed) or 'file'}")
    return tool.Scan(
        "zizmor", tuple(_finding(each) for each in audited), tool.counted(len(seen), "file")
    )


def audited_files(paths: Sequence[str]) -> list[str]:
    """Return the paths that the repository's host or pre-commit would run."""
    return [path for path in paths if _AUDITED.fullmatch(path)]


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
