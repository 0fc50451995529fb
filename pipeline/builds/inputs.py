"""The digest of all inputs on which the assembly of a synthesis depends.

The variable `PROVED` of the deployed Synth project contains the digest of the inputs that it was
deployed from. Only two events change it: a self-mutation, which runs after gate `synthesis` passed
for these inputs, and a manual deployment of the stack. The proof depends on no file that another
build could have written.

Standard library only: the gate computes the digest without the CDK, whose import takes seconds.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

from pipeline.service import DELIVERY

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

PROVED = "PITHEAD_PROVED_INPUTS"
"""The variable of the Synth build with the digest of the deployed inputs."""
_SOURCES = (
    "pipeline/**/*", f"{DELIVERY}/**/*", "environments/*", "requirements/*.txt", "cdk*.json",
    "pyproject.toml",
)  # fmt: skip


def digest(root: Path, context: Mapping[str, str]) -> str:
    """Return the SHA-256 of the app, its locks and settings below `root`, and the context.

    It does not include the service's app, which `pipeline.builds.bundle` copies unchanged.
    """
    sums = hashlib.sha256(json.dumps(dict(context), sort_keys=True).encode())
    for path in _files(root):
        sums.update(f"\0{path.relative_to(root).as_posix()}\0".encode())
        sums.update(hashlib.sha256(path.read_bytes()).digest())
    return sums.hexdigest()


def _files(root: Path) -> Iterable[Path]:
    found = {path for pattern in _SOURCES for path in root.glob(pattern)}
    return sorted(each for each in found if each.is_file() and each.suffix != ".pyc")
