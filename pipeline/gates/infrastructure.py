"""Check a cloud assembly with the template lint, cfn-lint and cdk-nag.

`python -m pipeline.gates.infrastructure [ASSEMBLY]`; without ASSEMBLY it synthesises this checkout.
`pipeline.gates.changes` applies the rules that need the deployed templates.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from pipeline.gates import cfn_lint
from pipeline.gates.cdk import AppRefusedError, Synthesis, placeholder_connection, refusal
from pipeline.gates.gate import main
from pipeline.gates.report.result import CouldNotRunError, GateResult
from pipeline.gates.template import assembly, catalogue, rules, validation

if TYPE_CHECKING:
    from collections.abc import Callable

ResultT = TypeVar("ResultT")


def run(folder: Path | None = None) -> GateResult:
    """Check an assembly.

    Raises:
        CouldNotRunError: there is no assembly, or one of the three tools did not check it.
    """
    if folder is not None:
        return _checked(folder)
    with tempfile.TemporaryDirectory() as scratch:
        made, context = Path(scratch) / "cdk.out", {"connection-arn": placeholder_connection()}
        try:
            with Synthesis(made, context) as synthesis:
                synthesis.wait()
        except AppRefusedError as error:
            return refusal(error, made)
        return _checked(made)


def _checked(folder: Path) -> GateResult:
    try:
        stacks = assembly.read(folder)
        (linted, seconds) = _timed(lambda: catalogue.lint(stacks))
        reviewed = validation.findings(folder)
        plugins = [each["pluginName"] for each in validation.plugins(folder)]
    except assembly.AssemblyError as error:
        raise CouldNotRunError(str(error)) from error
    (found, read), cfn_lint_seconds = _timed(lambda: cfn_lint.findings(stacks))
    rules_ = {each.id: each.why for each in catalogue.OF_STACKS}
    known = len(stacks) - read
    return GateResult.of_findings(
        [*linted, *found, *reviewed],
        f"{len(rules_)} rules, cfn-lint and cdk-nag find nothing in {len(stacks)} stacks",
        {
            "stacks": [each.name for each in stacks],
            "rules": rules_,
            "tools": {
                rules.TOOL: {"scanned": len(stacks), "seconds": seconds},
                cfn_lint.TOOL: {"scanned": read, "clean": known, "seconds": cfn_lint_seconds},
                validation.TOOL: {"plugins": plugins},  # they ran during the synthesis
            },
        },
        (rules.TOOL, cfn_lint.TOOL, validation.TOOL),
    )


def _timed(run_tool: Callable[[], ResultT]) -> tuple[ResultT, float]:
    began = time.monotonic()
    return run_tool(), round(time.monotonic() - began, 3)


if __name__ == "__main__":
    sys.exit(main("infrastructure", lambda: run(Path(sys.argv[1]) if len(sys.argv) > 1 else None)))
