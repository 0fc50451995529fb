"""Classify requests to the AWS API by their operation's name or method."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs

_READS = (
    "Get", "List", "Describe", "Head", "BatchGet", "Query", "Scan", "Search", "Lookup", "Simulate",
    "Encrypt", "Decrypt", "ReEncrypt", "GenerateDataKey", "GenerateRandom", "Sign", "Verify",
)  # fmt: skip
_ENDS = ("Delete", "Stop", "Abort", "Terminate", "Cancel")


def changes_state(environ: dict[str, Any]) -> bool:
    """Whether a request may change state."""
    if environ["REQUEST_METHOD"] in {"GET", "HEAD", "OPTIONS"}:
        return False
    return not _operation(environ).startswith(_READS)


def needs_space(environ: dict[str, Any]) -> bool:
    """Whether a request may add to what is stored: not if it deletes or stops something."""
    if environ["PATH_INFO"].startswith("/git-http/"):
        asked = (environ["PATH_INFO"], environ.get("QUERY_STRING", ""))
        return any("git-receive-pack" in each for each in asked)
    if environ["REQUEST_METHOD"] == "DELETE":
        return False
    return changes_state(environ) and not _operation(environ).startswith(_ENDS)


def _operation(environ: dict[str, Any]) -> str:
    """The operation that a request of the JSON or the query protocol names, or ""."""
    target = str(environ.get("HTTP_X_AMZ_TARGET", ""))
    if target:
        return target.rsplit(".", 1)[-1]
    if environ.get("CONTENT_TYPE", "").startswith("application/x-www-form-urlencoded"):
        body: bytes = environ["wsgi.input"].getvalue()
        return parse_qs(body.decode(errors="replace")).get("Action", [""])[0]
    return ""
