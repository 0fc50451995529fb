"""The operations of the Signer API that sign the code of Lambda functions."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from moto.core.responses import ActionResult

from localcloud.core.service_api import ApiError, ServiceApi

if TYPE_CHECKING:
    from localcloud.signer.service import Signer

_UNSUPPORTED_PARAMETERS = (
    "signingMaterial",
    "overrides",
    "signingParameters",
    "tags",
    "profileOwner",
)


class SignerApi(ServiceApi):
    """Signing profiles and jobs."""

    model: ClassVar[str] = "signer"
    service: Signer

    def put_signing_profile(self) -> ActionResult:
        """Create a profile; an existing one is not changed."""
        self._check_supported()
        made = self.service.create_profile(
            self.account,
            self.region,
            self.params["profileName"],
            self.params["platformId"],
            self.params.get("signatureValidityPeriod"),
        )
        return ActionResult(
            {name: made[name] for name in ("arn", "profileVersion", "profileVersionArn")}
        )

    def get_signing_profile(self) -> ActionResult:
        """Return one profile."""
        self._check_supported()
        name = self.params["profileName"]
        return ActionResult(self.service.profile(self.account, self.region, name))

    def start_signing_job(self) -> ActionResult:
        """Sign a version of an S3 object."""
        self._check_supported()
        session = self.service.core.credentials.session(self.caller.access_key)
        job = self.service.start_job(self.account, self.region, self.params, session)
        return ActionResult({"jobId": job["jobId"], "jobOwner": job["jobOwner"]})

    def describe_signing_job(self) -> ActionResult:
        """Return one job."""
        return ActionResult(self.service.job(self.account, self.region, self.params["jobId"]))

    def _check_supported(self) -> None:
        for name in _UNSUPPORTED_PARAMETERS:
            if self.params.get(name):
                raise ApiError("ValidationException", f"{name} is not part of the local cloud")
