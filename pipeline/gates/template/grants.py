"""Split the policies of a template into grants: one action on one resource for one principal.

Sources: "IAM JSON policy elements reference" for statements, "Policy evaluation logic" for the
matching of patterns.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from typing import TYPE_CHECKING, Any, Literal

from pipeline.gates.template.conditions import names_caller, restricting
from pipeline.gates.template.template import canonical, listed, mapping, references, text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.gates.template.template import Resource, Template

Kind = Literal["identity", "trust", "resource"]
ANYBODY = "*"
_IDENTITIES = {"AWS::IAM::Role", "AWS::IAM::User", "AWS::IAM::Group"}
_ATTACHED = ("Roles", "Users", "Groups", "RoleName", "UserName", "GroupName")
# Types of separate policy resources, with the property that names the resource they apply to.
_POLICY_TARGETS = {
    "AWS::S3::BucketPolicy": "Bucket",
    "AWS::SQS::QueuePolicy": "Queues",
    "AWS::SNS::TopicPolicy": "Topics",
    "AWS::SecretsManager::ResourcePolicy": "SecretId",
}
_LIMITS = ("SourceArn", "SourceAccount", "PrincipalOrgID", "EventSourceToken")
"""Properties that limit a Lambda permission, like conditions."""
_IDENTIFYING_OPERATORS = {"StringEquals", "StringLike", "ArnEquals", "ArnLike"}
_LOGICAL_ID = re.compile(r"\$\{([^.}]+)")
_WHOLE_SERVICE = re.compile(r"\*+|[\w-]+:\*+|not:.*")
_ACCOUNT_ROOT = re.compile(r"AWS:(?:arn:[^:]+:iam::)?(\d{12})(?::root)?")


@dataclass(frozen=True)
class Grant:
    """One action on one resource that one policy allows or denies."""

    holder: str
    """Owner of the policy as text: `${Role}` of an identity's, `${Bucket}` of a resource's."""
    kind: Kind
    effect: str
    principal: str
    """Principal of a resource's policy or of a trust, such as `AWS:…` or `Service:…`."""
    action: str
    """With the prefix `not:`, every other action."""
    resource: str
    conditions: frozenset[str] = frozenset()
    """Conditions that must all be true."""
    who: frozenset[str] = frozenset()
    """Logical ids that the principal refers to."""
    about: frozenset[str] = frozenset()
    """Logical ids that the resource, or a limiting condition of a resource's policy, refers to."""

    @property
    def holder_id(self) -> str | None:
        """Return the holder's logical id; None if the template does not create the holder."""
        found = _LOGICAL_ID.match(self.holder)
        return found[1] if found else None

    @property
    def is_open(self) -> bool:
        """Return whether everybody, or everybody except some, may use it."""
        anybody = self.principal == ANYBODY or self.principal.startswith("not:")
        return anybody and not names_caller(self.conditions)

    @property
    def is_of_a_service(self) -> bool:
        """Return whether it is for all actions, all actions of a service, or all except some."""
        return bool(_WHOLE_SERVICE.fullmatch(self.action))

    def covers(self, other: Grant) -> bool:
        """Return whether it includes another grant of the same holder."""
        return (
            (self.holder, self.kind, self.effect) == (other.holder, other.kind, other.effect)
            and self.conditions <= other.conditions
            and _includes(self.action.lower(), other.action.lower())
            and _includes(self.resource, other.resource)
            and (_includes(self.principal, other.principal) or self._is_account_of(other))
        )

    def _is_account_of(self, other: Grant) -> bool:
        """Return whether its principal is an account, and the other's a principal in it."""
        root = _ACCOUNT_ROOT.fullmatch(self.principal)
        return bool(root and re.match(rf"AWS:arn:[^:]+:(iam|sts)::{root[1]}:", other.principal))


def by_effect(template: Template, effect: Literal["Allow", "Deny"]) -> list[Grant]:
    """Return the grants of a template with an effect, each once."""
    return [each for each in dict.fromkeys(grants(template)) if each.effect == effect]


def grants(template: Template) -> Iterator[Grant]:
    """Yield every grant of a template."""
    for resource in template.resources.values():
        if resource.type in _IDENTITIES:
            yield from _of_identity(resource)
        elif resource.type == "AWS::Lambda::Permission":
            yield _of_permission(resource)
        elif resource.type.startswith("AWS::IAM::"):
            yield from _of_policy(resource)
        else:
            target = resource.properties.get(_POLICY_TARGETS.get(resource.type, ""))
            holders = [text(each) for each in listed(target)] or [f"${{{resource.logical_id}}}"]
            for document, holder in product(_documents(resource.properties), holders):
                yield from _of_document(document, holder, "resource")


def _of_identity(resource: Resource) -> Iterator[Grant]:
    holder, properties = f"${{{resource.logical_id}}}", resource.properties
    yield from _of_document(properties.get("AssumeRolePolicyDocument"), holder, "trust")
    for policy in listed(properties.get("Policies")):
        yield from _of_document(mapping(policy).get("PolicyDocument"), holder, "identity")
    for arn in listed(properties.get("ManagedPolicyArns")):
        yield Grant(holder, "identity", "Allow", "", "managed policy", text(arn))


def _of_policy(resource: Resource) -> Iterator[Grant]:
    properties = resource.properties
    attached = [text(each) for key in _ATTACHED for each in listed(properties.get(key))]
    for holder in attached or [f"${{{resource.logical_id}}}"]:
        yield from _of_document(properties.get("PolicyDocument"), holder, "identity")


def _of_permission(resource: Resource) -> Grant:
    properties = resource.properties
    principal = text(properties.get("Principal", ""))
    given = {key: properties[key] for key in _LIMITS if key in properties}
    return Grant(
        holder=text(properties.get("FunctionName", "")),
        kind="resource",
        effect="Allow",
        principal=principal if principal == ANYBODY else f"Service:{principal}",
        action=text(properties.get("Action", "")),
        resource="",
        conditions=frozenset(f"{key} {text(value)}" for key, value in given.items()),
        about=frozenset(references(given)),
    )


def _of_document(document: Any, holder: str, kind: Kind) -> Iterator[Grant]:
    for statement in map(mapping, listed(mapping(document).get("Statement"))):
        condition = mapping(statement.get("Condition"))
        conditions = restricting(condition)
        narrowed = _narrowed(condition) if kind == "resource" else frozenset()
        for principal, action, resource in product(
            _principals(statement), _stated(statement, "Action"), _stated(statement, "Resource")
        ):
            yield Grant(
                holder,
                kind,
                text(statement.get("Effect", "")),
                principal[0],
                action[0],
                resource[0],
                conditions,
                principal[1],
                resource[1] | narrowed,
            )


def _narrowed(condition: dict[str, Any]) -> frozenset[str]:
    """Return the logical ids that a condition requires as the source of a request."""
    return frozenset(
        name
        for operator, stated in condition.items()
        if operator in _IDENTIFYING_OPERATORS
        for name in references(stated)
    )


_Named = tuple[str, frozenset[str]]


def _stated(statement: dict[str, Any], key: str) -> list[_Named]:
    """Return the values of `Action` or `NotAction` (or of another key), with their logical ids."""
    if f"Not{key}" in statement:
        others = sorted(text(each) for each in listed(statement[f"Not{key}"]))
        return [(f"not:{','.join(others)}", frozenset(references(statement[f"Not{key}"])))]
    return [
        (text(each), frozenset(references(each))) for each in listed(statement.get(key)) or [""]
    ]


def _principals(statement: dict[str, Any]) -> list[_Named]:
    if "NotPrincipal" in statement:
        named = statement["NotPrincipal"]
        return [(f"not:{canonical(named)}", frozenset(references(named)))]
    stated = statement.get("Principal")
    if not isinstance(stated, dict):
        return [(text(stated) if stated else "", frozenset())]
    return [
        (
            ANYBODY if (kind, text(each)) == ("AWS", ANYBODY) else f"{kind}:{text(each)}",
            frozenset(references(each)),
        )
        for kind, named in stated.items()
        for each in listed(named)
    ]


def _documents(value: Any) -> Iterator[dict[str, Any]]:
    """Yield the policy documents at any depth of a value."""
    if isinstance(value, list):
        for item in value:
            yield from _documents(item)
    elif isinstance(value, dict):
        if any("Effect" in mapping(each) for each in listed(value.get("Statement"))):
            yield value
        else:
            for inner in value.values():
                yield from _documents(inner)


def _includes(pattern: str, other: str) -> bool:
    """Return whether a pattern matches everything that another pattern matches.

    The result may be a false no, but never a false yes.
    """
    return pattern == other or bool(_pattern(pattern).fullmatch(other))


@lru_cache(maxsize=10_000)
def _pattern(pattern: str) -> re.Pattern[str]:
    if pattern.startswith("not:"):
        return re.compile(re.escape(pattern))
    # A question mark does not match the other pattern's asterisk, which stands for any text.
    parts = re.split(r"([*?])", pattern)
    return re.compile(
        "".join({"*": ".*", "?": "[^*]"}.get(part, re.escape(part)) for part in parts), re.DOTALL
    )
