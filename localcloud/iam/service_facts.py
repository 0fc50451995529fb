"""What IAM reads of the services of this cloud: each service registers its own readers."""

from __future__ import annotations

from collections.abc import Callable  # noqa: TC003  # a dataclass reads it
from dataclasses import dataclass
from typing import Any, Protocol


class StackFacts(Protocol):
    """A stack of CloudFormation."""

    id: str
    tags: dict[str, str]


@dataclass
class ServiceFacts:
    """Readers by account, region and name; each finds nothing until its service replaces it."""

    stack: Callable[[str, str, str], StackFacts | None] = lambda *_: None
    """By name or id, which is not that of a deleted stack."""
    deployment_group: Callable[[str, str, str], tuple[str, str]] = lambda *_: ("", "")
    """Application and group of a deployment id of CodeDeploy, or empty strings."""
    signing_profile_version: Callable[[str, str, str], str] = lambda *_: ""
    """Of a profile of Signer, or ""."""
    function_policy: Callable[[str, str, str, str], list[dict[str, Any]]] = lambda *_: []
    """The statements of the policy of a function, by name and qualifier."""
    function_key: Callable[[str, str, str], str] = lambda *_: ""
    """The ARN of the customer's KMS key of a function, by name, or ""."""
    log_policies: Callable[[str, str], list[dict[str, Any]]] = lambda *_: []
    """The resource policies of CloudWatch Logs in an account's region, in the API's shape."""
