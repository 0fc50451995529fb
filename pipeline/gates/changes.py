"""Compare an assembly with the deployed stacks: what would a release lose, open or loosen?

`python -m pipeline.gates.changes [--checkout FOLDER] [ASSEMBLY [STACK]…]`. The default assembly is
`cdk.out`, the default stacks are all of the assembly. FOLDER is the checkout from which the
assembly was synthesised; the default is the gate's own.

Build runs it before the self-mutation, with the gate's code of the deployed pipeline
(`pipeline.delivery.comparison`). Verify runs it again for the environments, with the release's own
code, because an earlier execution may have been deployed in the meantime.
"""

from __future__ import annotations

import argparse
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from environments.schema import NAMES
from pipeline.builds import safeguards
from pipeline.builds.commit import CommitError, tree
from pipeline.gates import deployed, looser
from pipeline.gates.gate import ROOT, main
from pipeline.gates.report.findings import Finding
from pipeline.gates.report.result import CouldNotRunError, GateResult
from pipeline.gates.template import assembly, catalogue, orphaned_stacks
from pipeline.gates.template.rules import TOOL, Change, Safeguards
from pipeline.gates.template.schemas import SchemasError
from pipeline.names import service_stack

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from pipeline.gates.template.assembly import Stack
    from pipeline.gates.template.template import Template


def run(arguments: Sequence[str]) -> GateResult:
    """Compare stacks with their deployed templates; a new stack loses and opens nothing.

    Raises:
        CouldNotRunError: the assembly, a stack of that name or a deployed template cannot be read.
    """
    given = _arguments(arguments)
    try:
        stacks = assembly.read(given.assembly or ROOT / "cdk.out")
        released = safeguards.read(given.checkout or ROOT)
    except (assembly.AssemblyError, safeguards.SafeguardsError) as error:
        raise CouldNotRunError(str(error)) from error
    chosen, nested = _chosen(stacks, given.stacks)
    now = deployed.templates(chosen)
    known = Safeguards(
        _recorded(chosen, now), released, datetime.now(UTC), _trees(given.checkout or ROOT)
    )
    changes = [Change(each, old, known) for each in chosen if (old := now[each.name]) is not None]
    try:
        found = [*catalogue.compare(changes), *_orphaned(changes)]
    except SchemasError as error:
        raise CouldNotRunError(str(error)) from error
    new = [each.name for each in chosen if now[each.name] is None]
    details = {
        "compared": [each.stack.name for each in changes],
        "new": new,
        looser.DETAIL: looser.listed(found),
        "rules": {each.id: each.why for each in catalogue.OF_CHANGES}
        | {orphaned_stacks.RULE: orphaned_stacks.WHY},
    }
    return GateResult.of_findings(
        [*found, *map(_not_compared, nested)], _clean(changes, new), details, (TOOL,)
    )


class _Arguments(argparse.Namespace):
    checkout: Path | None
    assembly: Path | None
    stacks: list[str]


def _arguments(arguments: Sequence[str]) -> _Arguments:
    parser = argparse.ArgumentParser(prog="python -m pipeline.gates.changes")
    parser.add_argument("--checkout", type=Path)
    parser.add_argument("assembly", type=Path, nargs="?")
    parser.add_argument("stacks", nargs="*")
    return parser.parse_args(arguments, _Arguments())


def _trees(checkout: Path) -> frozenset[str] | None:
    try:
        return frozenset(tree(each, checkout) for each in safeguards.FOLDERS)
    except CommitError:
        return None


def _recorded(
    stacks: Iterable[Stack], deployed_: Mapping[str, Template | None]
) -> Mapping[str, object] | None:
    """Return the safeguards that prod's stack recorded at its deployment.

    Other stacks are deployed before a release has passed all gates, so their records do not count.
    """
    prod = service_stack(NAMES[-1])
    found = next((deployed_[each.name] for each in stacks if each.name == prod), None)
    return safeguards.from_metadata(found.metadata) if found else None


def _orphaned(changes: Iterable[Change]) -> Iterator[Finding]:
    """Yield findings about stacks that the pipeline would no longer deploy."""
    for change in changes:
        for left in orphaned_stacks.orphaned(change):
            try:
                there = deployed.templates([left])[left.name]
                if there is None:
                    continue  # it was never deployed
            except CouldNotRunError:
                there = None
            subject, message = orphaned_stacks.finding(change.stack, left, there)
            yield Finding(
                tool=TOOL,
                rule=orphaned_stacks.RULE,
                message=message,
                path=change.stack.path,
                subject=subject,
            )


def _chosen(stacks: Sequence[Stack], names: Sequence[str]) -> tuple[list[Stack], list[Stack]]:
    """Return the stacks of these names, and the stacks that are nested in them."""
    known = {each.name for each in stacks if each.parent is None}
    missing = sorted(set(names) - known)
    if missing:
        raise CouldNotRunError(
            f"{', '.join(missing)}: no such stack; allowed are {', '.join(sorted(known))}"
        )
    wanted = set(names) or known
    return (
        [each for each in stacks if each.parent is None and each.name in wanted],
        [each for each in stacks if each.parent and each.name.split("/")[0] in wanted],
    )


def _not_compared(stack: Stack) -> Finding:
    return Finding(
        tool=TOOL,
        rule="PH500",
        message=f"{stack.name} is a nested stack, which is not compared; review its diff",
        path=stack.path,
        severity="warning",
        subject=stack.name,
    )


def _clean(changes: Sequence[Change], new: Iterable[str]) -> str:
    names = ", ".join(each.stack.name for each in changes)
    clauses = [f"nothing of {names} is lost, opened or loosened"] if changes else []
    clauses += [f"{each} is not deployed yet" for each in new]
    return "; ".join(clauses)


if __name__ == "__main__":
    sys.exit(main("changes", lambda: run(sys.argv[1:])))
