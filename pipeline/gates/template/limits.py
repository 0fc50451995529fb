"""Rules about AWS's quotas, which refuse a template that comes near to one."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pipeline.gates.template.rules import Rule, Violation
from pipeline.gates.template.template import listed, mapping, text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.gates.template.assembly import Stack
    from pipeline.gates.template.template import Resource

_MAX_QUOTA_SHARE = 0.9
# CodePipeline's default quotas until October 2024, the least that any account has; CDK splits a
# stage at the first of them (`chunkTranches`).
_MAX_STAGE_ACTIONS = 50
_MAX_ACTIONS = 500
_MAX_STAGES = 50
_MAX_CONFIGURATION_CHARACTERS = 50_000
"""Of one value of an action's configuration (CodePipeline, "Quotas")."""
# CloudFormation, "Quotas".
_MAX_TEMPLATE_BYTES = 1_048_576
_MAX_RESOURCES = 500
_MAX_OUTPUTS = 200
# Characters without white space (IAM and AWS STS, "Quotas"); of a role, a group and a user, those
# of all its inline policies together.
_MAX_ROLE_CHARACTERS, _MAX_GROUP_CHARACTERS, _MAX_USER_CHARACTERS = 10_240, 5_120, 2_048
_MAX_MANAGED_POLICY_CHARACTERS = 6_144
_MAX_TRUST_CHARACTERS = 2_048
_MAX_BUCKET_POLICY_CHARACTERS = 20_480
_MAX_KEY_POLICY_CHARACTERS = 32_768
_PLACEHOLDER = "x" * 60
"""Stands for a value that is known only at deployment, and is about as long as an ARN."""


def _pipelines(stack: Stack) -> Iterator[Violation]:
    for pipeline in stack.template.of_type("AWS::CodePipeline::Pipeline"):
        stages = [mapping(each) for each in listed(pipeline.properties.get("Stages"))]
        actions = {text(each.get("Name", "")): listed(each.get("Actions")) for each in stages}
        for name, found in actions.items():
            if len(found) > _MAX_STAGE_ACTIONS:
                yield Violation(
                    f"{pipeline.logical_id} {name}",
                    f"stage {name} has {len(found)} actions; allowed are {_MAX_STAGE_ACTIONS}. "
                    "Split it into waves",
                )
        total = sum(map(len, actions.values()))
        for what, count, most in (
            ("actions", total, _MAX_ACTIONS),
            ("stages", len(stages), _MAX_STAGES),
        ):
            if count > most:
                yield Violation(
                    f"{pipeline.logical_id} {what}",
                    f"the pipeline has {count} {what}; allowed are {most}. Split it into two",
                )
        for name, found in actions.items():
            for action in map(mapping, found):
                for key, value in mapping(action.get("Configuration")).items():
                    yield from _near(
                        f"{pipeline.logical_id} {name} {text(action.get('Name', ''))} {key}",
                        f"{key} of action {text(action.get('Name', ''))} in stage {name}",
                        len(text(value)), _MAX_CONFIGURATION_CHARACTERS, "characters",
                        "pass less through the pipeline",
                    )  # fmt: skip


def _templates(stack: Stack) -> Iterator[Violation]:
    size, advice = len(stack.text.encode()), "move resources into a stack of their own"
    counts = (
        ("size", "the template", size, _MAX_TEMPLATE_BYTES, "bytes"),
        ("resources", "the stack", len(stack.template.resources), _MAX_RESOURCES, "resources"),
        (
            "outputs",
            "the stack",
            len(mapping(json.loads(stack.text).get("Outputs"))),
            _MAX_OUTPUTS,
            "outputs",
        ),
    )
    for subject, what, count, most, unit in counts:
        yield from _near(f"{stack.name} {subject}", what, count, most, unit, advice)


def _policies(stack: Stack) -> Iterator[Violation]:
    inline: dict[tuple[str, int], int] = {}
    for resource in stack.template.resources.values():
        properties = resource.properties
        if resource.type == "AWS::IAM::Policy":
            size = _size(properties.get("PolicyDocument"))
            for key, most in (
                ("Roles", _MAX_ROLE_CHARACTERS),
                ("Groups", _MAX_GROUP_CHARACTERS),
                ("Users", _MAX_USER_CHARACTERS),
            ):
                for holder in map(text, listed(properties.get(key))):
                    inline[holder, most] = inline.get((holder, most), 0) + size
        elif resource.type in {"AWS::IAM::Role", "AWS::IAM::Group", "AWS::IAM::User"}:
            most = {
                "Role": _MAX_ROLE_CHARACTERS,
                "Group": _MAX_GROUP_CHARACTERS,
                "User": _MAX_USER_CHARACTERS,
            }[resource.type.rsplit("::")[-1]]
            holder = f"${{{resource.logical_id}}}"
            own = sum(_size(mapping(each)) for each in listed(properties.get("Policies")))
            inline[holder, most] = inline.get((holder, most), 0) + own
        yield from _documents(resource)
    for (holder, most), size in inline.items():
        yield from _near(
            f"{holder} inline policies", f"the inline policies of {holder}", size, most,
            "characters", "merge statements (@aws-cdk/aws-iam:minimizePolicies) or share a role",
        )  # fmt: skip


def _documents(resource: Resource) -> Iterator[Violation]:
    for type_, key, most in (
        ("AWS::IAM::ManagedPolicy", "PolicyDocument", _MAX_MANAGED_POLICY_CHARACTERS),
        ("AWS::IAM::Role", "AssumeRolePolicyDocument", _MAX_TRUST_CHARACTERS),
        ("AWS::S3::BucketPolicy", "PolicyDocument", _MAX_BUCKET_POLICY_CHARACTERS),
        ("AWS::KMS::Key", "KeyPolicy", _MAX_KEY_POLICY_CHARACTERS),
    ):
        if resource.type == type_:
            yield from _near(
                f"{resource.logical_id} {key}", f"{key} of {resource.logical_id}",
                _size(resource.properties.get(key)), most, "characters",
                "name fewer principals, actions or resources",
            )  # fmt: skip


def _size(document: Any) -> int:
    """Return a policy's characters as IAM counts them, with placeholders for unknown values."""

    def known(value: Any) -> Any:
        if isinstance(value, list):
            return [known(each) for each in value]
        if not isinstance(value, dict):
            return value
        function = len(value) == 1 and next(iter(value)).startswith(("Fn::", "Ref"))
        if not function:
            return {key: known(each) for key, each in value.items()}
        parts = text(value).split("${")
        return _PLACEHOLDER.join([parts[0], *(each.partition("}")[2] for each in parts[1:])])

    return len(json.dumps(known(document), separators=(",", ":"))) if document else 0


def _near(
    subject: str, what: str, found: int, most: int, unit: str, then: str
) -> Iterator[Violation]:
    if found > most * _MAX_QUOTA_SHARE:
        yield Violation(
            subject,
            f"{what} has {found:,} {unit}; allowed are {int(most * _MAX_QUOTA_SHARE):,}, "
            f"{_MAX_QUOTA_SHARE:.0%} of AWS's quota of {most:,}; {then}",
        )


RULES = (
    Rule(
        "PH201",
        "AWS rejects every change of a pipeline over a quota, self-mutation included "
        "(aws-cdk#9353, #11315, #16336, #19767).",
        _pipelines,
    ),
    Rule(
        "PH202",
        "A template over a quota cannot be deployed, and splitting it then moves resources with "
        "data (aws-cdk#9225).",
        _templates,
    ),
    Rule(
        "PH203",
        "CDK adds statements to the policies of the pipeline's roles with each stage, until IAM "
        "rejects them (aws-cdk#9316, #18531, #19243, #19835, #19939).",
        _policies,
    ),
)
