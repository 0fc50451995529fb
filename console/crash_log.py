"""The log of an unexpected error, to attach to a bug report.

It contains the command, versions and the traceback: no environment variables, no local variables,
and no credentials, which `_redacted` replaces.
"""

from __future__ import annotations

import os
import platform
import re
import shlex
import sys
import tempfile
import traceback
from importlib.metadata import version
from pathlib import Path

_MIN_SECRET_CHARACTERS = 8
_SECRET_VARIABLE = re.compile(
    r"SECRET|TOKEN|PASSWORD|CREDENTIAL|API_?KEY|ACCESS_?KEY", re.IGNORECASE
)
_URL_CREDENTIALS = re.compile(r"(?<=://)[^\s/@'\"]+(?=@)")
_URL_SIGNATURE = re.compile(
    r"(?<=X-Amz-)(Credential|Security-Token|Signature)=[^\s&'\"]+", re.IGNORECASE
)


def write(error: BaseException) -> Path:
    """Write the log of an error to the temporary folder, readable by its user only.

    Returns its path. Raises OSError if the folder is not writable.
    """
    text = "\n".join(
        (
            f"pithead {version('pithead')}",
            f"command: {shlex.join(['pithead', *sys.argv[1:]])}",
            f"Python {platform.python_version()} on {platform.platform()}",
            "",
            "".join(traceback.format_exception(error)),
        )
    )
    with tempfile.NamedTemporaryFile(
        "w",
        prefix="pithead-",
        suffix=".log",
        delete=False,
        encoding="utf-8",
        errors="backslashreplace",
    ) as log:
        log.write(_redacted(text))
    return Path(log.name)


def _redacted(text: str) -> str:
    """Replace credentials in URLs, and the values of variables whose names say "secret"."""
    for name, value in os.environ.items():
        if _SECRET_VARIABLE.search(name) and len(value) >= _MIN_SECRET_CHARACTERS:
            text = text.replace(value, f"<{name}>")
    return _URL_SIGNATURE.sub(r"\1=<redacted>", _URL_CREDENTIALS.sub("<redacted>", text))
