"""The separation of the platform and the local cloud, and other import contracts."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

from pipeline import names

ROOT = Path(__file__).parents[2]


def _strings(path: Path) -> list[str]:
    """Return the string constants that a module's code uses, without docstrings."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    said = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    return [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in said
    ]


def test_the_import_contracts_hold() -> None:
    done = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_local_cloud_contains_no_name_of_the_platform() -> None:
    ours = (
        names.STACK, names.NAMESPACE, names.OVERRIDE_PARAMETER, *names.RAILS, "SelfMutate",
        "Synth_Output", "FileAssets",
    )  # fmt: skip
    for path in (ROOT / "localcloud").rglob("*.py"):
        for text in _strings(path):
            for name in ours:
                assert name not in text, f"{path.relative_to(ROOT)} says {name!r} in {text!r}"
