"""`pithead preflight`: quotas that are too small, and the command that raises them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.aws.quotas import quotas
from console.commands import preflight
from environments.schema import load_all, load_home
from pipeline.planning.quotas import concurrency

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from tests.console.fakes import FakeAws


def _answer(aws: FakeAws, builds: float, executions: int) -> None:
    aws.answers["service-quotas", "get_service_quota"] = {
        "Quota": {"QuotaName": "Concurrently running builds", "Value": builds}
    }
    aws.answers["lambda", "get_account_settings"] = {
        "AccountLimit": {"ConcurrentExecutions": executions}
    }


def test_quotas_of_established_accounts_suffice(aws: FakeAws) -> None:
    _answer(aws, 60.0, 1000)
    found = quotas(aws, load_home(), load_all())
    assert [each.quota.service for each in found] == ["codebuild", "lambda", "lambda", "lambda"]
    assert all(each.suffices for each in found)


def test_a_new_account_needs_increases(aws: FakeAws) -> None:
    _answer(aws, 1.0, 10)
    builds, dev, *_ = quotas(aws, load_home(), load_all())
    assert (builds.applied, builds.needed, builds.suffices) == (1, 3, False)
    assert builds.command == (
        "aws service-quotas request-service-quota-increase --service-code codebuild "
        "--quota-code L-9D07B6EF --desired-value 3 --region eu-west-1"
    )
    assert (dev.applied, dev.needed) == (10, concurrency(load_all()["dev"]))
    assert "--quota-code L-B99A9384" in dev.command
    assert dev.why == "dev admits 100 requests a second of up to 1000 ms"


def test_environments_in_one_account_and_region_share_a_quota(aws: FakeAws) -> None:
    _answer(aws, 60.0, 1000)
    environments = {
        name: each.model_copy(update={"account": "222222222222"})
        for name, each in load_all().items()
    }
    _, shared = quotas(aws, load_home(), environments)
    assert shared.needed == sum(map(concurrency, environments.values()))


def test_the_command_prints_each_increase_and_exits_1(
    aws: FakeAws,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(folder)
    monkeypatch.setattr("console.commands.preflight.connect", lambda _: (aws, "using a test"))
    _answer(aws, 1.0, 1000)
    assert preflight.command.main([], standalone_mode=False) == 1
    shown = capsys.readouterr().out
    assert "found 1; needed are 3, because stage Verify starts its builds in parallel" in shown
    assert shown.count("request-service-quota-increase") == 1
    _answer(aws, 3.0, 1000)
    assert preflight.command.main([], standalone_mode=False) == 0
    assert "too small" not in capsys.readouterr().out
