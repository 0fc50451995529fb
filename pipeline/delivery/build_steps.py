"""The builds of the pipeline: what each installs, runs, may ask of AWS, and hands on."""

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
KEPT = "/root/.cache/pithead/downloads/**/*"
_OWN_CACHES = [
    f'export {FOLDER}="${{XDG_CACHE_HOME:-$HOME/.cache}}/pithead/downloads"',
    # All other caches begin empty and end with the build: uv trusts what it has unpacked, Python
    # and Node what they have compiled, jsii and npm what they have stored.
    'export XDG_CACHE_HOME="$PWD/.cache" UV_CACHE_DIR="$PWD/.cache/uv"'
    ' NPM_CONFIG_CACHE="$PWD/.cache/npm" JSII_RUNTIME_PACKAGE_CACHE_ROOT="$PWD/.cache/jsii"',
    "unset PYTHONPYCACHEPREFIX NODE_COMPILE_CACHE",
    "rm -rf .cache",  # whatever a commit has there
]
"""Commands after which a build trusts nothing that another build has left."""


def options(platform: Platform, log_group: logs.ILogGroup) -> pipelines.CodeBuildOptions:
    """What all builds have in common: a builder of AWS's image, and where it writes to."""
    return pipelines.CodeBuildOptions(
        build_environment=codebuild.BuildEnvironment(
            build_image=codebuild.LinuxBuildImage.from_code_build_image_id(_IMAGE),
            compute_type=codebuild.ComputeType.SMALL,
        ),
        logging=codebuild.LoggingOptions(
            cloud_watch=codebuild.CloudWatchLoggingOptions(log_group=log_group)
        ),
        partial_build_spec=_builder(platform),
        # Any build may have written to it: see `pipeline.builds.downloads`.
        cache=codebuild.Cache.local(codebuild.LocalCacheMode.CUSTOM),
        timeout=Duration.minutes(20),
    )


def _builder(platform: Platform) -> codebuild.BuildSpec:
    """What a builder of AWS's image has, and what it keeps of its last build.

    The host's own builder has the languages that it has.

    Synthesis compiles the bundle's bytecode, which only Lambda's own version of Python can.
    """
    found = runtimes(platform)
    install_phase = {"phases": {"install": found}} if found else {}
    cache = {"cache": {"paths": [KEPT]}}
    return codebuild.BuildSpec.from_object({"version": "0.2", **install_phase, **cache})


def runtimes(platform: Platform) -> dict[str, dict[str, str]]:
    """The languages of AWS's image, as the phase `install` asks for them; none of a host's own."""
    if not platform.python:
        return {}
    return {"runtime-versions": {"python": platform.python, "nodejs": "24"}}


def install(group: str) -> list[str]:
    """Commands that make `.venv` from a group's lock; uv is in the image or comes from its own."""
    return [
        *_OWN_CACHES,
        "command -v uv >/dev/null"
        " || python3 -m pip install --quiet --require-hashes --requirement requirements/uv.txt",
        "uv venv --quiet --clear .venv",  # whatever a commit has there
        f"python3 -m pipeline.builds.downloads packages requirements/{group}.txt",
    ]


def state_inputs(synth: pipelines.CodeBuildStep, digest: str) -> None:
    """Append the digest of the app's inputs to the variables of Synth's project, once it is built.

    CDK hashes a build's buildspec and variables into the pipeline's action, and a pipeline that
    changes restarts its execution (`RestartExecutionOnUpdate`). CDK takes no hash of what is
    added to the CloudFormation resource, so a changed digest changes the project alone.
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
    """Makes the steps that run programs of `pipeline/gates` on a clone of the source."""

    def __init__(
        self, home: Home, source: pipelines.CodePipelineSource, clone: iam.PolicyStatement
    ) -> None:
        """`clone` lets a role read the source's repository."""
        self._home = home
        self.source = source
        self.statements = [clone, *package_index.statements(home)]
        """What the role of each build that begins with a clone may do."""

    def synth(
        self, history: iam.PolicyStatement, context: dict[str, str], signing: Signing
    ) -> pipelines.CodeBuildStep:
        """The build that makes the cloud assembly, and is the gate of what was never deployed.

        `history` lets the unit gate ask which release was promoted last; `context` includes that
        of `signing`.
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
            # The CDK's own look at templates repeats cfn-lint's, for half of synthesis' time.
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
        """A build of gates that do not need each other: it succeeds when all of them pass.

        Its reports become an artifact of the execution. CodeBuild uploads them of a build that
        failed, too ("Build phase transitions"), so that what refused can be read afterwards.
        What it was given of the gates before it, it hands on with its own.

        `group` is the dependency group of what the programs need: to install a file costs CPU.
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
