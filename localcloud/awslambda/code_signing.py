"""Code signing configurations, and the verification of signatures."""

from __future__ import annotations

import secrets
import string
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from localcloud.awslambda.configuration import invalid
from localcloud.core.ports import BrokenSignatureError
from localcloud.core.service_api import ApiError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from localcloud.awslambda.catalogue import Catalogue
    from localcloud.awslambda.model import Address
    from localcloud.core.core import Core
    from localcloud.core.function_ports import SignatureReader
    from localcloud.core.ports import Document

_KIND = "functions:code-signing-config"


class CodeSigning:
    """Stores code signing configurations and verifies code against them."""

    def __init__(self, core: Core, catalogue: Catalogue, signatures: SignatureReader) -> None:
        self._core = core
        self._catalogue = catalogue
        self._signatures = signatures

    def create(self, account: str, region: str, parameters: Mapping[str, Any]) -> Document:
        """Create a configuration and return it in the API's shape."""
        alphabet = string.ascii_lowercase + string.digits
        identifier = "csc-" + "".join(secrets.choice(alphabet) for _ in range(17))
        arn = f"arn:aws:lambda:{region}:{account}:code-signing-config:{identifier}"
        return self._put(
            {"CodeSigningConfigId": identifier, "CodeSigningConfigArn": arn}, parameters
        )

    def update(self, arn: str, parameters: Mapping[str, Any]) -> Document:
        """Change description, publishers or policy; an omitted parameter keeps its value."""
        return self._put(self.get(arn), parameters)

    def get(self, arn: str) -> Document:
        """Return a configuration in the API's shape.

        Raises:
            ApiError: ResourceNotFoundException.
        """
        found = self._core.ledger.get(_KIND, arn)
        if found is None:
            raise ApiError(
                "ResourceNotFoundException",
                f"The Lambda code signing configuration {arn} can not be found.",
            )
        return found

    def delete(self, arn: str) -> None:
        """Delete a configuration.

        Raises:
            ApiError: it does not exist, or a function uses it.
        """
        self.get(arn)
        account, region = arn.split(":")[4], arn.split(":")[3]
        using = [f.name for f in self._catalogue.all(account, region) if f.code_signing == arn]
        if using:
            raise ApiError(
                "ResourceConflictException",
                f"The code signing configuration is used by functions: {', '.join(using)}",
            )
        self._core.ledger.delete(_KIND, arn)

    def require(self, where: Address, arn: str) -> None:
        """Check that a configuration exists in the function's account and region.

        Raises:
            ApiError: CodeSigningConfigNotFoundException.
        """
        if arn.split(":")[3:5] != [where.region, where.account] or not self._core.ledger.get(
            _KIND, arn
        ):
            raise ApiError(
                "CodeSigningConfigNotFoundException",
                f"The code signing configuration {arn} can not be found.",
            )

    def verify(self, where: Address, arn: str, code: str) -> None:
        """Verify code (by SHA-256 in hex) as a configuration requires.

        Source: "Signature validation" in the Lambda developer guide.

        Raises:
            ApiError: InvalidCodeSignatureException if the code was changed after signing,
                CodeVerificationFailedException if no allowed publisher has signed it.
        """
        publishers = self.get(arn)["AllowedPublishers"]["SigningProfileVersionArns"]
        try:
            signature = self._signatures.signature(self._core.ledger.load(code))
        except BrokenSignatureError as error:
            raise ApiError(
                "InvalidCodeSignatureException",
                f"Lambda cannot deploy {where.arn}: its code fails the integrity check: {error}",
            ) from error
        if (
            signature is None
            or signature.profile_version not in publishers
            or signature.expires <= self._core.clock.timestamp()
        ):
            raise ApiError(
                "CodeVerificationFailedException",
                "Lambda cannot deploy the function. The function or layer might be signed using a "
                "signature that the client is not configured to accept. Check the provided "
                f"signature for {where.arn}.",
            )

    def _put(self, before: Document, parameters: Mapping[str, Any]) -> Document:
        named = ("Description", "AllowedPublishers", "CodeSigningPolicies")
        given = {name: parameters[name] for name in named if parameters.get(name)}
        made = before | given
        if not (made.get("AllowedPublishers") or {}).get("SigningProfileVersionArns"):
            raise invalid("AllowedPublishers has no signing profile version")
        policy = (made.get("CodeSigningPolicies") or {}).get("UntrustedArtifactOnDeployment")
        if policy != "Enforce":
            raise invalid(
                f"UntrustedArtifactOnDeployment {policy or 'Warn'} is not part of the local cloud; "
                "use Enforce"
            )
        made["LastModified"] = datetime.fromtimestamp(self._core.clock.timestamp(), UTC).isoformat()
        self._core.ledger.put(_KIND, made["CodeSigningConfigArn"], made)
        return made
