"""Signer: signing profiles, signing jobs, and verification of signed zip files."""

from __future__ import annotations

import secrets
import string
import uuid
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from localcloud.core.ports import BrokenSignatureError, CodeSignature
from localcloud.core.service_api import ApiError
from localcloud.signer import envelope

if TYPE_CHECKING:
    from localcloud.core.core import Core
    from localcloud.core.credentials import Session
    from localcloud.core.providers import Provider
    from localcloud.iam.access import Access

PLATFORM = "AWSLambda-SHA384-ECDSA"
_PROFILE, _JOB, _TOKEN = "signer:profile", "signer:job", "signer:token"
_DEFAULT_VALIDITY = {"value": 135, "type": "MONTHS"}
"""AWS's default."""
# A month has 30 days here: the exact day on which a signature expires does not matter.
_SECONDS_PER_UNIT = {"DAYS": 86400.0, "MONTHS": 30 * 86400.0, "YEARS": 365 * 86400.0}


class Signer:
    """See `localcloud.core.service_api.Service`.

    A job ends before `StartSigningJob` returns. On AWS it runs asynchronously.
    """

    def __init__(self, core: Core, access: Access) -> None:
        self.core = core
        access.facts.signing_profile_version = self.version
        self.providers: dict[str, Provider] = {}

    def start(self) -> None:
        """Do nothing: all state is in the ledger."""

    def stop(self) -> None:
        """Do nothing: the service has no threads."""

    def create_profile(
        self, account: str, region: str, name: str, platform: str, validity: dict[str, Any] | None
    ) -> dict[str, Any]:
        """Create a profile with its own key; return it in the API's shape.

        Raises:
            ApiError: ValidationException; the name is in use, or the platform or validity period
                is not supported.
        """
        if platform != PLATFORM:
            raise ApiError(
                "ValidationException",
                f"Platform {platform} is not part of the local cloud; use {PLATFORM}",
            )
        validity = validity or _DEFAULT_VALIDITY
        if validity.get("type") not in _SECONDS_PER_UNIT or not validity.get("value"):
            raise ApiError(
                "ValidationException",
                f"signatureValidityPeriod is {validity}; it needs a value and a type, one of "
                f"{', '.join(_SECONDS_PER_UNIT)}",
            )
        key = f"{account}/{region}/{name}"
        if self.core.ledger.get(_PROFILE, key):
            raise ApiError("ValidationException", f"Signing profile {name} already exists")
        arn = f"arn:aws:signer:{region}:{account}:/signing-profiles/{name}"
        alphabet = string.ascii_letters + string.digits
        version = "".join(secrets.choice(alphabet) for _ in range(10))
        profile = {
            "profileName": name,
            "profileVersion": version,
            "profileVersionArn": f"{arn}/{version}",
            "platformId": PLATFORM,
            "platformDisplayName": "AWS Lambda",
            "signatureValidityPeriod": validity,
            "status": "Active",
            "arn": arn,
        }
        self.core.ledger.put(_PROFILE, key, {"profile": profile, "key": envelope.new_key()})
        return profile

    def profile(self, account: str, region: str, name: str) -> dict[str, Any]:
        """Return a profile in the API's shape.

        Raises:
            ApiError: ResourceNotFoundException.
        """
        found: dict[str, Any] = self._profile(account, region, name)["profile"]
        return found

    def version(self, account: str, region: str, name: str) -> str:
        """Return the version of a profile, or "" if the profile does not exist."""
        found = self.core.ledger.get(_PROFILE, f"{account}/{region}/{name}")
        return str(found["profile"]["profileVersion"]) if found else ""

    def start_job(
        self,
        account: str,
        region: str,
        parameters: dict[str, Any],
        caller: Session | None = None,
    ) -> dict[str, Any]:
        """Sign an object; return the job in the API's shape, `Succeeded` or `Failed`.

        Signer reads and writes S3 as the caller ("StartSigningJob" of the API reference). A
        repeated client request token returns the earlier job.

        Raises:
            ApiError: the profile does not exist, or source or destination is not in S3.
        """
        source = parameters["source"].get("s3")
        destination = parameters["destination"].get("s3")
        if not source or not destination or not destination.get("bucketName"):
            raise ApiError("ValidationException", "Source and destination must be in S3")
        token = f"{account}/{region}/{parameters['clientRequestToken']}"
        known = self.core.ledger.get(_TOKEN, token)
        if known:
            return self.job(account, region, known["job"])
        kept = self._profile(account, region, parameters["profileName"])
        profile, now = kept["profile"], self.core.clock.timestamp()
        validity = profile["signatureValidityPeriod"]
        identifier = str(uuid.uuid4())
        signature = CodeSignature(
            profile_version=profile["profileVersionArn"],
            job=f"arn:aws:signer:{region}:{account}:/signing-jobs/{identifier}",
            expires=now + validity["value"] * _SECONDS_PER_UNIT[validity["type"]],
        )
        job = {
            "jobId": identifier,
            "source": parameters["source"],
            "platformId": PLATFORM,
            "platformDisplayName": profile["platformDisplayName"],
            "profileName": profile["profileName"],
            "profileVersion": profile["profileVersion"],
            "createdAt": now,
            "jobOwner": account,
            "jobInvoker": account,
        }
        key = f"{destination.get('prefix') or ''}{identifier}.zip"
        place = {"bucketName": destination["bucketName"], "key": key}
        s3 = self.core.client("s3", account, region, caller)
        try:
            signed = envelope.sign(_source(s3, source), signature, kept["key"])
            s3.put_object(Bucket=place["bucketName"], Key=key, Body=signed)
            job |= {"status": "Succeeded", "signedObject": {"s3": place}}
            job |= {"signatureExpiresAt": signature.expires}
        except (ClientError, envelope.SigningError) as error:
            job |= {"status": "Failed", "statusReason": str(error)}
        job["completedAt"] = self.core.clock.timestamp()
        with self.core.ledger.transaction():
            self.core.ledger.put(_JOB, f"{account}/{region}/{identifier}", job)
            self.core.ledger.put(_TOKEN, token, {"job": identifier})
        return job

    def job(self, account: str, region: str, identifier: str) -> dict[str, Any]:
        """Return a job in the API's shape.

        Raises:
            ApiError: ResourceNotFoundException.
        """
        found = self.core.ledger.get(_JOB, f"{account}/{region}/{identifier}")
        if found is None:
            raise ApiError("ResourceNotFoundException", f"Signing job {identifier} not found")
        return found

    def signature(self, content: bytes) -> CodeSignature | None:
        """Return the verified signature of a zip, or None if it has none.

        Raises:
            BrokenSignatureError: no profile's key has signed exactly this zip.
        """
        found = envelope.read_envelope(content)
        if found is None:
            return None
        version = found.signature.profile_version
        for _, kept in self.core.ledger.all(_PROFILE):
            if kept["profile"]["profileVersionArn"] == version:
                found.check(content, kept["key"])
                return found.signature
        raise BrokenSignatureError(f"there is no signing profile {version}")

    def _profile(self, account: str, region: str, name: str) -> dict[str, Any]:
        found = self.core.ledger.get(_PROFILE, f"{account}/{region}/{name}")
        if found is None:
            raise ApiError("ResourceNotFoundException", f"Signing profile {name} not found")
        return found


def _source(s3: Any, source: dict[str, str]) -> bytes:
    answer = s3.get_object(
        Bucket=source["bucketName"], Key=source["key"], VersionId=source["version"]
    )
    content: bytes = answer["Body"].read()
    return content
