"""Deployed code is our own source, or a package that is locked and declared."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pipeline.builds import bundle as bundles
from pipeline.gates.report.result import CouldNotRunError
from pipeline.gates.supply_chain import audit as pip_audit
from pipeline.gates.supply_chain import contents, declared, program, sources

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def _undeclared(found: Path, group: list[str]) -> list[str]:
    judged = declared.check(contents.read(found), group, {}, "requirements/service.txt")
    return [each.subject for each in judged]


@pytest.fixture
def packages(package: Callable[..., dict[str, str]], bundle: Callable[..., Path]) -> Path:
    """`alpha` needs `beta`, with its extra `fast` also `gamma`, and on old Pythons `delta`."""
    return bundle(
        package(
            "alpha",
            "1.0",
            "Requires-Dist: Beta>=1",
            "Requires-Dist: gamma; extra == 'fast'",
            "Requires-Dist: delta; python_version < '3.8'",
        ),
        package("beta", "1.0", "Requires-Dist: alpha"),
        package("gamma", "1.0"),
        package("delta", "1.0"),
    )


@pytest.mark.parametrize(
    ("group", "undeclared"),
    [
        (["alpha"], ["delta", "gamma"]),
        (["Alpha[fast]>=1"], ["delta"]),
        (["alpha", "delta"], ["gamma"]),
        (["gamma"], ["alpha", "beta", "delta"]),
    ],
)
def test_a_package_that_nothing_requires_is_a_finding(
    packages: Path, group: list[str], undeclared: list[str]
) -> None:
    assert _undeclared(packages, group) == undeclared


def test_a_locked_but_undeclared_package_refuses(
    assembly: Any, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pip_audit, "audit", lambda *_arguments: (2, []))
    assert program.run().status == "passed"
    (root / "pyproject.toml").write_text('[dependency-groups]\nservice = ["beta"]\n')
    outcome = program.run()
    assert outcome.status == "refused"
    assert "declared undeclared at requirements/service.txt:1: alpha 1.0" in outcome.sentence


@pytest.mark.parametrize(
    ("name", "content", "rule"),
    [
        ("service/app/handler.py", "import os\n", None),
        ("service/app/limits.json", "{}", None),
        ("service/app/routes/files.py", "", None),
        ("service/app/native.so", "\x7fELF\0", "binary-source"),
        ("service/app/innocent.json", "PK\0", "binary-source"),
        ("service/app/acme-1.0-py3-none-any.whl", "PK\3\4\0", "binary-source"),
        ("service/app/__pycache__/hidden.cpython-313.pyc", "\0", "binary-source"),
        ("service/app/vendor/left.py", "", "vendored-source"),
        ("service/app/routes/_vendor/left/pad.py", "", "vendored-source"),
        ("service/app/left-1.0.dist-info/METADATA", "Name: left", "vendored-source"),
        ("service/app/left/PKG-INFO", "Name: left", "vendored-source"),
        ("service/app/left/LICENSE.txt", "Copyright", "vendored-source"),
        ("service/app/alpha/__init__.py", "", "vendored-source"),
        ("service/app/lib/alpha.py", "", "vendored-source"),
    ],
)
def test_our_source_folders_in_the_bundle_contain_only_our_source(
    package: Callable[..., dict[str, str]],
    bundle: Callable[..., Path],
    name: str,
    content: str,
    rule: str | None,
) -> None:
    made = bundle(package("alpha", "1.0"), {name: content})
    assert [each.rule for each in sources.check(made)] == ([rule] if rule else [])


def test_a_vendored_folder_refuses(
    assembly: Any, bundle: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pip_audit, "audit", lambda *_arguments: (2, []))
    vendored = bundle({"service/app/vendor/left.py": ""}, name="vendored.zip").read_bytes()
    for environment in ("dev", "staging", "prod"):
        assembly.publish(environment, "b.zip", vendored)
    assert any(each.rule == "vendored-source" for each in program.run().findings)


def test_our_own_service_is_clean() -> None:
    bundle = bundles.build("host")
    assert list(sources.check(bundle)) == []
    assert _undeclared(bundle, [*program._declared()]) == []


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[dependency-groups]\n",
        '[dependency-groups]\nservice = [{include-group = "none"}]\n',
        '[dependency-groups]\nservice = [{include-group = "service"}]\n',
        '[dependency-groups]\nservice = ["==1"]\n',
    ],
)
def test_a_group_that_cannot_be_read_refuses(root: Path, text: str) -> None:
    (root / "pyproject.toml").write_text(text)
    with pytest.raises(CouldNotRunError, match="dependency group service: "):
        program._declared()
