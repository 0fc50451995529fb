"""The results of the gates that a release has passed, out of their summaries."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.gates.report.catalogue import NAMES

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_STATUSES = {"passed", "refused", "not run"}


class EvidenceError(Exception):
    """A summary is there and cannot be read."""


@dataclass(frozen=True)
class Result:
    """How a gate ended: its summary (`reports/NAME.json`), and which bytes say so."""

    gate: str
    status: str
    sentence: str
    sha256: str


def read(folder: Path) -> tuple[Result, ...]:
    """The results below a folder with the reports of many gates, by gate.

    A CodeBuild action takes five artifacts at most, so that a gate's reports may hold those of
    gates before it ("Action structure reference", CodeBuild).

    Raises:
        EvidenceError: a summary is cut, or says no status.
    """
    return tuple(sorted(_results(folder), key=lambda each: (each.gate, each.sha256)))


def lacking(results: Sequence[Result], required: Sequence[str]) -> list[str]:
    """Why these results are not enough; empty where they are.

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


def overridden(results: Sequence[Result]) -> str:
    """The gates that did not run, as the end of a sentence."""
    names = ", ".join(each.gate for each in results if each.status == "not run")
    return f"; not run, by an override: {names}" if names else ""


def _results(folder: Path) -> Iterator[Result]:
    for file in sorted(_summaries(folder)):
        place = file.relative_to(folder)
        text = file.read_bytes()
        try:
            found = json.loads(text)
            gate, status, sentence = found["gate"], found["status"], found["sentence"]
        except (ValueError, KeyError, TypeError) as error:
            raise EvidenceError(f"{place} is no summary of a gate: {error!r}") from error
        if gate != file.stem or status not in _STATUSES:
            raise EvidenceError(
                f"{place}: found status {status!r} of gate {gate!r}; "
                f"allowed are {', '.join(sorted(_STATUSES))}"
            )
        yield Result(gate, status, str(sentence), hashlib.sha256(text).hexdigest())


def _summaries(folder: Path) -> Iterator[Path]:
    # CDK links an artifact to where a step wants it.
    for root, _, files in os.walk(folder, followlinks=True):
        yield from (Path(root) / f"{name}.json" for name in NAMES if f"{name}.json" in files)
