"""The policies of resources: of buckets, keys, topics, functions, roles and others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from localcloud.iam.documents import Policy
from localcloud.iam.stored import moto_backend, stored_policy

if TYPE_CHECKING:
    from collections.abc import Callable

    from localcloud.iam.service_facts import ServiceFacts
    from localcloud.iam.stored import Stored

    Reader = Callable[[str, str, str, str], Policy | None]
    """By account, region, the last part of the ARN, and the ARN."""

_ARN_PARTS = 6
_LOGS = "resource policy of Logs"


class ResourcePolicies:
    """Reads the policies of resources."""

    def __init__(self, facts: ServiceFacts, stored: Stored) -> None:
        self._facts = facts
        self._stored = stored
        self._readers: dict[str, Reader] = {
            "events": _bus,
            "iam": self._trust,
            "kms": _key,
            "lambda": self._function,
            "logs": self._logs,
            "s3": self._bucket,
            "secretsmanager": _secret,
            "sns": _topic,
            "sqs": _queue,
        }

    def of(self, arn: str) -> Policy | None:
        """The policy of a resource, or None.

        Raises:
            NoSuchRoleError: the resource is a role that does not exist.
        """
        parts = arn.split(":", _ARN_PARTS - 1)
        if len(parts) < _ARN_PARTS:
            return None
        service, region, account, resource = parts[2:]
        reader = self._readers.get(service)
        return reader(account, region, resource, arn) if reader else None

    def _bucket(self, _account: str, _region: str, resource: str, _arn: str) -> Policy | None:
        found = self._stored.moto_bucket(resource.partition("/")[0])
        return stored_policy(found.policy, "resource", "bucket policy") if found else None

    def _trust(self, _account: str, _region: str, resource: str, arn: str) -> Policy | None:
        if not resource.startswith("role/"):
            return None
        trust = self._stored.role(arn).assume_role_policy_document
        return stored_policy(trust, "trust", "trust policy")

    def _function(self, account: str, region: str, resource: str, _arn: str) -> Policy | None:
        if not resource.startswith("function:"):
            return None
        _, name, *qualifier = resource.split(":")
        statements = self._facts.function_policy(account, region, name, "".join(qualifier))
        if not statements:
            return None
        document = {"Version": "2012-10-17", "Statement": statements}
        return stored_policy(document, "resource", "function policy")

    def _logs(self, account: str, region: str, _resource: str, _arn: str) -> Policy | None:
        """All policies of CloudWatch Logs in an account's region together."""
        statements = [
            statement
            for each in self._facts.log_policies(account, region)
            for statement in stored_policy(each["policyDocument"], "resource", _LOGS).statements
        ]
        return Policy(tuple(statements), _LOGS) if statements else None


def _key(account: str, region: str, resource: str, arn: str) -> Policy | None:
    backend = moto_backend("kms", account, region)
    found = backend.keys.get(resource.removeprefix("key/")) if backend else None
    return stored_policy(found.policy, "resource", f"policy of {arn}") if found else None


def _secret(account: str, region: str, _resource: str, arn: str) -> Policy | None:
    backend = moto_backend("secretsmanager", account, region)
    found = backend.secrets.get(arn) if backend else None
    return _optional(found, arn)


def _topic(account: str, region: str, _resource: str, arn: str) -> Policy | None:
    backend = moto_backend("sns", account, region)
    found = backend.topics.get(arn) if backend else None
    return stored_policy(found.policy, "resource", f"policy of {arn}") if found else None


def _queue(account: str, region: str, resource: str, arn: str) -> Policy | None:
    backend = moto_backend("sqs", account, region)
    found = backend.queues.get(resource) if backend else None
    return _optional(found, arn)


def _bus(account: str, region: str, resource: str, arn: str) -> Policy | None:
    backend = moto_backend("events", account, region)
    found = backend.event_buses.get(resource.removeprefix("event-bus/")) if backend else None
    return _optional(found, arn)


def _optional(found: Any, arn: str) -> Policy | None:
    """Return the policy of moto's resource, which may have none."""
    policy = getattr(found, "policy", None)
    return stored_policy(policy, "resource", f"policy of {arn}") if policy else None
