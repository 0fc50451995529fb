"""The entry point on Lambda: `service.handler.handler`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mangum import Mangum

from service import tracing
from service.app import create_default_app

if TYPE_CHECKING:
    from mangum.types import LambdaContext, LambdaEvent

# Once for each sandbox. With a lifespan, Mangum would run startup again for every request.
_asgi = Mangum(create_default_app(), lifespan="off")


def handler(event: LambdaEvent, context: LambdaContext) -> dict[str, Any]:
    """Answer one API Gateway proxy event."""
    try:
        return _asgi(event, context)
    finally:
        tracing.flush()
