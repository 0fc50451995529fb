"""Policies that IAM and KMS reject and moto accepts: absent principals, policies in use.

Sources: IAM guide, "AWS JSON policy elements: Principal"; KMS guide, "Default key policy"; IAM API,
`DeletePolicy`; terraform-provider-aws#8905, cfn-lint#4287, aws-cdk-pipelines-datalake-
infrastructure#17, terraform-aws-vpc-flow-logs-s3-bucket#3, serverless/components#312.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from moto.core.exceptions import JsonRESTError
from moto.iam.exceptions import DeleteConflictException, MalformedPolicyDocument
from moto.iam.models import IAMBackend, iam_backends
from moto.kms.responses import KmsResponse

from localcloud.iam.documents import MalformedPolicyError, parse
from localcloud.iam.evaluation import AccessRequest, Policies, evaluate
from localcloud.iam.principals import NamedPrincipals, Principal, PrincipalError
from localcloud.moto.checks import install

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_ROLE = re.compile(r"arn:aws:iam::(\d{12}):role/(?:.*/)?([^/]+)")
_create_key, _put_key_policy = KmsResponse.create_key, KmsResponse.put_key_policy


def check_policies() -> None:
    """Make moto reject what IAM and KMS reject."""
    install(
        (
            (IAMBackend, "create_role", _check_trust),
            (IAMBackend, "update_assume_role_policy", _check_trust),
            (IAMBackend, "delete_policy", _check_attached),
        )
    )
    setattr(KmsResponse, "create_key", _checked_key(_create_key))  # noqa: B010  # moto has no port
    setattr(KmsResponse, "put_key_policy", _checked_key(_put_key_policy))  # noqa: B010  # as above
    # moto's own check reads only lists of statements and no principals; `localcloud.iam` has
    # authorized the call before.
    setattr(KmsResponse, "_validate_key_policy", _require_key)  # noqa: B010  # as above


def check_key_policy(account: str, policy: dict[str, Any], *, bypass: bool = False) -> None:
    """Check the policy of a key of an account.

    The account itself, as which the local cloud makes the resources of templates, has to be able
    to change the policy, unless the check of that is bypassed.

    Raises:
        JsonRESTError: MalformedPolicyDocumentException.
    """
    if next(_invalid(policy), ""):
        raise _malformed("Policy contains a statement with one or more invalid principals.")
    try:
        parsed = parse(json.dumps(policy), "resource")
    except MalformedPolicyError as error:
        raise _malformed(str(error)) from error
    root = Principal("account", f"arn:aws:iam::{account}:root", account)
    request = AccessRequest(root, "kms:PutKeyPolicy", "*", account, {})
    policies = Policies(resource=parsed, resource_decides=True)
    if not bypass and not evaluate(request, policies).allowed:
        raise _malformed(
            "The new key policy will not allow you to update the key policy in the future."
        )


def _check_trust(given: dict[str, Any]) -> None:
    text = given.get("policy_document") or given.get("assume_role_policy_document")
    try:
        policy = json.loads(str(text))
    except ValueError as error:
        raise MalformedPolicyDocument("This policy contains invalid Json") from error
    for invalid in _invalid(policy):
        raise MalformedPolicyDocument(f"Invalid principal in policy: {invalid}")


def _check_attached(given: dict[str, Any]) -> None:
    policy = given["self"].get_policy(given["policy_arn"])
    if policy.attachment_count > 0:
        raise DeleteConflictException("Cannot delete a policy attached to entities.")


def _invalid(policy: Any) -> Iterator[str]:
    """The principals of a policy that are malformed, or that are roles which do not exist."""
    stated = policy.get("Statement", []) if isinstance(policy, dict) else []
    for each in [stated] if isinstance(stated, dict) else stated:
        for element in ("Principal", "NotPrincipal"):
            if element in each:
                yield from _invalid_principals(each[element])


def _invalid_principals(stated: Any) -> Iterator[str]:
    try:
        named = NamedPrincipals.of(stated)
    except PrincipalError as error:
        yield str(error)
        return
    for arn in sorted(named.arns):
        role = _ROLE.fullmatch(arn)
        if role and not _exists(role[1], role[2], arn):
            yield f'"AWS":"{arn}"'


def _exists(account: str, name: str, arn: str) -> bool:
    roles = iam_backends[account]["aws"].roles.values()
    return any(each.name == name and each.arn == arn for each in roles)


def _checked_key(operation: Callable[[KmsResponse], str]) -> Callable[[KmsResponse], str]:
    def checked(self: KmsResponse) -> str:
        policy = self._get_param("Policy")  # as its operations do
        if policy:
            try:
                document = json.loads(policy)
            except ValueError as error:
                raise _malformed("Syntax errors in policy.") from error
            bypass = bool(self._get_param("BypassPolicyLockoutSafetyCheck"))  # as above
            check_key_policy(self.current_account, document, bypass=bypass)
        return operation(self)

    return checked


def _require_key(self: KmsResponse, key_id: str, _action: str) -> None:
    self.kms_backend.describe_key(self.kms_backend.get_key_id(key_id))


def _malformed(message: str) -> JsonRESTError:
    return JsonRESTError("MalformedPolicyDocumentException", message)
