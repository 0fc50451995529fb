"""The contents of a sandbox: the runtime's folder and the worker's variables.

Source: "Defined runtime environment variables" in the Lambda developer guide.
"""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from typing import TYPE_CHECKING

from localcloud.awslambda.configuration import RUNTIME

if TYPE_CHECKING:
    from localcloud.awslambda.model import Function, Version
    from localcloud.core.credentials import Session

# The runtime interface client and its dependencies; a function can import these and its bundle.
_CLIENT = ("awslambdaric", "runtime_client", "simplejson", "snapshot_restore_py")


def install_runtime(folder: Path) -> None:
    """Create the folder for `/var/runtime`: links to the runtime interface client."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in _CLIENT:
        spec = importlib.util.find_spec(name)
        if spec is None or spec.origin is None:
            raise ModuleNotFoundError(f"{name} is not installed; Lambda workers require it")
        origin = Path(spec.origin)
        source = origin.parent if origin.name == "__init__.py" else origin
        link = folder / source.name
        link.unlink(missing_ok=True)
        link.symlink_to(source)


def log_group(function: Function, version: Version) -> str:
    """Return the log group of a version."""
    return version.configuration.log_group or f"/aws/lambda/{function.name}"


def variables(
    function: Function, version: Version, stream: str, session: Session, endpoint: str
) -> dict[str, str]:
    """Return a worker's variables: the function's, the role's credentials, Lambda's."""
    configuration = version.configuration
    logging = {
        "AWS_LAMBDA_LOG_FORMAT": configuration.log_format,
        "AWS_LAMBDA_LOG_LEVEL": configuration.application_log_level,
    }
    return {
        "LANG": "C.UTF-8",
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        # The user's own files are for another AWS account, and the worker cannot read them.
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        **configuration.environment,
        **session.environment(),
        **{name: value for name, value in logging.items() if value},
        "AWS_DEFAULT_REGION": function.region,
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_EXECUTION_ENV": f"AWS_Lambda_{RUNTIME}",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(configuration.memory),
        "AWS_LAMBDA_FUNCTION_NAME": function.name,
        "AWS_LAMBDA_FUNCTION_VERSION": version.number,
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": log_group(function, version),
        "AWS_LAMBDA_LOG_STREAM_NAME": stream,
        "AWS_REGION": function.region,
        "AWS_XRAY_CONTEXT_MISSING": "LOG_ERROR",
        "TZ": ":UTC",
        "_HANDLER": configuration.handler,
    }
