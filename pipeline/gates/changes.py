"""What a release would lose or open: an assembly against what is deployed now.

`python -m pipeline.gates.changes [ASSEMBLY [STACK]…]`; the assembly is `cdk.out` unless another
is given, and without names all of its stacks are compared. The pipeline's own is compared in
Build, before the pipeline changes itself, and those of the environments in Verify.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.gates import deployed
from pipeline.gates.findings import Finding
from pipeline.gates.gate import ROOT, CouldNotRunError, Outcome, run
from pipeline.lint import assembly, catalogue
from pipeline.lint.rules import TOOL, Change
from pipeline.lint.schemas import SchemasError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pipeline.lint.assembly import Stack


def judge(arguments: Sequence[str]) -> Outcome:
    """Compare stacks; one that is not deployed yet loses nothing and opens nothing.

    Raises:
        CouldNotRunError: there is no assembly, no such stack, or what is deployed cannot be told.
    """
    folder, *names = arguments or [str(ROOT / "cdk.out")]
    try:
        stacks = assembly.read(Path(folder))
    except assembly.AssemblyError as error:
        raise CouldNotRunError(str(error)) from error
    chosen, nested = _chosen(stacks, names)
    now = deployed.templates(chosen)
    changes = [Change(each, old) for each in chosen if (old := now[each.name]) is not None]
    try:
        found = catalogue.compare(changes)
    except SchemasError as error:
        raise CouldNotRunError(str(error)) from error
    new = [each.name for each in chosen if now[each.name] is None]
    details = {
        "compared": [each.stack.name for each in changes],
        "new": new,
        "rules": {each.id: each.why for each in catalogue.OF_CHANGES},
    }
    return Outcome.of_findings(
        [*found, *map(_unseen, nested)], _clean(changes, new), details, (TOOL,)
    )


def _chosen(stacks: Sequence[Stack], names: Sequence[str]) -> tuple[list[Stack], list[Stack]]:
    """The stacks of these names, and those that are nested in one of them."""
    known = {each.name for each in stacks if each.parent is None}
    missing = sorted(set(names) - known)
    if missing:
        raise CouldNotRunError(
            f"{', '.join(missing)}: no such stack; the assembly has {', '.join(sorted(known))}"
        )
    wanted = set(names) or known
    return (
        [each for each in stacks if each.parent is None and each.name in wanted],
        [each for each in stacks if each.parent and each.name.split("/")[0] in wanted],
    )


def _unseen(stack: Stack) -> Finding:
    return Finding(
        tool=TOOL,
        rule="PH500",
        message=f"{stack.name} is a nested stack, and those are not compared; look at its diff",
        path=stack.path,
        severity="warning",
        subject=stack.name,
    )


def _clean(changes: Sequence[Change], new: Iterable[str]) -> str:
    names = ", ".join(each.stack.name for each in changes)
    said = [f"nothing of {names} is lost or opened"] if changes else []
    said += [f"{each} is not deployed yet" for each in new]
    return "; ".join(said)


if __name__ == "__main__":
    sys.exit(run("changes", lambda: judge(sys.argv[1:])))
