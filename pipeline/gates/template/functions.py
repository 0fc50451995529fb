"""Changes of functions that can stop a release, and of what answers requests."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from pipeline.gates.template.rules import Violation
from pipeline.gates.template.template import canonical, listed, mapping, number, references, text
from pipeline.judge.causes import evidence_rate

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.gates.template.rules import Change
    from pipeline.gates.template.template import Resource, Template

_FUNCTION = "AWS::Lambda::Function"
_HOOKS = ("BeforeAllowTrafficHook", "AfterAllowTrafficHook")
_UNCHANGEABLE = (
    "FileSystemConfigs", "Handler", "ImageConfig", "Layers", "PackageType", "VpcConfig",
)  # fmt: skip
_MINIMUMS = ("MemorySize", "ReservedConcurrentExecutions", "Timeout")
_WRAPPER_VARIABLE = "AWS_LAMBDA_EXEC_WRAPPER"
_TABLES = ("guard", "judge", "shift", "synthetic")
"""Tables of an environment file that are passed to functions; PH707 compares their keys."""
_VALUE = re.compile(r"(?<![\w.])(?:\d+(?:\.\d+)?(?:[eE][-+]?\d+)?|[A-Za-z][\w-]*)")


def changed(change: Change) -> Iterator[Violation]:
    """Yield changes by which functions would stop fewer releases, or other code would answer."""
    yield from _weaker(change)
    yield from _intercepted(change)
    yield from _diverted(change)
    yield from _uncomparable(change)


def _weaker(change: Change) -> Iterator[Violation]:
    edited = _edited(change)
    for function in _stopping_functions(change.deployed):
        now = change.stack.template.resources.get(function.logical_id)
        if now is None or now.type != function.type:
            yield _violation(
                f"{function.logical_id} function",
                f"function {function.logical_id} would be removed",
            )
            continue
        for what in _differences(function.properties, now.properties, edited):
            yield _violation(
                f"{function.logical_id} {what}",
                f"{what} of function {function.logical_id}, which can stop a release, would change "
                "or decrease",
            )


def _stopping_functions(template: Template) -> list[Resource]:
    """Return the functions that a hook of a deployment or a schedule calls."""
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
    for key in _UNCHANGEABLE:
        if canonical(was.get(key)) != canonical(now.get(key)):
            yield key
    for key in _MINIMUMS:
        stated, then = number(was.get(key)), number(now.get(key))
        if (stated is not None and (then is None or then < stated)) or (
            stated is None and then == 0
        ):
            yield key
    places = [_without_key(each.get("Code")) for each in (was, now)]
    if places[0] != places[1]:
        yield "Code"
    before, after = (canonical(each.get("Environment")) for each in (was, now))
    if not _is_explained(before, after, edited):
        yield "Environment"


def _without_key(code: Any) -> str:
    """Return the source of code without its key, which changes with each release."""
    return canonical({key: value for key, value in mapping(code).items() if key != "S3Key"})


def _is_explained(was: str, now: str, edited: set[tuple[str, str]]) -> bool:
    """Return whether only values differ that an environment file changes."""
    if _VALUE.sub("#", was) != _VALUE.sub("#", now):
        return False
    pairs = zip(_VALUE.findall(was), _VALUE.findall(now), strict=True)
    return all(_pair(*each) in edited for each in pairs if each[0] != each[1])


def _edited(change: Change) -> set[tuple[str, str]]:
    """Return the values that environment files change, as (before, after)."""
    found = change.safeguards
    if found is None or found.deployed is None:
        return set()
    edited = set()
    for file, document in found.released.items():
        for table in _TABLES:
            was = mapping(mapping(found.deployed.get(file)).get(table))
            now = mapping(mapping(document).get(table))
            edited |= {_pair(was[key], now[key]) for key in was.keys() & now.keys()}
            rates = [number(each.get("false_rollback_rate")) for each in (was, now)]
            if rates[0] is not None and rates[1] is not None:
                # The judge's function gets the evidence's share of the rate.
                edited.add(_pair(evidence_rate(rates[0]), evidence_rate(rates[1])))
    return edited


def _pair(was: Any, now: Any) -> tuple[str, str]:
    old, new = (
        f"{found:g}" if (found := number(each)) is not None else text(each) for each in (was, now)
    )
    return old, new


def _intercepted(change: Change) -> Iterator[Violation]:
    """Yield new layers and wrappers, which run before the handler."""
    for function in change.stack.template.of_type(_FUNCTION):
        before = change.deployed.resources.get(function.logical_id)
        was, now = (_before_handler(each) for each in (before, function))
        for what in sorted(now - was):
            yield _violation(
                f"{function.logical_id} {what}",
                f"function {function.logical_id} would run {what} before its handler",
            )
    for config in change.deployed.of_type(_FUNCTION, "AWS::Lambda::CodeSigningConfig"):
        yield from _unsigned(config, change.stack.template.resources.get(config.logical_id))


def _before_handler(function: Resource | None) -> set[str]:
    if function is None:
        return set()
    layers = {f"layer {text(each)}" for each in listed(function.properties.get("Layers"))}
    stated = function.properties.get("Environment")
    given = mapping(mapping(stated).get("Variables"))
    wrapper = given.get(_WRAPPER_VARIABLE)
    return layers | (set() if wrapper is None else {f"{_WRAPPER_VARIABLE} {text(wrapper)}"})


def _unsigned(was: Resource, now: Resource | None) -> Iterator[Violation]:
    keys = (
        ("CodeSigningConfigArn",)
        if was.type == _FUNCTION
        else ("AllowedPublishers", "CodeSigningPolicies")
    )
    for key in keys:
        stated = was.properties.get(key)
        then = now.properties.get(key) if now else None
        if stated is not None and now is not None and canonical(stated) != canonical(then):
            yield _violation(
                f"{was.logical_id} {key}",
                f"{key} of {was.logical_id} would change or be removed, which admits other code",
            )


def _diverted(change: Change) -> Iterator[Violation]:
    """Yield API methods that would send requests to another integration."""
    template = change.stack.template
    for method in template.of_type("AWS::ApiGateway::Method", "AWS::ApiGatewayV2::Integration"):
        before = change.deployed.resources.get(method.logical_id)
        was, now = (_integration(each) for each in (before, method))
        made = [each for each in references(now) if each in template.resources]
        if before is not None and canonical(was) != canonical(now):
            yield _violation(
                f"{method.logical_id} Integration",
                f"the integration of API method {method.logical_id} would change",
            )
        elif before is None and now and not made:
            yield _violation(
                f"{method.logical_id} Integration",
                f"API method {method.logical_id} would send requests to a resource outside of "
                "this template",
            )


def _integration(method: Resource | None) -> Any:
    """Return a method's integration; None if there is none, or if API Gateway itself answers."""
    if method is None:
        return None
    stated = mapping(method.properties.get("Integration")) or method.properties
    found = [stated.get("Type"), stated.get("Uri"), stated.get("IntegrationUri")]
    return found if any(found[1:]) else None


def _uncomparable(change: Change) -> Iterator[Violation]:
    """Yield what this comparison cannot read: nested stacks, macros and conditions."""
    new, old = change.stack.template, change.deployed
    for resource in new.resources.values():
        before = old.resources.get(resource.logical_id)
        if resource.type == "AWS::CloudFormation::Stack" and before is None:
            yield _violation(
                resource.logical_id,
                f"{resource.logical_id} is a new nested stack, and those are not compared",
            )
        if before is not None and resource.body.get("Condition") != before.body.get("Condition"):
            yield _violation(
                f"{resource.logical_id} Condition",
                f"the condition of {resource.logical_id} would change",
            )
    if canonical(old.transform) != canonical(new.transform):
        yield _violation("Transform", "a macro would change this template")
    included = '"Fn::Transform"'
    if included in change.stack.text and not any(
        included in canonical(each.body) for each in old.resources.values()
    ):
        yield _violation("Fn::Transform", "a macro would generate a part of this template")


def _violation(subject: str, what: str) -> Violation:
    return Violation(subject, f"{what}; revert it, or waive this and name its reviewer")
