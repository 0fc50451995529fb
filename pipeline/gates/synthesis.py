"""Synthesise the app, and check that the same sources make the same assembly.

`python -m pipeline.gates.synthesis [-c KEY=VALUE]…` writes `cdk.out`. If a template changes without
a change of the sources, the pipeline changes itself endlessly; so the gate runs before the
self-mutation.

The sources are synthesised a second time, in a process with another order of sets, and the deployed
parts of both assemblies are compared. One synthesis is enough if the deployed pipeline was made
from the same inputs (`pipeline.builds.inputs`): it changed itself only after this gate had passed
for them. No file of another build is read for that. The second synthesis starts after the first, so
that it can use the bundles, the bytecode and jsii's packages of the first, which take most of the
CPU time; gate `provenance` rebuilds the bundles and compares them.

Two syntheses do not show a dependency on what they share: the day, the machine, the version of a
tool.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.builds import inputs
from pipeline.gates.cdk import AppRefusedError, Synthesis, placeholder_connection, refusal
from pipeline.gates.gate import ROOT, main
from pipeline.gates.report.result import CouldNotRunError, GateResult
from pipeline.gates.template import stability
from pipeline.gates.template.rules import TOOL

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pipeline.gates.report.findings import Finding

ASSEMBLY = ROOT / "cdk.out"


def run(arguments: Sequence[str]) -> GateResult:
    """Synthesise once if the deployed pipeline proves these inputs stable, otherwise twice.

    Raises:
        CouldNotRunError: the CDK CLI is missing, or the synthesis failed.
    """
    try:
        return _checked(arguments)
    except AppRefusedError as error:
        return refusal(error, ASSEMBLY)


def _checked(arguments: Sequence[str]) -> GateResult:
    context = given(arguments)
    proved = os.environ.get(inputs.PROVED) == inputs.digest(ROOT, context)
    shutil.rmtree(ASSEMBLY, ignore_errors=True)
    with Synthesis(ASSEMBLY, context) as first:
        first.wait()
    if proved:
        return _result([], "as those of the deployed pipeline did")
    with tempfile.TemporaryDirectory() as scratch:
        return _result(_compared_with(Path(scratch) / "cdk.out", context), "twice")


def given(arguments: Sequence[str]) -> dict[str, str]:
    """Return the context of the options `-c KEY=VALUE`, with a placeholder connection."""
    parser = argparse.ArgumentParser(prog="python -m pipeline.gates.synthesis")
    parser.add_argument("-c", "--context", action="append", default=[], metavar="KEY=VALUE")
    pairs = [each.partition("=") for each in parser.parse_args(arguments).context]
    context = {key: value for key, _, value in pairs}
    return {"connection-arn": placeholder_connection()} | context


def _compared_with(folder: Path, context: Mapping[str, str]) -> list[Finding]:
    """Synthesise again into another folder, and compare both assemblies."""
    try:
        with Synthesis(folder, context, {"PYTHONHASHSEED": "1"}) as second:
            second.wait()
    except CouldNotRunError as error:
        raise CouldNotRunError(
            f"the second synthesis failed after the first succeeded: {error}"
        ) from error
    return stability.differences(ASSEMBLY, folder)


def _result(found: Iterable[Finding], how: str) -> GateResult:
    files = sum(1 for each in ASSEMBLY.rglob("*") if each.is_file())
    clean = f"the sources make the same assembly of {files} files, {how}"
    return GateResult.of_findings(found, clean, {"files": files, "how": how}, (TOOL,))


if __name__ == "__main__":
    sys.exit(main("synthesis", lambda: run(sys.argv[1:])))
