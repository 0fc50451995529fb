"""Plays the acts against a local cloud that was made ready from nothing."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from console import local_cloud
from console.aws import AwsSession, adopt
from console.deployed import deployed, serving
from console.errors import ConsoleError
from console.following import follow, history
from console.provisioning import make_ready
from console.rehearsal import audit
from console.rehearsal.acts import ACTS
from console.rehearsal.result import Rehearsal, Result
from console.rehearsal.scratch import Scratch
from console.rehearsal.traffic import Traffic
from environments.schema import AllAtOnce

if TYPE_CHECKING:
    from pathlib import Path

    from console.aws import Aws
    from console.checkout import Checkout
    from console.deployed import Deployed
    from console.progress import Steps
    from console.promotion import Outcome
    from console.provisioning import Ready
    from console.rehearsal.acts import Act
    from console.rehearsal.screen import RehearsalScreen
    from environments.schema import Environment

_PROD = "prod"


class Stage:
    """What the acts are played on: a scratch checkout and a local cloud with its pipeline."""

    def __init__(self, aws: Aws, scratch: Scratch, ready: Ready) -> None:
        self._aws = aws
        self._scratch = scratch
        self._ready = ready
        self._environments: dict[str, Environment] = scratch.checkout.environments()

    def open(self, screen: RehearsalScreen) -> Deployed:
        """Follow the first commit to prod: what the acts are then played against.

        Raises:
            ConsoleError: it did not get there.
        """
        with screen.playing(f"opening: {self._ready.commit[:7]} is installed", None):
            outcome = self._follow(self._ready.commit, frozenset(), screen)
        if outcome.ending != "promoted":
            raise ConsoleError(f"the rehearsal cannot begin: {outcome.sentence}")
        return self._production()

    def play(self, act: Act, screen: RehearsalScreen, traffic: Traffic) -> Result:
        """Play an act to its end; what was not promoted is reverted, as its authors would."""
        production = self._production()
        before = serving(self._aws, production)
        ignore = frozenset(each.id for each in history(self._aws))
        commit = self._scratch.commit(act)
        title = f"{act.name}: {commit[:7]} {act.message}"
        with screen.playing(title, lambda: traffic.served):
            self._scratch.checkout.push(self._ready.remote, commit, self._ready.branch)
            outcome = self._follow(commit, ignore, screen)
        after = serving(self._aws, production)
        if outcome.ending != "promoted":
            self._scratch.revert()
        return Result(act, outcome, before, after, self._share())

    def _follow(self, commit: str, ignore: frozenset[str], screen: RehearsalScreen) -> Outcome:
        for snapshot in follow(self._aws, self._environments, commit, ignore=ignore):
            screen.show(snapshot)
        assert snapshot.outcome is not None  # noqa: S101  # the last snapshot has it
        return snapshot.outcome

    def _production(self) -> Deployed:
        found = deployed(self._aws, _PROD, self._environments[_PROD])
        if found is None:
            raise ConsoleError("nothing is deployed in prod")
        return found

    def _share(self) -> float:
        shift = self._environments[_PROD].shift
        return 100.0 if isinstance(shift, AllAtOnce) else float(shift.percent)


def rehearse(
    checkout: Checkout, *, state: Path, speed: float, screen: RehearsalScreen, steps: Steps
) -> Rehearsal:
    """Play every act in a local cloud of its own, which is left running.

    Raises:
        ConsoleError: the rehearsal could not begin.
    """
    began = time.monotonic()
    home = checkout.home()
    scratch = Scratch(checkout, state / "checkout")
    with steps.step("the local cloud"):
        _, running = local_cloud.start(state, port=0, gateway_port=0, speed=speed)
    adopt(running.variables(home.account, home.region))
    aws = AwsSession(home)
    with steps.step("a look at the advisory service"):
        why = audit.not_run()
    if why:
        audit.override(aws, why)
        steps.say(f"! pip-audit cannot run here; an override lets that go by for a day: {why}")
    ready = make_ready(
        scratch.checkout,
        running,
        state=state,
        cache=checkout.root / ".cache" / "cdk",
        steps=steps,
    )
    stage = Stage(aws, scratch, ready)
    production = stage.open(screen)
    results = []
    with Traffic(production.url) as traffic:
        for act in ACTS:
            results.append(stage.play(act, screen, traffic))
            screen.played(results[-1])
    return Rehearsal(speed, time.monotonic() - began, tuple(results), why)
