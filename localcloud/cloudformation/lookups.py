"""What a template asks of other services: its own text, stored parameters, secrets."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlparse

from botocore.exceptions import ClientError

from localcloud.cloudformation.limits import check_uploaded
from localcloud.cloudformation.template import TemplateError

if TYPE_CHECKING:
    from localcloud.cloud import Cloud


class Lookups:
    """Reads as the administrator of one account, in one region.

    Each method raises `TemplateError` where AWS would refuse the template.
    """

    def __init__(self, cloud: Cloud, account: str, region: str) -> None:
        self._cloud = cloud
        self._account = account
        self._region = region

    def template(self, url: str) -> str:
        """A template that was uploaded to S3; the address in path or virtual-host style."""
        parts = urlparse(url)
        host, path = parts.netloc, unquote(parts.path.lstrip("/"))
        if ".s3." in host or ".s3-" in host:
            bucket, key = host.split(".s3", 1)[0], path
        else:
            bucket, _, key = path.partition("/")
        client = self._cloud.client("s3", self._account, self._region)
        try:
            body: bytes = client.get_object(Bucket=bucket, Key=key)["Body"].read()
        except ClientError as error:
            raise TemplateError(f"S3 error: {error} (template {bucket}/{key})") from error
        check_uploaded(body)
        return body.decode()

    def stored(self, name: str) -> str:
        """A parameter of the Parameter Store; `name:version` asks for a version of it."""
        client = self._cloud.client("ssm", self._account, self._region)
        try:
            value: str = client.get_parameter(Name=name)["Parameter"]["Value"]
        except (client.exceptions.ParameterNotFound, client.exceptions.ParameterVersionNotFound):
            raise TemplateError(
                f"Unable to fetch parameters [{name}] from parameter store for this account."
            ) from None
        return value

    def dynamic(self, service: str, reference: str) -> str:
        """What `{{resolve:service:reference}}` stands for."""
        if service == "ssm":
            return self.stored(reference)
        if service != "secretsmanager":
            raise TemplateError(f"Dynamic reference to {service} is not part of the local cloud")
        name, _, rest = reference.partition(":SecretString")
        key, stage, version = (*rest.removeprefix(":").split(":"), "", "", "")[:3]
        asked = {"SecretId": name, "VersionStage": stage, "VersionId": version}
        client = self._cloud.client("secretsmanager", self._account, self._region)
        try:
            value: str = client.get_secret_value(**{k: v for k, v in asked.items() if v})[
                "SecretString"
            ]
        except ClientError as error:
            raise TemplateError(f"Could not resolve secret {name}: {error}") from error
        if not key:
            return value
        try:
            return str(json.loads(value)[key])
        except (ValueError, KeyError) as error:
            raise TemplateError(f"Could not find a value associated with JSONKey {key}") from error
