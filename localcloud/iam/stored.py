"""Roles and facts as the local cloud stores them: in moto's backends, and in our services."""

from __future__ import annotations

import json
import logging
import re
import uuid
from typing import TYPE_CHECKING, Any

from moto import backends
from moto.iam.exceptions import NotFoundException
from moto.iam.models import iam_backends
from moto.kms.utils import _deserialize_ciphertext_blob
from moto.s3.models import s3_backends

from localcloud.iam.actions.call import BucketFacts
from localcloud.iam.documents import MalformedPolicyError, Policy, parse

if TYPE_CHECKING:
    from localcloud.iam.documents import Kind
    from localcloud.iam.propagation import Propagation, Role
    from localcloud.iam.service_facts import ServiceFacts

logger = logging.getLogger(__name__)
_ACCOUNT = re.compile(r"\d{12}")
_PARTITION = "aws"
_ARN_PARTS, _FUNCTION_ARN_PARTS = 6, 7


def moto_backend(service: str, account: str, region: str) -> Any:
    """Return moto's backend, or None if an ARN names an account or a region that AWS has not."""
    if not _ACCOUNT.fullmatch(account):
        return None
    found = backends.get_backend(service)[account]  # type: ignore[call-overload]  # one each
    return found[region] if region in found.regions else None


class NoSuchRoleError(Exception):
    """A session's role does not exist, or not any more."""


class Stored:
    """See `localcloud.iam.actions.call.Facts`; and roles with their policies."""

    def __init__(self, facts: ServiceFacts, propagation: Propagation) -> None:
        self._facts = facts
        self._propagation = propagation

    def role(self, arn: str) -> Role:
        """Return the role of an ARN as it is seen.

        Raises:
            NoSuchRoleError: there is none, or not yet.
        """
        role = self._propagation.role(arn)
        if role is None:
            raise NoSuchRoleError(arn)
        return role

    def has_role(self, arn: str) -> bool:
        """Whether the role of an ARN exists."""
        try:
            self.role(arn)
        except NoSuchRoleError:
            return False
        return True

    def identity_policies(self, role: Role) -> list[Policy]:
        """A role's own policies, and those attached to it."""
        own = [stored_policy(each, "identity", name) for name, each in role.policies.items()]
        attached = [self.managed(role.account_id, arn) for arn in role.managed_policies]
        return own + [each for each in attached if each is not None]

    def managed(self, account: str, arn: str) -> Policy | None:
        """A managed policy as an account sees it, in its default version."""
        text = self.managed_text(account, arn)
        return stored_policy(text, "identity", arn) if text else None

    def managed_text(self, account: str, arn: str) -> str:
        """The document of a managed policy's default version, or ""."""
        return self._propagation.policy(account, arn)

    def bucket(self, name: str) -> BucketFacts | None:
        """See `Facts.bucket`."""
        found = self.moto_bucket(name)
        if found is None:
            return None
        rules = (found.encryption or {}).get("Rule", [])
        rule = rules[0] if isinstance(rules, list) and rules else rules or {}
        default = rule.get("ApplyServerSideEncryptionByDefault") or {}
        key = default.get("KMSMasterKeyID", "") if default.get("SSEAlgorithm") == "aws:kms" else ""
        arn = self.key(found.account_id, found.region_name, key) if key else ""
        bucket_key = str(rule.get("BucketKeyEnabled", "")).lower() == "true"
        return BucketFacts(found.account_id, found.region_name, arn, bucket_key)

    def has_object(self, bucket: str, key: str) -> bool:
        """See `Facts.has_object`."""
        found = self.moto_bucket(bucket)
        return found is not None and found.keys.get(key) is not None

    def object_key(self, bucket: str, key: str) -> str:
        """See `Facts.object_key`."""
        found = self.moto_bucket(bucket)
        stored = found.keys.get(key) if found else None
        name = getattr(stored, "kms_key_id", None) if stored else None
        return self.key(found.account_id, found.region_name, name) if name else ""

    def managed_key(self, bucket: str, key: str) -> str:
        """See `Facts.managed_key`; the key is made up of its alias, as moto has no such key."""
        found = self.moto_bucket(bucket)
        stored = found.keys.get(key) if found else None
        if getattr(stored, "encryption", None) != "aws:kms" or self.object_key(bucket, key):
            return ""
        alias = getattr(stored, "kms_key_id", None) or ""
        region, account = found.region_name, found.account_id
        if alias.startswith("arn:"):
            region, account = alias.split(":")[3:5]
        key_id = uuid.uuid5(uuid.NAMESPACE_URL, f"{account}/{region}/alias/aws/s3")
        return f"arn:aws:kms:{region}:{account}:key/{key_id}"

    def key(self, account: str, region: str, name: str) -> str:
        """See `Facts.key`; one of AWS's own keys (`alias/aws/…`) is none."""
        if name.startswith("arn:"):
            parts = name.split(":")
            if len(parts) < _ARN_PARTS:
                return ""
            region, account = parts[3:5]
        if "alias/aws/" in name:
            return ""
        backend = moto_backend("kms", account, region)
        if backend is None:
            return ""
        alias = name[name.index("alias/") :] if "alias/" in name else ""
        key_id = backend.get_key_id_from_alias(alias) if alias else backend.get_key_id(name)
        found = backend.keys.get(key_id)
        return str(found.arn) if found else ""

    def function_key(self, arn: str) -> str:
        """See `Facts.function_key`."""
        parts = arn.split(":")
        if len(parts) < _FUNCTION_ARN_PARTS:
            return ""
        return self._facts.function_key(parts[4], parts[3], parts[6])

    def topic_key(self, arn: str) -> str:
        """The ARN of the KMS key that encrypts a topic's messages, or ""."""
        region, account = arn.split(":")[3:5]
        backend = moto_backend("sns", account, region)
        found = backend.topics.get(arn) if backend else None
        return self._message_key(account, region, found)

    def queue_key(self, arn: str) -> str:
        """The same of a queue."""
        region, account, name = arn.split(":")[3:6]
        backend = moto_backend("sqs", account, region)
        found = backend.queues.get(name) if backend else None
        return self._message_key(account, region, found)

    def _message_key(self, account: str, region: str, found: Any) -> str:
        name = getattr(found, "kms_master_key_id", None)
        if not name:
            return ""
        # A key that does not exist, and one of AWS's own, let no service encrypt.
        absent = f"arn:aws:kms:{region}:{account}:{name}"
        return self.key(account, region, name) or absent

    def ciphertext_key(self, account: str, region: str, ciphertext: bytes) -> str:
        """See `Facts.ciphertext_key`."""
        try:
            key_id = _deserialize_ciphertext_blob(ciphertext).key_id
        except Exception:  # noqa: BLE001  # what is no ciphertext is KMS's to refuse
            return ""
        return self.key(account, region, key_id)

    def secret(self, account: str, region: str, name: str) -> str:
        """See `Facts.secret`."""
        if name.startswith("arn:"):
            region, account = name.split(":")[3:5]
        backend = moto_backend("secretsmanager", account, region)
        found = backend.secrets.get(name) if backend else None
        return str(found.arn) if found else ""

    def secret_key(self, arn: str) -> str:
        """See `Facts.secret_key`."""
        region, account = arn.split(":")[3:5]
        backend = moto_backend("secretsmanager", account, region)
        found = backend.secrets.get(arn) if backend else None
        name = getattr(found, "kms_key_id", None)
        return self.key(account, region, name) if name else ""

    def parameter_keys(self, account: str, region: str, path: str) -> dict[str, str]:
        """See `Facts.parameter_keys`; moto keeps names of one level without their slash."""
        backend = moto_backend("ssm", account, region)
        stored = list(backend._parameters.items()) if backend else []  # noqa: SLF001  # moto has no port for it
        wanted, found = path.lstrip("/"), {}
        for name, versions in stored:
            bare = name.lstrip("/")
            below = path.endswith("/") and bare.startswith(wanted)
            if (bare == wanted or below) and versions[-1].parameter_type == "SecureString":
                found[name] = self.key(account, region, versions[-1].keyid)
        return {name: key for name, key in found.items() if key}

    def role_facts(self, account: str, name: str) -> tuple[str, str]:
        """See `Facts.role_facts`."""
        try:
            found = iam_backends[account][_PARTITION].get_role(name)
        except NotFoundException:
            return "", ""
        return str(found.arn), found.permissions_boundary_arn or ""

    def stack(self, account: str, region: str, name: str) -> str:
        """See `Facts.stack`."""
        found = self._facts.stack(account, region, name)
        return found.id if found else ""

    def stack_tags(self, account: str, region: str, resource: str) -> dict[str, str]:
        """The tags of `stack/NAME/ID`."""
        name = resource.split("/")[1] if resource.startswith("stack/") else ""
        found = self._facts.stack(account, region, name) if name else None
        return found.tags if found else {}

    def deployment_group(self, account: str, region: str, deployment: str) -> tuple[str, str]:
        """See `Facts.deployment_group`."""
        return self._facts.deployment_group(account, region, deployment)

    def signing_profile_version(self, account: str, region: str, name: str) -> str:
        """See `Facts.signing_profile_version`."""
        return self._facts.signing_profile_version(account, region, name)

    def moto_bucket(self, name: str) -> Any:
        """Return moto's bucket of any account, or None."""
        if name not in s3_backends.bucket_accounts:
            return None
        partition, account = s3_backends.bucket_accounts[name]
        return s3_backends[account][partition].buckets.get(name)


def stored_policy(document: Any, kind: Kind, name: str) -> Policy:
    """A stored policy; one that IAM would have rejected neither allows nor denies anything."""
    if not document:
        return Policy((), name)
    try:
        return parse(_text(document), kind, name)
    except MalformedPolicyError as error:
        logger.warning("%s is no policy: %s", name, error)
        return Policy((), name)


def _text(document: Any) -> str:
    if isinstance(document, bytes):
        return document.decode()
    return document if isinstance(document, str) else json.dumps(document)
