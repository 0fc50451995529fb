"""Import parts of moto without the libraries that only few of their operations need.

Most of the local cloud's start time is imports. moto's SSM imports all of EC2 for one operation,
and its API Gateway imports an OpenAPI validator for two; together these are half of moto's import
time. A stand-in replaces each, and imports the library when it is first used. AWS's managed
policies, which moto creates for every account, are created once per process and copied.
"""

from __future__ import annotations

import importlib
import json
import sys
from contextlib import contextmanager
from copy import copy
from functools import cache
from types import ModuleType
from typing import TYPE_CHECKING, Any

from moto.iam.aws_managed_policies import aws_managed_policies_data
from moto.iam.models import AWSManagedPolicy, IAMBackend
from moto.moto_api._internal import mock_random

if TYPE_CHECKING:
    from collections.abc import Iterator

_VALIDATOR = "openapi_spec_validator"


class _InvalidDocumentError(Exception):
    """Stands in for the validator's own error, whose class is not imported yet."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class _Ec2Backends:
    """Stands in for `moto.ec2.ec2_backends`."""

    def __getitem__(self, account: str) -> Any:
        return importlib.import_module("moto.ec2").ec2_backends[account]


def _validate(document: dict[str, Any]) -> None:
    """Stand in for the validator's `validate`."""
    validator = importlib.import_module(_VALIDATOR)
    errors = importlib.import_module(f"{_VALIDATOR}.validation.exceptions")
    try:
        validator.validate(document)
    except errors.OpenAPIValidationError as error:
        raise _InvalidDocumentError(error.message) from error


@contextmanager
def _stand_in(name: str, **attributes: Any) -> Iterator[None]:
    """Import a module with these attributes under `name` in the block."""
    module = ModuleType(name)
    vars(module).update(attributes)
    before = sys.modules.get(name)
    sys.modules[name] = module
    try:
        yield
    finally:
        if before is None:
            del sys.modules[name]
        else:
            sys.modules[name] = before


with (
    _stand_in("moto.ec2", ec2_backends=_Ec2Backends()),
    _stand_in(_VALIDATOR, validate=_validate),
    _stand_in(f"{_VALIDATOR}.validation"),
    _stand_in(f"{_VALIDATOR}.validation.exceptions", OpenAPIValidationError=_InvalidDocumentError),
):
    for _part in ("moto.apigateway.models", "moto.ssm.models"):
        importlib.import_module(_part)


@cache
def managed_policies() -> tuple[AWSManagedPolicy, ...]:
    """AWS's managed policies; an account gets copies, which its attachments change."""
    before = mock_random.getstate()
    mock_random.seed("iam/aws")
    try:
        data: dict[str, dict[str, Any]] = json.loads(aws_managed_policies_data)
        return tuple(
            AWSManagedPolicy.from_data(name, "aws", "aws", each) for name, each in data.items()
        )
    finally:
        mock_random.setstate(before)


def _account_policies(self: IAMBackend) -> list[AWSManagedPolicy]:
    made = [copy(policy) for policy in managed_policies()]
    for policy in made:
        policy.account_id, policy.tags = self.account_id, {}
        policy.versions = [copy(version) for version in policy.versions]
    return made


setattr(IAMBackend, "_init_aws_policies", _account_policies)  # noqa: B010  # moto has no port for it
