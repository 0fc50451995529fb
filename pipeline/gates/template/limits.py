"""Rules about AWS's quotas: what is near one is refused while there is still room to mend it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pipeline.gates.template.rules import Fault, Rule
from pipeline.gates.template.template import listed, mapping, text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.gates.template.assembly import Stack
    from pipeline.gates.template.template import Resource

_NEAR = 0.9
"""The share of a quota from which on it is near."""
# CodePipeline's default quotas until October 2024, which every account has had at least, and where
# CDK itself breaks a stage in two (`chunkTranches`).
_ACTIONS_OF_A_STAGE = 50
_ACTIONS = 500
_STAGES = 50
_CONFIGURATION = 50_000
"""Characters of one value of an action's configuration (CodePipeline, "Quotas")."""
_TEMPLATE = 1_048_576
"""Bytes of a template in S3 (CloudFormation, "Quotas"), as are the next two."""
_RESOURCES = 500
_OUTPUTS = 200
# IAM and AWS STS, "Quotas": characters without white space; all inline policies of one together.
_ROLE, _GROUP, _USER = 10_240, 5_120, 2_048
_MANAGED_POLICY = 6_144
_TRUST = 2_048
_BUCKET_POLICY = 20_480
_KEY_POLICY = 32_768
_UNKNOWN = "x" * 60
"""In place of what is only known when it is deployed: about as long as ARNs are."""


def _pipelines(stack: Stack) -> Iterator[Fault]:
    for pipeline in stack.template.of_type("AWS::CodePipeline::Pipeline"):
        stages = [mapping(each) for each in listed(pipeline.properties.get("Stages"))]
        actions = {text(each.get("Name", "")): listed(each.get("Actions")) for each in stages}
        for name, found in actions.items():
            if len(found) > _ACTIONS_OF_A_STAGE:
                yield Fault(
                    f"{pipeline.logical_id} {name}",
                    f"stage {name} has {len(found)} actions, allowed are {_ACTIONS_OF_A_STAGE}; "
                    "split it into waves",
                )
        total = sum(map(len, actions.values()))
        for what, count, most in (("actions", total, _ACTIONS), ("stages", len(stages), _STAGES)):
            if count > most:
                yield Fault(
                    f"{pipeline.logical_id} {what}",
                    f"the pipeline has {count} {what}, allowed are {most}; split it in two",
                )
        for name, found in actions.items():
            for action in map(mapping, found):
                for key, value in mapping(action.get("Configuration")).items():
                    yield from _near(
                        f"{pipeline.logical_id} {name} {text(action.get('Name', ''))} {key}",
                        f"{key} of action {text(action.get('Name', ''))} in stage {name}",
                        len(text(value)), _CONFIGURATION, "characters",
                        "pass less through the pipeline",
                    )  # fmt: skip


def _templates(stack: Stack) -> Iterator[Fault]:
    size, parts = len(stack.text.encode()), "move resources into a stack of their own"
    yield from _near(f"{stack.name} size", "the template", size, _TEMPLATE, "bytes", parts)
    count = len(stack.template.resources)
    yield from _near(f"{stack.name} resources", "the stack", count, _RESOURCES, "resources", parts)
    outputs = len(mapping(json.loads(stack.text).get("Outputs")))
    yield from _near(f"{stack.name} outputs", "the stack", outputs, _OUTPUTS, "outputs", parts)


def _policies(stack: Stack) -> Iterator[Fault]:
    inline: dict[tuple[str, int], int] = {}
    for resource in stack.template.resources.values():
        properties = resource.properties
        if resource.type == "AWS::IAM::Policy":
            size = _size(properties.get("PolicyDocument"))
            for key, most in (("Roles", _ROLE), ("Groups", _GROUP), ("Users", _USER)):
                for holder in map(text, listed(properties.get(key))):
                    inline[holder, most] = inline.get((holder, most), 0) + size
        elif resource.type in {"AWS::IAM::Role", "AWS::IAM::Group", "AWS::IAM::User"}:
            most = {"Role": _ROLE, "Group": _GROUP, "User": _USER}[resource.type.rsplit("::")[-1]]
            holder = f"${{{resource.logical_id}}}"
            own = sum(_size(mapping(each)) for each in listed(properties.get("Policies")))
            inline[holder, most] = inline.get((holder, most), 0) + own
        yield from _documents(resource)
    for (holder, most), size in inline.items():
        yield from _near(
            f"{holder} inline policies", f"the inline policies of {holder}", size, most,
            "characters", "merge statements (@aws-cdk/aws-iam:minimizePolicies) or share a role",
        )  # fmt: skip


def _documents(resource: Resource) -> Iterator[Fault]:
    for type_, key, most in (
        ("AWS::IAM::ManagedPolicy", "PolicyDocument", _MANAGED_POLICY),
        ("AWS::IAM::Role", "AssumeRolePolicyDocument", _TRUST),
        ("AWS::S3::BucketPolicy", "PolicyDocument", _BUCKET_POLICY),
        ("AWS::KMS::Key", "KeyPolicy", _KEY_POLICY),
    ):
        if resource.type == type_:
            yield from _near(
                f"{resource.logical_id} {key}", f"{key} of {resource.logical_id}",
                _size(resource.properties.get(key)), most, "characters",
                "name fewer principals, actions or resources",
            )  # fmt: skip


def _size(document: Any) -> int:
    """Characters of a policy as IAM counts them, with an ARN's length for what is not known yet."""

    def known(value: Any) -> Any:
        if isinstance(value, list):
            return [known(each) for each in value]
        if not isinstance(value, dict):
            return value
        function = len(value) == 1 and next(iter(value)).startswith(("Fn::", "Ref"))
        if not function:
            return {key: known(each) for key, each in value.items()}
        parts = text(value).split("${")
        return _UNKNOWN.join([parts[0], *(each.partition("}")[2] for each in parts[1:])])

    return len(json.dumps(known(document), separators=(",", ":"))) if document else 0


def _near(subject: str, what: str, found: int, most: int, unit: str, then: str) -> Iterator[Fault]:
    if found > most * _NEAR:
        yield Fault(
            subject,
            f"{what} has {found:,} {unit}, and AWS allows {most:,}: no more than "
            f"{int(most * _NEAR):,} leave room to mend it; {then}",
        )


RULES = (
    Rule(
        "PH201",
        "A pipeline over a quota can be neither created nor changed, not even by its own "
        "self-mutation (aws-cdk#9353, #11315, #16336, #19767).",
        _pipelines,
    ),
    Rule(
        "PH202",
        "A template over its size or its number of resources cannot be deployed, and taking it "
        "apart then moves what holds data (aws-cdk#9225).",
        _templates,
    ),
    Rule(
        "PH203",
        "CDK adds to the policies of pipeline roles with each stage, until IAM refuses them "
        "(aws-cdk#9316, #18531, #19243, #19835, #19939).",
        _policies,
    ),
)
