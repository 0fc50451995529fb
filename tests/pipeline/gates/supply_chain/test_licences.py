from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.metadata import parse_email

from environments.schema import load_home
from environments.supply_chain import Licences, Review
from pipeline.gates.supply_chain import contents
from pipeline.gates.supply_chain.licences import check, declared, policy_status, spdx

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_POLICY = Licences(
    allowed=("MIT", "Apache-2.0", "BSD-3-Clause"), forbidden=("AGPL-3.0-only", "GPL-2.0-only")
)
_MIT, _BSD, _APACHE = (
    f"Classifier: License :: OSI Approved :: {name} License"
    for name in ("MIT", "BSD", "Apache Software")
)


@pytest.mark.parametrize(
    ("lines", "expression", "text"),
    [
        (["License-Expression: mit or apache-2.0"], "MIT OR Apache-2.0", "mit or apache-2.0"),
        (["License-Expression: MIT", "License: GPL-2.0-only"], "MIT", "MIT"),
        (["License: MIT"], "MIT", "MIT"),
        (["License: MIT", _MIT], "MIT", "MIT; OSI Approved :: MIT License"),
        ([_MIT], "MIT", "OSI Approved :: MIT License"),
        (["License: Apache-2.0", _APACHE], "Apache-2.0", None),
        (["License: GPL-2.0-only", _MIT], None, None),
        ([_MIT, _BSD], None, None),
        ([_BSD], None, "OSI Approved :: BSD License"),
        ([_APACHE], None, None),
        (["License: BSD"], None, "BSD"),
        (["License: MIT OR"], None, "MIT OR"),
        (["License: LicenseRef-Ours"], None, "LicenseRef-Ours"),
        ([], None, ""),
    ],
)
def test_a_licence_is_read_from_the_wheels_metadata(
    lines: list[str], expression: str | None, text: str | None
) -> None:
    head = "\n".join(["Metadata-Version: 2.1", "Name: a", "Version: 1", *lines])
    found = declared(parse_email(head.encode())[0])
    assert found.expression == expression
    assert text is None or found.text == text


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("MIT", "allowed"),
        ("Zlib", "unlisted"),
        ("AGPL-3.0-only", "forbidden"),
        ("GPL-2.0", "forbidden"),  # the previous SPDX name
        ("AGPL-3.0-only OR MIT", "allowed"),
        ("AGPL-3.0-only AND MIT", "forbidden"),
        ("Zlib OR AGPL-3.0-only", "unlisted"),
        ("Zlib AND AGPL-3.0-only", "forbidden"),
        ("MIT AND (Zlib OR Apache-2.0)", "allowed"),
        ("Apache-2.0 WITH LLVM-exception", "allowed"),
        ("GPL-2.0-only WITH Classpath-exception-2.0", "unlisted"),
        ("no licence", "unlisted"),
    ],
)
def test_or_takes_the_best_licence_and_and_the_worst(expression: str, expected: str) -> None:
    assert policy_status(expression, _POLICY) == expected


@given(
    st.text()
    | st.lists(st.sampled_from(["MIT", "OR", "AND", "WITH", "(", ")", "/", "+"])).map(" ".join)
)
def test_any_text_is_parsed_as_an_expression_or_none(text: str) -> None:
    found = spdx(text)
    assert found is None or spdx(found) == found


def _rules(
    package: dict[str, str], bundle: Callable[..., Path], policy: Licences
) -> dict[str, tuple[str, str]]:
    found = check(contents.read(bundle(package)), policy, {"alpha": 3}, "requirements/service.txt")
    return {each.subject: (each.rule, each.message) for each in found}


def _policy(**review: str) -> Licences:
    return _POLICY.model_copy(update={"reviewed": (Review(package="alpha", **review),)})


@pytest.mark.parametrize(
    ("says", "rule", "message"),
    [
        ("License-Expression: MIT", None, ""),
        ("License-Expression: AGPL-3.0-only", "forbidden-licence", "which may not be shipped"),
        ("License-Expression: Zlib", "unlisted-licence", "with declared = 'Zlib'"),
        ("License: Ask us", "unknown-licence", "with declared = 'Ask us'"),
        ("Summary: nothing", "unknown-licence", "with declared = ''"),
    ],
)
def test_each_package_is_checked_by_its_licence(
    package: Any, bundle: Any, says: str, rule: str | None, message: str
) -> None:
    found = _rules(package("alpha", "1.0", says), bundle, _POLICY)
    assert list(found) == (["alpha"] if rule else [])
    if rule:
        assert found["alpha"][0] == rule
        assert message in found["alpha"][1]


@pytest.mark.parametrize(
    ("says", "review", "rule"),
    [
        ("License: Ask us", {"declared": "Ask us", "licence": "Zlib"}, None),
        ("License: Ask us", {"declared": "Ask them", "licence": "Zlib"}, "stale-review"),
        ("License: Ask us", {"declared": "Ask us", "licence": "GPL-2.0-only"}, "forbidden-licence"),
        ("License-Expression: MIT", {"declared": "MIT", "licence": "MIT"}, "unused-review"),
        (
            "License-Expression: AGPL-3.0-only",
            {"declared": "AGPL-3.0-only", "licence": "MIT"},
            "forbidden-licence",
        ),
    ],
)
def test_a_licence_review_applies_only_to_the_reviewed_text(
    package: Any, bundle: Any, says: str, review: dict[str, str], rule: str | None
) -> None:
    policy = _policy(**review, reason="somebody has read it")
    found = _rules(package("alpha", "1.0", says), bundle, policy)
    assert {name: each[0] for name, each in found.items()} == ({"alpha": rule} if rule else {})


def test_a_licence_review_of_an_undeployed_package_is_a_finding(package: Any, bundle: Any) -> None:
    policy = _policy(declared="x", licence="MIT", reason="somebody has read it")
    found = _rules(package("beta", "1.0", License_Expression="MIT"), bundle, policy)
    assert found["alpha"] == (
        "unused-review",
        "alpha was reviewed and is not deployed; remove the review",
    )


def test_the_licences_of_vendored_components_are_checked(package: Any, bundle: Any) -> None:
    files = package("alpha", "1.0", License_Expression="MIT")
    files["alpha-1.0.dist-info/sboms/a.cyclonedx.json"] = _BROUGHT_ALONG
    found = _rules(files, bundle, _POLICY)
    assert {name: each[0] for name, each in found.items()} == {
        "alpha/bad": "forbidden-licence",
        "alpha/worse": "forbidden-licence",
        "alpha/silent": "unlisted-licence",
    }
    assert found["alpha/bad"][1].startswith("bad 2.0, which is part of alpha 1.0, is under AGPL")


_BROUGHT_ALONG = """
{"bomFormat": "CycloneDX", "specVersion": "1.5", "components": [
  {"type": "library", "name": "good", "version": "1.0", "licenses": [{"expression": "MIT"}]},
  {"type": "library", "name": "bad", "version": "2.0", "licenses": [
    {"license": {"id": "AGPL-3.0-only"}}], "components": [
      {"type": "library", "name": "worse", "version": "3.0", "licenses": [
        {"license": {"id": "MIT"}}, {"license": {"id": "GPL-2.0-only"}}]}]},
  {"type": "library", "name": "silent", "version": "4.0"},
  {"type": "library", "name": "builder", "version": "5.0", "scope": "excluded"}]}
"""


def test_the_checkouts_own_policy_covers_its_locked_packages() -> None:
    """Every review is of a locked package; the gate checks whether each is needed."""
    licences = load_home().supply_chain.licences
    assert licences.allowed
    assert not set(licences.allowed) & set(licences.forbidden)
    assert {review.package for review in licences.reviewed} == {
        "certifi", "protobuf", "python-dateutil", "s3transfer",
    }  # fmt: skip
