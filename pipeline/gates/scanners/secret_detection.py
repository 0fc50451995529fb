"""Secrets, in files and in every commit that leads to HEAD: Kingfisher, without a network.

What is promoted is HEAD with all of its history: whoever may read the repository may read a key
that a later commit removed. So each run looks at all of the history, which needs no knowledge of
what serves prod, and takes a second for each hundred megabytes of it. Messages, tags, notes and
the names of files are as public as files (pipeline/gates/scanners/history.py).
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
_OURS = "pithead."
_FOUND = 200
"""Its exit code for findings."""
_FEWEST_RULES = 100
"""Fewer than these cannot be what it ships."""


class _Rule(tool.Answer):
    id: str
    description: str


class _Commit(tool.Answer):
    id: str
    date: str
    """The day, YYYY-MM-DD."""


class _Git(tool.Answer):
    commit: _Commit


class _Match(tool.Answer):
    snippet: str
    dependent_captures: dict[str, str] = Field(default_factory=dict)
    """Further secrets that were found by being beside this one."""
    path: str
    line: int
    git_metadata: _Git | None = None


class _Found(tool.Answer):
    rule: _Rule
    finding: _Match


class _Range(tool.Answer):
    scope: str
    tip_sha: str | None = None
    shallow: bool
    fetched_commit_count: int = 0


class _Done(tool.Answer):
    status: Literal["completed"]


class _Stats(tool.Answer):
    blobs_scanned: int


class _Target(tool.Answer):
    scan: _Done
    stats: _Stats
    git: _Range | None = None


class _Audit(tool.Answer):
    repositories: list[_Target] = Field(min_length=1)


class _Summary(tool.Answer):
    rules_applied: int = Field(ge=_FEWEST_RULES)


class _Metadata(tool.Answer):
    summary: _Summary


class _Report(tool.Answer):
    findings: list[_Found]
    audit: _Audit
    metadata: _Metadata


def scan(root: Path) -> tool.Scan:
    """Look at all commits that lead to HEAD, and at what is not committed yet.

    Raises:
        CouldNotRunError: Kingfisher is missing or crashed, this is no git checkout, its history
            is cut off, or not all of it was looked at.
    """
    head = repository.git(root, "rev-parse", "HEAD").decode().strip()
    commits = int(repository.git(root, "rev-list", "--count", "HEAD"))
    report = _kingfisher(root, ".", "--branch", "HEAD")
    (target,) = report.audit.repositories
    seen = target.git
    if seen is None or seen.shallow:
        raise CouldNotRunError("the history is cut off here; run git fetch --unshallow")
    if (seen.scope, seen.tip_sha, seen.fetched_commit_count) != (
        "branch_history",
        head,
        commits,
    ):
        raise CouldNotRunError(
            f"Kingfisher looked at {seen.fetched_commit_count} commits to {seen.tip_sha}, not at "
            f"the {commits} to {head}"
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
    looked_at = f"{tool.counted(commits, 'commit')} and {files} not committed"
    return tool.Scan("kingfisher", findings, looked_at)


def scan_staged(root: Path) -> tool.Scan:
    """Look at what the next commit would change.

    Raises:
        CouldNotRunError: as `scan`.
    """
    report = _kingfisher(root, ".", "--staged")
    (target,) = report.audit.repositories
    if target.git is None or target.git.scope != "staged_tree_diff":
        raise CouldNotRunError("Kingfisher did not scan the staged files")
    looked_at = tool.counted(target.stats.blobs_scanned, "staged file")
    staged = repository.git(root, "diff", "-z", "--cached", "--name-only", "--diff-filter=d")
    texts = [history.new_names(repository.names(staged))]
    return tool.Scan("kingfisher", _findings(report.findings) + _of_texts(root, texts), looked_at)


def _kingfisher(root: Path, *arguments: str) -> _Report:
    command = [*KINGFISHER, "scan", "--no-validate", "--no-update-check", "--quiet"]
    # No comment in a file lets a secret by: a waiver does, with a reason and until a day.
    command += ["--no-ignore", "--no-dedup", "--rules-path", str(_RULES), "--format", "json"]
    done = tool.run("kingfisher", [*command, *arguments], root, {0, _FOUND})
    report = tool.read("kingfisher", done, _Report)
    if bool(report.findings) != (done.returncode == _FOUND):
        raise CouldNotRunError(
            f"Kingfisher ended with exit code {done.returncode} and {len(report.findings)} findings"
        )
    return report


def _of_texts(root: Path, texts: Sequence[Texts]) -> tuple[Finding, ...]:
    """One finding for each rule, secret and kind of text; no path, which may be the secret."""
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
    for match in _named(report.findings):
        each = files[match.finding.path]
        finding = replace(_finding(match, each.origin(match.finding.line)), path="", line=0)
        kept.setdefault((finding.rule, finding.subject, each.kind), finding)
    return tuple(kept.values())


def _findings(found: Sequence[_Found]) -> tuple[Finding, ...]:
    """One for each rule, file and secret: the oldest, of however many commits have it."""
    kept: dict[tuple[str, str, str], Finding] = {}
    for each in sorted(_named(found), key=_age):
        git = each.finding.git_metadata
        where = f"in commit {git.commit.id[:12]}" if git else "not committed yet"
        finding = _finding(each, where)
        kept.setdefault((finding.rule, finding.path, finding.subject), finding)
    return tuple(kept.values())


def _named(found: Sequence[_Found]) -> list[_Found]:
    """Without those of our own rule that another rule knows by their form."""
    named = {
        (each.finding.path, secret)
        for each in found
        if not each.rule.id.startswith(_OURS)
        for secret in (each.finding.snippet, *each.finding.dependent_captures.values())
    }
    return [
        each
        for each in found
        if not each.rule.id.startswith(_OURS)
        or (each.finding.path, each.finding.snippet) not in named
    ]


def _age(found: _Found) -> tuple[str, str, int]:
    """Committed before not committed, then by day, and the same in each run."""
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
        # The same secret wherever it moves; eight digits tell nobody what it is.
        subject=hashlib.sha256(match.snippet.encode()).hexdigest()[:8],
    )


def _uncommitted(root: Path) -> list[str]:
    """Files that are changed or new, and not ignored."""
    listed = repository.git(root, "ls-files", "-z", "--modified", "--others", "--exclude-standard")
    listed += repository.git(root, "diff", "-z", "--cached", "--name-only", "--diff-filter=d")
    return [
        each
        for each in repository.names(listed)
        if (root / each).is_file() and not (root / each).is_symlink()
    ]
