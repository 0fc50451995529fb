"""The catalogue of gates: what each needs, and its next steps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

THROTTLED = "throttled"
"""The rule of a gate that could not measure or test, because AWS throttled its requests."""
_WAIVE = "or waive it in pipeline/waivers.toml (docs/gates.md, Waivers)"


@dataclass(frozen=True)
class Gate:
    """A program `python -m pipeline.gates.NAME`.

    Both next steps are imperative and name a command or a file. They are the gate's defaults, for a
    result or an error without a better one.
    """

    name: str
    next_if_refused: str
    next_if_not_run: str
    needs: Literal["", "URL", "AWS", "release"] = ""
    """What the gate needs, besides the checkout.

    `URL`: the address of a deployed environment in the variable `URL`; `AWS`: access to AWS;
    `release`: the artifacts of a release, which only its execution has.
    """
    passing: bool = False
    """Whether a deployment removes its findings, so that its waivers may be unused."""


GATES = (
    Gate(
        "unit",
        "run `pithead gates unit`, fix the tests, commit",
        "run `pithead gates unit` and read reports/unit.log",
        passing=True,
    ),
    Gate(
        "synthesis",
        f"run `pithead gates synthesis`; fix the finding, {_WAIVE}",
        "run `pithead gates synthesis` and read reports/synthesis.log",
    ),
    Gate(
        "changes",
        f"undo the change, {_WAIVE}",
        "run `pithead status` to see which accounts answer, then `pithead release` again",
        "release",
        passing=True,
    ),
    Gate(
        "security",
        f"run `pithead gates security`; fix each finding, {_WAIVE}",
        "run `pithead gates security` and read reports/security.log",
    ),
    Gate(
        "supply_chain",
        "change the package in pyproject.toml and run `make lock`; for a finding that does not "
        f"apply, {_WAIVE.removeprefix('or ')}",
        "run `pithead gates supply_chain` and read reports/supply_chain.log",
    ),
    Gate(
        "infrastructure",
        f"run `pithead gates infrastructure`; fix each finding, {_WAIVE}",
        "run `pithead gates infrastructure` and read reports/infrastructure.log",
    ),
    Gate(
        "integration",
        "run `pithead logs dev` to see the service's side, fix it, commit",
        "run `pithead logs build` for the whole log, then `pithead release` again",
        "URL",
        passing=True,
    ),
    Gate(
        "dynamic",
        f"run `pithead logs dev` to see the service's side; fix each finding, {_WAIVE}",
        "run `pithead logs build` for the whole log, then `pithead release` again",
        "URL",
    ),
    Gate(
        "load",
        "make the release faster and commit, or change [load] of environments/staging.toml",
        "run `pithead logs staging` to see the service's side, then `pithead release` again",
        "URL",
    ),
    Gate(
        "synthetic",
        "run `pithead logs staging` to see the service's side, fix it, commit",
        "run `pithead status` to see whether staging answers, then `pithead release` again",
        "URL",
    ),
    Gate(
        "attest",
        "run `pithead logs build` to see which gate is missing or refused, fix that, commit",
        "run `pithead logs build` for the whole log, then `pithead release` again",
        "release",
    ),
    Gate(
        "provenance",
        "run `pithead release` to build and attest the commit again; if it is refused again, "
        "find out who changed the artifacts",
        "run `pithead logs build` for the whole log, then `pithead release` again",
        "release",
    ),
    Gate(
        "window",
        "run `pithead release` again when the freeze is over, or change [[freeze]] of "
        "environments/prod.toml",
        "check that the build's role can call STS, then run `pithead release` again",
        "AWS",
    ),
)
"""In the order in which a release passes them."""
NAMES = tuple(each.name for each in GATES)
PASSING = frozenset(each.name for each in GATES if each.passing)


def gate(name: str) -> Gate:
    """Return the gate of a name.

    Raises:
        ValueError: no gate has that name.
    """
    for each in GATES:
        if each.name == name:
            return each
    raise ValueError(f"gate {name!r} does not exist; the gates are {', '.join(NAMES)}")


def with_next_step(sentence: str, next_step: str | None) -> str:
    """Return a sentence, followed by the next step of a refusal."""
    return f"{sentence.rstrip('.')}. Next: {next_step}" if next_step else sentence
