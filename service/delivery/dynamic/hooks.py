"""Hooks that confine the dynamic gate to one folder of files, and delete it."""

from __future__ import annotations

import atexit
import os
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote

import requests
import schemathesis

if TYPE_CHECKING:
    from schemathesis import Case, HookContext

_FOLDER = "dynamic/"


@schemathesis.hook
def before_call(_context: HookContext, case: Case[Any], _arguments: dict[str, Any]) -> None:
    """Move each generated file into the folder, whatever its path."""
    if "path" in (case.path_parameters or {}):
        path = unquote(str(case.path_parameters["path"])).removeprefix(_FOLDER)
        # A client or proxy may normalise a path with dots, so that it leaves the folder.
        inside = "/".join("dots" if each in {".", ".."} else each for each in path.split("/"))
        case.path_parameters["path"] = quote(_FOLDER + inside)
        # The generated content matches no content type, so a reader could not parse it.
        case.headers["Content-Type"] = "application/octet-stream"


@atexit.register
def _tidy_up() -> None:
    files = os.environ["URL"] + "/files"
    # If nothing responds there is nothing to delete, and the gate reports the failure.
    with suppress(requests.RequestException), requests.Session() as session:
        query: dict[str, str | int] = {"prefix": _FOLDER, "limit": 1000}
        listed = session.get(files, params=query, timeout=10)
        for file in listed.json()["files"] if listed.ok else ():
            session.delete(f"{files}/{quote(file['path'])}", timeout=10)
