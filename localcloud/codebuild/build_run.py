"""Run one build, from its sources to its artifacts."""

from __future__ import annotations

import os
import threading
from contextlib import closing, contextmanager, suppress
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from localcloud.codebuild import environment, image, sources
from localcloud.codebuild.buildspec import PHASES, Buildspec, BuildspecError, parse
from localcloud.codebuild.egress import Egress
from localcloud.codebuild.log import BuildLog
from localcloud.codebuild.model import Phase
from localcloud.codebuild.outputs import OutputError, Outputs
from localcloud.codebuild.rules import confinement_rules
from localcloud.codebuild.shell import Shell
from localcloud.codebuild.workspace import Workspace, folder_name
from localcloud.core.confinement import Rules
from localcloud.iam.actions import log_events

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from localcloud.codebuild.buildspec import Commands
    from localcloud.codebuild.model import Build
    from localcloud.codebuild.store import Store
    from localcloud.core.core import Core
    from localcloud.core.credentials import Session
    from localcloud.core.delivery_ports import RepositoryReader
    from localcloud.core.log_ports import LogDelivery
    from localcloud.core.ports import BuildRequest
    from localcloud.iam.access import Access


class PhaseError(Exception):
    """A phase failed; `code` and the message are those of the phase's context."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class InterruptedBuildError(PhaseError):
    """The build was stopped or timed out."""


class BuildRun:
    """Runs one build; `save` writes its state to the ledger."""

    def __init__(
        self,
        core: Core,
        store: Store,
        access: Access,
        logs: LogDelivery,
        repositories: RepositoryReader,
        project: dict[str, Any],
        request: BuildRequest,
        build: Build,
        session: Session,
        save: Callable[[], None],
    ) -> None:
        self._core = core
        self._store = store
        self._access = access
        self._logs = logs
        self._repositories = repositories
        self._project = project
        self._request = request
        self._build = build
        self._save = save
        self._session = session
        self._s3 = core.client("s3", session.account, request.region, session)
        self._log = BuildLog(self._keep)
        self._rules = Rules((), ())
        self._failure = ""
        self._status = "SUCCEEDED"

    def run(self) -> str:
        """Run the build to its end and return its status.

        AWS, "Build phase transitions": a failed `install` or `pre_build` ends the build; after a
        failed `build`, `post_build` and the upload of artifacts still run. With `on-failure: ABORT`
        a failure of any phase ends the build, with `CONTINUE` none does. A build with a failed
        phase is FAILED in both cases.
        """
        timer = threading.Timer(self._build.timeout * 60, self._build.interrupt, ["TIMED_OUT"])
        timer.daemon = True
        timer.start()
        try:
            ledger = self._core.ledger
            name = folder_name(ledger, self._project["arn"])
            workspace = Workspace(ledger.folder / "codebuild", name)
            try:
                with (
                    suppress(PhaseError),
                    closing(Egress(os.environ, self._report_blocked)) as egress,
                ):
                    self._phases(workspace, egress)
            finally:
                with self._phase("FINALIZING", always=True):
                    workspace.release()
                self._build.phases.append(Phase("COMPLETED", "", self._core.clock.timestamp()))
                threading.Thread(target=workspace.sweep, name="build-sweep", daemon=True).start()
        finally:
            timer.cancel()
            self._log.close()
        self._build.reason = self._failure
        return self._status

    def _phases(self, workspace: Workspace, egress: Egress) -> None:
        for name in ("SUBMITTED", "QUEUED", "PROVISIONING"):
            with self._phase(name):
                if name == "QUEUED":
                    self._open_log()
        with self._phase("DOWNLOAD_SOURCE"):
            spec = self._download(workspace)
            cached = spec.cache if self._caches() else ()
            workspace.restore(cached)
            shell = self._shell(workspace, spec, egress)
        try:
            if self._commands(shell, spec):
                self._build.exported = shell.exported(spec.exported)
                # No process of the build can replace a file by a link while it is read.
                shell.end()
                self._upload_outputs(workspace, spec)
        finally:
            self._build.on_interrupt(None)
            shell.close()
            self._build.process_group = 0
            workspace.keep(cached)

    def _commands(self, shell: Shell, spec: Buildspec) -> bool:
        """Run the four phases; return whether to upload artifacts."""
        for name in PHASES:
            commands = spec.phases[name]
            try:
                with self._phase(name.upper()):
                    self._run(shell, commands)
            except InterruptedBuildError:
                raise
            except PhaseError:
                follows = "CONTINUE" if name in {"build", "post_build"} else "ABORT"
                if (commands.on_failure or follows) == "ABORT":
                    return False
        return True

    def _run(self, shell: Shell, commands: Commands) -> None:
        failed: PhaseError | None = None
        for group in (commands.commands, commands.finally_):
            for command in group:
                self._write(f"Running command {command}")
                status = shell.run(command, succeeding=not (self._failure or failed))
                self._check_interrupted()
                if status != 0:
                    reason = "killed" if status is None else f"exit status {status}"
                    failed = failed or PhaseError(
                        "COMMAND_EXECUTION_ERROR",
                        f"Error while executing command: {command}. Reason: {reason}",
                    )
                    break
        if failed:
            raise failed

    @contextmanager
    def _phase(self, name: str, *, always: bool = False) -> Iterator[None]:
        phase = Phase(name, "IN_PROGRESS", self._core.clock.timestamp())
        self._build.phases.append(phase)
        self._write(f"Entering phase {name}")
        try:
            if not always:
                self._check_interrupted()
            try:
                yield
            except BuildspecError as error:
                raise PhaseError(error.code, str(error)) from error
            phase.status = "SUCCEEDED"
        except PhaseError as error:
            phase.status = self._status = "FAILED"
            if isinstance(error, InterruptedBuildError):
                phase.status = self._status = self._build.interrupted
            phase.code, phase.message = error.code, str(error)
            self._failure = self._failure or f"Phase: {name}, Code: {error.code}, Message: {error}"
            self._write(f"Phase context status code: {error.code} Message: {error}")
            raise
        finally:
            phase.ended = self._core.clock.timestamp()
            self._write(f"Phase complete: {name} State: {phase.status}")
            self._save()

    def _check_interrupted(self) -> None:
        if self._build.interrupted == "TIMED_OUT":
            raise InterruptedBuildError(
                "BUILD_TIMED_OUT", f"Build has timed out after {self._build.timeout:g} minutes"
            )
        if self._build.interrupted:
            raise InterruptedBuildError("BUILD_STOPPED", "The build was stopped")

    def _open_log(self) -> None:
        """Check that the service role may create the log stream.

        Users report this failure in aws-cdk#12179 and hyperswitch-cdk#37: recent reports name phase
        QUEUED, older ones PROVISIONING. If only `logs:PutLogEvents` is missing, the build runs
        without a log.
        """
        build = self._build
        if not build.group:
            return
        wanted = log_events.create(
            self._logs, build.account, build.region, build.group, build.stream
        )
        refused = self._access.own_call(self._session, build.region, *wanted)
        if refused is not None:
            raise PhaseError(
                "ACCESS_DENIED",
                f"Service role {self._session.role_arn} does not allow AWS CodeBuild to create "
                f"Amazon CloudWatch Logs log streams for build {build.arn}. Error message: "
                f"{refused.message}",
            )

    def _download(self, workspace: Workspace) -> Buildspec:
        for name, (bucket, key) in self._request.inputs.items():
            try:
                content = self._s3.get_object(Bucket=bucket, Key=key)["Body"].read()
                place = workspace.place(name, primary=name == self._request.primary)
                sources.unpack_artifact(
                    content, place, self._core.endpoint, self._repositories, self._session
                )
            except (BotoCoreError, ClientError, sources.SourceError) as error:
                raise PhaseError(
                    "CLIENT_ERROR",
                    f"{error} for primary source and source version s3://"
                    f"{bucket}/{key} (artifact {name})",
                ) from error
        text = (
            self._request.buildspec or self._project["source"].get("buildspec") or "buildspec.yml"
        )
        if "\n" not in text and not text.lstrip().startswith("{"):
            path = (workspace.source / text).resolve()
            inside = path.is_relative_to(workspace.source.resolve())
            if not inside or not path.is_file():
                raise PhaseError(
                    "YAML_FILE_ERROR", f"stat {path}: no such file or directory in the source"
                )
            text = path.read_text(errors="replace")
        spec = parse(text)
        for runtime, version in spec.runtimes.items():
            _check_runtime(runtime, version)
        return spec

    def _shell(self, workspace: Workspace, spec: Buildspec, egress: Egress) -> Shell:
        variables = environment.variables(
            self._core,
            self._project,
            self._request,
            self._build,
            spec,
            workspace,
            self._session,
            self._log.mask,
        )
        variables |= egress.variables()
        self._write(
            "Network: a proxy forwards all requests except those to AWS. Direct connections to "
            "ports 80 and 443 fail with EACCES, also those of an SDK that ignores AWS_ENDPOINT_URL"
        )
        self._rules = confinement_rules(self._core.ledger.folder, workspace, variables)
        log = self._log.descriptor
        shell = Shell(spec.shell, workspace.run, workspace.source, variables, log, self._rules)
        self._build.process_group = shell.group
        self._save()
        self._build.on_interrupt(shell.end)
        return shell

    def _report_blocked(self, host: str) -> None:
        self._write(
            f"{host}: blocked, because it is a host of AWS and not the local cloud. The client "
            "ignores AWS_ENDPOINT_URL or sets another endpoint. Use a version that reads it"
        )

    def _caches(self) -> bool:
        return "LOCAL_CUSTOM_CACHE" in ((self._project.get("cache") or {}).get("modes") or [])

    def _upload_outputs(self, workspace: Workspace, spec: Buildspec) -> None:
        build = self._build
        outputs = Outputs(
            self._store,
            self._core.clock,
            self._access,
            self._request,
            build,
            self._session,
            self._s3,
            self._project.get("encryptionKey")
            or f"arn:aws:kms:{build.region}:{build.account}:alias/aws/s3",
            workspace.source,
            self._rules.readable,
        )
        with self._phase("UPLOAD_ARTIFACTS"):
            try:
                outputs.keep(spec)
            except OutputError as error:
                raise PhaseError("CLIENT_ERROR", str(error)) from error

    def _write(self, text: str) -> None:
        now = self._core.clock.now()
        self._log.write(f"[Container] {now:%Y/%m/%d %H:%M:%S.%f} {text}")

    def _keep(self, lines: list[str]) -> None:
        build = self._build
        if build.group:
            now = self._core.clock.timestamp()
            timed = [(now, each) for each in lines]
            self._logs.deliver(self._session, build.region, build.group, build.stream, timed)


def _check_runtime(runtime: str, version: str) -> None:
    there = image.RUNTIMES.get(runtime)
    if there is None:
        raise BuildspecError(
            f"Unknown runtime named '{runtime}'. This build image has the following runtimes: "
            + ", ".join(sorted(image.RUNTIMES))
        )
    if version not in {there, "latest"} and not version.startswith(f"{there}."):
        raise BuildspecError(
            f"Unknown runtime version named '{version}' of {runtime}. This build image has the "
            f"following versions: {there}"
        )
