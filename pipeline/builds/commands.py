"""Command lines that run gates in builds: written by synthesis, read by lint."""

from __future__ import annotations

import re

_GATE = r"\.venv/bin/python -m pipeline\.gates\.(?P<program>\w+(?: [\w./=:$\"{}-]+)*)"
_STARTED = re.compile(rf'{_GATE} & gates="\$gates \$!"')
_ANY = re.compile(r"pipeline[./]gates[./](\w+)")


def gate(program: str) -> str:
    """A command that runs one gate, with its arguments."""
    return f".venv/bin/python -m pipeline.gates.{program}"


def side_by_side(*programs: str) -> str:
    """A command that runs gates, with their arguments, at once, and fails where one of them has."""
    if len(programs) == 1:
        return gate(programs[0])
    started = [f'{gate(each)} & gates="$gates $!"' for each in programs]
    waited = 'for gate in $gates; do wait "$gate" || failed=1; done'
    return "; ".join(["gates=", *started, "failed=0", waited, '[ "$failed" -eq 0 ]'])


def mentioned(line: str) -> set[str]:
    """The gates whose names stand in a line, whether or not it runs them."""
    return set(_ANY.findall(line))


def run(line: str) -> list[str]:
    """The gates, with their arguments, that surely fail the line when they fail.

    A line in any other form than ours may swallow an exit code (`|| true`, `; exit 0`, a pipe,
    `&`), and shell is not executed here to find out.
    """
    parts = [re.fullmatch(_GATE, each) for each in line.strip().split(" && ")]
    if all(parts):
        return [each["program"] for each in parts if each]
    started = [each["program"] for each in _STARTED.finditer(line)]
    return started if len(started) > 1 and side_by_side(*started) == line.strip() else []
