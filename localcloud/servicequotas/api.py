"""The Service Quotas API, for the quotas that the local cloud enforces."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from moto.core.responses import ActionResult

from localcloud.core.service_api import ApiError, ServiceApi

if TYPE_CHECKING:
    from localcloud.servicequotas.service import ServiceQuotas

_BUILD_QUOTAS = {
    "L-9D07B6EF": "Concurrently running builds for Linux/Small environment",
    "L-2DC20C30": "Concurrently running builds for Linux/Medium environment",
    "L-4DDC4A99": "Concurrently running builds for Linux/Large environment",
}


class ServiceQuotasApi(ServiceApi):
    """Read-only quotas; the local cloud has no support cases to increase them."""

    model: ClassVar[str] = "service-quotas"
    service: ServiceQuotas

    def get_service_quota(self) -> ActionResult:
        """Return one applied quota."""
        code = self.params["QuotaCode"]
        for quota in self._quotas(self.params["ServiceCode"]):
            if quota["QuotaCode"] == code:
                return ActionResult({"Quota": quota})
        raise ApiError(
            "NoSuchResourceException",
            f"The request failed because the specified quota {code} is not one that the local "
            "cloud enforces.",
        )

    def list_service_quotas(self) -> ActionResult:
        """Return the applied quotas of a service."""
        return ActionResult({"Quotas": self._quotas(self.params["ServiceCode"])})

    def _quotas(self, service: str) -> list[dict[str, Any]]:
        applied = self.service.quotas
        if service == "lambda":
            names = {"L-B99A9384": "Concurrent executions"}
            return [
                self._quota("lambda", "AWS Lambda", code, name, applied.concurrent_executions)
                for code, name in names.items()
            ]
        if service == "codebuild":
            return [
                self._quota("codebuild", "AWS CodeBuild", code, name, applied.concurrent_builds)
                for code, name in _BUILD_QUOTAS.items()
            ]
        raise ApiError(
            "NoSuchResourceException",
            f"Service quotas of {service} are not part of the local cloud; those of lambda and "
            "codebuild are.",
        )

    def _quota(self, service: str, title: str, code: str, name: str, value: int) -> dict[str, Any]:
        arn = f"arn:aws:servicequotas:{self.region}:{self.account}:{service}/{code}"
        return {
            "ServiceCode": service,
            "ServiceName": title,
            "QuotaArn": arn,
            "QuotaCode": code,
            "QuotaName": name,
            "Value": float(value),
            "Unit": "None",
            "Adjustable": True,
            "GlobalQuota": False,
        }
