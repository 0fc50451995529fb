"""SBOMs of the real bundle and of fake ones, validated by CycloneDX's schema."""

from __future__ import annotations

import hashlib
import json
import zipfile
from typing import TYPE_CHECKING, Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from environments.schema import load_home
from environments.supply_chain import Licences, Review
from pipeline.builds import bundle as bundles
from pipeline.gates.gate import ROOT
from pipeline.gates.supply_chain import contents, licences, lock, published, sbom
from pipeline.gates.supply_chain.contents import ContentsError

if TYPE_CHECKING:
    from pathlib import Path

LOCK = ROOT / "requirements" / "service.txt"


@pytest.fixture(scope="module")
def real() -> Path:
    return bundles.build("host")


def _document(path: Path, policy: Licences | None = None) -> dict[str, Any]:
    text = sbom.document(path, lock.read(LOCK), policy or load_home().supply_chain.licences)
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    document: dict[str, Any] = json.loads(text)
    return document


def test_the_sbom_lists_exactly_the_contents_of_the_bundle(real: Path) -> None:
    document = _document(real)
    with zipfile.ZipFile(real) as archive:
        folders = {name.split("/")[0] for name in archive.namelist() if ".dist-info/" in name}
    listed = {f"{each['name'].replace('-', '_')}-{each['version']}" for each in _packages(document)}
    assert listed == {_normal(each) for each in folders}
    digest = hashlib.sha256(real.read_bytes()).hexdigest()
    assert document["metadata"]["component"]["hashes"] == [{"alg": "SHA-256", "content": digest}]
    assert published.describes(json.dumps(document).encode(), digest)
    assert not published.describes(json.dumps(document).encode(), "0" * 64)


def test_each_package_has_its_purl_its_licence_and_the_locks_hashes(real: Path) -> None:
    pins = {pin.name: pin for pin in lock.read(LOCK)}
    for each in _packages(_document(real)):
        assert each["purl"] == f"pkg:pypi/{each['name']}@{each['version']}"
        assert [list(choice) for choice in each["licenses"]] == [["acknowledgement", "expression"]]
        (source,) = each["externalReferences"]
        hashes = {one["content"] for one in source["hashes"]}
        assert hashes == set(pins[each["name"]].hashes)


def test_vendored_components_are_nested_in_their_package(real: Path) -> None:
    """pydantic-core's own SBOM lists its crates (PEP 770)."""
    (core,) = [each for each in _packages(_document(real)) if each["name"] == "pydantic-core"]
    crates = {each["name"]: each for each in core["components"]}
    assert {"pyo3", "jiter"} <= crates.keys()
    assert "pyo3-build-config" not in crates  # which only builds it
    assert crates["pyo3"]["purl"].startswith("pkg:cargo/pyo3@")


def test_the_sbom_has_the_dependency_graph(real: Path) -> None:
    document = _document(real)
    needs = {
        each["ref"].split("@")[0]: {other.split("@")[0] for other in each.get("dependsOn", ())}
        for each in document["dependencies"]
    }
    assert "pkg:pypi/starlette" in needs["pkg:pypi/fastapi"]
    assert needs["files"] == {each["purl"].split("@")[0] for each in _packages(document)}
    assert "pkg:pypi/urllib3" in needs["pkg:pypi/botocore"]


def test_the_sbom_is_reproducible_per_bundle(package: Any, bundle: Any) -> None:
    files = package("alpha", "1.0", License_Expression="MIT")
    path = bundle(files)
    first = sbom.document(path, (), Licences())
    assert sbom.document(path, (), Licences()) == first
    assert "timestamp" not in json.loads(first)["metadata"]
    second = sbom.document(
        bundle(files | {"service/more.py": ""}, name="other.zip"), (), Licences()
    )
    assert json.loads(first)["serialNumber"] != json.loads(second)["serialNumber"]


def test_a_licence_is_the_reviewed_else_the_declared_else_the_quoted_one(
    package: Any, bundle: Any
) -> None:
    words = {"declared": "Ask us", "licence": "MIT", "reason": "they were asked"}
    policy = Licences(reviewed=(Review(package="alpha", **words), Review(package="beta", **words)))
    path = bundle(
        package("alpha", "1.0", License="Ask us"),
        package("beta", "1.0", License="Ask them"),
        package("gamma", "1.0", License="mit"),
        package("delta", "1.0"),
    )
    document = json.loads(sbom.document(path, (), policy))
    assert {each["name"]: each.get("licenses") for each in document["components"]} == {
        "alpha": [{"acknowledgement": "concluded", "expression": "MIT"}],
        "beta": [{"license": {"acknowledgement": "declared", "name": "Ask them"}}],
        "gamma": [{"acknowledgement": "declared", "expression": "MIT"}],
        "delta": None,
    }


def test_the_real_bundle_matches_the_lock_and_the_licence_policy(real: Path) -> None:
    pins = lock.read(LOCK)
    held = contents.read(real)
    policy = load_home().supply_chain.licences
    assert list(contents.against_the_lock(held, pins, "x")) == []
    assert list(licences.check(held, policy, {}, "x")) == []


def test_unlocked_and_missing_packages_are_found(package: Any, bundle: Any, root: Path) -> None:
    held = contents.read(bundle(package("alpha", "1.1"), package("evil", "6.6.6")))
    found = contents.against_the_lock(
        held, lock.read(root / "requirements" / "service.txt"), "requirements/service.txt"
    )
    assert [(each.rule, each.subject, each.line) for each in found] == [
        ("not-locked", "alpha", 0),
        ("not-locked", "evil", 0),
        ("not-deployed", "beta", 2),
    ]


def test_nested_vendored_packages_are_listed(package: Any, bundle: Any) -> None:
    inner = {f"alpha/_vendor/{name}": text for name, text in package("evil", "6.6.6").items()}
    held = contents.read(bundle(package("alpha", "1.0"), inner))
    assert [(each.name, each.version) for each in held] == [("alpha", "1.0"), ("evil", "6.6.6")]


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_bundle_with_a_duplicate_file_is_an_error(package: Any, bundle: Any) -> None:
    """An unpacking tool may use either of them."""
    with pytest.raises(ContentsError, match=r"the bundle contains alpha/__init__\.py"):
        contents.read(bundle(package("alpha", "1.0"), {"alpha/__init__.py": "evil = True"}))


def test_a_package_for_another_platform_may_be_absent(package: Any, bundle: Any) -> None:
    held = contents.read(bundle(package("alpha", "1.0")))
    pins = lock.read(LOCK)[:1]
    elsewhere = [pin for pin in pins if pin.marker]
    assert [each.rule for each in contents.against_the_lock(held, elsewhere, "x")] == ["not-locked"]


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"bomFormat": "SPDX"}', '{"bomFormat": "CycloneDX", "components": [{}]}',
     '{"bomFormat": "CycloneDX", "components": [{"name": "a", "licenses": [{}]}]}'],
)  # fmt: skip
def test_an_unreadable_sbom_of_a_wheel_is_an_error(package: Any, bundle: Any, text: str) -> None:
    files = package("alpha", "1.0") | {"alpha-1.0.dist-info/sboms/a.json": text}
    with pytest.raises(ContentsError, match=r"alpha-1\.0\.dist-info/sboms/a\.json(: found| is )"):
        contents.read(bundle(files))


def test_a_package_without_a_name_is_an_error(bundle: Any) -> None:
    with pytest.raises(ContentsError, match=r"a\.dist-info/METADATA names no package"):
        contents.read(bundle({"a.dist-info/METADATA": "Summary: nobody\n"}))


def _packages(document: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = document["components"]
    return found


def _normal(folder: str) -> str:
    name, version = folder.removesuffix(".dist-info").rsplit("-", 1)
    return f"{name.lower().replace('-', '_').replace('.', '_')}-{version}"
