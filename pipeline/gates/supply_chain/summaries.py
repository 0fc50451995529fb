"""Read the summaries of the gates that a release has passed."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.gates.report.catalogue import NAMES
from pipeline.gates.report.gate_report import GateReportError, parse

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pipeline.gates.report.gate_report import Status


class SummaryError(Exception):
    """A summary is invalid."""


@dataclass(frozen=True)
class Summary:
    """The result of a gate in its summary (`reports/NAME.json`), with the file's SHA-256."""

    gate: str
    status: Status
    sentence: str
    sha256: str


def read(folder: Path) -> tuple[Summary, ...]:
    """Return the summaries at any depth of a folder, sorted by gate.

    A CodeBuild action has at most five input artifacts, so a gate's reports may contain those of
    earlier gates ("Action structure reference", CodeBuild).

    Raises:
        SummaryError: a summary is incomplete, or has an unknown status.
    """
    return tuple(sorted(_results(folder), key=lambda each: (each.gate, each.sha256)))


def lacking(results: Sequence[Summary], required: Sequence[str]) -> list[str]:
    """Return the reasons why these results are not enough; empty if they are.

    A gate with status `not run`, under an operator's override, also counts.
    """
    if not required:
        return ["pyproject.toml requires no gate (tool.pithead.supply-chain.attested_gates)"]
    seen = {each.gate for each in results}
    missing = [f"no result of the gate {name}" for name in required if name not in seen]
    refused = [
        f"the gate {each.gate} ended {each.status}: {each.sentence}"
        for each in results
        if each.status not in {"passed", "not run"}
    ]
    return missing + refused


def overridden(results: Sequence[Summary]) -> str:
    """Return a clause with the gates that did not run; empty if there is none."""
    names = ", ".join(each.gate for each in results if each.status == "not run")
    return f"; not run, by an override: {names}" if names else ""


def _results(folder: Path) -> Iterator[Summary]:
    for file in sorted(_summaries(folder)):
        place = file.relative_to(folder)
        text = file.read_bytes()
        try:
            found = parse(text)
        except GateReportError as error:
            raise SummaryError(f"{place}: no report of a gate: {error}") from error
        if found.gate != file.stem:
            raise SummaryError(f"{place}: found the report of gate {found.gate!r}")
        yield Summary(found.gate, found.status, found.sentence, hashlib.sha256(text).hexdigest())


def _summaries(folder: Path) -> Iterator[Path]:
    # CDK puts an artifact into a step's folder with a symbolic link.
    for root, _, files in os.walk(folder, followlinks=True):
        yield from (Path(root) / f"{name}.json" for name in NAMES if f"{name}.json" in files)
