"""The pre-commit hooks, run on a copy of this checkout, as git would."""

from __future__ import annotations

import os
import random
import shutil
import string
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[2]
_CONFIG = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())
_HOOKS = {hook["id"]: hook for repo in _CONFIG["repos"] for hook in repo["hooks"]}
_RANDOM = "".join(random.Random(36).choices(string.ascii_letters + string.digits, k=36))
_INJECTION = """name: bad
on: push
permissions: {}
concurrency: {group: bad, cancel-in-progress: true}
jobs:
  bad:
    name: bad
    runs-on: ubuntu-24.04
    steps:
      - run: echo ${{ github.event.head_commit.message }}
"""


def _git(root: Path, *arguments: str) -> str:
    who = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    for role in ("AUTHOR", "COMMITTER"):
        who |= {f"GIT_{role}_NAME": "Ada", f"GIT_{role}_EMAIL": "ada@example.com"}
    done = subprocess.run(
        ["git", *arguments], cwd=root, env=os.environ | who, capture_output=True, check=True
    )
    return done.stdout.decode()


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A commit of all files that are tracked, or not ignored."""
    root = tmp_path_factory.mktemp("clone")
    listed = _git(ROOT, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, root / name)
    # The hooks' tools are below the checkout; the rules are already compiled.
    (root / ".venv").symlink_to(sys.prefix)
    (root / ".cache").symlink_to(ROOT / ".cache")
    _git(root, "init", "--quiet", "--initial-branch=main")
    (root / ".git" / "info").mkdir(exist_ok=True)
    (root / ".git" / "info" / "exclude").write_text(".venv\n.cache\n")
    _git(root, "add", "--all")
    _git(root, "commit", "--quiet", "--message", "all")
    return root


@pytest.fixture
def commit(clone: Path) -> Callable[[dict[str, str]], str]:
    """Stage files and run the hooks; return their output, empty if all passed."""

    def run(files: dict[str, str]) -> str:
        _git(clone, "reset", "--quiet", "--hard")
        for name, text in files.items():
            (clone / name).parent.mkdir(parents=True, exist_ok=True)
            (clone / name).write_text(text)
        _git(clone, "add", "--all")
        environment = {k: v for k, v in os.environ.items() if not k.startswith("GIT_")}
        environment["PRE_COMMIT_HOME"] = str(clone / ".git" / "pre-commit")
        done = subprocess.run(
            [sys.executable, "-m", "pre_commit", "run", "--color=never"],
            cwd=clone,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        return "" if done.returncode == 0 else done.stdout + done.stderr

    return run


def test_a_harmless_change_passes(commit: Callable[[dict[str, str]], str]) -> None:
    text = (ROOT / "service" / "app" / "paths.py").read_text()
    assert commit({"service/app/paths.py": f"{text}\n\nNOTHING = 0\n"}) == ""


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("service/hole.py", '"""A hole."""\n\nX = eval("1")\n', "bandit B307"),
        ("keys.txt", f'token = "ghp_{_RANDOM}"\n', "kingfisher"),
        (".github/workflows/bad.yml", _INJECTION, "zizmor template-injection"),
        ("service/app/more.py", '"""More."""\n\nimport numpy\n\nN = numpy.e\n', "deptry DEP00"),
        ("environments/prod.toml", "account = 1\n", "environments/prod.toml: "),
        (
            "service/app/local.py",
            '"""Local."""\n\nimport localcloud\n\nNAME = localcloud.__name__\n',
            "The platform knows the AWS API",
        ),
    ],
    ids=["eval", "secret", "workflow", "dependency", "environment", "the line"],
)
def test_a_planted_defect_is_refused(
    commit: Callable[[dict[str, str]], str], name: str, text: str, said: str
) -> None:
    assert said in commit({name: text})


def test_each_hook_runs_an_existing_tool_of_the_lock() -> None:
    assert {"ruff", "security", "the-line", "environments"} <= _HOOKS.keys()
    for hook in _HOOKS.values():
        program = hook["entry"].split()[0]
        assert program.startswith(".venv/bin/")
        assert (Path(sys.prefix) / program.removeprefix(".venv/")).exists(), program
