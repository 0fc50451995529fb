"""The rehearsal: releases every act in a new local cloud."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import TYPE_CHECKING

from console.aws.account import AwsSession, adopt
from console.aws.deployed import deployed, serving
from console.errors import ConsoleError
from console.lineage import CheckoutLineage
from console.local import local_cloud
from console.local.provisioning import make_ready
from console.rehearsal import audit
from console.rehearsal.acts import acts
from console.rehearsal.result import Rehearsal, Result
from console.rehearsal.scratch import Scratch
from console.rehearsal.traffic import CALM_RATE, CANARY_RATE, Traffic
from console.release.follower import follow
from console.release.history import history
from environments.schema import AllAtOnce

if TYPE_CHECKING:
    from pathlib import Path

    from console.aws.account import Aws
    from console.aws.deployed import Deployed
    from console.checkout import Checkout
    from console.local.provisioning import Ready
    from console.progress import Steps
    from console.rehearsal.acts import Act
    from console.rehearsal.screen import RehearsalScreen
    from console.release.promotion import Outcome
    from console.release.snapshot import Snapshot
    from environments.schema import Environment

_PROD = "prod"


@dataclass(frozen=True)
class Pushed:
    """A pushed commit."""

    commit: str
    earlier: frozenset[str]
    """The executions that existed before the push."""
    at: float
    """The time of the push, by the monotonic clock."""


class Runner:
    """Releases acts from a scratch checkout to a local cloud with its pipeline.

    As on a trunk, an act starts once the previous one has reached prod's canary. If the previous
    one is expected to be sent back, the act starts after its revert, and is based on it.
    """

    def __init__(self, aws: Aws, scratch: Scratch, ready: Ready) -> None:
        self._aws = aws
        self._scratch = scratch
        self._ready = ready
        self._environments: dict[str, Environment] = scratch.checkout.environments()
        self._pushed: dict[Act, Pushed] = {}
        self._lineage = CheckoutLineage(scratch.checkout, lambda: ready.remote, ready.branch)

    def open(self, first: Act, screen: RehearsalScreen) -> Deployed:
        """Follow the first commit to prod, before the acts.

        Raises:
            ConsoleError: it was not promoted.
        """
        opening = Pushed(self._ready.commit, frozenset(), time.monotonic())
        with screen.opening(f"opening: {opening.commit[:7]} is installed"):
            outcome = self._follow(opening, first, screen)
        if outcome.ending != "promoted":
            raise ConsoleError(f"the rehearsal cannot start: {outcome.sentence}")
        return self._production()

    def play(
        self, act: Act, following: Act | None, screen: RehearsalScreen, traffic: Traffic
    ) -> Result:
        """Release an act and return its result; revert it unless it was promoted."""
        production = self._production()
        before = serving(self._aws, production)
        pushed = self._pushed.get(act) or self._push(act)
        with screen.playing(act, pushed.commit, lambda: traffic.served):
            outcome = self._follow(
                pushed, following if act.expected == "promoted" else None, screen, traffic
            )
        after = serving(self._aws, production)
        if outcome.ending != "promoted":
            self._scratch.revert(pushed.commit)
        return Result(act, outcome, before, after, self._share())

    def _push(self, act: Act) -> Pushed:
        earlier = frozenset(each.id for each in history(self._aws))
        pushed = Pushed(self._scratch.commit(act), earlier, time.monotonic())
        self._scratch.checkout.push(self._ready.remote, pushed.commit, self._ready.branch)
        self._pushed[act] = pushed
        return pushed

    def _follow(
        self,
        pushed: Pushed,
        following: Act | None,
        screen: RehearsalScreen,
        traffic: Traffic | None = None,
    ) -> Outcome:
        """Follow a commit to its end; push the next act when the commit reaches prod."""
        ignore = pushed.earlier
        for snapshot in follow(
            self._aws, self._environments, self._lineage, pushed.commit, ignore=ignore
        ):
            screen.show(snapshot)
            in_production = _in_production(snapshot)
            if traffic:
                traffic.change_rate(CANARY_RATE if in_production else CALM_RATE)
            if following and following not in self._pushed and in_production:
                self._push(following)
        assert snapshot.outcome is not None  # noqa: S101  # the last snapshot has it
        return replace(snapshot.outcome, wall=time.monotonic() - pushed.at)

    def _production(self) -> Deployed:
        found = deployed(self._aws, _PROD, self._environments[_PROD])
        if found is None:
            raise ConsoleError("nothing is deployed in prod")
        return found

    def _share(self) -> float:
        shift = self._environments[_PROD].shift
        return 100.0 if isinstance(shift, AllAtOnce) else float(shift.percent)


def _in_production(snapshot: Snapshot) -> bool:
    stages = snapshot.executions[-1].stages if snapshot.executions else ()
    return any(each.name == _PROD and each.started for each in stages)


def rehearse(
    checkout: Checkout,
    *,
    state: Path,
    speed: float,
    iam: str,
    screen: RehearsalScreen,
    steps: Steps,
) -> Rehearsal:
    """Release every act in a new local cloud, which is left running.

    Raises:
        ConsoleError: the rehearsal could not start.
    """
    began = time.monotonic()
    home = checkout.home()
    scratch = Scratch(checkout, state / "checkout")
    with steps.step("the local cloud"):
        _, running = local_cloud.start(state, port=0, gateway_port=0, speed=speed, iam=iam)
    adopt(running.variables(home.account, home.region))
    aws = AwsSession(home)
    with steps.step("the advisory service"):
        why = audit.not_run()
    if why:
        audit.override(aws, why)
        steps.say(f"! pip-audit cannot run here; an override permits that for a day: {why}")
    ready = make_ready(
        scratch.checkout,
        running,
        state=state,
        cache=checkout.root / ".cache" / "cdk",
        steps=steps,
    )
    runner = Runner(aws, scratch, ready)
    played = acts()
    production = runner.open(played[0], screen)
    results = []
    with Traffic(production.url) as traffic:
        for act, following in zip_longest(played, played[1:]):
            results.append(runner.play(act, following, screen, traffic))
            screen.played(results[-1])
    return Rehearsal(speed, time.monotonic() - began, tuple(results), why)
