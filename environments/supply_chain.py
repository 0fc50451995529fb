"""The supply-chain policy: `[tool.pithead.supply-chain]`.

The default is to allow nothing: without its table, every licence and every promotion is refused.
"""

from __future__ import annotations

from typing import Annotated

from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name
from pydantic import AfterValidator, Field, model_validator

from environments.part import Part


def _spdx(text: str) -> str:
    try:
        canonical = str(canonicalize_license_expression(text))
    except InvalidLicenseExpression as error:
        raise ValueError(
            f"found {text!r}; allowed are SPDX identifiers, such as MIT or Apache-2.0"
        ) from error
    if canonical != text:
        raise ValueError(f"found {text!r}; SPDX writes it {canonical!r}")
    return text


def _one_licence(text: str) -> str:
    if {"AND", "OR"} & set(_spdx(text).split()):
        raise ValueError(f"found {text!r}; list each licence by itself")
    return text


def _package(name: str) -> str:
    if canonicalize_name(name) != name:
        raise ValueError(f"found {name!r}; the index calls it {canonicalize_name(name)!r}")
    return name


def _approval(text: str) -> str:
    try:
        found = Requirement(text)
    except InvalidRequirement as error:
        raise ValueError(
            f"found {text!r}; allowed are a name and its versions, such as 'boto3>=1.40,<2'"
        ) from error
    if found.url or found.extras or found.marker:
        raise ValueError(f"found {text!r}; a name and its versions are all that is approved")
    return text


Licence = Annotated[str, AfterValidator(_one_licence)]
Expression = Annotated[str, AfterValidator(_spdx)]
Package = Annotated[str, AfterValidator(_package)]
Approval = Annotated[str, AfterValidator(_approval)]
ProfileVersion = Annotated[
    str,
    # Patterns from "PutSigningProfile".
    Field(
        pattern=r"^arn:aws:signer:[a-z0-9-]+:[0-9]{12}:"
        r"/signing-profiles/[a-zA-Z0-9_]{2,64}/[a-zA-Z0-9]{10}$"
    ),
]


class Review(Part):
    """A reviewed decision about one package's licence."""

    package: Package
    declared: str
    """The licence that the package declared; another one needs another review."""
    licence: Expression
    """The licence as an SPDX expression."""
    reason: Annotated[str, Field(min_length=10)]


class Licences(Part):
    """Licences that may be shipped, and may not, and reviews of single packages."""

    allowed: tuple[Licence, ...] = Field(default=(), strict=False)
    forbidden: tuple[Licence, ...] = Field(default=(), strict=False)
    reviewed: tuple[Review, ...] = Field(default=(), strict=False)

    @model_validator(mode="after")
    def _decided(self) -> Licences:
        both = sorted(set(self.allowed) & set(self.forbidden))
        if both:
            raise ValueError(f"found {both[0]!r} in allowed and in forbidden; remove it from one")
        names = [review.package for review in self.reviewed]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"found two reviews of {twice[0]!r}; a package has one")
        return self


class CodeArtifact(Part):
    """A repository of CodeArtifact in the pipeline's account and region."""

    domain: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,48}[a-z0-9]$")]
    repository: Annotated[str, Field(pattern=r"^[A-Za-z0-9][\w.-]{1,99}$")]


class Index(Part):
    """The index of the builders, for Python and npm packages.

    Either addresses (`url` or `url_secret`, with `npm_url`), or a repository of CodeArtifact, which
    holds packages of both kinds.
    """

    url: Annotated[str, Field(pattern=r"^https?://[^@\s]+$")] | None = None
    """The address of a PEP 503 index without credentials, because everybody reads it."""
    url_secret: Annotated[str, Field(pattern=r"^[\w/+=.@-]+$")] | None = None
    """The name of a secret in Secrets Manager: the address with credentials."""
    npm_url: Annotated[str, Field(pattern=r"^https?://[^@\s]+/$")] | None = None
    """The address of an npm registry with CDK CLI and cdk-assets, without credentials."""
    npm_token_secret: Annotated[str, Field(pattern=r"^[\w/+=.@-]+$")] | None = None
    """The name of a secret in Secrets Manager: the registry's token."""
    codeartifact: CodeArtifact | None = None

    @model_validator(mode="after")
    def _one(self) -> Index:
        given = [name for name in ("url", "url_secret", "codeartifact") if getattr(self, name)]
        if len(given) != 1:
            raise ValueError(
                f"found {' and '.join(given) or 'nothing'}; "
                "allowed is one of url, url_secret and codeartifact"
            )
        if self.codeartifact and (self.npm_url or self.npm_token_secret):
            raise ValueError(
                "found codeartifact and an address for npm; allowed is codeartifact alone, whose "
                "repository serves npm, too"
            )
        if not self.codeartifact and not self.npm_url:
            raise ValueError(
                f"found {given[0]} without npm_url; set npm_url to the registry that serves the "
                "CDK CLI and cdk-assets, which builds would otherwise download from npm's public "
                "registry"
            )
        return self


class SupplyChain(Part):
    """The policy of the gates `supply_chain`, `attest` and `provenance`."""

    licences: Licences = Licences()
    approved: tuple[Approval, ...] | None = Field(default=None, strict=False)
    """Names and versions that may be deployed; by default any."""
    attested_gates: tuple[str, ...] = Field(default=(), strict=False)
    """Gates whose results a release needs before prod; none may be refused."""
    index: Index | None = None
    """The builders' package index; by default the public one."""
    signing_profile_version: ProfileVersion | None = None
    """ARN of a profile version of AWS Signer, in the pipeline's account and region.

    Bundles are signed with it, and Lambda accepts no other code; by default bundles are not signed.
    """
