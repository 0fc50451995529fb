"""Functions that hold a release back, and what answers in place of the code that was judged."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from pipeline.gates.template.rules import Fault
from pipeline.gates.template.template import canonical, listed, mapping, number, references, text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.gates.template.rules import Change
    from pipeline.gates.template.template import Resource, Template

_FUNCTION = "AWS::Lambda::Function"
_HOOKS = ("BeforeAllowTrafficHook", "AfterAllowTrafficHook")
_AS_STATED = (
    "FileSystemConfigs", "Handler", "ImageConfig", "Layers", "PackageType", "VpcConfig",
)  # fmt: skip
_AT_LEAST = ("MemorySize", "ReservedConcurrentExecutions", "Timeout")
_WRAPPER = "AWS_LAMBDA_EXEC_WRAPPER"
_TABLES = ("guard", "judge", "shift", "synthetic")
"""Tables of an environment file that functions are given; their keys are compared by PH707."""
_VALUE = re.compile(r"(?<![\w.])(?:\d+(?:\.\d+)?(?:[eE][-+]?\d+)?|[A-Za-z][\w-]*)")


def changed(change: Change) -> Iterator[Fault]:
    """What would judge less than now, or run unseen by what judges."""
    yield from _weaker(change)
    yield from _intercepted(change)
    yield from _diverted(change)
    yield from _unread(change)


def _weaker(change: Change) -> Iterator[Fault]:
    edited = _edited(change)
    for function in _holding_back(change.deployed):
        now = change.stack.template.resources.get(function.logical_id)
        if now is None or now.type != function.type:
            yield _fault(f"{function.logical_id} function", f"{function.logical_id} is gone")
            continue
        for what in _differences(function.properties, now.properties, edited):
            yield _fault(
                f"{function.logical_id} {what}",
                f"{what} of {function.logical_id}, which judges releases, would be another or less",
            )


def _holding_back(template: Template) -> list[Resource]:
    """The functions that a deployment calls, or a schedule."""
    named: set[str] = set()
    for alias in template.of_type("AWS::Lambda::Alias"):
        policy = mapping(alias.body.get("UpdatePolicy"))
        update = mapping(policy.get("CodeDeployLambdaAliasUpdate"))
        named |= {each for hook in _HOOKS for each in references(update.get(hook))}
    for rule in template.of_type("AWS::Events::Rule"):
        named |= set(references(rule.properties.get("Targets")))
    return [each for each in template.of_type(_FUNCTION) if each.logical_id in named]


def _differences(
    was: dict[str, Any], now: dict[str, Any], edited: set[tuple[str, str]]
) -> Iterator[str]:
    for key in _AS_STATED:
        if canonical(was.get(key)) != canonical(now.get(key)):
            yield key
    for key in _AT_LEAST:
        stated, then = number(was.get(key)), number(now.get(key))
        if (stated is not None and (then is None or then < stated)) or (
            stated is None and then == 0
        ):
            yield key
    places = [_without_key(each.get("Code")) for each in (was, now)]
    if places[0] != places[1]:
        yield "Code"
    if not _follows(canonical(was.get("Environment")), canonical(now.get("Environment")), edited):
        yield "Environment"


def _without_key(code: Any) -> str:
    """Where code comes from; which it is, each release decides."""
    return canonical({key: value for key, value in mapping(code).items() if key != "S3Key"})


def _follows(was: str, now: str, edited: set[tuple[str, str]]) -> bool:
    """Whether only values differ that an environment file changes."""
    if _VALUE.sub("#", was) != _VALUE.sub("#", now):
        return False
    pairs = zip(_VALUE.findall(was), _VALUE.findall(now), strict=True)
    return all(_pair(*each) in edited for each in pairs if each[0] != each[1])


def _edited(change: Change) -> set[tuple[str, str]]:
    """The values that environment files change, before and after."""
    found = change.safeguards
    if found is None or found.deployed is None:
        return set()
    edited = set()
    for file, document in found.released.items():
        for table in _TABLES:
            was = mapping(mapping(found.deployed.get(file)).get(table))
            now = mapping(mapping(document).get(table))
            edited |= {_pair(was[key], now[key]) for key in was.keys() & now.keys()}
    return edited


def _pair(was: Any, now: Any) -> tuple[str, str]:
    old, new = (
        f"{found:g}" if (found := number(each)) is not None else text(each) for each in (was, now)
    )
    return old, new


def _intercepted(change: Change) -> Iterator[Fault]:
    """Layers and wrappers run in front of any handler."""
    for function in change.stack.template.of_type(_FUNCTION):
        before = change.deployed.resources.get(function.logical_id)
        was, now = (_in_front(each) for each in (before, function))
        for what in sorted(now - was):
            yield _fault(
                f"{function.logical_id} {what}",
                f"{function.logical_id} would newly run {what} in front of its handler",
            )
    for config in change.deployed.of_type(_FUNCTION, "AWS::Lambda::CodeSigningConfig"):
        yield from _unsigned(config, change.stack.template.resources.get(config.logical_id))


def _in_front(function: Resource | None) -> set[str]:
    if function is None:
        return set()
    layers = {f"layer {text(each)}" for each in listed(function.properties.get("Layers"))}
    stated = function.properties.get("Environment")
    given = mapping(mapping(stated).get("Variables"))
    return layers | ({f"{_WRAPPER} {text(given[_WRAPPER])}"} if _WRAPPER in given else set())


def _unsigned(was: Resource, now: Resource | None) -> Iterator[Fault]:
    keys = (
        ("CodeSigningConfigArn",)
        if was.type == _FUNCTION
        else ("AllowedPublishers", "CodeSigningPolicies")
    )
    for key in keys:
        stated = was.properties.get(key)
        then = now.properties.get(key) if now else None
        if stated is not None and now is not None and canonical(stated) != canonical(then):
            yield _fault(
                f"{was.logical_id} {key}",
                f"{key} of {was.logical_id} is gone or another: it would take other code",
            )


def _diverted(change: Change) -> Iterator[Fault]:
    """Requests that go to a function that no canary shifts, or past the template's own."""
    template = change.stack.template
    for method in template.of_type("AWS::ApiGateway::Method", "AWS::ApiGatewayV2::Integration"):
        before = change.deployed.resources.get(method.logical_id)
        was, now = (_integration(each) for each in (before, method))
        made = [each for each in references(now) if each in template.resources]
        if before is not None and canonical(was) != canonical(now):
            yield _fault(
                f"{method.logical_id} Integration",
                f"{method.logical_id} would answer requests by something else than now",
            )
        elif before is None and now and not made:
            yield _fault(
                f"{method.logical_id} Integration",
                f"{method.logical_id} would answer requests by what is none of this template",
            )


def _integration(method: Resource | None) -> Any:
    """What answers; None for none, and for one that API Gateway itself makes up."""
    if method is None:
        return None
    stated = mapping(method.properties.get("Integration")) or method.properties
    found = [stated.get("Type"), stated.get("Uri"), stated.get("IntegrationUri")]
    return found if any(found[1:]) else None


def _unread(change: Change) -> Iterator[Fault]:
    """What this comparison cannot read: nested stacks, macros, conditions."""
    new, old = change.stack.template, change.deployed
    for resource in new.resources.values():
        before = old.resources.get(resource.logical_id)
        if resource.type == "AWS::CloudFormation::Stack" and before is None:
            yield _fault(
                resource.logical_id,
                f"{resource.logical_id} is a new nested stack, and those are not compared",
            )
        if before is not None and resource.body.get("Condition") != before.body.get("Condition"):
            yield _fault(
                f"{resource.logical_id} Condition",
                f"{resource.logical_id} would be there on another condition than now",
            )
    if canonical(old.transform) != canonical(new.transform):
        yield _fault("Transform", "a macro would make another template of this one")
    included = '"Fn::Transform"'
    if included in change.stack.text and not any(
        included in canonical(each.body) for each in old.resources.values()
    ):
        yield _fault("Fn::Transform", "a macro would make up a part of this template")


def _fault(subject: str, what: str) -> Fault:
    return Fault(subject, f"{what}; take it back, or waive this with who reviewed it")
