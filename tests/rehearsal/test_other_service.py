"""Another service, released through the same pipeline in an otherwise unchanged checkout."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from console.checkout import Checkout
from console.local import local_cloud
from tests.replaced import replaced

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.rehearsal


@pytest.fixture(scope="module")
def released(pithead: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The report of a rehearsal: the first release, and the platform's own act."""
    folder = tmp_path_factory.mktemp("squares")
    checkout, report = replaced(folder / "checkout"), folder / "report.json"
    done = pithead("rehearse", "--report", str(report), folder=checkout)
    left = local_cloud.find(Checkout(checkout).rehearsal)
    if left:
        local_cloud.stop(left)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return json.loads(report.read_text(encoding="utf-8"))


def test_another_services_release_passes_every_gate_to_prod(released: dict[str, Any]) -> None:
    (act,) = released["acts"]
    assert (act["name"], act["outcome"], act["problems"]) == ("pipeline-change", "promoted", [])
    assert [stage["status"] for stage in act["stages"]] == ["Succeeded"] * 8
    assert act["production"]["commit_after"] == act["commit"]


def test_another_services_canary_is_judged(released: dict[str, Any]) -> None:
    (act,) = released["acts"]
    canary = act["canary"]
    assert canary["stopped_by"] is None
    assert 0 < canary["canary_requests"] < canary["requests"]
    assert canary["judge"]["verdict"] in {"better", "good", "undecided"}
