"""Calls to Lambda, Logs, CloudWatch, EventBridge, IAM and other services."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from localcloud.iam.actions import messages, service_keys
from localcloud.iam.actions.call import Call, Needed, pass_role

if TYPE_CHECKING:
    from localcloud.iam.actions.call import Facts

_INVOCATIONS = {"Invoke", "InvokeAsync", "InvokeWithResponseStream"}
_QUALIFIED = {
    "GetFunction", "GetFunctionConfiguration", "GetPolicy", "AddPermission", "RemovePermission",
} | _INVOCATIONS  # fmt: skip
_CONFIGURING = {"CreateFunction", "UpdateFunctionConfiguration"}
_ENCRYPTED = ("KMSKeyArn", "Environment", "Role")
"""Parameters with which Lambda encrypts a function's variables anew."""
_STREAM_OPERATIONS = {"CreateLogStream", "PutLogEvents", "GetLogEvents", "DeleteLogStream"}
_ALARMS = {"SetAlarmState", "DescribeAlarmHistory", "DeleteAlarms", "EnableAlarmActions",
           "DisableAlarmActions", "PutMetricAlarm", "PutCompositeAlarm"}  # fmt: skip
_TOPIC_COLONS = 5
"""In a topic's ARN; an endpoint's and a platform application's have more parts."""
_ENTITIES = {"RoleName": "role", "UserName": "user", "GroupName": "group"}
_BOUNDED = {
    "AttachRolePolicy", "CreateRole", "DeleteRolePermissionsBoundary", "DeleteRolePolicy",
    "DetachRolePolicy", "PutRolePermissionsBoundary", "PutRolePolicy",
}  # fmt: skip
"""Operations with `iam:PermissionsBoundary`: the one that is given, else that of the role."""


def lambda_(call: Call, facts: Facts) -> list[Needed]:
    """A function, with its qualifier where the operation is on a version or an alias.

    To configure variables under a customer's KMS key also needs that key.
    """
    action = "InvokeFunction" if call.operation in _INVOCATIONS else call.operation
    name = call.text("FunctionName", "Resource")
    if not name:
        return [Needed(f"lambda:{action}")]
    arn = name if name.startswith("arn:") else _function(call, name)
    parts = arn.split(":")
    qualifier = call.text("Qualifier") or ":".join(parts[7:])
    arn = ":".join(parts[:7])
    if qualifier and call.operation in _QUALIFIED:
        arn = f"{arn}:{qualifier}"
    found = [Needed(f"lambda:{action}", arn)]
    if call.text("Role"):
        found.append(pass_role(call.text("Role"), "lambda.amazonaws.com"))
    if call.operation in _CONFIGURING:
        found += _variables(call, arn, facts)
    return found


def logs(call: Call, facts: Facts) -> list[Needed]:
    """A log group (its ARN with an empty stream), or a log stream.

    `CreateLogStream` names the stream in hyperswitch-cdk#37.
    """
    del facts
    if "ResourcePolic" in call.operation:
        return [Needed(f"logs:{call.operation}")]
    groups = call.texts("logGroupName", "logGroupNames", "logGroupIdentifier",
                        "logGroupIdentifiers", "resourceIdentifier")  # fmt: skip
    if not groups:
        arn = call.text("resourceArn") or call.arn("logs", "log-group::log-stream:")
        return [Needed(f"logs:{call.operation}", arn)]
    stream = call.text("logStreamName") if call.operation in _STREAM_OPERATIONS else ""
    names = [each.split(":log-group:")[-1].removesuffix(":*") for each in groups]
    return [
        Needed(f"logs:{call.operation}", call.arn("logs", f"log-group:{each}:log-stream:{stream}"))
        for each in names
    ]


def cloudwatch(call: Call, facts: Facts) -> list[Needed]:
    """Alarms by their names; `DescribeAlarms` is on all of them, metrics have no resource."""
    del facts
    action = f"cloudwatch:{call.operation}"
    if call.operation in {"DescribeAlarms", "DescribeAlarmsForMetric"}:
        return [Needed(action, call.arn("cloudwatch", "alarm:*"))]
    if call.operation in _ALARMS:
        names = call.texts("AlarmName", "AlarmNames") or ["*"]
        return [Needed(action, call.arn("cloudwatch", f"alarm:{each}")) for each in names]
    if call.text("ResourceARN"):
        return [Needed(action, call.text("ResourceARN"))]
    namespace = call.text("Namespace")
    context = {"cloudwatch:namespace": [namespace]} if namespace else {}
    if "Dashboard" in call.operation and call.text("DashboardName"):
        name = call.text("DashboardName")
        return [Needed(action, f"arn:aws:cloudwatch::{call.account}:dashboard/{name}")]
    return [Needed(action, context=context)]


def events(call: Call, facts: Facts) -> list[Needed]:
    """Event buses of `PutEvents`, rules by bus and name."""
    del facts
    action = f"events:{call.operation}"
    if call.operation == "PutEvents":
        entries: list[dict[str, Any]] = call.parameters.get("Entries") or []
        buses = {str(each.get("EventBusName") or "default") for each in entries}
        return [Needed(action, call.arn("events", _bus(each))) for each in sorted(buses)]
    bus, name = call.text("EventBusName").rsplit("/", 1)[-1], call.text("Name", "Rule")
    if "Bus" in call.operation or call.operation.endswith("Permission"):
        return [Needed(action, call.arn("events", _bus(name or bus or "default")))]
    if not name:
        return [Needed(action, call.text("ResourceARN") or "*")]
    path = f"{bus}/{name}" if bus and bus != "default" else name
    found = [Needed(action, call.arn("events", f"rule/{path}"))]
    targets: list[dict[str, Any]] = call.parameters.get("Targets") or []
    roles = [call.text("RoleArn"), *(str(each.get("RoleArn") or "") for each in targets)]
    return found + [pass_role(each, "events.amazonaws.com") for each in roles if each]


def scheduler(call: Call, facts: Facts) -> list[Needed]:
    """A schedule by its group and name, and the role of its target; or a group."""
    del facts
    action, name = f"scheduler:{call.operation}", call.text("Name")
    if "Group" in call.operation and name:
        return [Needed(action, call.arn("scheduler", f"schedule-group/{name}"))]
    if not name:
        return [Needed(action, call.text("ResourceArn") or "*")]
    group = call.text("GroupName") or "default"
    found = [Needed(action, call.arn("scheduler", f"schedule/{group}/{name}"))]
    role = (call.parameters.get("Target") or {}).get("RoleArn")
    return found + ([pass_role(str(role), "scheduler.amazonaws.com")] if role else [])


def iam(call: Call, facts: Facts) -> list[Needed]:
    """A role, a user, a group or a policy; IAM's ARNs have no region."""
    action, policy, path = f"iam:{call.operation}", call.text("PolicyArn"), call.text("Path")
    for parameter, kind in _ENTITIES.items():
        name = call.text(parameter)
        if name:
            arn, boundary = facts.role_facts(call.account, name) if kind == "role" else ("", "")
            arn = arn or _iam_arn(call, kind, path, name)
            boundary = call.text("PermissionsBoundary") or boundary
            context = {"iam:policyarn": [policy]} if policy else {}
            if boundary and call.operation in _BOUNDED:
                context["iam:permissionsboundary"] = [boundary]
            return [Needed(action, arn, context=context)]
    source = call.text("PolicySourceArn") or policy
    if not source and call.text("PolicyName"):
        source = _iam_arn(call, "policy", path, call.text("PolicyName"))
    return [Needed(action, source or "*")]


def sts(call: Call, facts: Facts) -> list[Needed]:
    """Nothing for `GetCallerIdentity`; STS itself checks both sides of `AssumeRole`."""
    del facts
    if call.operation in {"GetCallerIdentity", "AssumeRole"}:
        return []
    return [Needed(f"sts:{call.operation}")]


def apigateway(call: Call, facts: Facts) -> list[Needed]:
    """Method and path: `apigateway:GET` on `arn:aws:apigateway:REGION::/restapis`.

    A change of the account's log role passes the role.
    """
    del facts
    path = call.text("path")
    found = [Needed(f"apigateway:{call.operation}", f"arn:aws:apigateway:{call.region}::{path}")]
    patches: list[dict[str, Any]] = call.parameters.get("patchOperations") or []
    roles = [each.get("value") for each in patches if each.get("path") == "/cloudwatchRoleArn"]
    return found + [pass_role(str(each), "apigateway.amazonaws.com") for each in roles if each]


def sns(call: Call, facts: Facts) -> list[Needed]:
    """A topic by its ARN; to publish to it also needs its KMS key, if that is a customer's."""
    arn = call.text("TopicArn", "TargetArn", "ResourceArn")
    if call.operation in {"Publish", "PublishBatch"} and arn.count(":") == _TOPIC_COLONS:
        return messages.publish(arn, _own_key(facts.topic_key(arn)))
    return [Needed(f"sns:{call.operation}", arn or "*")]


def sqs(call: Call, facts: Facts) -> list[Needed]:
    """A queue by its URL; to send and to receive also needs its KMS key, if that is a customer's.

    Actions in batches have the name of the single one (Service Authorization Reference).
    """
    url = call.text("QueueUrl")
    arn = call.arn("sqs", url.rsplit("/", 1)[-1]) if url else call.text("ResourceArn")
    action = call.operation.removesuffix("Batch")
    if url and action == "SendMessage":
        return messages.send(arn, _own_key(facts.queue_key(arn)))
    if url and action == "ReceiveMessage":
        return messages.receive(arn, _own_key(facts.queue_key(arn)))
    return [Needed(f"sqs:{action}", arn or "*")]


def dynamodb(call: Call, facts: Facts) -> list[Needed]:
    """A table by its name or ARN."""
    del facts
    name = call.text("TableName", "ResourceArn")
    if not name:
        return [Needed(f"dynamodb:{call.operation}")]
    arn = name if name.startswith("arn:") else call.arn("dynamodb", f"table/{name}")
    return [Needed(f"dynamodb:{call.operation}", arn)]


def _variables(call: Call, function: str, facts: Facts) -> list[Needed]:
    """What it needs to encrypt the variables of a function with its new key, or its own one."""
    if all(call.parameters.get(each) is None for each in _ENCRYPTED):
        return []
    given = call.parameters.get("KMSKeyArn")
    name = facts.function_key(function) if given is None else str(given)
    key = facts.key(call.account, call.region, name) if name else ""
    return service_keys.configure_variables(function, key) if key else []


def _own_key(key: str) -> str:
    """A customer's key, or "": a key of AWS's own allows all roles of its account."""
    return "" if ":alias/" in key else key


def _function(call: Call, name: str) -> str:
    parts = name.split(":")
    if len(parts) >= 3 and parts[1] == "function":  # noqa: PLR2004  # ACCOUNT:function:NAME
        return f"arn:aws:lambda:{call.region}:{name}"
    return call.arn("lambda", f"function:{name}")


def _iam_arn(call: Call, kind: str, path: str, name: str) -> str:
    folder = f"{path.strip('/')}/" if path.strip("/") else ""
    return f"arn:aws:iam::{call.account}:{kind}/{folder}{name}"


def _bus(name: str) -> str:
    return name if name.startswith("arn:") else f"event-bus/{name}"
