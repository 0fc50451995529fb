from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localcloud.eventbridge.inputs import InputError, check, render

ARN = "arn:aws:events:eu-west-1:222222222222:rule/nightly"
EVENT = {"source": "s", "detail": {"name": 'a "b"', "list": [1, {"x": True}], "obj": {"k": "v"}}}


def rendered(target: dict[str, Any], event: dict[str, Any] = EVENT) -> str:
    check({"Id": "t"} | target)
    return render(target, event, ARN, "2026-01-01T00:00:00Z")


def transformed(template: str, **paths: str) -> str:
    return rendered({"InputTransformer": {"InputTemplate": template, "InputPathsMap": paths}})


def test_without_settings_the_event_itself_is_sent() -> None:
    assert json.loads(rendered({})) == EVENT


def test_a_constant_and_a_path() -> None:
    assert rendered({"Input": '{"a": 1}'}) == '{"a": 1}'
    assert json.loads(rendered({"InputPath": "$.detail.list[1]['x']"})) is True
    assert json.loads(rendered({"InputPath": "$.detail"})) == EVENT["detail"]


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ('{"name": <name>, "all": <obj>}', {"name": 'a "b"', "all": {"k": "v"}}),
        ('{"text": "<name> of <rule>, <obj>"}', {"text": 'a "b" of s, {"k": "v"}'}),
        ('"plain <name>"', 'plain a "b"'),
        ('{"gone": <gone>, "text": "<gone>!"}', {"gone": None, "text": "!"}),
        ('{"arn": <aws.events.rule-arn>}', {"arn": ARN}),
        ('{"rule": "<aws.events.rule-name>"}', {"rule": "nightly"}),
        ("<aws.events.event.json>", EVENT),
        ("<aws.events.event>", {"source": "s"}),
        ('{"at": <aws.events.event.ingestion-time>}', {"at": "2026-01-01T00:00:00Z"}),
    ],
)
def test_a_template_is_filled_in(template: str, expected: Any) -> None:
    found = transformed(
        template, name="$.detail.name", obj="$.detail.obj", gone="$.detail.no.such", rule="$.source"
    )
    assert json.loads(found) == expected


@given(st.text('a<>"\\\n\té☃{}', max_size=8))
def test_any_value_fits_inside_and_outside_a_string(value: str) -> None:
    target = {
        "InputTransformer": {
            "InputTemplate": '{"in": "[<v>]", "out": <v>}',
            "InputPathsMap": {"v": "$.v"},
        }
    }
    found = json.loads(rendered(target, {"v": value}))
    assert found == {"in": f"[{value}]", "out": value}


@pytest.mark.parametrize(
    "target",
    [
        {"Input": "{", "Id": "t"},
        {"Input": "{}", "InputPath": "$.a", "Id": "t"},
        {"InputPath": "$..a", "Id": "t"},
        {"InputTransformer": {"InputTemplate": "<nope>"}, "Id": "t"},
        {"InputTransformer": {"InputTemplate": "x", "InputPathsMap": {"a": "a.b"}}, "Id": "t"},
    ],
)
def test_an_invalid_input_is_rejected(target: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        check(target)
