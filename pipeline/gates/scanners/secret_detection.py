"""Find secrets in files and in all commits that lead to HEAD: Kingfisher, without a network.

Everyone who may read the repository may also read a key that a later commit removed. So each run
scans the whole history, which takes a second for each hundred megabytes. Messages, tags, notes and
names of files are as public as files (pipeline/gates/scanners/history.py).
"""

from __future__ import annotations

import hashlib
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from pipeline.gates.report.findings import Finding
from pipeline.gates.report.result import CouldNotRunError
from pipeline.gates.scanners import history, repository, tool

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.gates.scanners.history import Texts

KINGFISHER = (sys.executable, "-m", "kingfisher")
_RULES = Path(__file__).parent / "secrets.yaml"
_OWN_RULE_PREFIX = "pithead."
_EXIT_CODE_WITH_FINDINGS = 200
_MIN_RULES = 100
"""Kingfisher ships more rules; fewer mean that it did not load them."""


class _Rule(tool.Output):
    id: str
    description: str


class _Commit(tool.Output):
    id: str
    date: str
    """The day, YYYY-MM-DD."""


class _Git(tool.Output):
    commit: _Commit


class _Match(tool.Output):
    snippet: str
    dependent_captures: dict[str, str] = Field(default_factory=dict)
    """Further secrets that were found next to this one."""
    path: str
    line: int
    git_metadata: _Git | None = None


class _Found(tool.Output):
    rule: _Rule
    finding: _Match


class _Range(tool.Output):
    scope: str
    tip_sha: str | None = None
    shallow: bool
    fetched_commit_count: int = 0


class _Done(tool.Output):
    status: Literal["completed"]


class _Stats(tool.Output):
    blobs_scanned: int


class _Target(tool.Output):
    scan: _Done
    stats: _Stats
    git: _Range | None = None


class _Audit(tool.Output):
    repositories: list[_Target] = Field(min_length=1)


class _Summary(tool.Output):
    rules_applied: int = Field(ge=_MIN_RULES)


class _Metadata(tool.Output):
    summary: _Summary


class _Report(tool.Output):
    findings: list[_Found]
    audit: _Audit
    metadata: _Metadata


def scan(root: Path) -> tool.Scan:
    """Scan all commits that lead to HEAD, and the files that are not committed yet.

    Raises:
        CouldNotRunError: Kingfisher is missing or crashed, the checkout is no clone or a shallow
            one, or a part was not scanned.
    """
    head = repository.git(root, "rev-parse", "HEAD").decode().strip()
    commits = int(repository.git(root, "rev-list", "--count", "HEAD"))
    report = _kingfisher(root, ".", "--branch", "HEAD")
    (target,) = report.audit.repositories
    covered = target.git
    if covered is None or covered.shallow:
        raise CouldNotRunError("the clone is shallow; run git fetch --unshallow")
    if (covered.scope, covered.tip_sha, covered.fetched_commit_count) != (
        "branch_history",
        head,
        commits,
    ):
        raise CouldNotRunError(
            f"Kingfisher scanned {covered.fetched_commit_count} commits up to {covered.tip_sha}, "
            f"not the {commits} commits up to {head}"
        )
    found = report.findings
    uncommitted = _uncommitted(root)
    if uncommitted:
        report = _kingfisher(root, "--git-history", "none", "--", *uncommitted)
        if len(report.audit.repositories) != len(uncommitted):
            raise CouldNotRunError("Kingfisher did not scan every file that is not committed")
        found = found + report.findings
    findings = _findings(found) + _of_texts(
        root, [*history.texts(root), history.new_names(uncommitted)]
    )
    files = tool.counted(len(uncommitted), "file")
    scanned = f"{tool.counted(commits, 'commit')} and {files} not committed"
    return tool.Scan("kingfisher", findings, scanned)


def scan_staged(root: Path) -> tool.Scan:
    """Scan the staged changes.

    Raises:
        CouldNotRunError: as `scan`.
    """
    report = _kingfisher(root, ".", "--staged")
    (target,) = report.audit.repositories
    if target.git is None or target.git.scope != "staged_tree_diff":
        raise CouldNotRunError("Kingfisher did not scan the staged files")
    scanned = tool.counted(target.stats.blobs_scanned, "staged file")
    staged = repository.git(root, "diff", "-z", "--cached", "--name-only", "--diff-filter=d")
    texts = [history.new_names(repository.names(staged))]
    return tool.Scan("kingfisher", _findings(report.findings) + _of_texts(root, texts), scanned)


def _kingfisher(root: Path, *arguments: str) -> _Report:
    command = [*KINGFISHER, "scan", "--no-validate", "--no-update-check", "--quiet"]
    # Comments do not suppress findings: only a waiver does, with a reason and an expiry date.
    command += ["--no-ignore", "--no-dedup", "--rules-path", str(_RULES), "--format", "json"]
    done = tool.run("kingfisher", [*command, *arguments], root, {0, _EXIT_CODE_WITH_FINDINGS})
    report = tool.read("kingfisher", done, _Report)
    if bool(report.findings) != (done.returncode == _EXIT_CODE_WITH_FINDINGS):
        raise CouldNotRunError(
            f"Kingfisher ended with exit code {done.returncode} and {len(report.findings)} findings"
        )
    return report


def _of_texts(root: Path, texts: Sequence[Texts]) -> tuple[Finding, ...]:
    """Return one finding for each rule, secret and kind of text, without the path.

    The path itself may contain the secret.
    """
    with tempfile.TemporaryDirectory() as folder:
        files = {str(Path(folder, f"{each.kind}.txt")): each for each in texts if each.content}
        for file, each in files.items():
            Path(file).write_bytes(each.content)
        if not files:
            return ()
        report = _kingfisher(root, "--git-history", "none", "--", *files)
    if len(report.audit.repositories) != len(files):
        raise CouldNotRunError("Kingfisher did not scan every text of the history")
    kept: dict[tuple[str, str, str], Finding] = {}
    for match in _without_duplicates(report.findings):
        each = files[match.finding.path]
        finding = replace(_finding(match, each.origin(match.finding.line)), path="", line=0)
        kept.setdefault((finding.rule, finding.subject, each.kind), finding)
    return tuple(kept.values())


def _findings(found: Sequence[_Found]) -> tuple[Finding, ...]:
    """Return one finding for each rule, file and secret: that of the oldest commit with it."""
    kept: dict[tuple[str, str, str], Finding] = {}
    for each in sorted(_without_duplicates(found), key=_age):
        git = each.finding.git_metadata
        where = f"in commit {git.commit.id[:12]}" if git else "not committed yet"
        finding = _finding(each, where)
        kept.setdefault((finding.rule, finding.path, finding.subject), finding)
    return tuple(kept.values())


def _without_duplicates(found: Sequence[_Found]) -> list[_Found]:
    """Remove the findings of our own rule that a more specific rule also found."""
    known = {
        (each.finding.path, secret)
        for each in found
        if not each.rule.id.startswith(_OWN_RULE_PREFIX)
        for secret in (each.finding.snippet, *each.finding.dependent_captures.values())
    }
    return [
        each
        for each in found
        if not each.rule.id.startswith(_OWN_RULE_PREFIX)
        or (each.finding.path, each.finding.snippet) not in known
    ]


def _age(found: _Found) -> tuple[str, str, int]:
    """Return a stable sort key: committed before uncommitted, then by day."""
    git = found.finding.git_metadata
    commit = git.commit if git else _Commit(id="", date="not yet")
    return (commit.date, commit.id, found.finding.line)


def _finding(found: _Found, where: str) -> Finding:
    match = found.finding
    return Finding(
        tool="kingfisher",
        rule=found.rule.id,
        message=f"{found.rule.description} ({where}). Revoke it: it stays in the history.",
        path=match.path.removeprefix("./"),
        line=match.line,
        # The same for a secret in every place; eight digits do not reveal it.
        subject=hashlib.sha256(match.snippet.encode()).hexdigest()[:8],
    )


def _uncommitted(root: Path) -> list[str]:
    """Return the files that are changed or new, and not ignored."""
    listed = repository.git(root, "ls-files", "-z", "--modified", "--others", "--exclude-standard")
    listed += repository.git(root, "diff", "-z", "--cached", "--name-only", "--diff-filter=d")
    return [
        each
        for each in repository.names(listed)
        if (root / each).is_file() and not (root / each).is_symlink()
    ]
