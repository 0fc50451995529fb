from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from environments.schema import EnvironmentFileError, load_home

if TYPE_CHECKING:
    from pathlib import Path

    from environments.supply_chain import SupplyChain

_HOME = """
[tool.pithead]
account = "111111111111"
region = "eu-west-1"
repository = "acme/thing"
branch = "main"
connection = "thing"

[tool.pithead.supply-chain]
"""


def _read(folder: Path, text: str) -> SupplyChain:
    (folder / "pyproject.toml").write_text(_HOME + text)
    return load_home(folder).supply_chain


def test_an_empty_policy_allows_nothing(tmp_path: Path) -> None:
    policy = _read(tmp_path, "")
    assert policy.licences.allowed == ()
    assert policy.attested_gates == ()
    assert (policy.approved, policy.index, policy.signing_profile_version) == (None, None, None)


def test_a_whole_policy_is_read(tmp_path: Path) -> None:
    policy = _read(
        tmp_path,
        """
        attested_gates = ["security"]
        approved = ["boto3>=1,<2", "FastAPI"]
        [tool.pithead.supply-chain.index]
        codeartifact = { domain = "acme", repository = "python" }
        [tool.pithead.supply-chain.licences]
        allowed = ["MIT", "GPL-2.0-only WITH Classpath-exception-2.0", "LicenseRef-Ours"]
        [[tool.pithead.supply-chain.licences.reviewed]]
        package = "certifi"
        declared = "MPL-2.0"
        licence = "MPL-2.0"
        reason = "only certificates"
        """,
    )
    assert policy.index
    assert policy.index.codeartifact
    assert policy.licences.reviewed[0].package == "certifi"


_PROFILE = "arn:aws:signer:eu-west-1:{}:/signing-profiles/{}"
_REVIEW = '{{ package = "{}", declared = "x", licence = "{}", reason = "{}" }}'


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("approve = []", "approve: found []; no such key is allowed here"),
        ('approved = ["boto3 1"]', "approved.0: found 'boto3 1'; allowed are a name and"),
        ('approved = ["boto3[crt]"]', "approved.0: found 'boto3[crt]'; a name and its versions"),
        (
            'licences.allowed = ["Apache 2"]',
            "licences.allowed.0: found 'Apache 2'; allowed are SPDX",
        ),
        ('licences.allowed = ["mit"]', "licences.allowed.0: found 'mit'; SPDX writes it 'MIT'"),
        ('licences.allowed = ["MIT OR ISC"]', "licences.allowed.0: found 'MIT OR ISC'; list each"),
        (
            'licences = { allowed = ["MIT", "ISC"], forbidden = ["ISC"] }',
            "licences: found 'ISC' in allowed and in forbidden; remove it from one",
        ),
        (
            f"licences.reviewed = [{_REVIEW.format('Certifi', 'MIT', 'read it all')}]",
            "licences.reviewed.0.package: found 'Certifi'; the index calls it 'certifi'",
        ),
        (
            f"licences.reviewed = [{_REVIEW.format('certifi', 'MPL', 'read it all')}]",
            "licences.reviewed.0.licence: found 'MPL'; allowed are SPDX identifiers",
        ),
        (
            f"licences.reviewed = [{_REVIEW.format('certifi', 'MIT', 'ok')}]",
            "licences.reviewed.0.reason: found 'ok'; string should have at least 10 characters",
        ),
        (
            f"licences.reviewed = [{', '.join([_REVIEW.format('a', 'MIT', 'read it all')] * 2)}]",
            "licences: found two reviews of 'a'; a package has one",
        ),
        ("index = {}", "index: found nothing; allowed is one of url, url_secret and codeartifact"),
        (
            'index = { url = "https://a/", url_secret = "b" }',
            "index: found url and url_secret; allowed is one of",
        ),
        (
            'index = { url = "https://a/simple/" }',
            "index: found url without npm_url; set npm_url to the registry that serves the CDK CLI",
        ),
        (
            'index = { codeartifact = { domain = "acme", repository = "all" }, '
            'npm_url = "https://a/npm/" }',
            "index: found codeartifact and an address for npm; allowed is codeartifact alone",
        ),
        ('index.npm_url = "https://a/npm"', "index.npm_url: found 'https://a/npm'; string should"),
        ('index.url = "https://me:secret@a/"', "index.url: found 'https://me:secret@a/'; string"),
        ('index.url = "pypi"', "index.url: found 'pypi'; string should match"),
        (
            'signing_profile_version = "pithead"',
            "signing_profile_version: found 'pithead'; string should match pattern '^arn:aws:sign",
        ),
        (
            f'signing_profile_version = "{_PROFILE.format("1" * 12, "eu-west-1/../$(id)")}"',
            "signing_profile_version: found 'arn:aws:signer:",
        ),
    ],
)
def test_an_invalid_policy_is_an_error_of_one_sentence(
    tmp_path: Path, text: str, sentence: str
) -> None:
    with pytest.raises(EnvironmentFileError) as error:
        _read(tmp_path, text)
    assert str(error.value).startswith(f"pyproject.toml: tool.pithead.supply-chain.{sentence}")


def test_a_signing_profile_is_the_pipelines_own(tmp_path: Path) -> None:
    own = _PROFILE.format("1" * 12, "pithead/a1B2c3D4e5")
    assert _read(tmp_path, f'signing_profile_version = "{own}"').signing_profile_version == own
    for foreign in (own.replace("1" * 12, "2" * 12), own.replace("eu-west-1", "us-east-1")):
        with pytest.raises(EnvironmentFileError) as error:
            _read(tmp_path, f'signing_profile_version = "{foreign}"')
        assert str(error.value) == (
            f"pyproject.toml: tool.pithead: found supply-chain.signing_profile_version {foreign!r};"
            " it must be one of the pipeline's own account and region, "
            "arn:aws:signer:eu-west-1:111111111111:…"
        )
