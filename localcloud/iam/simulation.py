"""IAM's policy simulator: `SimulatePrincipalPolicy` and `SimulateCustomPolicy`.

Source: both actions of the IAM API reference. As there, only the policies that are named take part:
a role's own and those of the call, and of resources the one that is passed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from moto.core.responses import ActionResult
from moto.iam.exceptions import MalformedPolicyDocument, NotFoundException
from moto.iam.responses import IamResponse

from localcloud.iam.documents import MalformedPolicyError, Policy, parse
from localcloud.iam.evaluation import AccessRequest, Decision, Policies, evaluate
from localcloud.iam.principals import Principal
from localcloud.iam.stored import NoSuchRoleError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from localcloud.iam.documents import Kind
    from localcloud.iam.stored import Stored


def answer_simulations(stored: Stored) -> None:
    """Have moto's IAM answer the two operations, which it does not have."""

    def principal(self: IamResponse) -> ActionResult:
        arn = self.params["PolicySourceArn"]
        try:
            role = stored.role(arn)
        except (NoSuchRoleError, IndexError) as error:
            raise NotFoundException(f"{arn} does not exist or is not a role") from error
        identity = stored.identity_policies(role)
        boundary = role.permissions_boundary_arn
        limit = stored.managed(role.account_id, boundary) if boundary else None
        return _simulated(self.params, arn, identity, limit)

    def custom(self: IamResponse) -> ActionResult:
        arn = self.params.get("CallerArn") or f"arn:aws:iam::{self.current_account}:user/simulated"
        return _simulated(self.params, arn, [], None)

    setattr(IamResponse, "simulate_principal_policy", principal)  # noqa: B010  # moto has no port
    setattr(IamResponse, "simulate_custom_policy", custom)  # noqa: B010  # as above


def _simulated(
    parameters: Mapping[str, Any], arn: str, identity: list[Policy], boundary: Policy | None
) -> ActionResult:
    for number, text in enumerate(parameters.get("PolicyInputList") or [], start=1):
        identity.append(_parsed(text, "identity", f"PolicyInputList.{number}"))
    for text in parameters.get("PermissionsBoundaryPolicyInputList") or []:
        boundary = _parsed(text, "identity", "PermissionsBoundaryPolicyInputList.1")
    own = parameters.get("ResourcePolicy")
    resource = _parsed(own, "resource", "ResourcePolicy") if own else None
    policies = Policies(identity=identity, boundary=boundary, resource=resource)
    context = {
        each["ContextKeyName"].lower(): list(each.get("ContextKeyValues") or [])
        for each in parameters.get("ContextEntries") or []
    }
    caller = parameters.get("CallerArn") or arn
    account = caller.split(":")[4]
    is_user = ":user/" in caller
    principal = Principal("user" if is_user else "session", caller, account, caller)
    owner = (parameters.get("ResourceOwner") or f"::::{account}").split(":")[4]
    results = []
    for action in parameters["ActionNames"]:
        for target in parameters.get("ResourceArns") or ["*"]:
            request = AccessRequest(principal, action, target, owner, context)
            results.append(_result(request, policies, evaluate(request, policies)))
    return ActionResult({"EvaluationResults": results, "IsTruncated": False})


def _result(request: AccessRequest, policies: Policies, decision: Decision) -> dict[str, Any]:
    if decision.allowed:
        outcome = "allowed"
    else:
        outcome = "explicitDeny" if decision.explicit else "implicitDeny"
    found: dict[str, Any] = {
        "EvalActionName": request.action,
        "EvalResourceName": request.resource,
        "EvalDecision": outcome,
        "MatchedStatements": [
            {"SourcePolicyId": policy.name, "SourcePolicyType": "IAM Policy"}
            for policy, _ in decision.matched
        ],
        "MissingContextValues": _missing(request, policies),
    }
    if policies.boundary is not None:
        alone = evaluate(request, Policies(identity=[policies.boundary]))
        detail = {"AllowedByPermissionsBoundary": alone.allowed}
        found["PermissionsBoundaryDecisionDetail"] = detail
    return found


def _missing(request: AccessRequest, policies: Policies) -> list[str]:
    """The condition keys that statements on the action ask for and the call does not give."""
    return sorted(
        {
            condition.name
            for policy in policies.identity
            for statement in policy.statements
            if (statement.actions.fullmatch(request.action) is None) == statement.not_actions
            for condition in statement.conditions
            if condition.key not in request.context
        }
    )


def _parsed(text: str, kind: Kind, name: str) -> Policy:
    try:
        return parse(text, kind, name)
    except MalformedPolicyError as error:
        raise MalformedPolicyDocument(str(error)) from error
