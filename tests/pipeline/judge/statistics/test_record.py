"""The decision record round-trips bit for bit, and replays to the same verdict."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.judge.statistics.judging import judge, outcome
from pipeline.judge.statistics.record import Record, RecordError, code, read, time_of
from pipeline.judge.statistics.wording import rule as told
from pipeline.judge.statistics.wording import sentence

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.judge.statistics.periods import Parameters, Period


def _record(rule: Parameters, periods: Sequence[Period]) -> Record:
    judged = judge(rule, periods)
    came = outcome(rule, judged, "stopped")
    began = time_of("2026-01-01T11:59:30.25Z")
    return Record(
        service="files",
        environment="prod",
        deployment_id="d-ABC",
        stable="2",
        canary="3",
        percent=10,
        began=began,
        shift_ends=began,
        parameters=rule,
        code=code(),
        periods=tuple(periods),
        evidence=judged.evidence,
        rule=told(rule),
        verdict=judged.verdict,
        incident=judged.incident,
        decided_at=judged.decided_at,
        outcome=came,
        sentence=sentence(rule, periods, judged, came),
    )


@pytest.fixture
def record(rule: Parameters, bad: list[Period]) -> Record:
    return _record(rule, bad)


@given(
    counts=st.lists(
        st.tuples(st.integers(0, 300), st.integers(0, 900), st.floats(0, 1), st.floats(0, 1)),
        max_size=12,
    )
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_record_is_read_and_replayed_bit_for_bit(
    rule: Parameters, minute: Any, counts: list[tuple[int, int, float, float]]
) -> None:
    periods = [
        minute(n, (canary, round(canary * bad)), (stable, round(stable * worse)))
        for n, (canary, stable, bad, worse) in enumerate(counts)
    ]
    written = _record(rule, periods)
    again = read(written.text())
    assert again == written
    assert again.text() == written.text()
    judged = judge(again.parameters, again.periods)
    assert (judged.verdict, judged.evidence) == (written.verdict, written.evidence)
    assert (judged.incident, judged.decided_at) == (written.incident, written.decided_at)
    assert again.code == code()


def test_the_document_matches_its_description(record: Record) -> None:
    document = json.loads(record.text())
    assert document["schema"] == 1
    assert document["began"] == "2026-01-01T11:59:30.250000Z"
    assert document["periods"][0] == {
        "start": "2026-01-01T12:00:00Z",
        "seconds": 60,
        "counts": {
            "failures": {"canary": [8, 4], "stable": [72, 0]},
            "slow-requests": {"canary": [8, 0], "stable": [72, 0]},
        },
        "cold_starts": {"canary": 0, "stable": 0},
        "evidence": record.evidence[0],
    }
    assert document["verdict"] == "rollback"
    assert document["outcome"] == "rolled back"
    assert document["parameters"]["objectives"] == {"failures": 0.5, "slow-requests": 0.5}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schema": 2}, "schema: found 2; this code reads schema 1"),
        ({"periods": None}, "no decision record: "),
        ({"parameters": {}}, "no decision record: "),
        ({"began": "2026-01-01T12:00:00"}, "it must have a time zone, such as Z"),
        ({"began": "yesterday"}, "no decision record: Invalid isoformat string: 'yesterday'"),
    ],
)
def test_an_invalid_record_is_an_error(
    record: Record, change: dict[str, Any], message: str
) -> None:
    with pytest.raises(RecordError, match=message):
        Record.of(record.document() | change)


@pytest.mark.parametrize("wrong", [[-1, 0], [3, 4], [1.0, 0], [True, False], [3]])
def test_impossible_counts_are_an_error(record: Record, wrong: list[Any]) -> None:
    document = json.loads(record.text())
    document["periods"][0]["counts"]["failures"]["canary"] = wrong
    with pytest.raises(RecordError, match="no decision record: "):
        Record.of(document)


def test_a_missing_key_is_named(record: Record) -> None:
    for key in set(record.document()) - {"version_digest", "discrepancies"}:
        document = record.document()
        del document[key]
        with pytest.raises(RecordError, match=key):
            Record.of(document)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"schema": 1, "periods": [{}]}'])
def test_an_invalid_document_is_an_error(text: str) -> None:
    with pytest.raises(RecordError):
        read(text)
