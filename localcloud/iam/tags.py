"""Tags of resources, by which policies decide (`aws:ResourceTag/KEY`).

Only resource types whose tags the local cloud keeps have the key; services register readers for
those that are their own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from localcloud.iam.keys import tags_of
from localcloud.iam.stored import NoSuchRoleError, moto_backend

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from localcloud.iam.keys import Keys
    from localcloud.iam.stored import Stored

    Reader = Callable[[str, str, str], Mapping[str, str]]
    """Tags by account, region and the last part of an ARN."""

_ARN_PARTS = 6
_OWN_PREFIXES = {"iam": "iam", "secretsmanager": "secretsmanager", "ssm": "ssm"}
"""Services with their own prefix for the same tags."""


class ResourceTags:
    """Reads the tags of resources."""

    def __init__(self, stored: Stored) -> None:
        self._stored = stored
        self._readers: dict[str, Reader] = {
            "cloudformation": stored.stack_tags,
            "kms": _key,
            "secretsmanager": _secret,
            "sns": _topic,
            "sqs": _queue,
            "ssm": _parameter,
        }

    def register(self, service: str, reader: Reader) -> None:
        """Set the reader of a service's tags."""
        self._readers[service] = reader

    def keys(self, arn: str) -> Keys:
        """The condition keys of a resource's tags."""
        parts = arn.split(":", _ARN_PARTS - 1)
        if len(parts) < _ARN_PARTS:
            return {}
        service, region, account, resource = parts[2:]
        if service == "iam":
            tags = self._role(arn)
        else:
            reader = self._readers.get(service)
            tags = reader(account, region, resource) if reader else {}
        prefixes = {"aws", _OWN_PREFIXES.get(service, "aws")}
        return {
            f"{prefix}:resourcetag/{key}".lower(): [value]
            for key, value in tags.items()
            for prefix in prefixes
        }

    def _role(self, arn: str) -> Mapping[str, str]:
        """The tags of a role; CDK's pipeline assumes the bootstrap's roles by them."""
        if ":role/" not in arn:
            return {}
        try:
            return tags_of(self._stored.role(arn))
        except NoSuchRoleError:
            return {}


def _key(account: str, region: str, resource: str) -> Mapping[str, str]:
    backend = moto_backend("kms", account, region)
    name = resource.removeprefix("key/")
    if backend is None or name not in backend.keys:
        return {}
    listed = backend.tagger.list_tags_for_resource(name)["Tags"]
    return {each["TagKey"]: each["TagValue"] for each in listed}


def _secret(account: str, region: str, resource: str) -> Mapping[str, str]:
    backend = moto_backend("secretsmanager", account, region)
    arn = f"arn:aws:secretsmanager:{region}:{account}:{resource}"
    found = backend.secrets.get(arn) if backend else None
    return {each["Key"]: each["Value"] for each in (found.tags if found else None) or []}


def _topic(account: str, region: str, resource: str) -> Mapping[str, str]:
    backend = moto_backend("sns", account, region)
    found = backend.topics.get(f"arn:aws:sns:{region}:{account}:{resource}") if backend else None
    return _texts(found._tags if found else {})  # noqa: SLF001  # moto has no port for it


def _queue(account: str, region: str, resource: str) -> Mapping[str, str]:
    backend = moto_backend("sqs", account, region)
    found = backend.queues.get(resource) if backend else None
    return _texts(found.tags if found else {})


def _parameter(account: str, region: str, resource: str) -> Mapping[str, str]:
    backend = moto_backend("ssm", account, region)
    path = resource.removeprefix("parameter")
    if backend is None:
        return {}
    tags = backend._resource_tags["Parameter"]  # noqa: SLF001  # moto has no port for it
    return _texts(tags.get(path) or tags.get(path.lstrip("/")) or {})


def _texts(tags: Mapping[str, Any]) -> Mapping[str, str]:
    return {str(key): str(value) for key, value in tags.items()}
