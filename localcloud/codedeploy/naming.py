"""What applications, deployment groups and deployment configurations may be called."""

from __future__ import annotations

import re

from localcloud.core.service_api import ApiError

_NAME = re.compile(r"[A-Za-z0-9+=,.@_-]{1,100}")


def check_name(name: str, kind: str) -> None:
    """Refuse a name of an Application, a DeploymentGroup or a DeploymentConfig as AWS does.

    Raises:
        ApiError: Invalid…NameException.
    """
    if not _NAME.fullmatch(name):
        raise ApiError(
            f"Invalid{kind}NameException",
            f"Name {name!r} has other characters than letters, digits and +=,.@_-, "
            "or is not 1 to 100 long",
        )
