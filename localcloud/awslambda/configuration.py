"""Read and check a function's configuration.

CreateFunction, UpdateFunctionConfiguration and `AWS::Lambda::Function` have the same parameters.
Limits are from the API reference and "Lambda quotas".
"""

from __future__ import annotations

import json
import platform
import re
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from localcloud.awslambda.model import Configuration
from localcloud.core.service_api import ApiError

if TYPE_CHECKING:
    from collections.abc import Mapping

RUNTIME = f"python{sys.version_info.major}.{sys.version_info.minor}"
ARCHITECTURE = "arm64" if platform.machine() in {"aarch64", "arm64"} else "x86_64"
_MAX_VARIABLES_BYTES = 4096
_MAX_DESCRIPTION_CHARACTERS = 256
# The reserved variables of "Defined runtime environment variables".
_RESERVED = {
    "_HANDLER", "_X_AMZN_TRACE_ID", "AWS_DEFAULT_REGION", "AWS_REGION", "AWS_EXECUTION_ENV",
    "AWS_LAMBDA_FUNCTION_NAME", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "AWS_LAMBDA_FUNCTION_VERSION",
    "AWS_LAMBDA_INITIALIZATION_TYPE", "AWS_LAMBDA_LOG_GROUP_NAME", "AWS_LAMBDA_LOG_STREAM_NAME",
    "AWS_ACCESS_KEY", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN",
    "AWS_LAMBDA_RUNTIME_API", "LAMBDA_TASK_ROOT", "LAMBDA_RUNTIME_DIR",
}  # fmt: skip
UNSUPPORTED_PARAMETERS = (
    "Layers", "VpcConfig", "FileSystemConfigs", "ImageConfig", "DeadLetterConfig",
    "SnapStart", "TenancyConfig", "CapacityProviderConfig",
    "DurableConfig", "FunctionScalingConfig", "PublishToLatestPublished", "PublishTo",
    "RuntimeConfig", "AcceleratorConfig",
)  # fmt: skip
"""Parameters of AWS that the local cloud does not have."""
# Values that have no effect, like empty ones.
_VALUES_WITHOUT_EFFECT: tuple[Any, ...] = (
    {"SubnetIds": [], "SecurityGroupIds": []},
    {"ApplyOn": "None"},
    "false",
)


def configure(
    name: str, parameters: Mapping[str, Any], code: tuple[str, int], base: Configuration | None
) -> Configuration:
    """Return the configuration of a request, with omitted values from `base`.

    `code` is the zip's SHA-256 in hex and its size in bytes.

    Raises:
        ApiError: InvalidParameterValueException; the message names the parameter.
    """
    _refuse(name, parameters)
    asked = _requested(parameters)
    sha256, size = code
    if base is not None:
        made = replace(base, **asked, code=sha256, code_size=size)
    else:
        needed = {"handler": "Handler", "role": "Role", "runtime": "Runtime"}
        absent = [parameter for key, parameter in needed.items() if not asked.get(key)]
        if absent:
            raise invalid(f"Function {name} has no {', '.join(absent)}; a zip function requires it")
        made = Configuration(**{"architecture": "x86_64"} | asked, code=sha256, code_size=size)
    _check(name, made)
    return made


def invalid(message: str) -> ApiError:
    """Return the error for an invalid parameter."""
    return ApiError("InvalidParameterValueException", message)


def require_role_arn(name: str, role: str) -> None:
    """Check that the role of a function is the ARN of a role.

    Raises:
        ApiError: InvalidParameterValueException.
    """
    if not re.fullmatch(r"arn:aws:iam::\d{12}:role/\S+", role):
        raise invalid(f"Function {name}: role is {role!r}; use the ARN of an IAM role")


def _refuse(name: str, parameters: Mapping[str, Any]) -> None:
    if parameters.get("PackageType", "Zip") != "Zip":
        raise invalid(
            f"Function {name}: container images are not part of the local cloud; "
            "package the function as a zip"
        )
    for parameter in UNSUPPORTED_PARAMETERS:
        value = parameters.get(parameter)
        if value and value not in _VALUES_WITHOUT_EFFECT:
            raise invalid(f"Function {name}: {parameter} is not part of the local cloud")


def _requested(parameters: Mapping[str, Any]) -> dict[str, Any]:
    logging = parameters.get("LoggingConfig") or {}
    architectures = parameters.get("Architectures") or [None]
    environment = parameters.get("Environment")
    found = {
        "runtime": parameters.get("Runtime"),
        "handler": parameters.get("Handler"),
        "role": parameters.get("Role"),
        "architecture": architectures[0],
        "memory": _integer(parameters.get("MemorySize")),
        "timeout": _integer(parameters.get("Timeout")),
        "description": parameters.get("Description"),
        "environment": None if environment is None else _variables(environment),
        "tracing": (parameters.get("TracingConfig") or {}).get("Mode"),
        "log_format": logging.get("LogFormat"),
        "log_group": logging.get("LogGroup"),
        "application_log_level": logging.get("ApplicationLogLevel"),
        "system_log_level": logging.get("SystemLogLevel"),
        "ephemeral_storage": _integer((parameters.get("EphemeralStorage") or {}).get("Size")),
        "kms_key": parameters.get("KMSKeyArn", parameters.get("KmsKeyArn")),
    }
    return {key: value for key, value in found.items() if value is not None}


def _integer(value: Any) -> int | None:
    return None if value is None else int(value)


def _variables(environment: Mapping[str, Any]) -> dict[str, str]:
    return {key: str(value) for key, value in (environment.get("Variables") or {}).items()}


def _check(name: str, made: Configuration) -> None:
    if made.runtime != RUNTIME:
        raise invalid(
            f"Function {name}: runtime {made.runtime} is not available here; "
            f"the local cloud runs {RUNTIME} on {ARCHITECTURE}"
        )
    if made.architecture != ARCHITECTURE:
        raise invalid(
            f"Function {name}: architecture {made.architecture} is not available here; "
            f"the local cloud runs {RUNTIME} on {ARCHITECTURE}"
        )
    for parameter, value, allowed in (
        ("TracingConfig.Mode", made.tracing, ("Active", "PassThrough")),
        ("LoggingConfig.LogFormat", made.log_format, ("Text", "JSON")),
    ):
        if value not in allowed:
            raise invalid(
                f"Function {name}: {parameter} is {value!r}; it must be {' or '.join(allowed)}"
            )
    _within(name, "MemorySize", made.memory, 128, 10240)
    _within(name, "Timeout", made.timeout, 1, 900)
    _within(name, "EphemeralStorage.Size", made.ephemeral_storage, 512, 10240)
    if len(made.description) > _MAX_DESCRIPTION_CHARACTERS:
        raise ApiError(
            "ValidationException",
            "1 validation error detected: Value at 'description' failed to satisfy constraint: "
            f"Member must have length less than or equal to {_MAX_DESCRIPTION_CHARACTERS}",
        )
    if not re.fullmatch(r"[^\s]{1,128}", made.handler):
        raise invalid(f"Function {name}: handler is {made.handler!r}; use module.function")
    require_role_arn(name, made.role)
    _check_environment(made.environment)
    if made.log_format != "JSON" and (made.application_log_level or made.system_log_level):
        raise invalid(
            f"Function {name}: the log format is {made.log_format}; log levels require JSON"
        )


def _within(name: str, parameter: str, value: int, least: int, most: int) -> None:
    if not least <= value <= most:
        raise invalid(
            f"Function {name}: {parameter} is {value}; it must be between {least} and {most}"
        )


def _check_environment(variables: dict[str, str]) -> None:
    because = (
        "Lambda was unable to configure your environment variables because the environment "
        "variables you have provided "
    )
    reserved = sorted(_RESERVED & variables.keys())
    if reserved:
        raise invalid(
            because + "contains reserved keys that are currently not supported for modification. "
            f"Reserved keys used in this request: {', '.join(reserved)}"
        )
    for key in variables:
        if not re.fullmatch(r"[a-zA-Z][a-zA-Z0-9_]+", key):
            raise invalid(
                f"Environment variable {key!r} must begin with a letter and contain only letters, "
                "digits and underscores"
            )
    size = sum(len(key.encode()) + len(value.encode()) for key, value in variables.items())
    if size > _MAX_VARIABLES_BYTES:
        measured = json.dumps(variables, separators=(",", ":"))
        raise invalid(f"{because}exceeded the 4KB limit. String measured: {measured}")
