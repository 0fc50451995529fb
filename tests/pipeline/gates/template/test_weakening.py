"""PH702 to PH706 over our own templates: commits that weaken the gates."""

from __future__ import annotations

import copy
import json
import re
import tomllib
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.gates.template import assembly as assemblies
from pipeline.gates.template import catalogue
from pipeline.gates.template.assembly import Stack
from pipeline.gates.template.rules import Change, Safeguards
from pipeline.gates.template.template import Template
from pipeline.names import RAILS

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipeline.gates.report.findings import Finding

    Edit = Callable[[dict[str, Any]], None]
    Weakened = Callable[..., list[Finding]]

ROOT = Path(__file__).parents[4]
PIPELINE = "AWS::CodePipeline::Pipeline"
ALARM = "AWS::CloudWatch::Alarm"


@pytest.fixture(scope="module")
def stacks(assembly: Any) -> dict[str, Stack]:
    return {each.name: each for each in assemblies.read(assembly.folder)}


@pytest.fixture(scope="module")
def weakened(stacks: dict[str, Stack]) -> Weakened:
    """Return the findings of an edit of our deployed stack."""

    def compare(name: str, *edits: Edit, was: tuple[Edit, ...] = ()) -> list[Finding]:
        old, new = (_edited(stacks[name], each) for each in (was, edits))
        found = catalogue.compare([Change(new, old.template)])
        return [each for each in found if each.rule.startswith("PH70")]

    return compare


def _edited(stack: Stack, edits: tuple[Edit, ...]) -> Stack:
    document = copy.deepcopy(json.loads(stack.text))
    for edit in edits:
        edit(document["Resources"])
    values = {key: getattr(stack, key) for key in stack.__dataclass_fields__}
    return Stack(**values | {"template": Template.of(document), "text": json.dumps(document)})


def _of(resources: dict[str, Any], type_: str, named: str = "") -> list[dict[str, Any]]:
    return [each for key, each in resources.items() if each["Type"] == type_ and named in key]


def _stages(resources: dict[str, Any]) -> list[dict[str, Any]]:
    (pipeline,) = _of(resources, PIPELINE)
    stages: list[dict[str, Any]] = pipeline["Properties"]["Stages"]
    return stages


def _stage(resources: dict[str, Any], name: str) -> dict[str, Any]:
    return next(each for each in _stages(resources) if each["Name"] == name)


def _without_action(stage: str, action: str) -> Edit:
    def edit(resources: dict[str, Any]) -> None:
        found = _stage(resources, stage)
        found["Actions"] = [each for each in found["Actions"] if each["Name"] != action]

    return edit


def _spec(step: str, change: Callable[[dict[str, Any]], None]) -> Edit:
    def edit(resources: dict[str, Any]) -> None:
        (project,) = _of(resources, "AWS::CodeBuild::Project", step)
        source = project["Properties"]["Source"]
        spec = json.loads(source["BuildSpec"])
        change(spec)
        source["BuildSpec"] = json.dumps(spec)

    return edit


def _line(step: str, old: str, new: str) -> Edit:
    """Return an edit of a build's command line, which must exist."""

    def change(spec: dict[str, Any]) -> None:
        lines = spec["phases"]["build"]["commands"]
        assert any(old in line for line in lines), lines
        spec["phases"]["build"]["commands"] = [line.replace(old, new) for line in lines]

    return _spec(step, change)


def _first(step: str, line: str) -> Edit:
    return _spec(step, lambda spec: spec["phases"]["build"]["commands"].insert(0, line))


def _continue(spec: dict[str, Any]) -> None:
    spec["phases"]["build"]["on-failure"] = "CONTINUE"


def _later(resources: dict[str, Any]) -> None:
    """Run the promotion's gates after prod is deployed."""
    for action in _stage(resources, "prod")["Actions"]:
        action["RunOrder"] = {"Promotion": 4}.get(action["Name"], action["RunOrder"])


def _fixed_address(resources: dict[str, Any]) -> None:
    (load,) = (a for a in _stage(resources, "staging")["Actions"] if a["Name"] == "Load")
    given = json.loads(load["Configuration"]["EnvironmentVariables"])
    given[0]["value"] = "https://always.example.com"
    load["Configuration"]["EnvironmentVariables"] = json.dumps(given)


def _last_stage(resources: dict[str, Any]) -> None:
    """Move all verification after the deployment."""
    stages = _stages(resources)
    stages.append(stages.pop(next(n for n, s in enumerate(stages) if s["Name"] == "Verify")))


PIPELINES = [
    pytest.param(_without_action("Verify", "Security"), "PH704", "gate security", id="action"),
    pytest.param(_without_action("Build", "Changes"), "PH704", "gate changes --checkout", id="own"),
    pytest.param(
        lambda resources: _stages(resources).pop(4), "PH704", "gate supply_chain", id="stage"
    ),
    pytest.param(_last_stage, "PH704", "gate security before dev-files", id="stage-moved"),
    pytest.param(_later, "PH704", "gate provenance linux-arm64 before prod-files", id="moved"),
    pytest.param(
        _line("Load", "pipeline.gates.load", "pipeline.gates.window"),
        "PH704", "gate load", id="command",
    ),
    pytest.param(
        _line("Security", "gates.security", "gates.security || true"),
        "PH704", "gate security", id="or-true",
    ),
    pytest.param(
        _line("Security", "gates.security", "gates.security; exit 0"),
        "PH704", "gate security", id="exit-0",
    ),
    pytest.param(
        _line("Security", "gates.security", "gates.security | cat"),
        "PH704", "gate security", id="pipe",
    ),
    pytest.param(
        _line("Security", ".venv/bin/python", "echo .venv/bin/python"),
        "PH704", "gate security", id="echo",
    ),
    pytest.param(
        _line("Promotion", '[ "$failed" -eq 0 ]', "true"),
        "PH704", "gate window", id="side-by-side",
    ),
    pytest.param(
        _line("Infrastructure", " prod-files", ""),
        "PH704", "gate changes assembly dev-files staging-files prod-files", id="arguments",
    ),
    pytest.param(_spec("Security", _continue), "PH704", "gate security", id="on-failure"),
    pytest.param(_fixed_address, "PH704", "staging Load variable URL", id="address"),
    pytest.param(
        _line("SelfMutation", "deploy Pithead", "deploy Other"),
        "PH704", "command cdk -a . deploy Pithead", id="self-mutation",
    ),
    pytest.param(
        lambda resources: _of(resources, PIPELINE)[0]["Properties"].update(ExecutionMode="QUEUED"),
        "PH705", "ExecutionMode", id="mode",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("edit", "rule", "subject"), PIPELINES)
def test_a_weaker_pipeline_is_refused(
    edit: Edit, rule: str, subject: str, weakened: Weakened
) -> None:
    found = weakened("Pithead", edit)
    errors = {each.rule for each in found if each.severity == "error"}
    assert errors == {rule}, found
    assert any(subject in each.subject for each in found), [each.subject for each in found]


def test_a_command_in_front_of_a_gate_is_refused(weakened: Weakened) -> None:
    (found,) = weakened("Pithead", _first("Security", "ln -sf /bin/true .venv/bin/python"))
    assert (found.rule, found.severity) == ("PH706", "error")


def _project(step: str, **properties: Any) -> Edit:
    def edit(resources: dict[str, Any]) -> None:
        (project,) = _of(resources, "AWS::CodeBuild::Project", step)
        for key, value in properties.items():
            stated = project["Properties"].get(key)
            project["Properties"][key] = stated | value if isinstance(value, dict) else value

    return edit


def _action(stage: str, name: str, **keys: Any) -> Edit:
    """Return an edit of an action; keys other than its own change its configuration."""

    def edit(resources: dict[str, Any]) -> None:
        (action,) = (a for a in _stage(resources, stage)["Actions"] if a["Name"] == name)
        for key, value in keys.items():
            own = key in ("InputArtifacts", "Namespace", "RoleArn")
            (action if own else action["Configuration"])[key] = value

    return edit


def _pipeline(**properties: Any) -> Edit:
    return lambda resources: _of(resources, PIPELINE)[0]["Properties"].update(properties)


def _elsewhere(resources: dict[str, Any]) -> None:
    """Move Security's gates to a build of another name, with one more variable."""
    (action,) = (a for a in _stage(resources, "Verify")["Actions"] if a["Name"] == "Security")
    action["Name"] = "Scan"
    _project("Security", **_VARIABLE)(resources)


def _other_install(spec: dict[str, Any]) -> None:
    spec["phases"]["install"]["commands"].remove("uv venv --quiet --clear .venv")


def _swapped(spec: dict[str, Any]) -> None:
    lines = spec["phases"]["install"]["commands"]
    lines[0], lines[-1] = lines[-1], lines[0]


def _update(entries: dict[str, Any]) -> Callable[[dict[str, Any]], None]:
    return lambda document: document.update(entries)


_VARIABLE = {"Environment": {"EnvironmentVariables": [{"Name": "PYTHONPATH", "Value": "vendor"}]}}
_SET = json.dumps([{"name": "PATH", "value": "vendor", "type": "PLAINTEXT"}])
_OTHER = [{"Name": "Other"}]
_BUILDSPEC_ENTRIES: dict[str, dict[str, Any]] = {
    "buildspec env": {"env": {"variables": {"PYTHONPATH": "vendor"}}},
    "buildspec cache": {"cache": {"paths": ["/**"]}},
    "buildspec run-as": {"run-as": "me"},
    "buildspec batch": {"batch": {"build-list": []}},
    "buildspec artifacts": {"artifacts": {"files": ["other"]}},
}
SURROUNDINGS = [
    pytest.param(_project("Security", **_VARIABLE), "Environment PYTHONPATH", id="variable"),
    pytest.param(_project("Changes", **_VARIABLE), "Environment PYTHONPATH", id="comparison"),
    pytest.param(_elsewhere, "Verify Scan Environment PYTHONPATH", id="renamed"),
    pytest.param(_project("Security", Environment={"Image": "me/x:1"}), "Image", id="image"),
    pytest.param(
        _project("Security", Environment={"PrivilegedMode": True}), "PrivilegedMode", id="root"
    ),
    pytest.param(_project("Security", Environment={"Type": "ARM_CONTAINER"}), "Type", id="type"),
    pytest.param(_project("Security", Cache={"Type": "S3", "Location": "b"}), "Cache", id="cache"),
    pytest.param(_project("Security", Source={"Type": "NO_SOURCE"}), "Source Type", id="source"),
    pytest.param(_project("Security", ServiceRole="arn:other"), "ServiceRole", id="role"),
    pytest.param(
        _project("Security", Source={"BuildSpec": "buildspec.yml"}), "buildspec", id="file"
    ),
    *(
        pytest.param(_spec("Security", _update(entries)), key, id=key)
        for key, entries in _BUILDSPEC_ENTRIES.items()
    ),
    pytest.param(
        _spec("Security", lambda spec: spec["phases"]["build"].update({"finally": ["true"]})),
        "buildspec build", id="finally",
    ),
    pytest.param(_action("Verify", "Security", BatchEnabled="true"), "BatchEnabled", id="batch"),
    pytest.param(
        _action("Verify", "Infrastructure", PrimarySource="Synth_Output"),
        "PrimarySource", id="primary",
    ),
    pytest.param(_action("Verify", "Security", EnvironmentVariables=_SET), "PATH", id="action"),
    pytest.param(
        _action("Verify", "Security", InputArtifacts=_OTHER), "InputArtifacts", id="input"
    ),
    pytest.param(_spec("Security", _other_install), "commands", id="install"),
    pytest.param(_spec("Security", _swapped), "commands", id="order"),
    pytest.param(_project("SelfMutation", **_VARIABLE), "PYTHONPATH", id="self-mutation"),
    pytest.param(
        _action("Source", "acme_pithead", FullRepositoryId="me/x"), "FullRepositoryId", id="repo"
    ),
    pytest.param(_action("Source", "acme_pithead", BranchName="x"), "BranchName", id="branch"),
    pytest.param(
        _action("prod", "files.Prepare", TemplatePath="Synth_Output::Pithead.template.json"),
        "TemplatePath", id="template",
    ),
    pytest.param(_action("prod", "files.Prepare", RoleArn="arn:other"), "RoleArn", id="deployer"),
    pytest.param(
        _action("prod", "files.Prepare", ParameterOverrides="{}"),
        "ParameterOverrides", id="parameters",
    ),
    pytest.param(
        _action("prod", "files.Prepare", InputArtifacts=_OTHER), "InputArtifacts", id="artifact"
    ),
    pytest.param(_action("dev", "files.Deploy", Namespace="x"), "Namespace", id="namespace"),
    pytest.param(_pipeline(RoleArn="arn:other"), "RoleArn", id="pipeline-role"),
    pytest.param(_pipeline(ArtifactStore={"Type": "S3"}), "ArtifactStore", id="store"),
]  # fmt: skip


@pytest.mark.parametrize(("edit", "subject"), SURROUNDINGS)
def test_a_changed_build_environment_or_source_is_refused(
    edit: Edit, subject: str, weakened: Weakened
) -> None:
    found = [each for each in weakened("Pithead", edit) if each.severity == "error"]
    assert any(each.rule == "PH704" and subject in each.subject for each in found), found


def test_a_wrong_stacks_template_is_refused_even_if_already_deployed(
    weakened: Weakened,
) -> None:
    """The manifest decides: a file named like prod's is not prod's template."""
    edit = _action("prod", "files.Prepare", TemplatePath="Synth_Output::looser.template.json")
    (found,) = weakened("Pithead", edit, was=(edit,))
    assert (found.rule, found.severity) == ("PH704", "error")
    assert "manifest names another template" in found.message


def _watched(resources: dict[str, Any]) -> None:
    """Return a condition by which prod waits for an alarm."""
    rule = {
        "Name": "failures",
        "RuleTypeId": {"Category": "Rule", "Owner": "AWS", "Provider": "CloudWatchAlarm"},
        "Configuration": {"AlarmName": "failures", "AlarmStates": "ALARM", "WaitTime": "4"},
    }
    _stage(resources, "prod")["OnSuccess"] = {
        "Conditions": [{"Result": "ROLLBACK", "Rules": [rule]}]
    }


def _rule(**configuration: str) -> Edit:
    def edit(resources: dict[str, Any]) -> None:
        _watched(resources)
        rules = _stage(resources, "prod")["OnSuccess"]["Conditions"][0]["Rules"]
        rules[0]["Configuration"] |= configuration

    return edit


def _fails(resources: dict[str, Any]) -> None:
    _watched(resources)
    _stage(resources, "prod")["OnSuccess"]["Conditions"][0]["Result"] = "FAIL"


@pytest.mark.parametrize(
    ("edits", "subject"),
    [
        pytest.param((), "prod OnSuccess CloudWatchAlarm", id="gone"),
        pytest.param((_fails,), "prod OnSuccess", id="result"),
        pytest.param((_rule(WaitTime="1"),), "prod OnSuccess", id="time"),
        pytest.param((_rule(AlarmName="other"),), "prod OnSuccess", id="alarm"),
        pytest.param((_rule(AlarmStates="OK"),), "prod OnSuccess", id="states"),
    ],
)
def test_a_condition_that_watches_less_is_refused(
    edits: tuple[Edit, ...], subject: str, weakened: Weakened
) -> None:
    found = weakened("Pithead", *edits, was=(_watched,))
    assert {each.rule for each in found if each.severity == "error"} == {"PH705"}, found
    assert any(subject in each.subject for each in found), [each.subject for each in found]


@pytest.mark.parametrize("when", ["BeforeEntry", "OnSuccess"])
def test_a_condition_that_skips_a_stage_is_refused(when: str, weakened: Weakened) -> None:
    condition = {"Result": "SKIP", "Rules": [{"Name": "Always"}]}
    (found,) = weakened(
        "Pithead", lambda found: _stage(found, "Verify").update({when: {"Conditions": [condition]}})
    )
    assert (found.rule, found.subject.split(" ", 1)[1]) == ("PH705", f"Verify {when} SKIP")


def _added(stage: str, order: int, *lines: str) -> Edit:
    """Add a build, as CDK generates a step with custom commands."""

    def edit(resources: dict[str, Any]) -> None:
        (project,) = _of(resources, "AWS::CodeBuild::Project", "Security")
        spec = json.dumps({"version": "0.2", "phases": {"build": {"commands": list(lines)}}})
        made = copy.deepcopy(project)
        made["Properties"] |= {"Source": {"Type": "CODEPIPELINE", "BuildSpec": spec}}
        resources["CompileProject"] = made
        (like,) = (a for a in _stage(resources, "Verify")["Actions"] if a["Name"] == "Security")
        configuration = {"ProjectName": {"Ref": "CompileProject"}}
        _stage(resources, stage)["Actions"].append(
            {**like, "Name": "Compile", "Configuration": configuration, "RunOrder": order}
        )

    return edit


@pytest.mark.parametrize(
    ("stage", "order", "severity"),
    [
        ("Build", 1, "error"),
        ("Build", 2, "error"),
        ("UpdatePipeline", 1, "error"),
        ("Verify", 1, "warning"),
        ("staging", 4, "warning"),
        ("prod", 1, "error"),
        ("prod", 2, "error"),
        ("prod", 4, None),
    ],
)
def test_a_new_action_before_a_gate_is_refused(
    stage: str, order: int, severity: str | None, weakened: Weakened
) -> None:
    found = weakened("Pithead", _added(stage, order, "python3 -m compileall -q service"))
    expected = [] if severity is None else [("PH706", severity, f"{stage} Compile")]
    assert [(each.rule, each.severity, each.subject) for each in found] == expected


def test_a_command_after_a_gate_is_a_note(weakened: Weakened) -> None:
    edit = _spec("Security", lambda spec: spec["phases"]["build"]["commands"].append("rm reports"))
    found = weakened("Pithead", edit)
    assert ("PH706", "warning") in {(each.rule, each.severity) for each in found}


def _other_group(spec: dict[str, Any]) -> None:
    lines = spec["phases"]["install"]["commands"]
    spec["phases"]["install"]["commands"] = [
        line.replace("requirements/gates.txt", "requirements/scanners.txt") for line in lines
    ]


def _next_hash(resources: dict[str, Any]) -> None:
    stated = [{"name": "_PROJECT_CONFIG_HASH", "value": "next", "type": "PLAINTEXT"}]
    _action("Build", "Synth", EnvironmentVariables=json.dumps(stated))(resources)


def _next_inputs(resources: dict[str, Any]) -> None:
    (project,) = _of(resources, "AWS::CodeBuild::Project", "BuildSynth")
    stated = project["Properties"]["Environment"]["EnvironmentVariables"]
    (proved,) = (each for each in stated if each["Name"] == "PITHEAD_PROVED_INPUTS")
    proved["Value"] = "next"


def _next_trees(spec: dict[str, Any]) -> None:
    install = spec["phases"]["install"]
    install["commands"] = [
        re.sub(r"\b[0-9a-f]{40}\b", "d" * 40, line) for line in install["commands"]
    ]


@pytest.mark.parametrize(
    "edit",
    [
        _spec("Security", _other_group),
        _next_hash,
        _next_inputs,
        _spec("Changes", _next_trees),
        _project("Security", TimeoutInMinutes=40, Description="Scans"),
    ],
)
def test_properties_that_change_with_each_release_are_no_finding(
    edit: Edit, weakened: Weakened
) -> None:
    assert weakened("Pithead", edit) == []


def _compile(resources: dict[str, Any]) -> None:
    """As the rehearsal does: one more action beside the gates."""
    verify = _stage(resources, "Verify")
    verify["Actions"].append({**copy.deepcopy(verify["Actions"][0]), "Name": "Compile"})


def _one_build_less(resources: dict[str, Any]) -> None:
    """Merge two builds of Verify into one, which runs the gates of both."""
    _without_action("Verify", "Security")(resources)
    _line(
        "Infrastructure",
        "gates=; ",
        'gates=; .venv/bin/python -m pipeline.gates.security & gates="$gates $!"; ',
    )(resources)


@pytest.mark.parametrize("edit", [_compile, _one_build_less, lambda _resources: None])
def test_an_equally_strict_pipeline_is_no_finding(edit: Edit, weakened: Weakened) -> None:
    assert weakened("Pithead", edit) == []


def _alarm(named: str, **properties: Any) -> Edit:
    def edit(resources: dict[str, Any]) -> None:
        for alarm in _of(resources, ALARM, named):
            alarm["Properties"] |= properties

    return edit


def _gone(type_: str, named: str) -> Edit:
    def edit(resources: dict[str, Any]) -> None:
        for key in [k for k, each in resources.items() if each["Type"] == type_ and named in k]:
            del resources[key]

    return edit


def _group(change: Callable[[dict[str, Any]], object]) -> Edit:
    def edit(resources: dict[str, Any]) -> None:
        change(_of(resources, "AWS::CodeDeploy::DeploymentGroup")[0]["Properties"])

    return edit


def _canary(**timing: int) -> Edit:
    def edit(resources: dict[str, Any]) -> None:
        (config,) = _of(resources, "AWS::CodeDeploy::DeploymentConfig")
        config["Properties"]["TrafficRoutingConfig"]["TimeBasedCanary"] |= timing

    return edit


def _expression(old: str, new: str) -> Edit:
    def edit(resources: dict[str, Any]) -> None:
        (alarm,) = _of(resources, ALARM, "Shiftfailures")
        first = alarm["Properties"]["Metrics"][0]
        assert old in first["Expression"]
        first["Expression"] = first["Expression"].replace(old, new)

    return edit


def _alias(change: Callable[[dict[str, Any]], object]) -> Edit:
    def edit(resources: dict[str, Any]) -> None:
        change(_of(resources, "AWS::Lambda::Alias", "ReleaseAlias")[0])

    return edit


def _first_of(type_: str, named: str, **properties: Any) -> Edit:
    def edit(resources: dict[str, Any]) -> None:
        _of(resources, type_, named)[0]["Properties"] |= properties

    return edit


def _function(named: str, **properties: Any) -> Edit:
    def edit(resources: dict[str, Any]) -> None:
        found = [
            each
            for key, each in resources.items()
            if each["Type"] == "AWS::Lambda::Function" and named in key
        ]
        found[0]["Properties"] |= properties

    return edit


_CODEDEPLOY = "CodeDeployLambdaAliasUpdate"
ENVIRONMENTS = [
    pytest.param(_alarm("Shiftevidence", Threshold=1000), "PH702", "Threshold", id="threshold"),
    pytest.param(_alarm("JourneysAlarm", Threshold=0), "PH702", "Threshold", id="less-than"),
    pytest.param(
        _alarm("Shiftevidence", EvaluationPeriods=100, DatapointsToAlarm=100),
        "PH702", "EvaluationPeriods", id="periods",
    ),
    pytest.param(
        _alarm("JourneysAlarm", TreatMissingData="notBreaching"),
        "PH702", "TreatMissingData", id="missing",
    ),
    pytest.param(_alarm("Shiftevidence", ActionsEnabled=False), "PH702", "Actions", id="actions"),
    pytest.param(_alarm("Shiftevidence", MetricName="Other"), "PH702", "MetricName", id="metric"),
    pytest.param(_alarm("Shiftevidence", Dimensions=[]), "PH702", "Dimensions", id="dimension"),
    pytest.param(_alarm("Shiftevidence", Period=3600), "PH702", "Period", id="period"),
    pytest.param(_expression("requests >= 50", "requests >= 9e9"), "PH702", "Metrics", id="math"),
    pytest.param(
        _alarm("Shiftevidence", ComparisonOperator="LessThanThreshold"),
        "PH702", "ComparisonOperator", id="operator",
    ),
    pytest.param(_gone(ALARM, "Shiftfailures"), "PH702", "Shiftfailures", id="alarm"),
    pytest.param(_canary(CanaryPercentage=90), "PH703", "percent", id="share"),
    pytest.param(_canary(CanaryInterval=1), "PH703", "minutes", id="time"),
    pytest.param(
        _group(lambda group: group.update(
            DeploymentConfigName="CodeDeployDefault.LambdaAllAtOnce"
        )),
        "PH703", "shift", id="all-at-once",
    ),
    pytest.param(
        _group(lambda group: group["AlarmConfiguration"]["Alarms"].pop(3)),
        "PH703", "alarm ReleaseShiftevidence", id="detached",
    ),
    pytest.param(
        _group(lambda group: group["AlarmConfiguration"].update(Enabled=False)),
        "PH703", "AlarmConfiguration", id="alarms-off",
    ),
    pytest.param(
        _group(lambda group: group["AlarmConfiguration"].update(IgnorePollAlarmFailure=True)),
        "PH703", "IgnorePollAlarmFailure", id="unread",
    ),
    pytest.param(
        _group(lambda group: group["AutoRollbackConfiguration"]["Events"].pop()),
        "PH703", "AutoRollbackConfiguration", id="rollback",
    ),
    pytest.param(
        _alias(lambda alias: alias.pop("UpdatePolicy")), "PH703", "update policy", id="policy"
    ),
    pytest.param(
        _alias(lambda alias: alias["UpdatePolicy"][_CODEDEPLOY].pop("AfterAllowTrafficHook")),
        "PH703", "AfterAllowTrafficHook", id="judge",
    ),
    pytest.param(
        lambda resources: _of(resources, "AWS::Events::Rule", "JudgeMinute")[0][
            "Properties"
        ].update(State="DISABLED"),
        "PH703", "JudgeMinute", id="schedule",
    ),
    *(
        pytest.param(edit, "PH703", subject, id=subject.replace(" ", "-"))
        for edit, subject in (
            (_first_of("AWS::Events::Rule", "JudgeMinute", ScheduleExpression="rate(1 day)"),
             "ScheduleExpression"),
            (_first_of("AWS::Events::Rule", "JudgeMinute", Targets=[]), "Targets"),
            (_function("JudgeFunction", Handler="other.handler"), "Handler"),
            (_function("JudgeFunction", Timeout=1), "Timeout"),
            (_function("JudgeFunction", MemorySize=128), "MemorySize"),
            (_function("JudgeFunction", ReservedConcurrentExecutions=0),
             "ReservedConcurrentExecutions"),
            (_function("JudgeFunction", Environment={"Variables": {}}), "Environment"),
            (_function("JudgeFunction", Layers=["arn:layer"]), "Layers"),
            (_function("JourneysFunction", Handler="other.handler"), "JourneysFunction"),
            (_function("Function7", Layers=["arn:layer"]), "layer arn:layer"),
            (_function("Function7", Environment={"Variables": {
                "AWS_LAMBDA_EXEC_WRAPPER": "/opt/x"}}), "AWS_LAMBDA_EXEC_WRAPPER"),
            (_first_of("AWS::ApiGateway::Method", "proxyANY", Integration={"Uri": "arn:x"}),
             "Integration"),
            (lambda found: found.update(Inner={
                "Type": "AWS::CloudFormation::Stack", "Properties": {"TemplateURL": "https://x"}
            }), "Inner"),
            (lambda found: _of(found, ALARM, "Shiftevidence")[0].update(Condition="Never"),
             "Condition"),
        )
    ),
]  # fmt: skip


@pytest.mark.parametrize(("edit", "rule", "subject"), ENVIRONMENTS)
def test_a_weaker_environment_is_refused(
    edit: Edit, rule: str, subject: str, weakened: Weakened
) -> None:
    found = weakened("prod-files", edit)
    assert {(each.rule, each.severity) for each in found} == {(rule, "error")}, found
    assert any(subject in each.subject for each in found), [each.subject for each in found]


def test_a_release_after_a_manual_rollback_is_compared_the_same_way(weakened: Weakened) -> None:
    """`pithead rollback` leaves the alias at a version, with its policy."""
    pinned = _alias(
        lambda alias: alias["Properties"].update(FunctionVersion="4", Description="Moved back")
    )
    assert not [each for each in weakened("prod-files", was=(pinned,)) if each.severity == "error"]
    unguarded = _alias(lambda alias: alias.pop("UpdatePolicy"))
    found = weakened("prod-files", unguarded, was=(pinned,))
    assert {each.rule for each in found if each.severity == "error"} == {"PH703"}


@pytest.mark.parametrize(
    "edit",
    [
        _alarm("Shiftevidence", Threshold=1),
        _alarm("Shiftheartbeat", EvaluationPeriods=6, DatapointsToAlarm=2),
        _alarm("Shiftevidence", TreatMissingData="breaching"),
        _canary(CanaryPercentage=1, CanaryInterval=30),
    ],
)
def test_a_stricter_environment_is_no_finding(edit: Edit, weakened: Weakened) -> None:
    assert weakened("prod-files", edit) == []
    assert weakened("prod-files", was=(edit,)) != []


@pytest.mark.parametrize(("now", "rules"), [(2, set()), (3, {"PH703"})])
def test_a_judge_policy_change_in_the_environment_file_is_compared(
    now: int, rules: set[str], stacks: dict[str, Stack]
) -> None:
    """The file's edit is compared separately (PH707); another number is a finding."""

    def edit(resources: dict[str, Any]) -> None:
        judge = _of(resources, "AWS::Lambda::Function", "JudgeFunction")[0]["Properties"]
        given = judge["Environment"]["Variables"]
        given["PARAMETERS"] = given["PARAMETERS"].replace('"harmful": 2.0', f'"harmful": {now}.5')

    files = [{"environments/prod.toml": {"judge": {"harmful": each}}} for each in (2.0, 2.5)]
    known = Safeguards(files[0], files[1], datetime.now(UTC))
    change = Change(_edited(stacks["prod-files"], (edit,)), stacks["prod-files"].template, known)
    assert {each.rule for each in catalogue.compare([change])} & {"PH703"} == rules


def test_a_change_of_the_rate_in_the_environment_file_is_compared_as_the_judge_gets_it(
    stacks: dict[str, Stack],
) -> None:
    def edit(resources: dict[str, Any]) -> None:
        judge = _of(resources, "AWS::Lambda::Function", "JudgeFunction")[0]["Properties"]
        given = judge["Environment"]["Variables"]
        assert '"false_rollback_rate": 0.009,' in given["PARAMETERS"]
        given["PARAMETERS"] = given["PARAMETERS"].replace("0.009", "0.045")

    files = [
        {"environments/prod.toml": {"judge": {"false_rollback_rate": each}}}
        for each in (0.01, 0.05)
    ]
    for deployed, rules in ((files[0], set()), (files[1], {"PH703"})):
        known = Safeguards(deployed, files[1], datetime.now(UTC))
        edited = _edited(stacks["prod-files"], (edit,))
        change = Change(edited, stacks["prod-files"].template, known)
        assert {each.rule for each in catalogue.compare([change])} & {"PH703"} == rules


@pytest.mark.parametrize(("threshold", "rules"), [(4.67, set()), (4.68, {"PH702"})])
def test_a_rail_that_watches_a_longer_bake_needs_more_deviations(
    threshold: float, rules: set[str], stacks: dict[str, Stack]
) -> None:
    """The threshold follows from the file; one that does not is a finding."""
    prod = tomllib.loads((ROOT / "environments/prod.toml").read_text(encoding="utf-8"))
    files = [
        {"environments/prod.toml": prod | {"shift": prod["shift"] | {"bake_minutes": each}}}
        for each in (4, 25)
    ]
    known = Safeguards(files[0], files[1], datetime.now(UTC))
    edits = tuple(_alarm(f"Shift{rail.replace('-', '')}", Threshold=threshold) for rail in RAILS)
    edited = _edited(stacks["prod-files"], edits)
    change = Change(edited, stacks["prod-files"].template, known)
    assert {each.rule for each in catalogue.compare([change])} & {"PH702"} == rules


def test_an_alarm_on_the_next_version_is_the_same_alarm(weakened: Weakened) -> None:
    """Each release publishes its own version, which its alarms select."""

    def edit(resources: dict[str, Any]) -> None:
        text = re.sub(
            r"FunctionCurrentVersion4E2B\w+", "FunctionCurrentVersionNext", json.dumps(resources)
        )
        resources.clear()
        resources.update(json.loads(text))

    assert weakened("prod-files", edit) == []


@given(order=st.randoms(use_true_random=False))
@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_order_of_resources_does_not_matter(order: Any, weakened: Weakened) -> None:
    def shuffled(resources: dict[str, Any]) -> None:
        items = list(resources.items())
        order.shuffle(items)
        resources.clear()
        resources.update(items)

    for name in ("Pithead", "prod-files"):
        assert weakened(name, shuffled) == []
