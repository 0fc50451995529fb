"""The build's script: publish the code, and write the template.

Like the assets step of CDK Pipelines, with a session policy: the session may write only this
object.
"""

from __future__ import annotations

import hashlib
import http.client
import io
import json
import os
import re
import sys
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlencode, urlsplit

from pipeline.judge.signing import Credentials, signed

ENDPOINT = urlsplit(os.environ["AWS_ENDPOINT_URL"])
REGION = os.environ["AWS_REGION"]
BUILD = Credentials(
    os.environ["AWS_ACCESS_KEY_ID"],
    os.environ["AWS_SECRET_ACCESS_KEY"],
    os.environ["AWS_SESSION_TOKEN"],
)


def ask(service: str, method: str, path: str, body: bytes, credentials: Credentials) -> str:
    """Send one signed request; exit with AWS's text if it is rejected."""
    kind = "application/x-www-form-urlencoded" if service == "sts" else "application/zip"
    headers = signed(
        method,
        ENDPOINT.netloc,
        path,
        {"content-type": kind},
        body,
        service=service,
        region=REGION,
        credentials=credentials,
        now=datetime.now(UTC),
    )
    connection = http.client.HTTPConnection(ENDPOINT.netloc, timeout=10)
    connection.request(method, path, body, headers)
    answer = connection.getresponse()
    said = answer.read().decode()
    if answer.status != http.HTTPStatus.OK:
        sys.exit(said)
    return said


def publisher(settings: dict[str, str], key: str) -> Credentials:
    """Return credentials of the target's publishing role, for one object."""
    allowed = {
        "Effect": "Allow",
        "Action": settings["action"],
        "Resource": f"arn:aws:s3:::{settings['bucket']}/{key}",
    }
    wanted = {
        "Action": "AssumeRole",
        "Version": "2011-06-15",
        "RoleArn": settings["role"],
        "RoleSessionName": "publish",
        "Policy": json.dumps({"Version": "2012-10-17", "Statement": allowed}),
    }
    said = ask("sts", "POST", "/", urlencode(wanted).encode(), BUILD)
    found = [
        re.search(f"<{name}>(.*?)</{name}>", said)
        for name in ("AccessKeyId", "SecretAccessKey", "SessionToken")
    ]
    return Credentials(*(each.group(1) for each in found if each))


def main() -> None:
    """Zip, publish, and write the address of the code into the template."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr(zipfile.ZipInfo("handler.py"), Path("handler.py").read_text())
    key = f"{hashlib.sha256(content.getvalue()).hexdigest()}.zip"
    settings = json.loads(Path("publish.json").read_text())
    credentials = publisher(settings, key)
    ask("s3", "PUT", f"/{settings['bucket']}/{key}", content.getvalue(), credentials)
    template = Path("service.json")
    template.write_text(template.read_text().replace("ASSET.zip", key))
    print(f"published {key} to channel {os.environ['CHANNEL']}")  # noqa: T201  # the build's log


if __name__ == "__main__":
    main()
