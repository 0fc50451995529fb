"""cfn-lint over the templates of an assembly: each that it has not already found clean."""

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
"""An empty file for each template that was clean, named by `digest`."""
PROGRAM = Path(sys.executable).with_name("cfn-lint")
_SETTINGS = ROOT / ".cfnlintrc.yaml"
_TIMEOUT_SECONDS = 900
"""Long enough for a busy machine, where cfn-lint may take minutes."""
_HASH = re.compile(r"[0-9a-f]{32,}|[0-9A-Za-z+/]{43}=")


def findings(stacks: Sequence[Stack]) -> tuple[list[Finding], int]:
    """What cfn-lint says about the stacks, and how many templates it had to read for that.

    To import it takes two seconds of CPU and to read a template about one, so a template that was
    clean is not read again. Of two that are the same but for the commit and the hashes in them,
    one is enough.

    Raises:
        CouldNotRunError: cfn-lint is missing, crashed, or did not report.
    """
    unread = {digest(each.text): each for each in stacks}
    left = {key: each for key, each in unread.items() if not (CLEAN / key).exists()}
    found = _asked(list(left.values())) if left else []
    CLEAN.mkdir(parents=True, exist_ok=True)
    for key, stack in left.items():
        if not any(each.path == stack.path for each in found):
            (CLEAN / key).touch()
    for old in CLEAN.iterdir():
        if old.name not in unread:
            old.unlink(missing_ok=True)
    return found, len(left)


def digest(template: str) -> str:
    """SHA-256 of a template in which each hash is only told from the others, and of the judge."""
    numbers: dict[str, int] = {}

    def numbered(found: re.Match[str]) -> str:
        return f"<{numbers.setdefault(found[0], len(numbers))}:{len(found[0])}>"

    settings = _SETTINGS.read_bytes() if _SETTINGS.exists() else b""
    sums = hashlib.sha256(f"{version('cfn-lint')}\0".encode() + settings + b"\0")
    sums.update(_HASH.sub(numbered, template).encode())
    return sums.hexdigest()


def _asked(stacks: Sequence[Stack]) -> list[Finding]:
    paths = {str(each.file): each for each in stacks}
    try:
        done = subprocess.run(
            [str(PROGRAM), "--format", "json", "--", *paths],
            cwd=ROOT,  # where its settings stand
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
        said = (done.stderr.strip() or done.stdout.strip())[-300:]
        raise CouldNotRunError(f"cfn-lint left no report: {said or error}") from error


def _finding(told: dict[str, Any], paths: dict[str, Stack]) -> Finding:
    place = told["Location"]
    return Finding(
        tool=TOOL,
        rule=told["Rule"]["Id"],
        message=told["Message"],
        path=paths[told["Filename"]].path,
        line=place["Start"]["LineNumber"],
        severity="warning" if told["Level"] == "Informational" else "error",
        subject=_HASH.sub("…", ".".join(map(str, place["Path"] or ()))),
    )
