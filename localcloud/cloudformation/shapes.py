"""Stacks, resources, events and change sets in the shapes of the API."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from localcloud.cloudformation.parameters import no_echo_parameters

if TYPE_CHECKING:
    from localcloud.cloudformation.model import ChangeSet, Stack, StackResource

_MASK = "****"


def time_of(seconds: float) -> datetime:
    """Convert cloud time to the API's timestamp."""
    return datetime.fromtimestamp(seconds, UTC)


def stack_shape(stack: Stack) -> dict[str, Any]:
    """Return a stack as `DescribeStacks` does."""
    template = json.loads(stack.template)
    return {
        "StackId": stack.id,
        "StackName": stack.name,
        "Description": template.get("Description"),
        "StackStatus": stack.status,
        "StackStatusReason": stack.reason or None,
        "CreationTime": time_of(stack.created),
        "LastUpdatedTime": time_of(stack.updated) if stack.updated else None,
        "DeletionTime": time_of(stack.deleted) if stack.deleted else None,
        "Parameters": parameters_shape(template, stack.parameters),
        "Outputs": stack.outputs,
        "Tags": tags_shape(stack.tags),
        "Capabilities": stack.capabilities,
        "RoleARN": stack.role_arn or None,
        "ChangeSetId": stack.change_set_id or None,
        "EnableTerminationProtection": stack.termination_protection,
        "DisableRollback": False,
        "NotificationARNs": [],
    }


def summary_shape(stack: Stack) -> dict[str, Any]:
    """Return a stack as `ListStacks` does."""
    whole = stack_shape(stack)
    kept = ("StackId", "StackName", "CreationTime", "LastUpdatedTime", "DeletionTime")
    return {name: whole[name] for name in (*kept, "StackStatus", "StackStatusReason")} | {
        "TemplateDescription": whole["Description"]
    }


def resource_shape(stack: Stack, resource: StackResource, *, live: bool) -> dict[str, Any]:
    """Return a resource as the operations on stack resources do.

    Its metadata shows whether it is live or only recorded.
    """
    template = json.loads(stack.template).get("Resources", {})
    metadata = template.get(resource.logical_id, {}).get("Metadata", {})
    return {
        "StackName": stack.name,
        "StackId": stack.id,
        "LogicalResourceId": resource.logical_id,
        "PhysicalResourceId": resource.physical_id or None,
        "ResourceType": resource.type,
        "ResourceStatus": resource.status,
        "ResourceStatusReason": resource.reason or None,
        "Timestamp": time_of(resource.timestamp),
        "LastUpdatedTimestamp": time_of(resource.timestamp),
        "Metadata": json.dumps(metadata | {"localcloud": "live" if live else "recorded"}),
    }


def event_shape(stack: Stack, event: dict[str, Any]) -> dict[str, Any]:
    """Return an event as `DescribeStackEvents` does."""
    return event | {
        "StackId": stack.id,
        "StackName": stack.name,
        "Timestamp": time_of(event["Timestamp"]),
        "ResourceStatusReason": event["ResourceStatusReason"] or None,
    }


def change_set_shape(change_set: ChangeSet) -> dict[str, Any]:
    """Return a change set as `DescribeChangeSet` does."""
    template = json.loads(change_set.template)
    return change_set_summary(change_set) | {
        "Parameters": parameters_shape(template, change_set.parameters),
        "Tags": tags_shape(change_set.tags),
        "Capabilities": change_set.capabilities,
        "Changes": change_set.changes,
        "NotificationARNs": [],
    }


def change_set_summary(change_set: ChangeSet) -> dict[str, Any]:
    """Return a change set as `ListChangeSets` does."""
    return {
        "ChangeSetId": change_set.id,
        "ChangeSetName": change_set.name,
        "StackId": change_set.stack_id,
        "StackName": change_set.stack_name,
        "Description": change_set.description or None,
        "CreationTime": time_of(change_set.created),
        "Status": change_set.status,
        "StatusReason": change_set.reason or None,
        "ExecutionStatus": change_set.execution_status,
        "IncludeNestedStacks": False,
    }


def declared_parameters(template: dict[str, Any]) -> list[dict[str, Any]]:
    """Return a template's parameters as `GetTemplateSummary` does."""
    masked = no_echo_parameters(template)
    return [
        {
            "ParameterKey": name,
            "DefaultValue": str(each["Default"]) if "Default" in each else None,
            "ParameterType": each["Type"],
            "Description": each.get("Description"),
            "NoEcho": name in masked,
        }
        for name, each in template.get("Parameters", {}).items()
    ]


def parameters_shape(template: dict[str, Any], values: dict[str, Any]) -> list[dict[str, Any]]:
    """Return parameters with their values; values with `NoEcho` are masked."""
    masked = no_echo_parameters(template)
    return [
        {"ParameterKey": name, "ParameterValue": _MASK if name in masked else value}
        for name, value in values.items()
    ]


def tags_shape(tags: dict[str, str]) -> list[dict[str, str]]:
    """Return tags as a list."""
    return [{"Key": key, "Value": value} for key, value in tags.items()]
