"""Find comments and files that would silence scanners.

bandit, Kingfisher and zizmor run without ignore comments and configuration, deptry without
configuration; deptry has no option that disables its comment. Each such comment and file is a
finding: only a waiver in pipeline/waivers.toml suppresses findings.
"""

from __future__ import annotations

import configparser
import io
import re
import tokenize
import tomllib
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from pipeline.gates.report.findings import Finding
from pipeline.gates.scanners import repository, shadowing, tool

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

TOOL = "silencing"
_COMMENTS = {
    # From the tools' sources, such as bandit's core/manager.py and deptry's imports/shared.rs.
    "nosec": re.compile(r"#\s*nosec"),
    "deptry-ignore": re.compile(r"#\s*deptry:\s*ignore"),
    "zizmor-ignore": re.compile(r"#\s*zizmor:\s*ignore"),
    "kingfisher-ignore": re.compile(r"(?:kingfisher|gitleaks|betterleaks)\s*:\s*(?:ignore|allow)"),
}
_ANY_COMMENT = re.compile(b"nosec|deptry:|zizmor:|kingfisher|gitleaks|betterleaks")
_PROSE = {".csv", ".json", ".md", ".rst", ".svg", ".txt"}
"""Suffixes of files that no scanner reads comments in."""
_CONFIGURATIONS = (
    ".bandit", "*bandit*baseline*", "*baseline*bandit*", "zizmor.yml", "zizmor.yaml",
    ".zizmor.yml", ".zizmor.yaml", "kingfisher.yml", "kingfisher.yaml", ".kingfisher*",
)  # fmt: skip
_TABLES = ("bandit", "deptry")
"""Tables of pyproject.toml, `[tool.NAME]`, and sections of setup.cfg and tox.ini."""


def scan(root: Path, paths: Sequence[str] | None = None) -> tool.Scan:
    """Search a checkout, or the given files of it.

    Raises:
        CouldNotRunError: the checkout is no clone of a repository.
    """
    searched = repository.files(root) if paths is None else list(paths)
    importable = repository.listed(root) if paths is None else searched
    findings = [
        *(each for path in searched for each in _of_file(root, path)),
        *(each for path in importable for each in shadowing.of_path(root, path)),
    ]
    return tool.Scan(TOOL, tuple(findings), tool.counted(len(searched), "file"))


def _of_file(root: Path, path: str) -> Iterator[Finding]:
    pure = PurePosixPath(path)
    if any(fnmatch(pure.name, pattern) for pattern in _CONFIGURATIONS):
        yield _configuration(path, pure.name)
    yield from _tables(root, path)
    if pure.suffix in _PROSE:
        return
    content = (root / path).read_bytes()
    if _ANY_COMMENT.search(content):
        for line, text, comment in _comments(content, python=repository.is_python(root, path)):
            for rule, pattern in _COMMENTS.items():
                if pattern.search(comment):
                    yield Finding(
                        tool=TOOL,
                        rule=rule,
                        message=f"the comment {comment.strip()!r} would silence a scanner; "
                        "remove it, and waive the scanner's finding in pipeline/waivers.toml",
                        path=path,
                        line=line,
                        subject=text.strip(),
                    )


def _comments(content: bytes, *, python: bool) -> Iterator[tuple[int, str, str]]:
    """Yield line number, line and comment; in a file that is no Python, each line is a comment."""
    if python:
        try:
            tokens = list(tokenize.tokenize(io.BytesIO(content).readline))
        except (SyntaxError, tokenize.TokenError):
            pass  # bandit reports this error; here each line counts as a comment
        else:
            yield from (
                (each.start[0], each.line, each.string)
                for each in tokens
                if each.type == tokenize.COMMENT
            )
            return
    for number, line in enumerate(content.decode(errors="replace").splitlines(), 1):
        yield number, line, line


def _tables(root: Path, path: str) -> Iterator[Finding]:
    name = Path(path).name
    if name == "pyproject.toml":
        try:
            tables = tomllib.loads((root / path).read_text(encoding="utf-8")).get("tool", {})
        except (UnicodeDecodeError, tomllib.TOMLDecodeError):
            return  # the scan with deptry reports this error
        yield from (_configuration(path, f"tool.{each}") for each in _TABLES if each in tables)
    elif name in {"setup.cfg", "tox.ini"}:
        sections = configparser.RawConfigParser(strict=False, allow_no_value=True)
        try:
            sections.read_string((root / path).read_text(encoding="utf-8", errors="replace"))
        except configparser.Error:
            return  # no scanner can read the file either
        for each in sections.sections():
            if each.removeprefix("tool:") in _TABLES:
                yield _configuration(path, each)


def _configuration(path: str, subject: str) -> Finding:
    return Finding(
        tool=TOOL,
        rule="scanner-configuration",
        message=f"{subject} in the repository configures a scanner; remove it, and waive single "
        "findings in pipeline/waivers.toml",
        path=path,
        subject=subject,
    )
