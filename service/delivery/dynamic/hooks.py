"""What the dynamic gate may do to this API: write and delete below one folder, and tidy it up."""

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
    """Keep each file that is made up below the folder, whatever its path says."""
    if "path" in (case.path_parameters or {}):
        path = unquote(str(case.path_parameters["path"])).removeprefix(_FOLDER)
        # On its way a path with dots may be made shorter, and lead out of the folder.
        inside = "/".join("dots" if each in {".", ".."} else each for each in path.split("/"))
        case.path_parameters["path"] = quote(_FOLDER + inside)
        # A file says itself what it is, and these would lie: no reader could make sense of them.
        case.headers["Content-Type"] = "application/octet-stream"


@atexit.register
def _tidy_up() -> None:
    files = os.environ["URL"] + "/files"
    # Where nothing answers there is nothing to tidy up, and the gate says so itself.
    with suppress(requests.RequestException), requests.Session() as session:
        query: dict[str, str | int] = {"prefix": _FOLDER, "limit": 1000}
        listed = session.get(files, params=query, timeout=10)
        for file in listed.json()["files"] if listed.ok else ():
            session.delete(f"{files}/{quote(file['path'])}", timeout=10)
