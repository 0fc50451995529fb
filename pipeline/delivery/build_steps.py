"""The builds of the pipeline: what each installs, runs, may call and outputs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk import Duration, pipelines
from aws_cdk import aws_codebuild as codebuild
from aws_cdk import aws_iam as iam

from pipeline.builds.commands import side_by_side
from pipeline.builds.downloads import FOLDER
from pipeline.builds.inputs import PROVED
from pipeline.delivery import package_index
from pipeline.gates.report.gate_report import EXPORT, VARIABLE
from pipeline.names import CDK_CLI, EVIDENCE

if TYPE_CHECKING:
    from aws_cdk import CfnOutput
    from aws_cdk import aws_logs as logs

    from environments.schema import Home
    from pipeline.builds.bundle import Platform
    from pipeline.delivery.stacks.code_signing import Signing

_IMAGE = "aws/codebuild/standard:8.0"
_CDK = f".cache/cdk-{CDK_CLI}"
_REPORTS_EXPORT = {
    "env": {"exported-variables": [VARIABLE]},
    "phases": {"post_build": {"commands": [EXPORT]}},
}
"""The parts of a buildspec that export the gates' reports to `pithead release`."""
CACHED_DOWNLOADS = "/root/.cache/pithead/downloads/**/*"
_OWN_CACHES = [
    f'export {FOLDER}="${{XDG_CACHE_HOME:-$HOME/.cache}}/pithead/downloads"',
    # All other caches start empty and are deleted with the build: uv trusts what it has unpacked,
    # Python and Node what they have compiled, jsii and npm what they have stored.
    'export XDG_CACHE_HOME="$PWD/.cache" UV_CACHE_DIR="$PWD/.cache/uv"'
    ' NPM_CONFIG_CACHE="$PWD/.cache/npm" JSII_RUNTIME_PACKAGE_CACHE_ROOT="$PWD/.cache/jsii"',
    "unset PYTHONPYCACHEPREFIX NODE_COMPILE_CACHE",
    "rm -rf .cache",  # the commit may contain one
]
"""Commands that isolate a build from the caches of earlier builds."""


def options(platform: Platform, log_group: logs.ILogGroup) -> pipelines.CodeBuildOptions:
    """Return the options of all builds: image, size, logs, cache and timeout."""
    return pipelines.CodeBuildOptions(
        build_environment=codebuild.BuildEnvironment(
            build_image=codebuild.LinuxBuildImage.from_code_build_image_id(_IMAGE),
            compute_type=codebuild.ComputeType.SMALL,
        ),
        logging=codebuild.LoggingOptions(
            cloud_watch=codebuild.CloudWatchLoggingOptions(log_group=log_group)
        ),
        partial_build_spec=_builder(platform),
        # Any build may have written to this cache: see `pipeline.builds.downloads`.
        cache=codebuild.Cache.local(codebuild.LocalCacheMode.CUSTOM),
        timeout=Duration.minutes(20),
    )


def _builder(platform: Platform) -> codebuild.BuildSpec:
    """Return the runtimes and the cache of a builder.

    On AWS's image, synthesis needs Lambda's own version of Python, because it compiles the bundle's
    bytecode. A builder on the host uses the host's runtimes.
    """
    found = runtimes(platform)
    install_phase = {"phases": {"install": found}} if found else {}
    cache = {"cache": {"paths": [CACHED_DOWNLOADS]}}
    return codebuild.BuildSpec.from_object({"version": "0.2", **install_phase, **cache})


def runtimes(platform: Platform) -> dict[str, dict[str, str]]:
    """Return the runtimes for the phase `install`; empty on a host's own builder."""
    if not platform.python:
        return {}
    return {"runtime-versions": {"python": platform.python, "nodejs": "24"}}


def install(group: str) -> list[str]:
    """Return the commands that create `.venv` from a group's lock.

    uv is in the image, or is installed from its own lock.
    """
    return [
        *_OWN_CACHES,
        "command -v uv >/dev/null"
        " || python3 -m pip install --quiet --require-hashes --requirement requirements/uv.txt",
        "uv venv --quiet --clear .venv",  # the commit may contain one
        f"python3 -m pipeline.builds.downloads packages requirements/{group}.txt",
    ]


def add_inputs_digest(synth: pipelines.CodeBuildStep, digest: str) -> None:
    """Append the digest of the app's inputs to the variables of Synth's project.

    Call this once the project is built. CDK hashes a build's buildspec and variables into the
    pipeline's action, and a pipeline that changes restarts its execution
    (`RestartExecutionOnUpdate`). CDK does not hash what is added to the CloudFormation resource, so
    a changed digest changes the project alone.
    """
    project = synth.project.node.default_child
    assert isinstance(project, codebuild.CfnProject)  # noqa: S101  # CDK makes one
    environment = project.environment
    assert isinstance(environment, codebuild.CfnProject.EnvironmentProperty)  # noqa: S101  # as it is
    declared = environment.environment_variables
    assert isinstance(declared, list)  # noqa: S101  # CDK_VALIDATION at least
    project.add_property_override(
        f"Environment.EnvironmentVariables.{len(declared)}",
        {"Name": PROVED, "Type": "PLAINTEXT", "Value": digest},
    )


class Builds:
    """Creates the steps that run gates of `pipeline/gates` on a clone of the source."""

    def __init__(
        self, home: Home, source: pipelines.CodePipelineSource, clone: iam.PolicyStatement
    ) -> None:
        """Create the builds of a source; `clone` lets a role read its repository."""
        self._home = home
        self.source = source
        self.statements = [clone, *package_index.statements(home)]
        """Permissions of each build that starts with a clone."""

    def synth(
        self, history: iam.PolicyStatement, context: dict[str, str], signing: Signing
    ) -> pipelines.CodeBuildStep:
        """Return the build that runs the unit gate and creates the cloud assembly.

        `history` lets the unit gate read which release was promoted last. `context` includes the
        context of `signing`.
        """
        keys = " ".join(f"-c {key}={value}" for key, value in context.items())
        return pipelines.CodeBuildStep(
            "Synth",
            input=self.source,
            install_commands=[
                *package_index.login(self._home, npm=True),
                *install("synth"),
                f"python3 -m pipeline.builds.downloads cdk {_CDK}",
                f'export PATH="$PWD/{_CDK}/bin:$PATH"',
            ],
            build_environment=package_index.environment(self._home, npm=True),
            commands=[
                *signing.commands,
                side_by_side("unit --promoted", f"synthesis {keys}"),
            ],
            # CDK's own validation repeats cfn-lint's, and takes half of the synthesis time.
            env={"CDK_VALIDATION": "false", **signing.env},
            role_policy_statements=[*self.statements, history, *signing.statements],
            primary_output_directory="cdk.out",
            partial_build_spec=codebuild.BuildSpec.from_object(
                {
                    **_REPORTS_EXPORT,
                    "reports": {"unit": {"files": ["unit.xml"], "base-directory": "reports"}},
                }
            ),
        )

    def gate(
        self,
        name: str,
        *programs: str,
        group: str,
        outputs: dict[str, CfnOutput] | None = None,
        statements: list[iam.PolicyStatement] | None = None,
        inputs: dict[str, pipelines.IFileSetProducer] | None = None,
    ) -> pipelines.CodeBuildStep:
        """Return a build that runs independent gates; it succeeds if all of them pass.

        Its reports become an artifact of the execution, together with the reports of earlier gates
        among its inputs. CodeBuild uploads the artifacts of a failed build, too ("Build phase
        transitions"), so the report of a refusal can be read.

        `group` is the dependency group that the programs need: installing more costs CPU.
        """
        given = dict(inputs or {})
        hand_on = ["mkdir -p reports", f"cp -RL {EVIDENCE} reports/"]
        evidence = any(folder.startswith(EVIDENCE) for folder in given)
        return pipelines.CodeBuildStep(
            name,
            input=self.source,
            additional_inputs=given,
            install_commands=[*package_index.login(self._home), *install(group)],
            commands=[*(hand_on if evidence else []), side_by_side(*programs)],
            build_environment=package_index.environment(self._home),
            env_from_cfn_outputs=outputs,
            role_policy_statements=[*self.statements, *(statements or [])],
            primary_output_directory="reports",
            partial_build_spec=codebuild.BuildSpec.from_object(_REPORTS_EXPORT),
        )
