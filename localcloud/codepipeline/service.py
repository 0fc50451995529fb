"""CodePipeline: its API, its resource types, and what starts and stops with the local cloud."""

from __future__ import annotations

from typing import TYPE_CHECKING

from localcloud.codepipeline.collaborators import Collaborators, Decisions
from localcloud.codepipeline.pipelines import Pipelines
from localcloud.codepipeline.provider import PipelineProvider
from localcloud.codepipeline.recovery import recover
from localcloud.codepipeline.store import Store
from localcloud.codepipeline.triggers import triggered_action

if TYPE_CHECKING:
    from collections.abc import Callable

    from localcloud.core.core import Core
    from localcloud.core.delivery_ports import BuildStarter, SourceRepositories
    from localcloud.core.ports import AlarmStates
    from localcloud.core.providers import Provider
    from localcloud.core.quotas import Quotas
    from localcloud.iam.access import Access


class CodePipeline(Pipelines):
    """See `localcloud.core.service_api.Service`."""

    def __init__(
        self,
        core: Core,
        access: Access,
        quotas: Quotas,
        *,
        alarms: AlarmStates,
        builds: BuildStarter,
        repositories: SourceRepositories,
    ) -> None:
        super().__init__(
            Collaborators(core, access, Store(core), Decisions(), alarms, builds, repositories),
            quotas,
        )
        self.providers: dict[str, Provider] = {
            "AWS::CodePipeline::Pipeline": PipelineProvider(self)
        }
        self._unsubscribe: Callable[[], None] = lambda: None
        access.tags.register("codepipeline", self._tags)

    def start(self) -> None:
        """Read everything back, and continue what waited."""
        self.store.load()
        for pipeline in self.pipelines.values():
            for stage in pipeline.disabled:
                self.runner.queues.set_open((pipeline.key, stage), is_open=False)
        for execution in sorted(self.store.executions.values(), key=lambda each: each.started):
            if execution.running:
                recover(self.store, self.runner.begin, execution)
        self._unsubscribe = self._repositories.subscribe(self._on_push)

    def stop(self) -> None:
        """Start nothing any more; the next start reports what was interrupted."""
        self._unsubscribe()
        self.store.close()
        self.runner.stop_all()

    def _tags(self, account: str, region: str, resource: str) -> dict[str, str]:
        """Return the tags of a pipeline, stage or action (`NAME/STAGE/ACTION`)."""
        found = self.pipelines.get(f"{account}/{region}/{resource.partition('/')[0]}")
        return found.tags if found else {}

    def _on_push(self, connection: str, repository: str, branch: str, commit: str) -> None:
        for pipeline in list(self.pipelines.values()):
            action = triggered_action(pipeline, connection, repository, branch)
            if action is None:
                continue
            # A push is delivered again if the process ended before its delivery was recorded.
            last = next(
                (each for each in self.store.history(pipeline) if each.trigger == "WebhookV2"),
                None,
            )
            if last is None or last.pins.get(action) != (branch, commit):
                self.begin(pipeline, "WebhookV2", commit, pins={action: (branch, commit)})
