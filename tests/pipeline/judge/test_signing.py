"""Our signatures equal botocore's."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from urllib.parse import quote

import botocore.auth
import botocore.credentials
import pytest
from botocore.awsrequest import AWSRequest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.judge.signing import Credentials, signed

NOW = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
# botocore would encode other paths differently; the judge uses none.
FOLDERS = {".", ".."}
WORDS = st.text(st.characters(codec="utf-8", exclude_characters="/\r\n"), max_size=20).filter(
    lambda word: word not in FOLDERS
)


@pytest.fixture(autouse=True)
def at_noon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda: NOW)


@given(
    service=st.sampled_from(["s3", "lambda", "monitoring", "codedeploy"]),
    method=st.sampled_from(["GET", "PUT", "POST"]),
    key=WORDS,
    body=st.binary(max_size=50),
    target=st.from_regex(r"\A[ -~]{0,20}\Z"),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_signature_equals_botocores(
    service: str, method: str, key: str, body: bytes, target: str
) -> None:
    host = f"{service}.eu-west-1.amazonaws.com:4566"
    path = f"/{quote(key)}"
    given_headers = {"Content-Type": "application/json", "X-Amz-Target": target}
    ours = signed(
        method,
        host,
        path,
        given_headers,
        body,
        service=service,
        region="eu-west-1",
        credentials=Credentials("AKID", "secret", "token"),
        now=NOW,
    )
    request = AWSRequest(
        method,
        f"https://{host}{path}",
        headers=given_headers | {"X-Amz-Content-SHA256": hashlib.sha256(body).hexdigest()},
        data=body,
    )
    signer = botocore.auth.S3SigV4Auth if service == "s3" else botocore.auth.SigV4Auth
    keys = botocore.credentials.Credentials("AKID", "secret", "token")
    signer(keys, service, "eu-west-1").add_auth(request)
    theirs = {name.lower(): value for name, value in request.headers.items()}
    assert ours["authorization"] == theirs["authorization"]
    assert ours.keys() - {"host"} == theirs.keys()
