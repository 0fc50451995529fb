"""Decide the calls of role sessions by what is deployed."""

from __future__ import annotations

import logging
import threading
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from localcloud.core.credentials import Caller
from localcloud.iam import keys
from localcloud.iam.acting import ServicePrincipal
from localcloud.iam.actions import s3
from localcloud.iam.actions.call import Needed
from localcloud.iam.actions.needed import needed
from localcloud.iam.documents import Policy, parse
from localcloud.iam.evaluation import AccessRequest, Policies, denial, evaluate
from localcloud.iam.principals import Principal
from localcloud.iam.propagation import Propagation
from localcloud.iam.reading import read_call, read_s3
from localcloud.iam.resource_policies import ResourcePolicies
from localcloud.iam.service_facts import ServiceFacts
from localcloud.iam.stored import NoSuchRoleError, Stored
from localcloud.iam.tags import ResourceTags
from localcloud.iam.usage import Usage

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from localcloud.core.core import Core
    from localcloud.core.credentials import Session
    from localcloud.core.delays import Delays
    from localcloud.iam.evaluation import Decision

logger = logging.getLogger(__name__)
Mode = Literal["enforce", "soft"]
MODES: tuple[Mode, ...] = ("enforce", "soft")
_ARN_PARTS = 6
_EVERYTHING = parse(
    '{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}',
    "identity",
)


@dataclass(frozen=True)
class Refusal:
    """A denied call, in AWS's words."""

    message: str


class Access:
    """Decides calls; `mode` says whether a denial is enforced or only logged."""

    def __init__(self, core: Core, delays: Delays, mode: Mode) -> None:
        self.core = core
        self.mode = mode
        self.propagation = Propagation(core.clock, delays)
        self.facts = ServiceFacts()
        self.stored = Stored(self.facts, self.propagation)
        self.usage = Usage(core.ledger, core.clock)
        self.tags = ResourceTags(self.stored)
        self._resource_policies = ResourcePolicies(self.facts, self.stored)
        self._lock = threading.Lock()
        self._logged: set[str] = set()

    def refusal(self, environ: Mapping[str, Any], caller: Caller) -> Refusal | None:
        """Why a signed request is denied, or None; an administrator's key may do everything."""
        session = self.core.credentials.session(caller.access_key)
        if session is None:
            return None
        denied = self._denied_session(session, caller, self._needed(environ, caller))
        return None if denied is None else self.reported(denied)

    def denied(self, caller: Caller, *wanted: Needed) -> Refusal | None:
        """Why a caller is denied a call that is decided in every mode, or None.

        The administrator of another account needs the resource's policy.
        """
        session = self.core.credentials.session(caller.access_key)
        return self._denied_session(session, caller, wanted)

    def own_call(
        self, actor: Session | ServicePrincipal, region: str, *wanted: Needed
    ) -> Refusal | None:
        """Why a call that a service makes for itself is denied, or None.

        The actor is the session of a role that the service has assumed, or the service's own
        principal, whom the resource's policy has to allow.
        """
        denied = self.denied_own_call(actor, region, *wanted)
        return None if denied is None else self.reported(denied)

    def denied_own_call(
        self, actor: Session | ServicePrincipal, region: str, *wanted: Needed
    ) -> Refusal | None:
        """Why a service's own call is denied, for a call that is decided in every mode."""
        if not isinstance(actor, ServicePrincipal):
            caller = Caller(actor.access_key, actor.account, region, "")
            return self._denied_session(actor, caller, wanted)
        for each in wanted:
            denied = self._denied_service(actor, region, each)
            if denied is not None:
                return denied
        return None

    def assumption(
        self, caller: Caller, role_arn: str, context: Mapping[str, Sequence[str]]
    ) -> Refusal | None:
        """Why a caller may not assume a role, or None.

        The role's trust is checked in every mode; the caller's own policies as `refusal` does. To
        another account AWS names no reason.
        """
        wanted = Needed("sts:AssumeRole", role_arn, context=context)
        session = self.core.credentials.session(caller.access_key)
        request, policies = self._asked(session, caller, wanted)
        decision = evaluate(request, replace(policies, identity=[_EVERYTHING], boundary=None,
                                             session=None))  # fmt: skip
        refused = _refused_assumption(request, decision)
        if refused is not None or session is None:
            return refused
        refused = _refused_assumption(request, evaluate(request, policies))
        if refused is not None:
            return self.reported(refused)
        self.usage.record(session.role_arn, wanted.action, caller.region)
        return None

    def trusts_service(self, role_arn: str, service: str, source_arn: str) -> bool:
        """Whether a role's trust policy allows a service that works for a resource.

        Raises:
            NoSuchRoleError: there is no such role.
        """
        actor = ServicePrincipal(service, source_arn)
        return self._denied_service(actor, "", Needed("sts:AssumeRole", role_arn)) is None

    def reported(self, refusal: Refusal) -> Refusal | None:
        """The refusal if denials are enforced; else log it, once for each text."""
        if self.mode == "enforce":
            return refusal
        with self._lock:
            new = refusal.message not in self._logged
            self._logged.add(refusal.message)
        if new:
            logger.warning("would deny: %s", refusal.message)
        return None

    def _denied_session(
        self, session: Session | None, caller: Caller, wanted: Sequence[Needed]
    ) -> Refusal | None:
        for each in wanted:
            request, decision = self.decide(session, caller, each)
            if not decision.allowed:
                return Refusal(_text(request, decision))
            if session is not None:
                self.usage.record(session.role_arn, each.action, caller.region)
        return None

    def _denied_service(
        self, actor: ServicePrincipal, region: str, wanted: Needed
    ) -> Refusal | None:
        account = wanted.account or _account(wanted.resource)
        context = keys.of_request(self.core.clock.timestamp(), region, account)
        context |= keys.of_service(actor) | self.tags.keys(wanted.resource) | dict(wanted.context)
        principal = Principal("service", actor.name)
        request = AccessRequest(principal, wanted.action, wanted.resource, account, context)
        trust = wanted.action == "sts:AssumeRole"
        decision = evaluate(
            request,
            Policies(
                resource=self._resource_policies.of(wanted.resource),
                resource_type="trust" if trust else "resource",
            ),
        )
        return None if decision.allowed else Refusal(denial(request, decision, actor.described))

    def decide(
        self, session: Session | None, caller: Caller, wanted: Needed
    ) -> tuple[AccessRequest, Decision]:
        """Decide one action of a session, or of an account's administrator, as of now."""
        request, policies = self._asked(session, caller, wanted)
        return request, evaluate(request, policies)

    def _asked(
        self, session: Session | None, caller: Caller, wanted: Needed
    ) -> tuple[AccessRequest, Policies]:
        """The request of a caller, and all policies that apply to it."""
        account = wanted.account or _account(wanted.resource) or caller.account
        role = self._role(session)
        if session is None:
            root = f"arn:aws:iam::{caller.account}:root"
            principal = Principal("account", root, caller.account)
        else:
            principal = Principal("session", session.arn, session.account, session.role_arn)
        context = keys.of_request(self.core.clock.timestamp(), caller.region, account)
        context |= keys.of_principal(principal, role)
        context |= self.tags.keys(wanted.resource) | dict(wanted.context)
        if wanted.action.startswith("kms:"):
            context["kms:calleraccount"] = [caller.account]
        request = AccessRequest(principal, wanted.action, wanted.resource, account, context)
        return request, self._policies(session, role, wanted)

    def _role(self, session: Session | None) -> Any:
        """Return moto's role of a session, or None if it does not exist any more."""
        if session is None:
            return None
        try:
            return self.stored.role(session.role_arn)
        except NoSuchRoleError:
            return None

    def _policies(self, session: Session | None, role: Any, wanted: Needed) -> Policies:
        service = wanted.resource.split(":")[2] if wanted.resource.count(":") > 1 else ""
        trust = wanted.action == "sts:AssumeRole"
        resource = None
        if trust or service != "iam":  # a trust policy does not apply to calls to IAM
            with suppress(NoSuchRoleError):
                resource = self._resource_policies.of(wanted.resource)
        boundary = role.permissions_boundary_arn if role else None
        given = session.policies if session else None
        return Policies(
            identity=self.stored.identity_policies(role) if role else [],
            boundary=self._boundary(role.account_id, boundary) if boundary else None,
            session=None if given is None else [parse(each, "identity") for each in given],
            resource=resource,
            resource_type="trust" if trust else "resource",
            resource_decides=trust or service == "kms",
        )

    def _boundary(self, account: str, arn: str) -> Policy:
        """A permissions boundary; a policy that does not exist allows nothing."""
        return self.stored.managed(account, arn) or Policy((), arn)

    def _needed(self, environ: Mapping[str, Any], caller: Caller) -> list[Needed]:
        if caller.service == "s3":
            return s3.needed(read_s3(environ, caller), self.stored)
        return needed(read_call(environ, caller), self.stored)


def _refused_assumption(request: AccessRequest, decision: Decision) -> Refusal | None:
    if decision.allowed:
        return None
    same_account = request.principal.account == request.resource_account
    return Refusal(denial(request, decision, reason=same_account))


def _text(request: AccessRequest, decision: Decision) -> str:
    """AWS's text.

    S3 says nothing to another account ("Troubleshoot access denied errors"); a role of another
    account cannot be passed whatever a policy says (aws-cdk#28122, aws-cdk#28325).
    """
    across = request.principal.account != request.resource_account
    through = "".join(request.context.get("kms:viaservice", []))
    if through.startswith("secretsmanager."):  # aws-cdk#14043
        return "Access to KMS is not allowed"
    if across and request.action == "iam:PassRole":
        return "Cross-account pass role is not allowed."
    if across and request.action.startswith("s3:"):
        return "Access Denied"
    return denial(request, decision)


def _account(resource: str) -> str:
    parts = resource.split(":", _ARN_PARTS - 1)
    return parts[4] if len(parts) == _ARN_PARTS and parts[4].isdigit() else ""
