"""A private index by configuration only: pypiserver with wheels made here."""

from __future__ import annotations

import base64
import hashlib
import subprocess
import sys
import zipfile
from typing import TYPE_CHECKING, Any

import pytest

from environments.schema import load_home
from environments.supply_chain import CodeArtifact, Index, SupplyChain
from pipeline.builds import bundle
from pipeline.builds.bundle import BundleError
from pipeline.delivery import package_index
from pipeline.gates.supply_chain import contents, program

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from environments.schema import Home


@pytest.fixture
def wheels(tmp_path: Path) -> Path:
    folder = tmp_path / "wheels"
    folder.mkdir()
    return folder


_SERVER = """
import pathlib, sys, wsgiref.simple_server, pypiserver
password = sys.argv[2]
application = pypiserver.app(
    roots=[pathlib.Path(sys.argv[1])], disable_fallback=True,
    authenticate=["list", "download"] if password else [],
    auther=lambda user, given: (user, given) == ("aws", password),
)
server = wsgiref.simple_server.make_server("127.0.0.1", 0, application)
print(server.server_port, flush=True)
server.serve_forever()
"""


@pytest.fixture
def served(wheels: Path) -> Iterator[Callable[..., str]]:
    """Serve the wheels in a separate process, with a password if there is one."""
    servers = []

    def serve(password: str = "") -> str:
        command = [sys.executable, "-c", _SERVER, str(wheels), password]
        server = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        servers.append(server)
        assert server.stdout
        return f"127.0.0.1:{server.stdout.readline().strip()}/simple/"

    yield serve
    for server in servers:
        server.terminate()
        server.communicate()


@pytest.fixture
def lock(wheels: Path, tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Write a lock of one internal package, whose wheel the index has."""
    digest = _wheel(wheels, "CONTENT = 'ours'\n")
    path = root / "requirements" / "service.txt"
    path.write_text(f"acme-internal==1.0 --hash=sha256:{digest}\n")
    monkeypatch.setattr(bundle, "LOCK", path)
    monkeypatch.setattr(bundle, "ROOT", root)
    (root / "service").mkdir()
    # None of this machine's settings and cached downloads.
    for variable in (
        *package_index.VARIABLES,
        "UV_INDEX",
        "UV_INDEX_URL",
        "UV_FIND_LINKS",
        "PIP_FIND_LINKS",
    ):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("PITHEAD_DOWNLOADS", str(tmp_path / "downloads"))
    return path


def _wheel(folder: Path, source: str) -> str:
    """Build the package's wheel; return its SHA-256."""
    path = folder / "acme_internal-1.0-py3-none-any.whl"
    about = "acme_internal-1.0.dist-info"
    files = {
        "acme_internal.py": source,
        f"{about}/METADATA": "Metadata-Version: 2.4\nName: acme-internal\nVersion: 1.0\n"
        "License-Expression: MIT\n",
        f"{about}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{name},sha256={_record(text)},{len(text)}\n" for name, text in files.items())
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in (files | {f"{about}/RECORD": record + f"{about}/RECORD,,\n"}).items():
            archive.writestr(zipfile.ZipInfo(name), text)
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _record(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode().rstrip("=")


def _home(**chosen: Any) -> Home:
    if "codeartifact" not in chosen:
        chosen = {"npm_url": "https://packages.example.com/npm/"} | chosen
    return load_home().model_copy(update={"supply_chain": SupplyChain(index=Index(**chosen))})


def _set(monkeypatch: pytest.MonkeyPatch, home: Home) -> None:
    """Set the variables of a builder with this home in this process."""
    for name, variable in (package_index.environment(home).environment_variables or {}).items():
        monkeypatch.setenv(name, str(variable.value))


def test_the_bundle_is_built_from_the_index_that_is_configured(
    lock: Path, served: Callable[..., str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    _set(monkeypatch, _home(url=f"http://{served()}"))
    built = bundle.build("host", cache=tmp_path / "bundles")
    assert [(each.name, each.version) for each in contents.read(built)] == [
        ("acme-internal", "1.0")
    ]


def test_pip_uses_the_same_index_and_verifies_the_same_hashes(
    lock: Path, served: Callable[..., str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A builder installs uv itself this way."""
    _set(monkeypatch, _home(url=f"http://{served()}"))
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--require-hashes"]
    command += ["--no-cache-dir", "--dest", str(tmp_path / "got"), "--requirement", str(lock)]
    subprocess.run(command, check=True)
    assert [each.name for each in (tmp_path / "got").iterdir()] == [
        "acme_internal-1.0-py3-none-any.whl"
    ]


def test_an_index_that_serves_other_bytes_is_rejected_by_hash(
    lock: Path,
    wheels: Path,
    served: Callable[..., str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    _wheel(wheels, "CONTENT = 'theirs'\n")
    _set(monkeypatch, _home(url=f"http://{served()}"))
    with pytest.raises(BundleError, match=r"(?s)service\.txt cannot be installed: .*[Hh]ash"):
        bundle.build("host", cache=tmp_path / "bundles")


def test_a_package_missing_from_the_index_is_sought_nowhere_else(
    lock: Path, served: Callable[..., str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    lock.write_text(f"six==1.17.0 --hash=sha256:{'0' * 64}\n")
    _set(monkeypatch, _home(url=f"http://{served()}"))
    with pytest.raises(BundleError, match="six was not found in the package registry"):
        bundle.build("host", cache=tmp_path / "bundles")


def test_the_index_gets_its_credentials(
    lock: Path, served: Callable[..., str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """CodeBuild reads the address from the secret; here it is the secret's value."""
    address = served("token")
    variables = package_index.environment(_home(url_secret="packages/url")).environment_variables
    assert {each.type.name for each in (variables or {}).values() if each.type} == {
        "SECRETS_MANAGER"
    }
    for password, works in (("wrong", False), ("token", True)):
        for name in variables or {}:
            monkeypatch.setenv(name, f"http://aws:{password}@{address}")
        if works:
            assert contents.read(bundle.build("host", cache=tmp_path / "bundles"))
        else:
            with pytest.raises(BundleError, match="403 Forbidden"):
                bundle.build("host", cache=tmp_path / "bundles")


def test_the_build_passes_codeartifacts_token_to_pip_and_uv(
    lock: Path, served: Callable[..., str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The same commands, with a fake AWS CLI of CodeArtifact and another address."""
    home = _home(codeartifact=CodeArtifact(domain="acme", repository="python"))
    assert package_index.environment(home).environment_variables is None
    fetch, *exports = package_index.login(home)
    host = "acme-111111111111.d.codeartifact.eu-west-1.amazonaws.com/pypi/python/simple/"
    assert all(f"https://aws:$token@{host}" in each for each in exports)
    assert "--domain acme --domain-owner 111111111111" in fetch
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "aws").write_text('#!/bin/sh\n[ "$2" = get-authorization-token ] && echo token\n')
    (tools / "aws").chmod(0o755)
    moved = [
        each.replace(f"https://aws:$token@{host}", f"http://aws:$token@{served('token')}")
        for each in exports
    ]
    script = " && ".join([fetch, *moved, "env"])
    done = subprocess.run(
        ["sh", "-c", script],
        env={"PATH": f"{tools}:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=True,
    )
    told = dict(line.split("=", 1) for line in done.stdout.splitlines() if "=" in line)
    for name in package_index.VARIABLES:
        monkeypatch.setenv(name, told[name])
    assert contents.read(bundle.build("host", cache=tmp_path / "bundles"))


def test_the_build_fails_without_a_codeartifact_token(tmp_path: Path) -> None:
    home = _home(codeartifact=CodeArtifact(domain="acme", repository="python"))
    (tmp_path / "aws").write_text("#!/bin/sh\nexit 254\n")
    (tmp_path / "aws").chmod(0o755)
    done = subprocess.run(
        ["sh", "-c", package_index.login(home)[0]],
        env={"PATH": f"{tmp_path}"},
        check=False,
        executable="/bin/sh",
    )
    assert done.returncode == 254


def test_without_an_index_nothing_is_set() -> None:
    home = load_home().model_copy(update={"supply_chain": SupplyChain()})
    assert package_index.environment(home).environment_variables is None
    assert package_index.login(home) == []
    assert package_index.statements(home) == []


def test_builds_may_only_read_from_codeartifact() -> None:
    home = _home(codeartifact=CodeArtifact(domain="acme", repository="python"))
    documents = [each.to_statement_json() for each in package_index.statements(home)]
    assert [each["Action"] for each in documents] == [
        "codeartifact:GetAuthorizationToken",
        "codeartifact:ReadFromRepository",
        "sts:GetServiceBearerToken",
    ]
    assert package_index.statements(_home(url="https://packages.example.com/simple/")) == []


def test_an_unapproved_package_is_refused_whatever_index_has_it(
    lock: Path,
    served: Callable[..., str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    policy: Callable[..., Any],
    advisories: Any,
) -> None:
    built = tmp_path / "bundles"
    _set(monkeypatch, _home(url=f"http://{served()}"))
    make = bundle.build
    monkeypatch.setattr(bundle, "build", lambda _platform: make("host", cache=built))
    policy(approved=("acme-internal==1.0",))
    assert program.run().status == "passed"
    policy(approved=("acme-internal<1.0",))
    assert [each.rule for each in program.run().findings] == ["unapproved-version"]
