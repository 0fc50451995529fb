"""The build that compares a release with what is deployed, before self-mutation.

Gates are code of the commit that they check, so a commit that removes a gate would also remove the
check that notices it. This build runs the *deployed* pipeline's gate `changes`: its deployed
buildspec names the git trees of the gate's code and locks at the commit that the pipeline was
deployed from. The history of the commit under test contains these trees. None of that commit's own
code, packages or tools runs here.

The build fails if a tree is not in the history (the branch was rewritten), or if the older code
cannot read the assembly. Someone who may deploy in the pipeline's account then deploys its stack by
hand from a reviewed commit (docs/gates.md).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk import Duration
from aws_cdk import aws_codebuild as codebuild
from aws_cdk import aws_codepipeline as codepipeline
from aws_cdk import aws_codepipeline_actions as actions
from aws_cdk import aws_iam as iam

from pipeline.builds.commands import gate
from pipeline.builds.commit import tree
from pipeline.builds.safeguards import FOLDERS, WAIVERS
from pipeline.delivery import build_steps, package_index
from pipeline.gates.report.gate_report import EXPORT, VARIABLE
from pipeline.names import COMPARISON

if TYPE_CHECKING:
    from aws_cdk import pipelines

    from environments.schema import Home
    from pipeline.builds.bundle import Platform

_DEPLOYED = ".deployed"
"""Folder of the deployed gate, below the checkout of the commit under test."""
_GROUP = "template"  # contains cfn-lint and its copy of AWS's resource schemas
_NEXT_STEP = (
    "the history of this commit lacks the code that the deployed pipeline compares with; "
    "release a commit that descends from the one that the pipeline was deployed from, or deploy "
    "the pipeline's stack anew from a reviewed commit"
)


def compare_before_update(
    pipeline: pipelines.CodePipeline,
    options: pipelines.CodeBuildOptions,
    platform: Platform,
    home: Home,
    statements: list[iam.PolicyStatement],
) -> None:
    """Add the comparison to the stage Build, after the assembly is created.

    `statements` are the permissions to read what is compared.
    """
    clone, assembly = (_output(pipeline, stage) for stage in ("Source", "Build"))
    variables = package_index.environment(home)
    environment = options.build_environment
    logging = options.logging
    assert environment is not None  # noqa: S101  # ours have one
    project = codebuild.PipelineProject(
        pipeline,
        COMPARISON,
        description="Compares a release with what is deployed, by the deployed gate",
        build_spec=codebuild.BuildSpec.from_object(_buildspec(home, platform, assembly)),
        environment=codebuild.BuildEnvironment(
            build_image=environment.build_image,
            compute_type=environment.compute_type,
            environment_variables=variables.environment_variables,
        ),
        logging=logging,
        cache=options.cache,
        timeout=Duration.minutes(20),
    )
    for statement in statements:
        project.add_to_role_policy(statement)
    pipeline.pipeline.stage("Build").add_action(
        actions.CodeBuildAction(
            action_name=COMPARISON,
            project=project,
            input=clone,
            extra_inputs=[assembly],
            outputs=[codepipeline.Artifact(f"{COMPARISON}_Output")],
            run_order=2,
        )
    )


def _output(pipeline: pipelines.CodePipeline, stage: str) -> codepipeline.Artifact:
    """Return the first output artifact of the first action of a stage."""
    outputs = pipeline.pipeline.stage(stage).actions[0].action_properties.outputs
    assert outputs  # noqa: S101  # so it is with sources and with synthesis
    return outputs[0]


def _buildspec(
    home: Home, platform: Platform, assembly: codepipeline.Artifact
) -> dict[str, object]:
    return {
        "version": "0.2",
        "env": {"exported-variables": [VARIABLE]},
        "cache": {"paths": [build_steps.CACHED_DOWNLOADS]},
        "phases": {
            "install": {
                **build_steps.runtimes(platform),
                "commands": [
                    *_deployed_code(),
                    *package_index.login(home),
                    *build_steps.install(_GROUP),
                ],
            },
            "build": {
                "commands": [
                    gate(
                        'changes --checkout "$CODEBUILD_SRC_DIR" '
                        f'"$CODEBUILD_SRC_DIR_{assembly.artifact_name}"'
                    )
                ]
            },
            "post_build": {"commands": [EXPORT]},
        },
        "artifacts": {"base-directory": f"{_DEPLOYED}/reports", "files": ["**/*"]},
    }


def _deployed_code() -> list[str]:
    """Return commands that extract the deployed gate's code and change to its folder."""
    trees = {folder: tree(folder) for folder in FOLDERS}
    found = " && ".join(f"git cat-file -e {each}" for each in trees.values())
    return [
        # The commit under test may contain this folder.
        f"rm -rf {_DEPLOYED} && mkdir {_DEPLOYED}",
        f'{found} || {{ echo "{_NEXT_STEP}"; exit 1; }}',
        *(
            f"git archive --prefix={folder}/ --output={_DEPLOYED}/{_archive(folder)} {each}"
            for folder, each in trees.items()
        ),
        *(f"tar -xf {_DEPLOYED}/{_archive(folder)} -C {_DEPLOYED}" for folder in FOLDERS),
        # The waivers come from the commit under test: a new waiver is itself a finding.
        f"cp {WAIVERS} {_DEPLOYED}/{WAIVERS} || rm {_DEPLOYED}/{WAIVERS}",
        # uv searches parent folders for settings until it finds a file.
        f"touch {_DEPLOYED}/uv.toml && cd {_DEPLOYED}",
    ]


def _archive(folder: str) -> str:
    return f"{folder.replace('/', '-')}.tar"
