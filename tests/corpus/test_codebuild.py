"""CodeBuild: rejected buildspecs, phases after a failure, and changed sources."""

from __future__ import annotations

import io
import json
import zipfile
from typing import TYPE_CHECKING

import pytest

from localcloud.codebuild.image import RUNTIMES
from tests.corpus.builds import contexts, spec
from tests.corpus.deliveries import running
from tests.corpus.report import report
from tests.localcloud.codebuild.builds import SERVICES, Builds

if TYPE_CHECKING:
    from collections.abc import Iterator

    from localcloud.server import LocalCloud


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    with running(tmp_path_factory.mktemp("builds"), *SERVICES) as started:
        Builds(started).set_up()
        yield started


@pytest.fixture
def builds(server: LocalCloud, request: pytest.FixtureRequest) -> Builds:
    """A separate project for each test."""
    made = Builds(server, project=request.function.__name__.replace("_", "-"))
    made.declare()
    return made


@report(
    "aws/sagemaker-chainer-container#83",
    "CodeBuild",
    situation="An unquoted command of a buildspec contains a colon and a space.",
    outcome="The build fails in DOWNLOAD_SOURCE: YAML reads the command as a mapping.",
)
def test_a_command_with_a_colon_is_no_string(builds: Builds) -> None:
    text = """\
version: 0.2
phases:
  build:
    commands:
      - echo one
      - echo two
      - echo tag: latest
"""
    build = builds.run(buildspec=text)
    assert build.status == "FAILED"
    code, message = contexts(builds, build)["DOWNLOAD_SOURCE"]
    assert code == "YAML_FILE_ERROR"
    assert message.startswith("Expected Commands[2] to be of string type: found subkeys instead")


@report(
    "aws-samples/mlops-e2e#68",
    "CodeBuild",
    situation="A project's buildspec is a file that the source does not have.",
    outcome="The build fails in DOWNLOAD_SOURCE with YAML_FILE_ERROR: no such file or directory.",
)
def test_a_buildspec_that_is_not_in_the_source(builds: Builds) -> None:
    builds.declare("buildspecs/build.yml")
    place = builds.put("without-buildspec", {"README": "hello"})
    build = builds.run(inputs={"App": place}, primary="App")
    code, message = contexts(builds, build)["DOWNLOAD_SOURCE"]
    assert code == "YAML_FILE_ERROR"
    assert message.startswith("stat /")
    assert "/buildspecs/build.yml: no such file or directory" in message


@report(
    "aws/aws-codebuild-docker-images#617",
    "CodeBuild",
    situation="A buildspec names a runtime version that the image does not have any more.",
    outcome="The build fails in DOWNLOAD_SOURCE; the message lists the available versions.",
)
def test_a_version_that_the_image_has_not(builds: Builds) -> None:
    install = {"runtime-versions": {"python": "2.7"}}
    text = json.dumps({"version": "0.2", "phases": {"install": install}})
    assert contexts(builds, builds.run(buildspec=text)) == {
        "DOWNLOAD_SOURCE": (
            "YAML_FILE_ERROR",
            "Unknown runtime version named '2.7' of python. This build image has the following "
            f"versions: {RUNTIMES['python']}",
        )
    }


@report(
    "mozilla-iam/dino-park-front-end#554",
    "CodeBuild",
    situation="The phase build fails; post_build deploys.",
    outcome="post_build runs too; only CODEBUILD_BUILD_SUCCEEDING shows the failure.",
)
def test_post_build_runs_after_a_failed_build(builds: Builds) -> None:
    after = ["echo deploying, $CODEBUILD_BUILD_SUCCEEDING"]
    build = builds.run(buildspec=spec(build=["false"], post_build=after))
    assert builds.log(build) == ["deploying, 0"]
    assert build.status == "FAILED"
    assert list(contexts(builds, build)) == ["BUILD"]


@report(
    "aws/copilot-cli#2780",
    "CodeBuild",
    situation="post_build fails because the folder of the artifacts is missing.",
    outcome="CodeBuild still uploads the artifacts, which fails too.",
)
def test_artifacts_are_uploaded_after_a_failed_post_build(builds: Builds) -> None:
    command = "ls -lah ./infrastructure"
    build = builds.run(
        buildspec=spec(post_build=[command], artifacts={"files": ["infrastructure/*"]}),
        outputs={"Out": (builds.bucket, "never")},
    )
    assert contexts(builds, build) == {
        "POST_BUILD": (
            "COMMAND_EXECUTION_ERROR",
            f"Error while executing command: {command}. Reason: exit status 2",
        ),
        "UPLOAD_ARTIFACTS": ("CLIENT_ERROR", "no matching artifact paths found"),
    }


@report(
    "magenx/Magento-2-aws-cluster-terraform#19",
    "CodeBuild",
    situation="With shell bash, one command declares an associative array, the next assigns to it.",
    outcome="The array is lost: bash evaluates the key as arithmetic, and fails.",
)
def test_an_array_does_not_reach_the_next_command(builds: Builds) -> None:
    commands = ["declare -A parameter", 'key="php-7.4.x"; parameter["$key"]="on"; echo set']
    build = builds.run(buildspec=spec(build=commands, env={"shell": "bash"}))
    assert build.status == "FAILED"
    (line,) = builds.log(build)
    assert "invalid arithmetic operator" in line
    together = builds.run(buildspec=spec(build=["; ".join(commands)], env={"shell": "bash"}))
    assert builds.log(together) == ["set"]


@report(
    "aws/aws-cdk#14520",
    "CodeBuild",
    situation="CodePipeline passes a repository with a symbolic link as a zip.",
    outcome="The build gets a text file with the link's target instead of the link.",
)
def test_a_link_of_a_zipped_source_is_a_text(builds: Builds) -> None:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        link = zipfile.ZipInfo("link")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "folder/target")
        archive.writestr("folder/target", "what it links to")
    key = "linked"
    builds.client("s3").put_object(Bucket=builds.bucket, Key=key, Body=content.getvalue())
    place = (builds.bucket, key)
    build = builds.commands("test ! -L link; cat link", inputs={"App": place}, primary="App")
    assert builds.log(build) == ["folder/target"]
