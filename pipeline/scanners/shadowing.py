"""Find modules in the root that shadow one of Python or of an installed package.

`python -m pipeline.gates.NAME` searches the root first, so that a `json.py` or a `pytest.py` there
would run inside every gate.
"""

from __future__ import annotations

import sys
from functools import cache
from importlib.metadata import distributions
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from pipeline.gates.findings import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator


def of_path(path: str) -> Iterator[Finding]:
    """A finding if the file is, or makes its folder, such a module."""
    first, *rest = PurePosixPath(path).parts
    module = PurePosixPath(first).stem if not rest and path.endswith(".py") else first
    if ((not rest and module != first) or rest == ["__init__.py"]) and module in _taken():
        yield Finding(
            tool="silencing",
            rule="shadowing-module",
            message=f"{path} hides the installed module {module} from each gate; rename it",
            path=path,
            subject=module,
        )


@cache
def _taken() -> frozenset[str]:
    """Names of Python's own modules and of those that are installed as files."""
    installed = {
        PurePosixPath(file.parts[0]).stem
        for distribution in distributions()
        for file in distribution.files or ()
        if file.suffix == ".py"
        and ".." not in file.parts
        and not file.name.startswith("__editable__")
    }
    return frozenset(sys.stdlib_module_names | installed)
