"""Synthesises the app, and makes sure that the same sources make the same assembly.

`python -m pipeline.gates.synthesis [-c KEY=VALUE]…` writes `cdk.out`. A pipeline whose template
changes by itself changes itself for ever, so this is judged before it may change itself at all.

The sources are synthesised a second time beside the first, by a process of its own with another
order of sets, and what both assemblies deploy is compared; unless that has been done already in
this checkout for all that decides about it. That is what `inputs` names: the app, its locks and
settings, the context, Python and the CLI. The service's own files are not among them, for
`pipeline.bundle` copies them as they are. A build has a checkout of its own, so it always
synthesises twice: no other build's word counts. What two syntheses have in common, seconds
apart in one place, is not seen to change: the day, the machine, the version of a tool.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.gates.cdk import AppRefusedError, Synthesis, placeholder_connection, refusal
from pipeline.gates.gate import ROOT, CouldNotRunError, Outcome, run
from pipeline.lint import stability
from pipeline.lint.rules import TOOL
from pipeline.names import CDK_CLI

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pipeline.gates.findings import Finding

ASSEMBLY = ROOT / "cdk.out"
PROVED = ROOT / ".cache" / "synthesis" / "proved"
"""The digest of the inputs that were last seen to make one and the same assembly."""
_SOURCES = ("pipeline/**/*", "environments/*", "requirements/*.txt", "cdk*.json", "pyproject.toml")


def judge(arguments: Sequence[str]) -> Outcome:
    """Synthesise, twice where that is not proved to be needless.

    Raises:
        CouldNotRunError: there is no CDK CLI, or the app broke.
    """
    try:
        return _judged(arguments)
    except AppRefusedError as error:
        return refusal(error, ASSEMBLY)


def _judged(arguments: Sequence[str]) -> Outcome:
    context = given(arguments)
    digest = inputs(ROOT, context)
    proved = PROVED.exists() and PROVED.read_text() == digest
    shutil.rmtree(ASSEMBLY, ignore_errors=True)
    if proved:
        with Synthesis(ASSEMBLY, context) as synthesis:
            synthesis.wait()
        return _outcome([], "as it was seen to for these sources")
    with tempfile.TemporaryDirectory() as scratch:
        found = _twice(Path(scratch) / "cdk.out", context)
    if not found:
        PROVED.parent.mkdir(parents=True, exist_ok=True)
        PROVED.write_text(digest)
    return _outcome(found, "twice")


def given(arguments: Sequence[str]) -> dict[str, str]:
    """The context of `-c KEY=VALUE`, with a connection in any case."""
    parser = argparse.ArgumentParser(prog="python -m pipeline.gates.synthesis")
    parser.add_argument("-c", "--context", action="append", default=[], metavar="KEY=VALUE")
    pairs = [each.partition("=") for each in parser.parse_args(arguments).context]
    context = {key: value for key, _, value in pairs}
    return {"connection-arn": placeholder_connection()} | context


def inputs(root: Path, context: Mapping[str, str]) -> str:
    """SHA-256 over all that decides whether the assembly is the same each time."""
    sums = hashlib.sha256(f"{sys.version}\0{CDK_CLI}\0".encode())
    sums.update(json.dumps(dict(context), sort_keys=True).encode())
    for path in _files(root):
        sums.update(f"\0{path.relative_to(root).as_posix()}\0".encode())
        sums.update(hashlib.sha256(path.read_bytes()).digest())
    return sums.hexdigest()


def _files(root: Path) -> Iterable[Path]:
    found = {path for pattern in _SOURCES for path in root.glob(pattern)}
    return sorted(each for each in found if each.is_file() and each.suffix != ".pyc")


def _twice(scratch: Path, context: Mapping[str, str]) -> list[Finding]:
    with (
        Synthesis(ASSEMBLY, context) as first,
        Synthesis(scratch, context, {"PYTHONHASHSEED": "1"}) as second,
    ):
        first.wait()
        try:
            second.wait()
        except CouldNotRunError as error:
            raise CouldNotRunError(f"the first time it did not fail, but then: {error}") from error
    return stability.differences(ASSEMBLY, scratch)


def _outcome(found: Iterable[Finding], how: str) -> Outcome:
    files = sum(1 for each in ASSEMBLY.rglob("*") if each.is_file())
    clean = f"the sources make one and the same assembly of {files} files, {how}"
    return Outcome.of_findings(found, clean, {"files": files, "how": how}, (TOOL,))


if __name__ == "__main__":
    sys.exit(run("synthesis", lambda: judge(sys.argv[1:])))
