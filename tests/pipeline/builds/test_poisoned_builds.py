"""No later build uses files of a hostile commit's build; with real build commands."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]
POISON = "POISONED"

# A hostile `conftest.py`: change everything that its build can write.
_HOSTILE = f"""
import importlib.util, io, marshal, os, pathlib, sys, tarfile, zipfile
code = compile("print('{POISON}')\\n", "x", "exec")
places = [pathlib.Path(each) for each in (".venv", ".cache", os.environ["HOME"], *sys.argv[1:])]
for file in [file for place in places for file in place.rglob("*")]:
    if not file.is_file() or file.is_symlink():
        continue
    if file.suffix in {{".zip", ".whl"}}:
        with zipfile.ZipFile(file, "a") as archive:
            archive.writestr("acme_{POISON}.py", "{POISON}")
    elif file.suffix == ".pyc":
        file.write_bytes(importlib.util.MAGIC_NUMBER + b"\\1\\0\\0\\0" + bytes(8)
                         + marshal.dumps(code))
    elif file.suffix == ".py":
        file.write_text("# {POISON}\\n" + file.read_text())
    elif file.suffix == ".tgz" or file.name == "cdk":
        file.write_bytes(b"{POISON}")
"""
_BUNDLE = """.venv/bin/python -c '
import shutil
from pipeline.builds import bundle
shutil.copy(bundle.build("host"), "made.zip")'"""


@dataclass(frozen=True)
class Builder:
    """A CodeBuild host: a folder for sources, a HOME, and a project's cache."""

    folder: Path
    spec: dict[str, Any]
    variables: dict[str, str]

    @property
    def source(self) -> Path:
        return self.folder / "src"

    def build(self, checkout: Path, *commands: str) -> None:
        """Run the install phase and commands on a fresh clone; restore and save the cache."""
        for each in ("src", "home"):
            shutil.rmtree(self.folder / each, ignore_errors=True)
        shutil.copytree(checkout, self.source)
        (self.folder / "home").mkdir()
        cached = self.spec.get("cache", {}).get("paths", [])
        self._move(cached, "kept", "")
        script = "\n".join([*self.spec["phases"]["install"]["commands"], *commands])
        subprocess.run(
            ["sh", "-e", "-c", script],
            cwd=self.source,
            env=self.variables | {"HOME": str(self.folder / "home")},
            check=True,
        )
        self._move(cached, "", "kept")

    def _move(self, patterns: list[str], before: str, after: str) -> None:
        for pattern in patterns:
            path = pattern.split("/**")[0]
            path = path.replace("/root/", "home/") if path[0] == "/" else f"src/{path}"
            one, other = self.folder / before / path, self.folder / after / path
            if one.exists():
                other.parent.mkdir(parents=True, exist_ok=True)
                one.rename(other)


@pytest.fixture
def index(tmp_path: Path) -> Path:
    """A folder with the only wheel and npm package."""
    folder = tmp_path / "index"
    folder.mkdir()
    about = "acme-1.0.dist-info"
    files = {
        "acme/__init__.py": "CONTENT = 'ours'\n",
        f"{about}/METADATA": "Metadata-Version: 2.4\nName: acme\nVersion: 1.0\n",
        f"{about}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{name},sha256={_record(text)},{len(text)}\n" for name, text in files.items())
    with zipfile.ZipFile(folder / "acme-1.0-py3-none-any.whl", "w") as archive:
        for name, text in (files | {f"{about}/RECORD": f"{record}{about}/RECORD,,\n"}).items():
            archive.writestr(zipfile.ZipInfo(name), text)
    with tarfile.open(folder / "aws-cdk-1.tgz", "w:gz") as cli:
        program = b"#!/bin/sh\necho the CDK\n"
        entry = tarfile.TarInfo("package/bin/cdk")
        entry.size = len(program)
        cli.addfile(entry, io.BytesIO(program))
    return folder


def _record(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode().rstrip("=")


@pytest.fixture
def checkout(tmp_path: Path, index: Path) -> Path:
    """A commit with modules for its install phase and bundle, a lock and a service."""
    folder = tmp_path / "commit"
    for each in ("pipeline/builds", "requirements", "service/app", "service/delivery"):
        (folder / each).mkdir(parents=True)
    for module in ("__init__", "service", "builds/__init__", "builds/bundle", "builds/downloads"):
        file = f"pipeline/{module}.py"
        shutil.copy(ROOT / file, folder / file)
    cli = hashlib.sha512((index / "aws-cdk-1.tgz").read_bytes()).hexdigest()
    names = f'CDK_CLI = "1"\nCDK_CLI_SHA512 = "{cli}"\n'
    (folder / "pipeline" / "names.py").write_text(names)
    wheel = hashlib.sha256((index / "acme-1.0-py3-none-any.whl").read_bytes()).hexdigest()
    for lock in ("synth", "service"):
        text = f"acme==1.0 --hash=sha256:{wheel}\n"
        (folder / "requirements" / f"{lock}.txt").write_text(text)
    (folder / "service" / "app" / "handler.py").write_text("import acme\n")
    (folder / "service" / "delivery" / "__init__.py").touch()
    return folder


@pytest.fixture(params=["caches of the build alone", "an image whose caches all builds share"])
def builder(request: pytest.FixtureRequest, tmp_path: Path, index: Path, assembly: Any) -> Builder:
    """A builder with the pipeline's own build, as on AWS or as in the local cloud."""
    (spec,) = (
        json.loads(project["Source"]["BuildSpec"])
        for project in assembly.delivery.of_type("AWS::CodeBuild::Project").values()
        if "pipeline.gates.synthesis" in json.dumps(project)
    )
    tools = tmp_path / "bin"
    tools.mkdir()
    npm = f'#!/bin/sh\ncase "$1" in pack) cp {index}/*.tgz "$4";; esac\n'
    (tools / "npm").write_text(npm)
    (tools / "npm").chmod(0o755)
    beside = Path(sys.executable).parent
    variables = {
        "PATH": os.pathsep.join([str(tools), str(beside), "/usr/bin", "/bin"]),
        "UV_FIND_LINKS": str(index),
        "UV_NO_INDEX": "1",
        "PIP_FIND_LINKS": str(index),
        "PIP_NO_INDEX": "1",
    }
    if request.param.startswith("an image"):
        image = tmp_path / "image"
        places = {"XDG_CACHE_HOME": "cache", "UV_CACHE_DIR": "uv", "PYTHONPYCACHEPREFIX": "pyc"}
        variables |= {name: str(image / place) for name, place in places.items()}
    # On AWS the runtime is installed first; here it exists.
    return Builder(tmp_path / "builder", spec, variables)


def test_a_hostile_build_cannot_poison_later_builds(
    builder: Builder, checkout: Path, tmp_path: Path
) -> None:
    builder.build(checkout, _BUNDLE)
    clean = (builder.source / "made.zip").read_bytes()

    hostile = tmp_path / "hostile"
    shutil.copytree(checkout, hostile)
    (hostile / "hostile.py").write_text(_HOSTILE)
    builder.build(hostile, _BUNDLE, f".venv/bin/python hostile.py {tmp_path / 'image'}")

    builder.build(checkout, _BUNDLE)  # the revert
    assert (builder.source / "made.zip").read_bytes() == clean
    left = [
        file
        for place in (".venv", ".cache")
        for file in (builder.source / place).rglob("*")
        if file.is_file() and POISON.encode() in file.read_bytes()
    ]
    assert left == []
    (program,) = (builder.source / ".cache").glob("cdk-*/bin/cdk")
    assert program.read_text() == "#!/bin/sh\necho the CDK\n"
    # Damaged cached downloads have been downloaded again.
    builder.build(checkout, "! grep -rl POISONED $PITHEAD_DOWNLOADS")
