"""Protocols between Lambda and the other services."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from localcloud.core.ports import AliasDeployment

if TYPE_CHECKING:
    from localcloud.core.ports import CodeSignature, Invocation, Routing

Deployer = Callable[[AliasDeployment, threading.Event], None]
"""Shifts an alias and returns when all its traffic is shifted; the event cancels the deployment.

Raises `DeploymentFailedError`.
"""


EventInvoker = Callable[[str, bytes], None]
"""Queues an asynchronous invocation of a function, version or alias by its ARN.

The payload is JSON. Raises `InvocationError` if the invocation is not queued.
"""


class EventFunctions(Protocol):
    """Functions that a rule or a schedule invokes."""

    def queue(self, arn: str, payload: bytes) -> None:
        """See `EventInvoker`."""
        ...

    def allows(
        self,
        account: str,
        region: str,
        function: str,
        qualifier: str | None,
        *,
        principal: str,
        source_arn: str,
    ) -> bool:
        """See `FunctionInvoker.allows`."""
        ...


class FunctionInvoker(Protocol):
    """Invokes functions for a service, if the function's policy allows it."""

    def invoke(
        self,
        account: str,
        region: str,
        function: str,
        qualifier: str | None,
        payload: bytes,
        *,
        trace: str = "",
    ) -> Invocation:
        """Invoke a function by name, partial ARN or ARN; return its answer.

        `payload` is JSON, `trace` an `X-Amzn-Trace-Id`.

        Raises:
            InvocationError: the function was not invoked.
        """
        ...

    def allows(
        self,
        account: str,
        region: str,
        function: str,
        qualifier: str | None,
        *,
        principal: str,
        source_arn: str,
    ) -> bool:
        """Return whether a function's policy allows a service principal for a source.

        Raises:
            InvocationError: the function does not exist.
        """
        ...


class AliasRouter(Protocol):
    """Shifts the traffic of aliases, and invokes the hooks of a deployment."""

    def invoke(
        self, account: str, region: str, function: str, qualifier: str | None, payload: bytes
    ) -> Invocation:
        """See `FunctionInvoker.invoke`."""
        ...

    def routing(self, account: str, region: str, function: str, alias: str) -> Routing:
        """Return where an alias sends its traffic.

        Raises:
            ApiError: the alias does not exist.
        """
        ...

    def route(self, account: str, region: str, function: str, alias: str, routing: Routing) -> None:
        """Set where an alias sends its traffic; durable when this returns.

        Raises:
            ApiError: the alias or a version does not exist, or Lambda rejects the routing.
        """
        ...


class SignatureReader(Protocol):
    """Reads the signatures of code."""

    def signature(self, content: bytes) -> CodeSignature | None:
        """Return the verified signature of a zip, or None if it has none.

        Raises:
            BrokenSignatureError: the zip was changed after it was signed.
        """
        ...
