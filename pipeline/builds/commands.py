"""The commands that run gates in builds: synthesis writes them, the template lint reads them."""

from __future__ import annotations

import re

_GATE = r"\.venv/bin/python -m pipeline\.gates\.(?P<program>\w+(?: [\w./=:$\"{}-]+)*)"
_STARTED = re.compile(rf'{_GATE} & gates="\$gates \$!"')
_ANY = re.compile(r"pipeline[./]gates[./](\w+)")


def gate(program: str) -> str:
    """Return a command that runs one gate with its arguments."""
    return f".venv/bin/python -m pipeline.gates.{program}"


def side_by_side(*programs: str) -> str:
    """Return a command that runs gates in parallel, and fails if one of them fails."""
    if len(programs) == 1:
        return gate(programs[0])
    started = [f'{gate(each)} & gates="$gates $!"' for each in programs]
    waited = 'for gate in $gates; do wait "$gate" || failed=1; done'
    return "; ".join(["gates=", *started, "failed=0", waited, '[ "$failed" -eq 0 ]'])


def mentioned(line: str) -> set[str]:
    """Return the gates that a line contains, whether or not it runs them."""
    return set(_ANY.findall(line))


def run(line: str) -> list[str]:
    """Return the gates with their arguments whose failure certainly fails the line.

    Only lines in the form of `gate` and `side_by_side` count: others may ignore an exit code
    (`|| true`, `; exit 0`, a pipe, `&`).
    """
    parts = [re.fullmatch(_GATE, each) for each in line.strip().split(" && ")]
    if all(parts):
        return [each["program"] for each in parts if each]
    started = [each["program"] for each in _STARTED.finditer(line)]
    return started if len(started) > 1 and side_by_side(*started) == line.strip() else []
