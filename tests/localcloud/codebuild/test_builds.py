from __future__ import annotations

import json
import os
import sys
import sysconfig
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from localcloud.codebuild import image, processes
from localcloud.codebuild.rules import confinement_rules
from localcloud.codebuild.workspace import Workspace
from localcloud.core import confined
from localcloud.core.ports import BuildNotStartedError
from localcloud.core.providers import ProvisioningError

if TYPE_CHECKING:
    from tests.localcloud.codebuild.builds import Builds

REFERENCE = b"""{"CloneUrl": "/none", "CommitId": "%b", "FullRepositoryName": "acme/files",
    "ConnectionArn": "arn:aws:codeconnections:eu-west-1:111111111111:connection/none"}"""


def spec(**keys: Any) -> str:
    return json.dumps({"version": "0.2", **keys})


def phases(build: Any) -> dict[str, str]:
    return {phase.name: phase.status for phase in build.phases if phase.name.isupper()}


def gone(marker: Path) -> bool:
    """Return whether the process whose id is in the file has ended."""
    number = int(marker.read_text())
    try:
        return Path(f"/proc/{number}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


class TestCommands:
    def test_variables_and_the_folder_persist_between_commands_and_functions_do_not(
        self, builds: Builds
    ) -> None:
        build = builds.run(
            buildspec=spec(
                phases={
                    "install": {"commands": ["PLAIN='a b\nc'", "export X=1", "mkdir in && cd in"]},
                    "pre_build": {"commands": ["f() { echo function; }", "set -e"]},
                    "build": {
                        "commands": ['echo "$PLAIN|$X"', "basename $PWD", "false || true", "f || :"]
                    },
                }
            )
        )
        assert build.status == "SUCCEEDED", build.reason
        log = builds.log(build)
        assert log[1:4] == ["a b", "c|1", "in"]
        assert "not found" in log[-1]

    @pytest.mark.parametrize(
        ("command", "shown"),
        [
            ('cat <<EOF\nit\'s "quoted" $((1+1))\nEOF', ['it\'s "quoted" 2']),
            ("for i in 1 2; do\n  echo $i\ndone", ["1", "2"]),
            ("echo a \\", ["a"]),
            ("echo done # comment", ["done"]),
            ("(cd /; exit 0); basename $PWD", ["src"]),
            ("set -e; true; echo on", ["on"]),
            ("echo out; echo err >&2", ["out", "err"]),
            ("printf 'no newline'", ["no newline"]),
            ("printf 'caf\\303\\251 \\377\\n'", ["café \N{REPLACEMENT CHARACTER}"]),
            ("read line || echo eof", ["eof"]),
        ],
    )
    def test_commands_of_every_shape(self, builds: Builds, command: str, shown: list[str]) -> None:
        build = builds.commands(command)
        assert build.status == "SUCCEEDED"
        assert builds.log(build)[-len(shown) :] == shown

    @pytest.mark.parametrize(
        ("command", "status"),
        [
            ("exit 3", 3),
            ("false", 1),
            ("set -e; false; echo never", 1),
            ("echo 'unbalanced", 2),
            ("no-such-command", 127),
            ("kill -9 $$", 137),
            ("true\nfalse\n", 1),
        ],
    )
    def test_a_failed_command_is_named(self, builds: Builds, command: str, status: int) -> None:
        build = builds.commands(command, "echo never")
        assert build.status == "FAILED"
        failed = next(phase for phase in build.phases if phase.code)
        assert failed.code == "COMMAND_EXECUTION_ERROR"
        assert failed.message == (
            f"Error while executing command: {command}. Reason: exit status {status}"
        )
        assert "never" not in builds.log(build)

    def test_background_processes_live_until_the_build_ends(
        self, builds: Builds, tmp_path: Path
    ) -> None:
        marker = tmp_path / "pid"
        build = builds.commands(
            f"sh -c 'echo $$ > {marker}; exec sleep 600' & until [ -s {marker} ]; do :; done",
            f"kill -0 $(cat {marker}) && echo alive",
        )
        assert builds.log(build) == ["alive"]
        assert gone(marker)

    def test_bash_is_used_if_the_buildspec_selects_it(self, builds: Builds) -> None:
        commands = {"build": {"commands": ["a=(1 2); echo ${a[1]}"]}}
        build = builds.run(buildspec=spec(env={"shell": "bash"}, phases=commands))
        assert builds.log(build) == ["2"]

    def test_global_installs_stay_in_the_build(self, builds: Builds) -> None:
        build = builds.commands(
            "python3 -c \"import sysconfig; print(sysconfig.get_path('purelib'))\"",
            "echo $NPM_CONFIG_PREFIX",
            "python3 -m pip --version",
            "uv venv --quiet .venv && .venv/bin/python -c 'import sys; print(sys.base_prefix)'",
            "python3 -c 'import boto3'",
        )
        library, prefix, pip, base, *failure = builds.log(build)
        assert "/codebuild/" in library
        home = library.partition("/home/")[0] + "/home/"
        assert prefix.startswith(home)
        assert pip.startswith("pip ")
        assert base == sys.base_prefix
        assert failure[-1].startswith("ModuleNotFoundError")


class TestPhases:
    @pytest.mark.parametrize("phase", ["install", "pre_build"])
    def test_a_failure_before_the_build_ends_it(self, builds: Builds, phase: str) -> None:
        build = builds.run(
            buildspec=spec(
                phases={
                    phase: {"commands": ["false"], "finally": ["echo finally"]},
                    "build": {"commands": ["echo build"]},
                    "post_build": {"commands": ["echo post"]},
                }
            )
        )
        assert build.status == "FAILED"
        assert builds.log(build) == ["finally"]
        assert [name for name, status in phases(build).items() if status == "FAILED"] == [
            phase.upper()
        ]
        assert "UPLOAD_ARTIFACTS" not in phases(build)

    def test_post_build_runs_after_a_failed_build_and_knows_it_failed(self, builds: Builds) -> None:
        build = builds.run(
            buildspec=spec(
                phases={
                    "pre_build": {"commands": ["echo $CODEBUILD_BUILD_SUCCEEDING"]},
                    "build": {"commands": ["exit 7"], "finally": ["echo finally"]},
                    "post_build": {"commands": ["echo $CODEBUILD_BUILD_SUCCEEDING"]},
                }
            )
        )
        assert builds.log(build) == ["1", "finally", "0"]
        assert build.status == "FAILED"
        assert build.reason == (
            "Phase: BUILD, Code: COMMAND_EXECUTION_ERROR, Message: "
            "Error while executing command: exit 7. Reason: exit status 7"
        )
        assert phases(build)["POST_BUILD"] == "SUCCEEDED"

    def test_on_failure_abort_ends_and_continue_continues(self, builds: Builds) -> None:
        build = builds.run(
            buildspec=spec(
                phases={
                    "install": {"commands": ["false"], "on-failure": "CONTINUE"},
                    "pre_build": {"commands": ["echo goes on"]},
                    "build": {"commands": ["false"], "on-failure": "ABORT"},
                    "post_build": {"commands": ["echo never"]},
                }
            )
        )
        assert (build.status, builds.log(build)) == ("FAILED", ["goes on"])

    def test_a_failed_finally_fails_the_phase(self, builds: Builds) -> None:
        build = builds.run(
            buildspec=spec(phases={"build": {"commands": ["true"], "finally": ["exit 4"]}})
        )
        assert build.status == "FAILED"
        assert "exit status 4" in build.reason


class TestSources:
    def test_a_buildspec_in_the_source(self, builds: Builds) -> None:
        builds.declare("specs/build.yaml")
        text = "version: 0.2\nphases:\n  build:\n    commands:\n      - ls\n"
        place = builds.put("source", {"specs/build.yaml": text, "a": ""})
        build = builds.run(inputs={"Source": place}, primary="Source")
        assert builds.log(build) == ["a", "specs"]

    def test_json_text_whose_version_is_a_number(self, builds: Builds) -> None:
        builds.declare('{"version": 0.2, "phases": {"build": {"commands": ["echo number"]}}}')
        assert builds.log(builds.run()) == ["number"]

    @pytest.mark.parametrize(
        ("buildspec", "code", "said"),
        [
            ("missing.yml", "YAML_FILE_ERROR", "no such file"),
            ("../../etc/passwd", "YAML_FILE_ERROR", "no such file"),
            ("version: 0.2\nphases: [", "YAML_FILE_ERROR", "line 2"),
            ('{"version": "0.2"', "YAML_FILE_ERROR", "delimiter"),
            (spec(phases={"test": {}}), "YAML_FILE_ERROR", "unknown key test in phases"),
            (
                spec(phases={"build": {"commands": [{"a": 1}]}}),
                "YAML_FILE_ERROR",
                "Expected Commands[0] to be of string type: found subkeys",
            ),
            (spec(phases={"build": {"commands": []}}, batch={}), "INVALID_INPUT", "batch"),
            ('{"version": "0.1", "phases": {"build": {}}}', "YAML_FILE_ERROR", "version 0.1"),
            (
                spec(phases={"install": {"runtime-versions": {"ruby": "3"}}}),
                "YAML_FILE_ERROR",
                "Unknown runtime named 'ruby'",
            ),
            (
                spec(phases={"install": {"runtime-versions": {"python": "2.7"}}}),
                "YAML_FILE_ERROR",
                "Unknown runtime version named '2.7'",
            ),
        ],
    )
    def test_a_malformed_buildspec_ends_in_download_source(
        self, builds: Builds, buildspec: str, code: str, said: str
    ) -> None:
        builds.declare(buildspec)
        build = builds.run(inputs={"Source": builds.put("s", {"a": ""})}, primary="Source")
        assert build.status == "FAILED"
        failed = next(phase for phase in build.phases if phase.status == "FAILED")
        assert (failed.name, failed.code) == ("DOWNLOAD_SOURCE", code)
        assert said in failed.message

    def test_a_missing_artifact_is_named(self, builds: Builds) -> None:
        build = builds.commands("true", inputs={"Source": ("artifacts", "gone")}, primary="Source")
        assert build.status == "FAILED"
        assert "DOWNLOAD_SOURCE" in build.reason
        assert "artifacts/gone" in build.reason

    @pytest.mark.parametrize(
        ("artifact", "said"),
        [
            (b"no zip", "File is not a zip file"),
            (b"{}", "refers to no repository: KeyError('CloneUrl')"),
            (b'{"CloneUrl', "refers to no repository: JSONDecodeError"),
            (REFERENCE % b"--all", "'--all'; expected 40 hexadecimal digits"),
            (REFERENCE % (b"0" * 40), "'/none' does not exist"),
        ],
    )
    def test_an_input_artifact_without_a_source_fails_in_download_source(
        self, builds: Builds, artifact: bytes, said: str
    ) -> None:
        builds.client("s3").put_object(Bucket=builds.bucket, Key="bad", Body=artifact)
        build = builds.commands("true", inputs={"App": (builds.bucket, "bad")}, primary="App")
        assert build.status == "FAILED"
        assert "Phase: DOWNLOAD_SOURCE, Code: CLIENT_ERROR" in build.reason
        assert said in build.reason
        assert "source version s3://artifacts/bad (artifact App)" in build.reason

    def test_further_artifacts_have_folders_of_their_own(self, builds: Builds) -> None:
        inputs = {
            "App": builds.put("app", {"a": "primary"}),
            "Synth_Output": builds.put("synth", {"a": "further"}),
        }
        build = builds.commands(
            'cat "$CODEBUILD_SRC_DIR/a"; echo',
            'ln -s -- "$CODEBUILD_SRC_DIR_Synth_Output" ap && cat ap/a; echo',
            inputs=inputs,
            primary="App",
            source_version="c0ffee",
        )
        assert builds.log(build) == ["primary", "further"]


class TestArtifacts:
    def outputs(self, builds: Builds, *names: str) -> dict[str, tuple[str, str]]:
        return {name: (builds.bucket, f"out/{name}") for name in names}

    def test_files_of_a_base_directory(self, builds: Builds) -> None:
        build = builds.run(
            buildspec=spec(
                phases={"build": {"commands": ["mkdir -p o/d && touch o/a o/d/b o/d/c.tmp x"]}},
                artifacts={
                    "base-directory": "o",
                    "files": "**/*",
                    "exclude-paths": ["**/*.tmp"],
                    "name": "n",
                },
            ),
            outputs=self.outputs(builds, "Out"),
        )
        assert build.status == "SUCCEEDED", build.reason
        assert list(builds.artifact("out/Out")) == ["a", "d/b"]

    def test_several_outputs_are_the_secondary_artifacts(self, builds: Builds) -> None:
        build = builds.run(
            buildspec=spec(
                phases={"build": {"commands": ["mkdir d; echo 1 > a; echo 2 > d/b"]}},
                artifacts={
                    "secondary-artifacts": {
                        "One": {"files": ["a"]},
                        "Two": {"files": ["d/*"], "discard-paths": "yes"},
                    }
                },
            ),
            outputs=self.outputs(builds, "One", "Two"),
        )
        assert build.status == "SUCCEEDED", build.reason
        assert builds.artifact("out/One") == {"a": "1\n"}
        assert builds.artifact("out/Two") == {"b": "2\n"}

    @pytest.mark.parametrize(
        ("artifacts", "said"),
        [
            ({"files": ["x*"]}, "no matching artifact paths found"),
            (
                {"files": ["**/*"], "base-directory": "no"},
                "no matching base directory path found for no",
            ),
            ({"secondary-artifacts": {"Other": {"files": ["*"]}}}, "no artifacts for Out"),
        ],
    )
    def test_nothing_to_upload_fails(
        self, builds: Builds, artifacts: dict[str, Any], said: str
    ) -> None:
        build = builds.run(
            buildspec=spec(phases={"build": {"commands": ["true"]}}, artifacts=artifacts),
            outputs=self.outputs(builds, "Out"),
        )
        assert (build.status, "UPLOAD_ARTIFACTS" in build.reason) == ("FAILED", True)
        assert said in build.reason

    def test_artifacts_keep_executables_and_links(self, builds: Builds) -> None:
        build = builds.run(
            buildspec=spec(
                phases={"build": {"commands": ["printf '#!/bin/sh\\necho ran' > x; chmod +x x"]}},
                artifacts={"files": ["**/*"]},
            ),
            outputs=self.outputs(builds, "Out"),
        )
        assert build.status == "SUCCEEDED"
        build = builds.commands("./x", inputs={"Out": (builds.bucket, "out/Out")}, primary="Out")
        assert builds.log(build) == ["ran"]

    def test_a_local_cache_is_kept_for_the_next_build(self, builds: Builds) -> None:
        builds.declare(
            {
                "version": "0.2",
                "phases": {
                    "build": {"commands": ["ls c ~/h || :", "mkdir -p c ~/h; touch c/kept"]}
                },
                "cache": {"paths": ["c/**/*", "/root/h/**/*"]},
            },
            Cache={"Type": "LOCAL", "Modes": ["LOCAL_CUSTOM_CACHE"]},
        )
        assert "kept" not in builds.log(builds.run())
        second = builds.run()
        assert "kept" in builds.log(second)

    def test_exported_variables(self, builds: Builds) -> None:
        build = builds.run(
            buildspec=spec(
                env={"exported-variables": ["URL", "UNSET"]},
                phases={"build": {"commands": ['URL="it\'s\nhere"']}},
            )
        )
        assert build.exported == {"URL": "it's\nhere", "UNSET": ""}

    def test_a_failed_build_exports_what_post_build_sets(self, builds: Builds) -> None:
        """CodeBuild: "Build phase transitions", and `ExportedEnvironmentVariable` of its API."""
        build = builds.run(
            buildspec=spec(
                env={"exported-variables": ["REPORT"]},
                phases={
                    "build": {"commands": ["echo it > report; kill -9 $$", "REPORT=never"]},
                    "post_build": {"commands": ['export REPORT="$(cat report)"']},
                },
            )
        )
        assert build.status == "FAILED"
        (shown,) = builds.client("codebuild").batch_get_builds(ids=[build.id])["builds"]
        assert shown["exportedEnvironmentVariables"] == [{"name": "REPORT", "value": "it"}]

    @pytest.mark.parametrize("phase", ["install", "pre_build"])
    def test_a_build_that_ends_before_post_build_exports_nothing(
        self, builds: Builds, phase: str
    ) -> None:
        build = builds.run(
            buildspec=spec(
                env={"exported-variables": ["REPORT"]},
                phases={
                    phase: {"commands": ["REPORT=early", "exit 1"]},
                    "post_build": {"commands": ["REPORT=late"]},
                },
            )
        )
        assert (build.status, build.exported) == ("FAILED", {})


class TestEnvironment:
    def test_a_build_gets_its_role_and_no_variables_of_this_process(
        self, builds: Builds, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("OF_THE_HOST", "secret")
        monkeypatch.setenv("PYTHONPATH", "/of/the/host")
        build = builds.commands("env")
        seen = dict(line.split("=", 1) for line in builds.log(build))
        assert "OF_THE_HOST" not in seen
        assert "PYTHONPATH" not in seen
        assert seen["AWS_ENDPOINT_URL"] == builds.server.cloud.endpoint
        session = builds.server.cloud.credentials.session(seen["AWS_ACCESS_KEY_ID"])
        assert session is not None
        assert (session.role_name, session.account) == ("build", "111111111111")
        assert seen["CODEBUILD_BUILD_ID"] == build.id

    def test_the_request_overrides_the_project_and_that_the_buildspec(self, builds: Builds) -> None:
        builds.declare(
            {
                "version": "0.2",
                "env": {"variables": {"A": "spec", "B": "spec", "C": "spec"}},
                "phases": {"build": {"commands": ["echo $A $B $C"]}},
            },
            Environment={
                "Type": "LINUX_CONTAINER",
                "Image": "i",
                "ComputeType": "BUILD_GENERAL1_SMALL",
                "EnvironmentVariables": [
                    {"Name": "B", "Value": "project"},
                    {"Name": "C", "Value": "project"},
                ],
            },
        )
        build = builds.run(environment=[{"name": "C", "value": "request"}])
        assert builds.log(build) == ["spec project request"]

    def test_secrets_are_read_by_the_role_and_never_shown(self, builds: Builds) -> None:
        builds.client("ssm").put_parameter(Name="/p", Value="para:meter", Type="SecureString")
        builds.client("secretsmanager").create_secret(
            Name="s", SecretString=json.dumps({"key": "hush hush"})
        )
        build = builds.run(
            buildspec=spec(
                env={"parameter-store": {"P": "/p"}, "secrets-manager": {"S": "s:key"}},
                phases={
                    "build": {
                        "commands": [
                            '[ "$P" = para:meter ] && echo "<$P>"',
                            'echo "$S" | cut -c1-4',
                        ]
                    }
                },
            )
        )
        assert build.status == "SUCCEEDED", build.reason
        assert builds.log(build) == ["<***>", "hush"]
        assert not [line for line in builds.whole_log(build) if "hush hush" in line]

    def test_a_missing_parameter_is_named(self, builds: Builds) -> None:
        build = builds.run(
            buildspec=spec(
                env={"parameter-store": {"P": "/none"}}, phases={"build": {"commands": ["true"]}}
            )
        )
        assert build.status == "FAILED"
        assert "/none" in build.reason

    def test_a_missing_or_untrusting_role_starts_no_build(self, builds: Builds) -> None:
        builds.client("iam").create_role(
            RoleName="other", AssumeRolePolicyDocument=json.dumps({"Statement": []})
        )
        for role in ("none", "other"):
            builds.declare(ServiceRole=f"arn:aws:iam::111111111111:role/{role}")
            with pytest.raises(BuildNotStartedError, match=f"not authorized.*{role}") as raised:
                builds.start()
            assert raised.value.code == "InvalidInputException"


class TestEnd:
    def hanging(self, marker: Path) -> str:
        """A process that ignores all signals it can, and leaves its session."""
        deaf = "trap '' TERM INT HUP"
        return (
            f'setsid sh -c "{deaf}; echo \\$\\$ > {marker}; while :; do sleep 600; done" & '
            f"{deaf}; until [ -s {marker} ]; do :; done; sleep 600"
        )

    def test_a_timeout_ends_every_process(self, builds: Builds, tmp_path: Path) -> None:
        marker = tmp_path / "pid"
        marker.touch()
        never_ends = spec(
            phases={
                "build": {"commands": [self.hanging(marker)], "finally": ["echo never"]},
                "post_build": {"commands": ["echo never"]},
            }
        )
        # Retry with more time until the build gets this far.
        for minutes in (0.01, 0.05, 0.25, 1):
            build = builds.run(minutes, buildspec=never_ends)
            if marker.read_text():
                break
        assert build.status == "TIMED_OUT"
        assert "BUILD_TIMED_OUT" in build.reason
        assert phases(build)["BUILD"] == "TIMED_OUT"
        assert "never" not in builds.log(build)
        assert gone(marker)
        assert processes.processes_of(build.id) == []

    def test_stop_ends_every_process(self, builds: Builds, tmp_path: Path) -> None:
        marker = tmp_path / "pid"
        os.mkfifo(tmp_path / "begun")
        build = builds.start(
            buildspec=spec(
                phases={
                    "build": {"commands": [f"echo > {tmp_path / 'begun'}; {self.hanging(marker)}"]}
                }
            )
        )
        (tmp_path / "begun").read_text()
        builds.client("codebuild").stop_build(id=build.id)
        ended = threading.Event()
        build.set_when_complete(ended)
        assert ended.wait(90)
        assert build.status == "STOPPED"
        assert processes.processes_of(build.id) == []

    def test_builds_of_one_project_run_at_once(self, builds: Builds, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "meet")
        one = builds.start(
            buildspec=spec(phases={"build": {"commands": [f"cat {tmp_path / 'meet'}; pwd"]}})
        )
        other = builds.commands(f"echo met > {tmp_path / 'meet'}; pwd")
        ended = threading.Event()
        one.set_when_complete(ended)
        assert ended.wait(90)
        assert builds.log(one)[0] == "met"
        assert builds.log(one)[-1] != builds.log(other)[-1]
        assert [one.number, other.number] == [1, 2]

    def test_builds_above_the_quota_are_rejected(self, builds: Builds, tmp_path: Path) -> None:
        builds.declare(ConcurrentBuildLimit="1")
        os.mkfifo(tmp_path / "hold")
        one = builds.start(
            buildspec=spec(phases={"build": {"commands": [f"cat {tmp_path / 'hold'}"]}})
        )
        with pytest.raises(ClientError, match="AccountLimitExceededException"):
            builds.client("codebuild").start_build(projectName=builds.project)
        (tmp_path / "hold").write_text("")
        ended = threading.Event()
        one.set_when_complete(ended)
        assert ended.wait(90)


class TestReports:
    XML = (
        '<testsuites><testsuite name="unit"><testcase classname="a" name="good" time="0.5"/>'
        '<testcase classname="a" name="bad"><failure message="1 != 2">trace</failure></testcase>'
        '<testcase classname="a" name="left"><skipped/></testcase></testsuite></testsuites>'
    )

    def test_reports_of_a_failed_build_are_kept(self, builds: Builds) -> None:
        build = builds.run(
            buildspec=spec(
                phases={"build": {"commands": [f"mkdir r; echo '{self.XML}' > r/u.xml; false"]}},
                reports={
                    "unit": {"files": ["**/*.xml"], "base-directory": "r"},
                    "none": {"files": ["*.xml"], "base-directory": "no"},
                },
            )
        )
        assert build.status == "FAILED"
        client = builds.client("codebuild")
        (shown,) = client.batch_get_builds(ids=[build.id])["builds"]
        group = f"arn:aws:codebuild:eu-west-1:111111111111:report-group/{builds.project}-unit"
        assert group in client.list_report_groups()["reportGroups"]
        assert (
            client.list_reports_for_report_group(reportGroupArn=group)["reports"]
            == (shown["reportArns"])
        )
        (report,) = client.batch_get_reports(reportArns=shown["reportArns"])["reports"]
        assert report["status"] == "FAILED"
        assert report["testSummary"]["total"] == 3
        assert report["testSummary"]["statusCounts"]["SKIPPED"] == 1
        cases = client.describe_test_cases(reportArn=report["arn"])["testCases"]
        assert [(case["name"], case["status"]) for case in cases] == [
            ("good", "SUCCEEDED"),
            ("bad", "FAILED"),
            ("left", "SKIPPED"),
        ]
        assert cases[1]["message"] == "1 != 2"
        assert [
            line
            for line in builds.whole_log(build)
            if "UPLOAD_ARTIFACTS phase: [none: [no matching base directory path found for no]]"
            in line
        ]

    def test_a_file_that_is_no_report_fails_the_build(self, builds: Builds) -> None:
        build = builds.run(
            buildspec=spec(
                phases={"build": {"commands": ["echo '<html/>' > u.xml"]}},
                reports={"unit": {"files": "u.xml"}},
            )
        )
        assert build.status == "FAILED"
        assert [x for x in builds.whole_log(build) if "u.xml is not JUnit XML" in x]


class TestApi:
    def test_a_build_is_started_manually(self, builds: Builds) -> None:
        builds.declare({"version": "0.2", "phases": {"build": {"commands": ["exit $CODE"]}}})
        client = builds.client("codebuild")
        started = client.start_build(
            projectName=builds.project,
            environmentVariablesOverride=[{"name": "CODE", "value": "9"}],
        )["build"]
        build = builds.server.cloud.codebuild.builds[started["id"]]
        ended = threading.Event()
        build.set_when_complete(ended)
        assert ended.wait(90)
        (shown,) = client.batch_get_builds(ids=[started["arn"]])["builds"]
        assert shown["buildStatus"] == "FAILED"
        assert shown["buildComplete"] is True
        assert shown["currentPhase"] == "COMPLETED"
        contexts = {p["phaseType"]: p["contexts"] for p in shown["phases"] if "contexts" in p}
        assert contexts["BUILD"][0]["statusCode"] == "COMMAND_EXECUTION_ERROR"
        assert client.list_builds_for_project(projectName=builds.project)["ids"] == [build.id]
        assert client.list_builds()["ids"][0] == build.id

    def test_errors(self, builds: Builds) -> None:
        client = builds.client("codebuild")
        with pytest.raises(client.exceptions.ResourceNotFoundException, match="nobody"):
            client.start_build(projectName="nobody")
        with pytest.raises(client.exceptions.ResourceNotFoundException):
            client.list_builds_for_project(projectName="nobody")
        with pytest.raises(client.exceptions.InvalidInputException, match="imageOverride"):
            client.start_build(projectName=builds.project, imageOverride="x")
        assert client.batch_get_builds(ids=["no:1"])["buildsNotFound"] == ["no:1"]

    def test_projects(self, builds: Builds) -> None:
        client = builds.client("codebuild")
        assert builds.project in client.list_projects()["projects"]
        found = client.batch_get_projects(names=[builds.project, "none"])
        assert found["projects"][0]["environment"]["type"] == "LINUX_CONTAINER"
        assert found["projectsNotFound"] == ["none"]

    @pytest.mark.parametrize(
        ("properties", "named"),
        [
            ({"VpcConfig": {}}, "VpcConfig"),
            ({"Source": {"Type": "GITHUB"}}, "Source.Type GITHUB"),
            ({"Cache": {"Type": "S3"}}, "Cache.Type S3"),
            (
                {"Environment": {"Type": "LINUX_CONTAINER", "PrivilegedMode": True}},
                "PrivilegedMode",
            ),
        ],
    )
    def test_unsupported_settings_are_named(
        self, builds: Builds, properties: dict[str, Any], named: str
    ) -> None:
        with pytest.raises(ProvisioningError, match=named):
            builds.declare(**properties)


@pytest.mark.skipif(not confined.abi(), reason="needs Landlock")
class TestConfinement:
    def test_a_build_cannot_reach_the_local_clouds_files(self, builds: Builds) -> None:
        state = builds.server.cloud.ledger.folder
        build = builds.commands(
            f"cat {state}/ledger.sqlite && echo ledger || :",
            f"ls {state} && echo state || :",
            f"ls {state}/codebuild && echo others || :",
            f"head -c 9 /proc/{os.getpid()}/environ | grep -q . && echo environment || :",
            f"ls {Path.home()} && echo home || :",
            f"touch {state}/new && echo new || :",
            "touch /etc/pithead-test && echo system || :",
            "echo x > own && mv own $HOME/ && cat $HOME/own && mktemp > /dev/null && echo done",
        )
        assert build.status == "SUCCEEDED"
        log = [line for line in builds.log(build) if "ermission denied" not in line]
        assert log == ["x", "done"]

    def test_only_configuration_files_in_parent_folders_are_readable(
        self, builds: Builds, tmp_path: Path
    ) -> None:
        """Uv fails if it cannot read a pyproject.toml of any parent folder."""
        for name in ("pyproject.toml", ".env"):
            (tmp_path / name).write_text("")
        workspace = Workspace(tmp_path / "state" / "codebuild", "1")
        rules = confinement_rules(tmp_path, workspace, {})
        workspace.release()
        assert rules.readable(tmp_path / "pyproject.toml")
        assert not rules.readable(tmp_path / ".env")
        ceiling = builds.commands("dirname $PWD; echo $GIT_CEILING_DIRECTORIES")
        assert len(set(builds.log(ceiling))) == 1

    def test_a_link_among_artifacts_reaches_no_other_file(self, builds: Builds) -> None:
        ledger = builds.server.cloud.ledger.folder / "ledger.sqlite"
        build = builds.run(
            buildspec=spec(
                phases={"build": {"commands": [f"ln -s {ledger} out"]}},
                artifacts={"files": ["out"]},
            ),
            outputs={"Out": (builds.bucket, "leak")},
        )
        assert build.status == "FAILED"
        assert "open out: permission denied" in build.reason

    def test_a_builds_installs_do_not_change_the_hosts_python(self, builds: Builds) -> None:
        """`--system` selects the host's Python, to which a build cannot write."""
        library = Path(sysconfig.get_path("purelib", vars={"base": sys.base_prefix}))
        before = set(library.iterdir())
        build = builds.commands(
            f"touch {library}/planted.py && echo touched || :",
        )
        assert "touched" not in builds.log(build)
        assert set(library.iterdir()) == before

    def test_a_build_cannot_write_caches_that_other_projects_read(
        self, builds: Builds, tmp_path: Path
    ) -> None:
        """No other project can write npm's cache of the step that changes the pipeline."""
        names = (
            "NPM_CONFIG_CACHE", "NODE_COMPILE_CACHE", "PYTHONPYCACHEPREFIX", "XDG_CACHE_HOME",
            "JSII_RUNTIME_PACKAGE_CACHE_ROOT",
        )  # fmt: skip
        shown = f"printenv {' '.join(names)}"
        read = builds.log(builds.commands(shown))
        assert builds.log(builds.commands(shown)) == read
        builds.project = f"{builds.project}-other"
        builds.declare()
        others = builds.log(builds.commands(shown))
        assert len({*read, *others}) == 2 * len(names)
        written: list[set[Path]] = []
        for project in ("1", "2"):
            workspace = Workspace(tmp_path, project)
            folders = map(Path, confinement_rules(tmp_path, workspace, {}).write)
            written.append({each for each in folders if each.is_relative_to(image.folder())})
            workspace.release()
        assert {each.name for each in set.intersection(*written)} == {"pip-cache"}
