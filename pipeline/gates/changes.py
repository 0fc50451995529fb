"""What a release would lose, open or loosen: an assembly against what is deployed now.

`python -m pipeline.gates.changes [--checkout FOLDER] [ASSEMBLY [STACK]…]`; the assembly is
`cdk.out` unless another is given, and without names all of its stacks are compared. The checkout
is the one that the assembly was made of, unless another is given the gate's own.

Build runs it before the pipeline changes itself, by the gate's code as the deployed pipeline has
it (`pipeline.delivery.comparison`), and Verify once more over the environments, by the release's
own code: an execution before may have been deployed in the meantime.
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
    """Compare stacks; one that is not deployed yet loses nothing and opens nothing.

    Raises:
        CouldNotRunError: there is no assembly or no such stack, or a deployed stack is unreadable.
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
        found = [*catalogue.compare(changes), *_departed(changes)]
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
        [*found, *map(_unseen, nested)], _clean(changes, new), details, (TOOL,)
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
    """The safeguards as prod's stack recorded them when it was deployed.

    Any other stack's record is deployed before a release has passed its gates.
    """
    prod = service_stack(NAMES[-1])
    found = next((deployed_[each.name] for each in stacks if each.name == prod), None)
    return safeguards.from_metadata(found.metadata) if found else None


def _departed(changes: Iterable[Change]) -> Iterator[Finding]:
    """What the pipeline would not deploy any more, as far as it lets itself be read."""
    for change in changes:
        for left in orphaned_stacks.orphaned(change):
            try:
                there = deployed.templates([left])[left.name]
                if there is None:
                    continue  # its first deployment never succeeded
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
    said = [f"nothing of {names} is lost, opened or loosened"] if changes else []
    said += [f"{each} is not deployed yet" for each in new]
    return "; ".join(said)


if __name__ == "__main__":
    sys.exit(main("changes", lambda: run(sys.argv[1:])))
