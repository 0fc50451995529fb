"""A copy of this checkout in which another service replaces the files API.

Only the parts of a team are replaced: `service`, `tests/service`, the dependency group `service`
with its lock, and the reviews of licences of packages that are no longer deployed.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from importlib.metadata import requires
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
OTHER = Path(__file__).parent / "other_service"
NAME = "squares"
_DEPENDENCIES = ("fastapi>=0.165", "mangum>=0.22", "pydantic>=2.14")


def replaced(folder: Path) -> Path:
    """Copy the checkout to a folder, replace the service, and commit all of it."""
    listed = _git(ROOT, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    for part in ("service", "tests/service"):
        shutil.rmtree(folder / part)
        shutil.copytree(OTHER / part, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
    _replace_dependencies(folder)
    # Caches of the checkout also serve its copy: the CDK CLI and the dependencies' zip.
    (ROOT / ".cache").mkdir(exist_ok=True)
    (folder / ".cache").symlink_to(ROOT / ".cache")
    _git(folder, "init", "--quiet", "--initial-branch=main")
    _git(folder, "add", "--all")
    _git(folder, "commit", "--quiet", "--message", "Deliver the squares API")
    return folder


def _replace_dependencies(folder: Path) -> None:
    """Do as `make lock` does after an edit of the group: keep the pins that are still needed."""
    needed = _closure()
    lock = folder / "requirements" / "service.txt"
    pins = re.split(r"^(?=[a-z])", lock.read_text(encoding="utf-8"), flags=re.MULTILINE)
    kept = [each for each in pins if each.partition("==")[0] in needed or each.startswith("#")]
    lock.write_text("".join(kept), encoding="utf-8")
    project = folder / "pyproject.toml"
    text = project.read_text(encoding="utf-8")
    group = "".join(f'    "{each}",\n' for each in _DEPENDENCIES)
    text = re.sub(
        r"^service = \[\n.*?^\]", f"service = [\n{group}]", text, flags=re.MULTILINE | re.DOTALL
    )
    before, *reviews = text.split("[[tool.pithead.supply-chain.licences.reviewed]]\n")
    last, *after = reviews[-1].split("\n[tool.", 1)
    still = [
        f"[[tool.pithead.supply-chain.licences.reviewed]]\n{each}\n"
        for each in [*reviews[:-1], last]
        if re.findall(r'^package = "(.+)"', each, re.MULTILINE)[0] in needed
    ]
    project.write_text(f"{before}{''.join(still)}[tool.{after[0]}", encoding="utf-8")


def _closure() -> set[str]:
    """Return the packages that the service needs, also indirectly."""
    found: set[str] = set()
    left = [Requirement(each) for each in _DEPENDENCIES]
    while left:
        each = left.pop()
        name = canonicalize_name(each.name)
        if name not in found:
            found.add(name)
            needed = map(Requirement, requires(name) or ())
            left += [one for one in needed if not one.marker or one.marker.evaluate({"extra": ""})]
    return found


def _git(folder: Path, *arguments: str) -> str:
    who = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    for role in ("AUTHOR", "COMMITTER"):
        who |= {f"GIT_{role}_NAME": "Ada", f"GIT_{role}_EMAIL": "ada@example.com"}
    done = subprocess.run(
        ["git", *arguments], cwd=folder, env=os.environ | who, capture_output=True, check=True
    )
    return done.stdout.decode()
