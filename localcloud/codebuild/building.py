"""One build from its sources to its artifacts."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

from localcloud.codebuild import image
from localcloud.codebuild.buildspec import PHASES, Buildspec, BuildspecError, Commands, parse
from localcloud.codebuild.model import Phase
from localcloud.codebuild.shell import Ended, Shell
from localcloud.codebuild.workspace import Workspace, pack, unpack

if TYPE_CHECKING:
    from collections.abc import Callable

    from localcloud.cloud import Cloud
    from localcloud.codebuild.model import Build
    from localcloud.ports import BuildRequest

_BATCH = 0.2  # wall seconds that a log line may wait for company


class PhaseError(Exception):
    """A phase that ends the build; the message is the phase's context."""


class Building:
    """Runs one build; `save` makes its state durable."""

    def __init__(
        self,
        cloud: Cloud,
        project: dict[str, Any],
        request: BuildRequest,
        build: Build,
        save: Callable[[], None],
    ) -> None:
        self._cloud = cloud
        self._project = project
        self._request = request
        self._build = build
        self._save = save
        self._session = cloud.credentials.assume(
            project["serviceRole"], f"AWSCodeBuild-{build.id.rsplit(':', 1)[-1]}"
        )
        self._s3 = cloud.client("s3", self._session.account, request.region, self._session)
        self._lines: list[tuple[float, str]] = []
        self._masked: list[str] = []

    def run(self) -> None:
        """Run it to its end; the outcome stands in the build."""
        minutes = float(self._project.get("timeoutInMinutes") or 60)
        deadline = time.monotonic() + minutes * 60
        workspace = Workspace(image.folder().parent / "codebuild", self._build.project)
        flusher, over = self._flusher()
        try:
            self._phase("SUBMITTED", lambda: None)
            spec = self._phase("DOWNLOAD_SOURCE", lambda: self._download(workspace))
            shell = Shell(
                workspace.run, workspace.source, self._environment(workspace, spec), self._write
            )
            workspace.restore(spec.cache)
            self._commands(shell, spec, deadline)
            self._build.exported = shell.exported(spec.exported)
            self._phase("UPLOAD_ARTIFACTS", lambda: self._upload(workspace, spec))
            workspace.keep(spec.cache)
            self._build.status = "SUCCEEDED"
        except PhaseError as error:
            self._build.reason = str(error)
            if self._build.status == "IN_PROGRESS":
                self._build.status = "FAILED"
        finally:
            self._phase("COMPLETED", lambda: None)
            over.set()
            flusher.join()
            workspace.release()

    def _commands(self, shell: Shell, spec: Buildspec, deadline: float) -> None:
        failure: PhaseError | None = None
        for name in PHASES:
            commands = spec.phases[name]
            # A failed build phase still runs post_build, as AWS documents; others end it.
            if failure and not (name == "post_build" and self._failed_in == "build"):
                continue
            try:
                self._phase(name.upper(), lambda c=commands: self._run(shell, c, deadline))
            except PhaseError as error:
                if commands.on_failure == "CONTINUE" and self._build.status == "IN_PROGRESS":
                    continue
                failure, self._failed_in = failure or error, name
        if failure:
            raise failure

    _failed_in = ""

    def _run(self, shell: Shell, commands: Commands, deadline: float) -> None:
        def began(group: int) -> None:
            self._build.process_group = group
            self._save()

        ended = Ended(0)
        if commands.commands:
            ended = shell.run(commands.commands, deadline, self._build.stop, began)
        if commands.finally_ and not (ended.timed_out or ended.stopped):
            shell.run(commands.finally_, deadline, self._build.stop, began)
        if ended.timed_out:
            self._build.status = "TIMED_OUT"
            minutes = self._project.get("timeoutInMinutes")
            raise PhaseError(f"BUILD_TIMED_OUT: Build has timed out after {minutes} minutes")
        if ended.stopped:
            self._build.status = "STOPPED"
            raise PhaseError("The build was stopped")
        if ended.code != 0:
            raise PhaseError(
                f"COMMAND_EXECUTION_ERROR: Error while executing command: {ended.command}. "
                f"Reason: exit status {ended.code}"
            )

    def _phase(self, name: str, work: Callable[[], Any]) -> Any:
        phase = Phase(name, "IN_PROGRESS", self._cloud.clock.timestamp())
        self._build.phases.append(phase)
        self._write(f"[Container] Entering phase {name}")
        try:
            result = work()
        except PhaseError as error:
            phase.status, phase.message = "FAILED", str(error)
            self._write(f"[Container] Phase context: {error}")
            raise
        else:
            phase.status = "SUCCEEDED"
            return result
        finally:
            phase.ended = self._cloud.clock.timestamp()
            self._write(f"[Container] Phase complete: {name} State: {phase.status}")
            self._save()

    def _download(self, workspace: Workspace) -> Buildspec:
        for name, (bucket, key) in self._request.inputs.items():
            content = self._s3.get_object(Bucket=bucket, Key=key)["Body"].read()
            unpack(content, workspace.place(name, primary=name == self._request.primary))
        text = (
            self._request.buildspec or self._project["source"].get("buildspec") or "buildspec.yml"
        )
        if "\n" not in text and not text.lstrip().startswith("{"):
            path = workspace.source / text
            if not path.is_file():
                raise PhaseError(f"YAML_FILE_ERROR: stat {text}: no such file or directory")
            text = path.read_text()
        try:
            return parse(text)
        except BuildspecError as error:
            raise PhaseError(str(error)) from error

    def _environment(self, workspace: Workspace, spec: Buildspec) -> dict[str, str]:
        build, request = self._build, self._request
        variables = image.environment(image.prepare(), workspace.home)
        variables |= {
            "AWS_ENDPOINT_URL": self._cloud.endpoint,
            "AWS_REGION": request.region,
            "AWS_DEFAULT_REGION": request.region,
            "CODEBUILD_BUILD_ARN": build.arn,
            "CODEBUILD_BUILD_ID": build.id,
            "CODEBUILD_BUILD_IMAGE": self._project["environment"]["image"],
            "CODEBUILD_BUILD_NUMBER": str(build.number),
            "CODEBUILD_BUILD_SUCCEEDING": "1",
            "CODEBUILD_INITIATOR": build.initiator,
            "CODEBUILD_LOG_PATH": build.stream,
            "CODEBUILD_SRC_DIR": str(workspace.source),
            "CODEBUILD_START_TIME": str(int(build.started * 1000)),
        }
        if build.source_version:
            variables["CODEBUILD_RESOLVED_SOURCE_VERSION"] = build.source_version
            variables["CODEBUILD_SOURCE_VERSION"] = build.source_version
        for name in request.inputs:
            if name != request.primary:
                place = workspace.place(name, primary=False)
                variables[f"CODEBUILD_SRC_DIR_{name}"] = str(place)
        variables |= self._session.environment()
        declared = [
            *(self._project["environment"].get("environmentVariables") or []),
            *({"name": k, "value": v} for k, v in spec.variables.items()),
            *(
                {"name": k, "value": v, "type": "PARAMETER_STORE"}
                for k, v in spec.parameters.items()
            ),
            *({"name": k, "value": v, "type": "SECRETS_MANAGER"} for k, v in spec.secrets.items()),
            *request.environment,
        ]
        for each in declared:
            variables[each["name"]] = self._value(each)
        return variables

    def _value(self, variable: dict[str, str]) -> str:
        kind, value = variable.get("type") or "PLAINTEXT", variable["value"]
        region, account = self._request.region, self._session.account
        if kind == "PLAINTEXT":
            return value
        try:
            if kind == "PARAMETER_STORE":
                ssm = self._cloud.client("ssm", account, region, self._session)
                found = ssm.get_parameter(Name=value, WithDecryption=True)["Parameter"]["Value"]
            else:
                secrets = self._cloud.client("secretsmanager", account, region, self._session)
                found = secrets.get_secret_value(SecretId=value.split(":")[0])["SecretString"]
        except Exception as error:
            raise PhaseError(f"{kind} {value} could not be read: {error}") from error
        self._masked.append(str(found))
        return str(found)

    def _upload(self, workspace: Workspace, spec: Buildspec) -> None:
        wanted = list(self._request.outputs.items())
        for index, (name, (bucket, key)) in enumerate(wanted):
            artifacts = spec.secondary.get(name) or (spec.artifacts if index == 0 else None)
            if artifacts is None:
                raise PhaseError(f"CLIENT_ERROR: the buildspec declares no artifacts for {name}")
            try:
                content = pack(workspace.source, artifacts)
            except FileNotFoundError as error:
                raise PhaseError(f"CLIENT_ERROR: {error}") from error
            self._s3.put_object(Bucket=bucket, Key=key, Body=content)

    def _write(self, line: str) -> None:
        for secret in self._masked:
            line = line.replace(secret, "***")
        self._lines.append((self._cloud.clock.timestamp(), line))

    def _flusher(self) -> tuple[threading.Thread, threading.Event]:
        over = threading.Event()
        build = self._build

        def flush() -> None:
            while True:
                ended = over.wait(_BATCH)
                lines, self._lines = self._lines, []
                if lines:
                    self._cloud.logs.write(
                        build.account, build.region, build.group, build.stream, lines
                    )
                if ended:
                    return

        thread = threading.Thread(target=flush, name="build-log-writer", daemon=True)
        thread.start()
        return thread, over
