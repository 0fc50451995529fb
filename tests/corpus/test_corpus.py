"""The whole corpus: its size, its sources, and its disagreements."""

from __future__ import annotations

import importlib
import re
from collections import Counter
from pathlib import Path

from tests.corpus.report import REPORTS, SERVICES

HERE = Path(__file__).parent
FIDELITY = (HERE.parents[1] / "docs" / "fidelity.md").read_text()
SOURCE = re.compile(r"[\w.-]+/[\w.-]+#\d+")
LEAST_REPORTS = 60
LEAST_AGREEMENT = 0.95


def _import_all() -> None:
    for file in sorted(HERE.glob("test_*.py")):
        importlib.import_module(f"tests.corpus.{file.stem}")


def test_each_report_names_its_source_once() -> None:
    _import_all()
    sources = {(each.source, each.test) for each in REPORTS}
    assert all(SOURCE.fullmatch(each.source) for each in REPORTS)
    assert all(each.situation and each.outcome for each in REPORTS)
    repeated = [source for source, count in Counter(s for s, _ in sources).items() if count > 1]
    assert not repeated


def test_the_corpus_covers_each_service_and_agrees() -> None:
    _import_all()
    reports = {each.source: each for each in REPORTS}.values()
    assert len(reports) >= LEAST_REPORTS
    assert {each.service for each in reports} == set(SERVICES)
    differing = [each for each in reports if each.differs]
    assert 1 - len(differing) / len(reports) >= LEAST_AGREEMENT
    assert [each.source for each in differing if each.source not in FIDELITY] == []
