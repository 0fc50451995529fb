"""Environment variables of the local cloud: an allow-list of the user's.

`/proc/PID/environ` of the process contains no credentials of the user. No profile or endpoint of
the user's shell redirects the cloud's own AWS clients, builds or functions.
"""

from __future__ import annotations

import os
import re
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_KEPT = re.compile(
    # Where programs, caches and temporary files are, and the language of messages.
    "PATH|HOME|USER|LOGNAME|SHELL|TMPDIR|TZ|LANG|LC_[A-Z]+|XDG_CACHE_HOME"
    # How the network, its certificates and the package indexes are reached.
    "|(HTTP|HTTPS|ALL|NO)_PROXY|(http|https|all|no)_proxy|SSL_CERT_FILE|SSL_CERT_DIR"
    "|REQUESTS_CA_BUNDLE|CURL_CA_BUNDLE|NODE_EXTRA_CA_CERTS|GIT_SSL_CAINFO"
    "|PIP_.*|UV_.*|NPM_CONFIG_.*|npm_config_.*"
    # Of Python, what changes how it runs and not what.
    "|VIRTUAL_ENV|PYTHONHASHSEED|PYTHONUTF8|PYTHONDONTWRITEBYTECODE|PYTHONPYCACHEPREFIX"
    "|PYTHONSAFEPATH"
)
_OWN = {
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
}


def scrubbed(environment: Mapping[str, str]) -> dict[str, str]:
    """What of an environment is kept, and what is set."""
    kept = {name: value for name, value in environment.items() if _KEPT.fullmatch(name)}
    return kept | _OWN


def scrub() -> None:
    """Begin this program again with a scrubbed environment, unless it has one."""
    wanted = scrubbed(os.environ)
    if wanted != dict(os.environ):
        os.execve(sys.executable, sys.orig_argv, wanted)  # noqa: S606  # itself
