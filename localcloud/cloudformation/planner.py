"""The planner of change sets, and the resolver of templates for stacks."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any

from localcloud.cloudformation import parameters as template_parameters
from localcloud.cloudformation.changes import NO_CHANGES, Plan
from localcloud.cloudformation.checks import check_rules
from localcloud.cloudformation.intrinsics import Resolver
from localcloud.cloudformation.lookups import Lookups
from localcloud.cloudformation.template import TemplateError, parse
from localcloud.cloudformation.template_rules import (
    check_conditional_references,
    check_secure_references,
)
from localcloud.core.providers import ResourceRequest

if TYPE_CHECKING:
    from collections.abc import Callable

    from localcloud.cloudformation.exports import Exports
    from localcloud.cloudformation.model import ChangeSet, Stack, StackResource
    from localcloud.core.clients import ClientFactory
    from localcloud.core.credentials import Credentials
    from localcloud.core.providers import Provider, Resource


class Planner:
    """Plans change sets and resolves templates; `provider` returns a type's provider."""

    def __init__(
        self,
        client: ClientFactory,
        credentials: Credentials,
        gateway_endpoint: str,
        exports: Exports,
        provider: Callable[[str], Provider],
    ) -> None:
        self._client = client
        self._credentials = credentials
        self._gateway_endpoint = gateway_endpoint
        self._exports = exports
        self._provider = provider

    def resolver(
        self,
        stack: Stack,
        template: dict[str, Any],
        values: dict[str, str],
        made: dict[str, Resource],
        session_key: str,
        importing: Callable[[str], object] = lambda _name: None,
    ) -> Resolver:
        """Return a resolver of a template's functions for a stack; `made` may change.

        It reads stored parameters and secrets with the session of `session_key`, and calls
        `importing` with the name of each export that is used.

        Raises:
            TemplateError: a parameter's value is not in the Parameter Store.
        """
        account, region = stack.account, stack.region
        session = self._credentials.session(session_key)
        lookups = Lookups(self._client, account, region, session)

        def imported(name: str) -> str:
            found = self._exports.all(account, region).get(name)
            if found is None:
                raise TemplateError(f"No export named {name} found.")
            importing(name)
            return found[1]

        return Resolver(
            template,
            parameters=template_parameters.reference_values(template, values, lookups.parameter),
            pseudo={
                "AWS::AccountId": account,
                "AWS::Region": region,
                "AWS::Partition": "aws",
                "AWS::URLSuffix": "amazonaws.com",
                "AWS::StackId": stack.id,
                "AWS::StackName": stack.name,
                "AWS::NotificationARNs": [],
            },
            resources=made,
            dynamic=lookups.dynamic,
            imported=imported,
            gateway=self._gateway_endpoint,
            kept=_kept(stack, template, values),
        )

    def check_conditional_references(
        self, stack: Stack, template: dict[str, Any], values: dict[str, str], session_key: str
    ) -> None:
        """Check that included parts of a template refer only to included resources.

        Raises:
            TemplateError: as in `template_rules.check_conditional_references` and `resolver`.
        """
        resolver = self.resolver(stack, template, values, {}, session_key)
        check_conditional_references(template, resolver.holds, resolver.condition)

    def plan(self, stack: Stack, change_set: ChangeSet) -> None:
        """Set a change set's changes and status; a failure becomes its status, as on AWS."""
        change_set.status, change_set.execution_status = "FAILED", "UNAVAILABLE"
        try:
            template = parse(change_set.template)
            made = {name: each.made() for name, each in stack.resources.items()}
            resolver = self.resolver(
                stack, template, change_set.parameters, made, change_set.session_key
            )
            check_secure_references(template["Resources"])
            check_rules(template, resolver)
            plan = Plan(stack, resolver, made, self._provider, _request_factory(stack))
            change_set.changes = plan.changes(template)
        except TemplateError as error:
            change_set.reason = str(error)
        else:
            same_outputs = json.loads(stack.template).get("Outputs") == template.get("Outputs")
            same_tags = change_set.tags == stack.tags
            if not change_set.changes and stack.resources and same_outputs and same_tags:
                change_set.reason = NO_CHANGES
            else:
                change_set.status, change_set.execution_status = "CREATE_COMPLETE", "AVAILABLE"


def _kept(stack: Stack, template: dict[str, Any], values: dict[str, str]) -> frozenset[str]:
    """Return the services whose dynamic references keep their values in an update.

    An unchanged template keeps all of them (cloudformation-coverage-roadmap#844, ministack#1647).
    """
    same = json.loads(stack.template) == template and stack.parameters == values
    return frozenset({"secretsmanager", "ssm"} if same else {"secretsmanager"})


def _request_factory(stack: Stack) -> Callable[[StackResource, dict[str, Any]], ResourceRequest]:
    def asked(resource: StackResource, properties: dict[str, Any]) -> ResourceRequest:
        return ResourceRequest(
            type=resource.type,
            logical_id=resource.logical_id,
            account=stack.account,
            region=stack.region,
            stack_name=stack.name,
            stack_id=stack.id,
            properties=properties,
            cancel=threading.Event(),
        )

    return asked
