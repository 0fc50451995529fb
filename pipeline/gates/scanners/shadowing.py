"""Find modules in the root that shadow another module, and compiled modules anywhere.

`python -m pipeline.gates.NAME` searches the root first, so that a `json.py` or a `pytest.py` there
would run inside every gate. Bytecode and extension modules run as well and no scanner reads them.
"""

from __future__ import annotations

import re
import sys
from functools import cache
from importlib.metadata import distributions
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from pipeline.gates.report.findings import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_IMPORTED = re.compile(r"(?P<name>[^.]+)\.(?P<suffix>py|(?:[\w-]+\.)?(?:pyc|pyo|so|pyd))")
"""Names of files that some version of Python imports (`importlib.machinery.all_suffixes`)."""


def of_path(root: Path, path: str) -> Iterator[Finding]:
    """Yield a finding if a path shadows an installed module, or is a compiled module.

    A path may also be a folder, if it is a link or a submodule.
    """
    first, *rest = PurePosixPath(path).parts
    imported = _IMPORTED.fullmatch(PurePosixPath(path).name)
    name = imported["name"] if imported else ""
    if rest:
        hides, module = name == "__init__" and not rest[1:], first
    else:
        hides, module = bool(imported) or (root / path).is_dir(), name or first
    if hides and module in _taken():
        yield _finding(
            "shadowing-module",
            f"{path} hides the installed module {module} from each gate; rename it",
            path,
            module,
        )
    elif imported and imported["suffix"] != "py":
        yield _finding(
            "compiled-module",
            f"{path} is a compiled module, which no scanner reads; remove it and commit its source",
            path,
            path,
        )


def _finding(rule: str, message: str, path: str, subject: str) -> Finding:
    return Finding(tool="silencing", rule=rule, message=message, path=path, subject=subject)


@cache
def _taken() -> frozenset[str]:
    """Return the names of Python's own modules and of the installed ones."""
    installed = {
        file.parts[0].partition(".")[0]
        for distribution in distributions()
        for file in distribution.files or ()
        if _IMPORTED.fullmatch(file.name)
        and ".." not in file.parts
        and not file.name.startswith("__editable__")
    }
    return frozenset(sys.stdlib_module_names | installed)
