"""The lint over this repository's own assembly, and over random templates."""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.gates.template import assembly, catalogue
from pipeline.gates.template.assembly import Stack
from pipeline.gates.template.rules import Change
from pipeline.gates.template.template import Template

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pipeline.gates.template.rules import Rule


@pytest.fixture(scope="session")
def stacks(assembly: Any) -> dict[str, Stack]:
    """Return the stacks of our own assembly by name."""
    return {each.name: each for each in _read(assembly.folder)}


_read = assembly.read


@pytest.fixture
def edited(stacks: dict[str, Stack]) -> Callable[[str, Callable[[dict[str, Any]], None]], Stack]:
    """Return a stack of ours whose resources a test edits."""

    def edit(name: str, change: Callable[[dict[str, Any]], None]) -> Stack:
        document = copy.deepcopy(json.loads(stacks[name].text))
        change(document["Resources"])
        return _with(stacks[name], document)

    return edit


def _with(stack: Stack, document: dict[str, Any]) -> Stack:
    values = {key: getattr(stack, key) for key in stack.__dataclass_fields__}
    return Stack(**values | {"template": Template.of(document), "text": json.dumps(document)})


def test_our_own_assembly_has_no_findings(stacks: dict[str, Stack]) -> None:
    assert stacks.keys() == {"Pithead", "dev-files", "staging-files", "prod-files"}
    assert catalogue.lint(stacks.values()) == []
    assert catalogue.compare(Change(each, each.template) for each in stacks.values()) == []


def test_each_rule_has_a_unique_id_and_a_rationale() -> None:
    rules: list[Rule[Stack] | Rule[Change]] = [*catalogue.OF_STACKS, *catalogue.OF_CHANGES]
    assert len({each.id for each in rules}) == len(rules)
    assert all(len(each.why) > 60 for each in rules)


def _only(resources: dict[str, Any], type_: str) -> dict[str, Any]:
    return next(each for each in resources.values() if each["Type"] == type_)


def _unpinned(resources: dict[str, Any]) -> None:
    sources = (
        each["Properties"]["Source"]
        for each in resources.values()
        if each["Type"] == "AWS::CodeBuild::Project"
    )
    source = next(each for each in sources if "aws-cdk@" in each["BuildSpec"])
    source["BuildSpec"] = source["BuildSpec"].replace("aws-cdk@", "aws-cdk@^")


def _sixty(resources: dict[str, Any]) -> None:
    verify = _only(resources, "AWS::CodePipeline::Pipeline")["Properties"]["Stages"][-1]
    verify["Actions"] = verify["Actions"][:1] * 60


def _huge(resources: dict[str, Any]) -> None:
    _only(resources, "AWS::S3::Bucket")["Metadata"] = {"note": "x" * 1_000_000}


def _administrator(resources: dict[str, Any]) -> None:
    policy = _only(resources, "AWS::IAM::Policy")["Properties"]["PolicyDocument"]
    policy["Statement"].append({"Effect": "Allow", "Action": "s3:*", "Resource": "*"})


def _alarms(resources: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Return all tables in alarms."""
    for each in resources.values():
        if each["Type"] == "AWS::CloudWatch::Alarm":
            yield from (holder for holder, _ in _every(each) if isinstance(holder, dict))


def _alias_alarm(resources: dict[str, Any]) -> None:
    for table in _alarms(resources):
        if "Dimensions" in table:
            table["Dimensions"] = [
                each for each in table["Dimensions"] if "version" not in each["Name"].lower()
            ]


def _long_alarm(resources: dict[str, Any]) -> None:
    for table in _alarms(resources):
        if "Period" in table:
            table["Period"] = 86_400


@pytest.mark.parametrize(
    ("name", "plant", "rule"),
    [
        ("Pithead", _unpinned, "PH101"),
        ("Pithead", _sixty, "PH201"),
        ("Pithead", _huge, "PH202"),
        ("prod-files", _administrator, "PH401"),
        ("prod-files", _alias_alarm, "PH301"),
        ("prod-files", _long_alarm, "PH302"),
    ],
)
def test_a_defect_in_our_own_is_found(
    name: str,
    plant: Callable[[dict[str, Any]], None],
    rule: str,
    edited: Callable[[str, Callable[[dict[str, Any]], None]], Stack],
) -> None:
    found = catalogue.lint([edited(name, plant)])
    assert {each.rule for each in found} == {rule}
    assert {each.severity for each in found} == {"error"}


def _deleted(resources: dict[str, Any]) -> None:
    name = next(key for key, each in resources.items() if each["Type"] == "AWS::S3::Bucket")
    del resources[name]


def _replaced(resources: dict[str, Any]) -> None:
    _only(resources, "AWS::S3::Bucket")["Properties"]["BucketName"] = "another"


@pytest.mark.parametrize(
    ("plant", "rule"),
    [(_deleted, "PH501"), (_replaced, "PH502"), (_administrator, "PH503")],
)
def test_a_dangerous_change_of_our_own_is_found(
    plant: Callable[[dict[str, Any]], None],
    rule: str,
    stacks: dict[str, Stack],
    edited: Callable[[str, Callable[[dict[str, Any]], None]], Stack],
) -> None:
    now = stacks["prod-files"].template
    found = catalogue.compare([Change(edited("prod-files", plant), now)])
    assert rule in {each.rule for each in found if each.severity == "error"}


_ODD = ("null", "0", "true", '""', '"x"', "[]", "{}", "[1]", '{"Ref": "X"}', "[[]]", '{"a": []}')


def _every(value: Any) -> list[tuple[Any, Any]]:
    """Yield each place in a document: its container and its key."""
    keys = list(value) if isinstance(value, dict) else range(len(value))
    places = [(value, key) for key in keys]
    inner = [value[key] for key in keys if isinstance(value[key], (dict, list))]
    return places + [place for each in inner for place in _every(each)]


@given(data=st.data())
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_rules_do_not_crash_on_any_template(data: st.DataObject, stacks: dict[str, Stack]) -> None:
    """Whatever replaces a value, each rule returns without a crash."""
    stack = stacks[data.draw(st.sampled_from(sorted(stacks)))]
    document = copy.deepcopy(json.loads(stack.text))
    resources = document["Resources"].values()
    places = [each for resource in resources for each in _every(resource) if each[1] != "Type"]
    for _ in range(data.draw(st.integers(1, 5))):
        holder, key = places[data.draw(st.integers(0, len(places) - 1))]
        holder[key] = json.loads(data.draw(st.sampled_from(_ODD)))
    odd = _with(stack, document)
    catalogue.lint([odd])
    catalogue.compare([Change(odd, stack.template), Change(stack, odd.template)])
