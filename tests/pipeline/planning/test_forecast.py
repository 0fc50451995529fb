from __future__ import annotations

from typing import TYPE_CHECKING, Any

import aws_cdk as cdk
import pytest
from aws_cdk import assertions

from environments.schema import Canary, Environment, Linear, load_all, load_home
from pipeline.builds import bundle
from pipeline.delivery.stacks.artifact import Artifact
from pipeline.delivery.stage import EnvironmentStage
from pipeline.planning.forecast import Traffic, forecast, warning

if TYPE_CHECKING:
    from pathlib import Path


def prod(**judge: Any) -> Environment:
    found = load_all()["prod"]
    assert found.judge
    shift = Canary(type="canary", percent=10, minutes=7, bake_minutes=4)
    expects = {"requests_per_second": 20.0, "failure_share": 0.001} | judge
    return found.model_copy(
        update={"shift": shift, "judge": found.judge.model_copy(update=expects)}
    )


def test_a_canary_is_judged_in_minutes_without_a_shift() -> None:
    made = forecast(prod())
    assert made
    assert made.canary.shares == 6 * (0.1,)
    assert made.canary.ends == (1.5, 2.5, 3.5, 4.5, 5.5, 6.5)


def test_a_linear_shift_grows() -> None:
    shift = Linear(type="linear", percent=30, minutes=3, bake_minutes=4)
    made = forecast(prod().model_copy(update={"shift": shift}))
    assert made
    assert made.canary.shares == pytest.approx((0.3, 0.3, 0.6, 0.6, 0.9, 0.9))
    assert made.canary.ends == (1.5, 2.5, 4.5, 5.5, 7.5, 8.5)
    needed = made.minutes_for(0.003, 0.95)
    assert needed
    assert needed > 3


def test_the_recommended_minutes_suffice_and_one_less_does_not() -> None:
    made = forecast(prod())
    assert made
    needed = made.minutes_for(0.005, 0.9)
    assert needed
    found = [
        each.power.prospect(each.canary, 0.005).found
        for each in (made.with_minutes(needed), made.with_minutes(needed - 1))
    ]
    assert found[0] >= 0.895 > found[1] - 0.01
    slow = forecast(prod(), Traffic(0.01, 0.001))
    assert slow
    assert slow.minutes_for(0.005, 0.9) is None


def test_all_at_once_has_no_forecast() -> None:
    dev = load_all()["dev"]
    assert forecast(dev) is None
    assert warning("dev", dev) is None


def test_a_canary_too_short_to_detect_anything_is_a_warning() -> None:
    assert warning("prod", prod()) is None
    told = warning("prod", prod(requests_per_second=2.0))
    assert told
    assert told.startswith("environments/prod.toml: shift.minutes: found 7; at 2 requests a second")
    minutes = int(told.split("with ")[1].split(" minutes")[0])
    longer = Canary(type="canary", percent=10, minutes=minutes, bake_minutes=4)
    enough = prod(requests_per_second=2.0).model_copy(update={"shift": longer})
    assert warning("prod", enough) is None
    never = warning("prod", prod(requests_per_second=0.001))
    assert never
    assert "raise percent" in never


@pytest.mark.parametrize(("requests_per_second", "times"), [(20.0, 0), (2.0, 1)])
def test_the_forecast_is_a_warning_at_synthesis(
    requests_per_second: float, times: int, tmp_path: Path, context: dict[str, str]
) -> None:
    (tmp_path / "bundle.zip").write_bytes(b"PK")
    app = cdk.App(context=context, outdir=str(tmp_path / "out"))
    artifact = Artifact(
        commit=40 * "c",
        bundle=tmp_path / "bundle.zip",
        sbom=tmp_path / "bundle.zip",
        judge=tmp_path / "bundle.zip",
        synthetic=tmp_path / "bundle.zip",
        platform=bundle.target("linux-arm64"),
    )
    environment = prod(requests_per_second=requests_per_second)
    stage = EnvironmentStage(app, "prod", environment, artifact, load_home())
    said = assertions.Annotations.from_stack(stage.service).find_warning(
        "*", assertions.Match.string_like_regexp("finds .* of versions that fail 10 times as often")
    )
    assert len(said) == times
