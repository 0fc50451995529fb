"""An API call as IAM sees it, and what it needs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dataclass(frozen=True)
class Call:
    """One request to the AWS API; `parameters` have botocore's names."""

    service: str
    """The signing name, such as `monitoring`."""
    operation: str
    account: str
    region: str
    parameters: Mapping[str, Any] = field(default_factory=dict)

    def text(self, *names: str) -> str:
        """The first of these parameters that is given, or ""."""
        found = (self.parameters.get(name) for name in names)
        return next((str(each) for each in found if each), "")

    def texts(self, *names: str) -> list[str]:
        """The values of the first of these parameters that is given."""
        for name in names:
            found = self.parameters.get(name)
            if found:
                return [str(each) for each in found] if isinstance(found, list) else [str(found)]
        return []

    def arn(self, service: str, resource: str) -> str:
        """An ARN in the call's account and region; a resource that is an ARN already is kept."""
        if resource.startswith("arn:"):
            return resource
        return f"arn:aws:{service}:{self.region}:{self.account}:{resource}"


@dataclass(frozen=True)
class Needed:
    """An action on a resource that a caller has to be allowed, with its own condition keys."""

    action: str
    resource: str = "*"
    account: str = ""
    """Whose the resource is, where its ARN does not say so."""
    context: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """By names in lower case."""


@dataclass(frozen=True)
class BucketFacts:
    """What a request to S3 depends on besides itself."""

    account: str
    region: str
    key: str = ""
    """The ARN of the customer's KMS key that encrypts new objects by default."""
    bucket_key: bool = False


class Facts(Protocol):
    """What is stored, as far as ARNs of requests depend on it."""

    def bucket(self, name: str) -> BucketFacts | None:
        """The owner and the encryption of a bucket."""
        ...

    def has_object(self, bucket: str, key: str) -> bool:
        """Whether a bucket holds an object of a key."""
        ...

    def object_key(self, bucket: str, key: str) -> str:
        """The ARN of the KMS key that encrypts an object, or ""."""
        ...

    def managed_key(self, bucket: str, key: str) -> str:
        """The ARN of AWS's own key for S3, if that encrypts an object, or ""."""
        ...

    def key(self, account: str, region: str, name: str) -> str:
        """The ARN of a KMS key by id, ARN or alias; "" if there is none."""
        ...

    def ciphertext_key(self, account: str, region: str, ciphertext: bytes) -> str:
        """The ARN of the key that made a ciphertext, or ""."""
        ...

    def secret(self, account: str, region: str, name: str) -> str:
        """The ARN of a secret by name or ARN, or ""."""
        ...

    def secret_key(self, arn: str) -> str:
        """The ARN of the customer's KMS key that encrypts a secret, or ""."""
        ...

    def parameter_keys(self, account: str, region: str, path: str) -> Mapping[str, str]:
        """The KMS keys of customers, by the names of the SecureStrings that they encrypt.

        `path` is a parameter's name, or one with a slash at its end, of all below it.
        """
        ...

    def role_facts(self, account: str, name: str) -> tuple[str, str]:
        """The ARN of a role by its name, and that of its boundary; "" for what it has not."""
        ...

    def stack(self, account: str, region: str, name: str) -> str:
        """The ARN of a stack by its name, or ""."""
        ...

    def deployment_group(self, account: str, region: str, deployment: str) -> tuple[str, str]:
        """Application and group of a deployment; empty if there is none."""
        ...

    def function_key(self, arn: str) -> str:
        """The ARN of the KMS key that encrypts a function's variables, or ""."""
        ...

    def topic_key(self, arn: str) -> str:
        """The ARN of the KMS key that encrypts a topic's messages, or ""."""
        ...

    def queue_key(self, arn: str) -> str:
        """The same of a queue."""
        ...

    def signing_profile_version(self, account: str, region: str, name: str) -> str:
        """The version of a signing profile by its name, or ""."""
        ...


def pass_role(role: str, service: str) -> Needed:
    """`iam:PassRole` for a role that is given to a service."""
    return Needed("iam:PassRole", role, context={"iam:passedtoservice": [service]})
