"""Convert functions, versions and aliases to the shapes of Lambda's API."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from localcloud.awslambda.model import LATEST
from localcloud.awslambda.runtime import log_group

if TYPE_CHECKING:
    from localcloud.awslambda.model import Alias, Function, Version
    from localcloud.core.ports import Document


def configuration(function: Function, version: Version, qualifier: str = "") -> Document:
    """Return `FunctionConfiguration` of a version; the ARN has the given qualifier."""
    made = version.configuration
    named = qualifier or ("" if version.number == LATEST else version.number)
    logging = {
        "LogFormat": made.log_format,
        "LogGroup": log_group(function, version),
        "ApplicationLogLevel": made.application_log_level,
        "SystemLogLevel": made.system_log_level,
    }
    document: dict[str, Any] = {
        "FunctionName": function.name,
        "FunctionArn": function.at(named).arn,
        "Runtime": made.runtime,
        "Role": made.role,
        "Handler": made.handler,
        "CodeSize": made.code_size,
        "Description": version.description or made.description,
        "Timeout": made.timeout,
        "MemorySize": made.memory,
        "LastModified": _time(version.modified),
        "CodeSha256": made.code_sha256,
        "Version": version.number,
        "TracingConfig": {"Mode": made.tracing},
        "RevisionId": version.revision,
        "State": "Active",
        "LastUpdateStatus": "Successful",
        "PackageType": "Zip",
        "Architectures": [made.architecture],
        "EphemeralStorage": {"Size": made.ephemeral_storage},
        "SnapStart": {"ApplyOn": "None", "OptimizationStatus": "Off"},
        "LoggingConfig": {key: value for key, value in logging.items() if value},
    }
    if made.environment:
        document["Environment"] = {"Variables": made.environment}
    if made.kms_key:
        document["KMSKeyArn"] = made.kms_key
    return document


def alias(function: Function, found: Alias) -> Document:
    """Return `AliasConfiguration`."""
    document: dict[str, Any] = {
        "AliasArn": function.at(found.name).arn,
        "Name": found.name,
        "FunctionVersion": found.routing.version,
        "Description": found.description,
        "RevisionId": found.revision,
    }
    if found.routing.weights:
        document["RoutingConfig"] = {"AdditionalVersionWeights": found.routing.weights}
    return document


def _time(timestamp: float) -> str:
    return datetime.fromtimestamp(timestamp, UTC).strftime("%Y-%m-%dT%H:%M:%S.000+0000")
