"""The embedded metric format."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localcloud.cloudwatch.emf import Observation, extract


def _line(directive: Any = None, **root: Any) -> str:
    directive = directive or {
        "Namespace": "N",
        "Dimensions": [["version"], []],
        "Metrics": [{"Name": "time", "Unit": "Milliseconds"}],
    }
    metadata = {"Timestamp": 1574109732004, "CloudWatchMetrics": [directive]}
    return json.dumps({"_aws": metadata, "version": "2", "time": 100} | root)


def test_every_dimension_set_is_a_metric() -> None:
    found = extract(_line())
    assert found.observations == [
        Observation("N", "time", dimensions, (100.0,), "Milliseconds", 1574109732004, 60)
        for dimensions in ((("version", "2"),), ())
    ]
    assert (found.invalid, found.unreadable) == (0, 0)


def test_arrays_resolution_and_words_before_the_document() -> None:
    directive = {
        "Namespace": "N",
        "Dimensions": [["version"]],
        "Metrics": [{"Name": "time", "StorageResolution": 1}],
    }
    line = "2026-11-24T08:15:00Z 989ffbf8 INFO " + _line(directive, time=[1, 2.5])
    (seen,) = extract(line).observations
    assert (seen.values, seen.resolution, seen.unit) == ((1.0, 2.5), 1, "None")


@pytest.mark.parametrize(
    "change",
    [
        {"time": "fast"},
        {"time": True},
        {"time": None},
        {"time": []},
        {"time": [1] * 101},
        {"time": 2.0**361},
        {"version": 2},
        {"version": ""},
    ],
    ids=str,
)
def test_invalid_metric_targets_are_counted(change: dict[str, Any]) -> None:
    found = extract(_line(**change))
    assert found.observations == []
    assert found.invalid == 1


@pytest.mark.parametrize(
    "directive",
    [
        "no directive",
        {"Dimensions": [["version"]], "Metrics": [{"Name": "time"}]},
        {"Namespace": "", "Dimensions": [["version"]], "Metrics": [{"Name": "time"}]},
        {"Namespace": "N", "Dimensions": ["version"], "Metrics": [{"Name": "time"}]},
        {"Namespace": "N", "Dimensions": [["nobody"]], "Metrics": [{"Name": "time"}]},
        {"Namespace": "N", "Dimensions": [["version"] * 31], "Metrics": [{"Name": "time"}]},
        {"Namespace": "N", "Dimensions": [["version"]], "Metrics": [{"Name": "time"}] * 101},
        {"Namespace": "N", "Dimensions": [["version"]], "Metrics": [{"Name": "nobody"}]},
        {"Namespace": "N", "Dimensions": [["version"]], "Metrics": [{"Unit": "Count"}]},
        {"Namespace": "N", "Dimensions": [[]], "Metrics": [{"Name": "time", "Unit": "Apples"}]},
        {"Namespace": "N", "Dimensions": [[]], "Metrics": [{"Name": "time", "Unit": []}]},
        {
            "Namespace": "N",
            "Dimensions": [[]],
            "Metrics": [{"Name": "time", "StorageResolution": 5}],
        },
    ],
    ids=str,
)
def test_malformed_directives_are_counted(directive: Any) -> None:
    found = extract(_line(directive))
    assert found.observations == []
    assert found.invalid == 1


def test_a_malformed_metric_does_not_affect_the_others() -> None:
    directive = {
        "Namespace": "N",
        "Dimensions": [["version"]],
        "Metrics": [{"Name": "nobody"}, {"Name": "time"}],
    }
    found = extract(_line(directive))
    assert [seen.name for seen in found.observations] == ["time"]
    assert found.invalid == 1


@pytest.mark.parametrize("broken", [_line()[:-1], _line(time=float("nan"))])
def test_invalid_json_is_counted(broken: str) -> None:
    assert extract(broken).unreadable == 1


@pytest.mark.parametrize("line", ["", "hello", '{"_aws": 1}', '{"_aws": {"other": []}}', "[]"])
def test_lines_without_metrics_are_ignored(line: str) -> None:
    found = extract(line)
    assert (found.observations, found.invalid, found.unreadable) == ([], 0, 0)


json_values = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=10,
)


@given(json_values, json_values, json_values)
def test_any_document_is_parsed_without_a_crash(metadata: Any, directive: Any, target: Any) -> None:
    for document in (
        {"_aws": metadata, '"CloudWatchMetrics"': 1},
        {"_aws": {"Timestamp": target, "CloudWatchMetrics": directive}},
        {"_aws": {"Timestamp": 1, "CloudWatchMetrics": [directive, metadata]}},
        json.loads(_line({"Namespace": "N", "Dimensions": [[]], "Metrics": [directive]})),
        json.loads(_line({"Namespace": "N", "Dimensions": directive, "Metrics": metadata})),
        json.loads(_line(time=target)),
    ):
        extract(json.dumps(document))
