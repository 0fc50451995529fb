"""Calls to Lambda, Logs, CloudWatch, Events, SSM, KMS, IAM and other services."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Any

from localcloud.iam.actions import messages
from localcloud.iam.actions.call import Call, Needed, pass_role

if TYPE_CHECKING:
    from localcloud.iam.actions.call import Facts

_INVOCATIONS = {"Invoke", "InvokeAsync", "InvokeWithResponseStream"}
_QUALIFIED = {
    "GetFunction", "GetFunctionConfiguration", "GetPolicy", "AddPermission", "RemovePermission",
} | _INVOCATIONS  # fmt: skip
_STREAMS = {"CreateLogStream", "PutLogEvents", "GetLogEvents", "DeleteLogStream"}
_ALARMS = {"SetAlarmState", "DescribeAlarmHistory", "DeleteAlarms", "EnableAlarmActions",
           "DisableAlarmActions", "PutMetricAlarm", "PutCompositeAlarm"}  # fmt: skip
_TOPIC_COLONS = 5
"""In a topic's ARN; an endpoint's and a platform application's have more parts."""
_ENTITIES = {"RoleName": "role", "UserName": "user", "GroupName": "group"}


def lambda_(call: Call, facts: Facts) -> list[Needed]:
    """A function, with its qualifier where the operation is on a version or an alias."""
    del facts
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
    return found


def logs(call: Call, facts: Facts) -> list[Needed]:
    """A log group, whose ARN a request names with an empty stream, or a log stream.

    `CreateLogStream` names the stream in hyperswitch-cdk#37.
    """
    del facts
    if "ResourcePolic" in call.operation:
        return [Needed(f"logs:{call.operation}")]
    groups = call.texts("logGroupName", "logGroupNames", "logGroupIdentifier",
                        "logGroupIdentifiers")  # fmt: skip
    if not groups:
        arn = call.text("resourceArn") or call.arn("logs", "log-group::log-stream:")
        return [Needed(f"logs:{call.operation}", arn)]
    stream = call.text("logStreamName") if call.operation in _STREAMS else ""
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
    return found + [
        pass_role(each["RoleArn"], "events.amazonaws.com")
        for each in targets
        if each.get("RoleArn")
    ]


def ssm(call: Call, facts: Facts) -> list[Needed]:
    """Parameters by name or path."""
    del facts
    names = call.texts("Name", "Names", "Path", "ResourceId")
    if "Parameter" not in call.operation or not names or call.operation == "DescribeParameters":
        return [Needed(f"ssm:{call.operation}")]
    return [
        Needed(
            f"ssm:{call.operation}", call.arn("ssm", each if each[:4] == "arn:" else _path(each))
        )
        for each in names
    ]


def secretsmanager(call: Call, facts: Facts) -> list[Needed]:
    """A secret by its full ARN; one that does not exist has a suffix that nobody knows."""
    name = call.text("SecretId", "Name")
    if not name or call.operation in {"ListSecrets", "GetRandomPassword"}:
        return [Needed(f"secretsmanager:{call.operation}")]
    arn = facts.secret(call.account, call.region, name)
    arn = arn or call.arn("secretsmanager", f"secret:{name}-??????")
    return [Needed(f"secretsmanager:{call.operation}", arn)]


def kms(call: Call, facts: Facts) -> list[Needed]:
    """A key by its ARN, with the encryption context; `Decrypt` finds it in the ciphertext."""
    name = call.text("KeyId", "TargetKeyId", "DestinationKeyId")
    arn = facts.key(call.account, call.region, name) if name else ""
    if not arn and "CiphertextBlob" in call.parameters:
        ciphertext = _bytes(call.parameters["CiphertextBlob"])
        arn = facts.ciphertext_key(call.account, call.region, ciphertext)
    encrypted: dict[str, str] = call.parameters.get("EncryptionContext") or {}
    context = {f"kms:encryptioncontext:{key}".lower(): [each] for key, each in encrypted.items()}
    if encrypted:
        context["kms:encryptioncontextkeys"] = list(encrypted)
    if name.startswith(("alias/", "arn:")) and "alias/" in name:
        context["kms:requestalias"] = [name[name.index("alias/") :]]
    return [Needed(f"kms:{call.operation}", arn or "*", context=context)]


def iam(call: Call, facts: Facts) -> list[Needed]:
    """A role, a user, a group or a policy; IAM's ARNs have no region."""
    del facts
    action, policy = f"iam:{call.operation}", call.text("PolicyArn")
    for parameter, kind in _ENTITIES.items():
        name = call.text(parameter)
        if name:
            path = call.text("Path").strip("/")
            resource = f"{kind}/{path}/{name}" if path else f"{kind}/{name}"
            context = {"iam:policyarn": [policy]} if policy else {}
            boundary = call.text("PermissionsBoundary")
            if boundary:
                context["iam:permissionsboundary"] = [boundary]
            return [Needed(action, f"arn:aws:iam::{call.account}:{resource}", context=context)]
    source = call.text("PolicySourceArn") or policy
    if not source and call.text("PolicyName"):
        source = f"arn:aws:iam::{call.account}:policy/{call.text('PolicyName')}"
    return [Needed(action, source or "*")]


def sts(call: Call, facts: Facts) -> list[Needed]:
    """Nothing for `GetCallerIdentity`; STS itself checks both sides of `AssumeRole`."""
    del facts
    if call.operation in {"GetCallerIdentity", "AssumeRole"}:
        return []
    return [Needed(f"sts:{call.operation}")]


def apigateway(call: Call, facts: Facts) -> list[Needed]:
    """Method and path: `apigateway:GET` on `arn:aws:apigateway:REGION::/restapis`."""
    del facts
    path = call.text("path")
    return [Needed(f"apigateway:{call.operation}", f"arn:aws:apigateway:{call.region}::{path}")]


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


def _own_key(key: str) -> str:
    """A customer's key, or "": a key of AWS's own lets all roles of its account use it."""
    return "" if ":alias/" in key else key


def _function(call: Call, name: str) -> str:
    parts = name.split(":")
    if len(parts) >= 3 and parts[1] == "function":  # noqa: PLR2004  # ACCOUNT:function:NAME
        return f"arn:aws:lambda:{call.region}:{name}"
    return call.arn("lambda", f"function:{name}")


def _bus(name: str) -> str:
    return name if name.startswith("arn:") else f"event-bus/{name}"


def _path(name: str) -> str:
    """The resource of a parameter; a version or a label after a colon is no part of it."""
    return f"parameter/{name.lstrip('/').partition(':')[0]}"


def _bytes(value: Any) -> bytes:
    if isinstance(value, bytes):
        return value
    try:
        return base64.b64decode(value)
    except (binascii.Error, ValueError):
        return b""
