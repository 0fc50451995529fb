"""Names of applications, deployment groups and deployment configurations."""

from __future__ import annotations

import re

from localcloud.core.service_api import ApiError

_NAME = re.compile(r"[A-Za-z0-9+=,.@_-]{1,100}")


def check_name(name: str, kind: str) -> None:
    """Check the name of an Application, a DeploymentGroup or a DeploymentConfig.

    Raises:
        ApiError: the name is invalid (Invalid…NameException).
    """
    if not _NAME.fullmatch(name):
        raise ApiError(
            f"Invalid{kind}NameException",
            f"Name {name!r} is invalid; use 1 to 100 characters, which may be letters, digits and "
            "+=,.@_-",
        )
