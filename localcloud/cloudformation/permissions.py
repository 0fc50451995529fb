"""The permissions that a stack's role needs for the calls of resource handlers."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from localcloud.cloudformation.handlers.catalogue import needed
from localcloud.core.providers import ProvisioningError
from localcloud.iam import keys

if TYPE_CHECKING:
    from collections.abc import Callable

    from localcloud.cloudformation.handlers.handler import Verb
    from localcloud.cloudformation.model import Stack
    from localcloud.core.credentials import Credentials
    from localcloud.core.providers import Resource, ResourceRequest
    from localcloud.iam.access import Access

    Permit = Callable[[ResourceRequest, Verb, Resource | None], None]

SESSION_NAME = "AWSCloudFormation"
"""The session name of CloudFormation with a service role, as stack events show it."""
_VIA = keys.called_via("cloudformation.amazonaws.com")


class Permissions:
    """Allows or denies the calls of resource handlers.

    CloudFormation uses the stack's service role, or else the caller's credentials ("AWS
    CloudFormation service role").
    """

    def __init__(self, credentials: Credentials, access: Access) -> None:
        self._credentials = credentials
        self._access = access

    def of(self, stack: Stack) -> Permit:
        """Return a function that raises `ProvisioningError` if a permission is missing."""

        def permit(request: ResourceRequest, verb: Verb, current: Resource | None) -> None:
            if not stack.session_key:
                return
            session = self._credentials.session(stack.session_key)
            if session is None or session.expired:
                raise ProvisioningError("The security token included in the request is expired")
            access = self._access
            wanted = needed(request, verb, current, access.stored)
            if session.name != SESSION_NAME:
                wanted = [replace(each, context={**each.context, **_VIA}) for each in wanted]
            refusal = access.own_call(session, stack.region, *wanted)
            if refusal is not None:
                raise ProvisioningError(
                    f'Resource handler returned message: "{refusal.message}" '
                    f"(RequestToken: {_token(stack)}, HandlerErrorCode: AccessDenied)"
                )

        return permit


def _token(stack: Stack) -> str:
    return stack.id.rsplit("/", 1)[-1]
