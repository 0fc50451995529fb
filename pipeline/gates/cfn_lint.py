"""Run cfn-lint over the templates of an assembly, except those that it already found clean."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.gates.gate import ROOT
from pipeline.gates.report.findings import Finding
from pipeline.gates.report.result import CouldNotRunError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.gates.template.assembly import Stack

TOOL = "cfn-lint"
CLEAN = ROOT / ".cache" / "cfn-lint"
"""Folder with an empty file for each clean template, named by `digest`."""
PROGRAM = Path(sys.executable).with_name("cfn-lint")
_SETTINGS = ROOT / ".cfnlintrc.yaml"
_TIMEOUT_SECONDS = 900
"""On a busy machine cfn-lint may take minutes."""
_MAX_OUTPUT_CHARACTERS = 300
_HASH = re.compile(r"[0-9a-f]{32,}|[0-9A-Za-z+/]{43}=")


def findings(stacks: Sequence[Stack]) -> tuple[list[Finding], int]:
    """Return the findings of cfn-lint, and the number of templates that it read.

    Its import takes two seconds of CPU time and a template about one second. So a clean template is
    not read again, and of templates that differ only in hashes, one is read.

    Raises:
        CouldNotRunError: cfn-lint is missing, crashed, or wrote no report.
    """
    unread = {digest(each.text): each for each in stacks}
    left = {key: each for key, each in unread.items() if not (CLEAN / key).exists()}
    found = _run(list(left.values())) if left else []
    CLEAN.mkdir(parents=True, exist_ok=True)
    for key, stack in left.items():
        if not any(each.path == stack.path for each in found):
            (CLEAN / key).touch()
    for old in CLEAN.iterdir():
        if old.name not in unread:
            old.unlink(missing_ok=True)
    return found, len(left)


def digest(template: str) -> str:
    """Return the SHA-256 of a template with numbers for hashes, and of cfn-lint's version."""
    numbers: dict[str, int] = {}

    def numbered(found: re.Match[str]) -> str:
        return f"<{numbers.setdefault(found[0], len(numbers))}:{len(found[0])}>"

    settings = _SETTINGS.read_bytes() if _SETTINGS.exists() else b""
    sums = hashlib.sha256(f"{version('cfn-lint')}\0".encode() + settings + b"\0")
    sums.update(_HASH.sub(numbered, template).encode())
    return sums.hexdigest()


def _run(stacks: Sequence[Stack]) -> list[Finding]:
    paths = {str(each.file): each for each in stacks}
    try:
        done = subprocess.run(
            [str(PROGRAM), "--format", "json", "--", *paths],
            cwd=ROOT,  # with its settings
            capture_output=True,
            text=True,
            check=False,
            timeout=_TIMEOUT_SECONDS,
        )
        return [_finding(each, paths) for each in json.loads(done.stdout)]
    except FileNotFoundError as error:
        raise CouldNotRunError("cfn-lint is missing", next_step="run `make setup`") from error
    except subprocess.TimeoutExpired as error:
        raise CouldNotRunError(f"cfn-lint did not end within {_TIMEOUT_SECONDS} s") from error
    except (ValueError, KeyError, TypeError) as error:
        output = (done.stderr.strip() or done.stdout.strip())[-_MAX_OUTPUT_CHARACTERS:]
        raise CouldNotRunError(f"cfn-lint wrote no report: {output or error}") from error


def _finding(match: dict[str, Any], paths: dict[str, Stack]) -> Finding:
    place = match["Location"]
    return Finding(
        tool=TOOL,
        rule=match["Rule"]["Id"],
        message=match["Message"],
        path=paths[match["Filename"]].path,
        line=place["Start"]["LineNumber"],
        severity="warning" if match["Level"] == "Informational" else "error",
        subject=_HASH.sub("…", ".".join(map(str, place["Path"] or ()))),
    )
