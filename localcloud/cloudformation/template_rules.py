"""Rules of templates that do not depend on the resource types.

Sources: the CloudFormation user guide on "Resources", "Conditions", "Parameters", "Fn::ImportValue"
and "dynamic references", and messages that users reported: aws-cdk#32238, cloudformation-cli#1098,
amplify-cli#4748, serverless#1924, aws-cdk#6786, serverless-application-model#1528,
media-insights-on-aws#145.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from localcloud.cloudformation.template import TemplateError, mentions, references, unresolved

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_SECURE_PREFIX = "{{resolve:ssm-secure:"
_SECURE_PROPERTIES = {
    "AWS::DirectoryService::MicrosoftAD/Properties/Password",
    "AWS::DirectoryService::SimpleAD/Properties/Password",
    "AWS::ElastiCache::ReplicationGroup/Properties/AuthToken",
    "AWS::IAM::User/Properties/LoginProfile/Password",
    "AWS::KinesisFirehose::DeliveryStream/Properties/RedshiftDestinationConfiguration/Password",
    "AWS::RDS::DBCluster/Properties/MasterUserPassword",
    "AWS::RDS::DBInstance/Properties/MasterUserPassword",
    "AWS::Redshift::Cluster/Properties/MasterUserPassword",
}
_PARAMETER_TYPE = re.compile(
    r"String|Number|List<Number>|CommaDelimitedList|AWS::SSM::Parameter::Name"
    r"|(List<)?AWS::(EC2|Route53)::[A-Za-z:]+>?"
    r"|AWS::SSM::Parameter::Value<.+>"
)
_NAMES = {
    "Resources": "Resource name",
    "Parameters": "Parameter name",
    "Outputs": "Outputs name",
}
_PSEUDO = "AWS::"


def check_template(template: dict[str, Any]) -> None:
    """Check a template's names, parameter types, conditions and imports.

    Raises:
        TemplateError: the template violates a rule; the text is AWS's.
    """
    for section, kind in _NAMES.items():
        for name in template.get(section, {}):
            if not re.fullmatch("[A-Za-z0-9]+", str(name)):
                raise TemplateError(f"Template format error: {kind} {name} is non alphanumeric.")
    for definition in template.get("Parameters", {}).values():
        kind = definition.get("Type", "")
        if not _PARAMETER_TYPE.fullmatch(str(kind)):
            raise TemplateError(f"Template format error: Unrecognized parameter type: {kind}")
    _check_conditions(template)
    parameters = template.get("Parameters", {}).keys()
    for section in ("Resources", "Outputs"):
        for argument in _arguments(template.get(section, {}), "Fn::ImportValue"):
            named = {
                each for each in references(argument) - parameters if not each.startswith(_PSEUDO)
            }
            if named or any(_uses(argument, each) for each in ("Fn::ImportValue", "Fn::GetAZs")):
                raise TemplateError(
                    "Template error: the attribute in Fn::ImportValue must not depend on any "
                    "resources, imported values, or Fn::GetAZs"
                )


def check_secure_references(resources: dict[str, Any]) -> None:
    """Check that only properties that support it refer to a SecureString.

    Raises:
        TemplateError: another property refers to one.
    """
    found = [
        path
        for definition in resources.values()
        for path in _paths(definition.get("Properties"), f"{definition['Type']}/Properties")
        if path not in _SECURE_PROPERTIES
    ]
    if found:
        raise TemplateError(f"SSM Secure reference is not supported in: [{', '.join(found)}]")


def check_conditional_references(
    template: dict[str, Any], holds: Callable[[dict[str, Any]], bool], met: Callable[[str], bool]
) -> None:
    """Check that included resources and outputs refer only to included resources.

    `holds` returns whether a resource or an output is included, `met` whether a condition is true.

    Raises:
        TemplateError: an included part refers to a resource whose condition is false.
    """
    resources = template["Resources"]
    absent = {name for name, each in resources.items() if not holds(each)}
    for section in ("Resources", "Outputs"):
        missing = {
            name
            for each in template.get(section, {}).values()
            if holds(each)
            for part in ("Properties", "UpdatePolicy", "Value", "Export")
            for name in references(_chosen(each.get(part), met)) & absent
        }
        if missing:
            raise unresolved(missing, section)


def _check_conditions(template: dict[str, Any]) -> None:
    conditions = template.get("Conditions", {})
    for name in ("Fn::ImportValue", "Fn::GetAtt"):
        if _uses(conditions, name):
            raise TemplateError(f"Template error: Cannot use {name} in Conditions.")
    parameters = template.get("Parameters", {})
    named = {
        name
        for name, attribute in mentions(conditions)
        if attribute or not (name in parameters or name.startswith(_PSEUDO))
    }
    if named:
        raise TemplateError(
            f"Template format error: Unresolved dependencies [{', '.join(sorted(named))}]. Cannot "
            "reference resources in the Conditions block of the template"
        )


def _arguments(value: Any, function: str) -> Iterator[Any]:
    """Yield the argument of each use of a function in a value."""
    if isinstance(value, list):
        for item in value:
            yield from _arguments(item, function)
    elif isinstance(value, dict):
        for key, inner in value.items():
            if key == function:
                yield inner
            yield from _arguments(inner, function)


def _uses(value: Any, function: str) -> bool:
    return any(True for _ in _arguments(value, function))


def _paths(value: Any, path: str) -> Iterator[str]:
    """Yield the path of each secure reference, without functions and list indices."""
    if isinstance(value, str) and _SECURE_PREFIX in value:
        yield path
    elif isinstance(value, list):
        for item in value:
            yield from _paths(item, path)
    elif isinstance(value, dict):
        for key, inner in value.items():
            is_function = key == "Ref" or key.startswith("Fn::")
            yield from _paths(inner, path if is_function else f"{path}/{key}")


def _chosen(value: Any, met: Callable[[str], bool]) -> Any:
    """Replace each `Fn::If` in a value by the branch that its condition selects."""
    if isinstance(value, list):
        return [_chosen(item, met) for item in value]
    if not isinstance(value, dict):
        return value
    if value.keys() == {"Fn::If"} and len(value["Fn::If"]) == 3:  # noqa: PLR2004  # its arguments
        name, yes, no = value["Fn::If"]
        return _chosen(yes if met(name) else no, met)
    return {key: _chosen(inner, met) for key, inner in value.items()}
