"""What the platform asks of a service, and where it finds it; see docs/your-service.md.

The app is `service/app`. All other parts are modules of `service/delivery`, which the platform
imports by the names below. Each part but `name` may be missing: the platform has a default.

| Part | Has | Default |
|---|---|---|
| `name` | `NAME` | none |
| `bundle` | `AWS_SERVICES` | the app calls no AWS service |
| `resources` | `create(stack)` | no resources |
| `reviews` | `REVIEWS` | no reviewed findings of cdk-nag |
| `journey` | `Customer(client)` | `GET /health` answers 200 |
| `rehearsal` | `ACTS`, `CUSTOMERS` | the platform's own act; customers who `GET /` |
| `load/profile.py` | a Locust file | users who `GET /` |
| `dynamic/schemathesis.toml`, `dynamic/hooks.py` | settings of Schemathesis | no hooks |

Standard library only: the bundle of the journeys contains this module.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import ModuleType

APP = "service/app"
"""The folder of the app, which is the service's bundle with its dependencies."""
DELIVERY = "service/delivery"
"""The folder of all other parts."""
HANDLER = "service.app.handler.handler"
"""The function that Lambda calls."""
LOAD_PROFILE = f"{DELIVERY}/load/profile.py"
DYNAMIC_SETTINGS = f"{DELIVERY}/dynamic/schemathesis.toml"
DYNAMIC_HOOKS = f"{DELIVERY}/dynamic/hooks.py"
UNIT_TESTS = "tests/service/app"
INTEGRATION_TESTS = "tests/service/integration"


def part(name: str) -> ModuleType | None:
    """Import a part of the service; return None if the service does not have it.

    Raises:
        ImportError: the part exists, and what it imports does not.
    """
    module = f"{DELIVERY.replace('/', '.')}.{name}"
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        if error.name != module:
            raise
        return None
