"""Planted defects: each gate refuses its defect in `pithead release`.

One commit has a defect for each gate of a stage. The rehearsal's acts show that a commit without
defects passes all gates.
"""

from __future__ import annotations

import io
import json
import subprocess
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from console.rehearsal.acts import Edit
from console.release.history import history, in_detail, reports_in
from tests.pipeline.conftest import made_up
from tests.pipeline.gates import advisories

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from concurrent.futures import Future

    from console.aws.account import Place
    from pipeline.gates.report.gate_report import GateReport

pytestmark = pytest.mark.rehearsal

ROOT = Path(__file__).parents[2]
STATE = ROOT / ".pithead" / "rehearsal"
REFUSED = 4
FILES = "service/app/routes/files.py"


@dataclass(frozen=True)
class Planted:
    """Edits, and words of the sentence with which each gate must refuse them."""

    stage: str
    edits: tuple[Edit, ...]
    refusals: dict[str, tuple[str, ...]]
    rules: dict[str, set[str]] = field(default_factory=dict)
    """Rules that each gate's report must list among those that refuse."""


_ON_LAMBDA = 'if "AWS_LAMBDA_FUNCTION_NAME" in os.environ'
_OS = Edit(
    FILES, "from datetime import UTC\n", "import os\nimport time\nfrom datetime import UTC\n"
)

FAILING_TEST_AND_WILDCARD = Planted(
    "Build",
    (
        Edit(
            FILES,
            'Response(status_code=HTTPStatus.CREATED, headers={"ETag": etag})',
            'Response(status_code=HTTPStatus.OK, headers={"ETag": etag})',
        ),
        Edit(
            "service/delivery/resources.py",
            'iam.PolicyStatement(actions=["s3:ListBucket"], resources=[bucket.bucket_arn]),\n',
            'iam.PolicyStatement(actions=["s3:*"], resources=["*"]),\n',
        ),
    ),
    {"unit": ("failed",), "synthesis": ("AwsSolutions-IAM5", "s3:*")},
)
UNSTABLE_ASSEMBLY_AND_LOST_TEST = Planted(
    "Build",
    (
        Edit(
            "pipeline/delivery/stacks/service.py",
            "        function = self._function(name, environment, artifact)\n",
            '        Tags.of(self).add("built", __import__("uuid").uuid4().hex)\n'
            "        function = self._function(name, environment, artifact)\n",
        ),
        Edit(
            "tests/service/app/test_paths.py",
            "def test_several_ranges_and_other_units_are_ignored()",
            "def several_ranges_and_other_units_are_ignored()",
        ),
    ),
    {"synthesis": ("template.json",), "unit": ("was promoted: tests",)},
    {"synthesis": {"PH601"}, "unit": {"fewer-tests"}},
)
# Compared by the deployed gate before the pipeline changes itself.
LOOSENED_GATES = Planted(
    "Build",
    (
        # A role of the pipeline has more permissions, and a gate is removed.
        Edit(
            "pipeline/delivery/pipeline.py",
            '            self._builds.gate("Security", "security", group="scanners"),\n',
            "            self._builds.gate(\n"
            '                "Security",\n'
            '                "security",\n'
            '                group="scanners",\n'
            "                statements=[\n"
            "                    iam.PolicyStatement(\n"
            '                        actions=["iam:CreateUser"],\n'
            '                        resources=["arn:aws:iam::111111111111:user/late"],\n'
            "                    )\n"
            "                ],\n"
            "            ),\n",
        ),
        Edit(
            "pipeline/delivery/pipeline.py",
            '            "integration --promoted",\n            "dynamic",\n',
            '            "integration --promoted",\n',
        ),
        # An alarm on the whole alias, and a function with more permissions than it needs.
        Edit(
            "pipeline/delivery/stacks/rails.py",
            'every | {"ExecutedVersion": self._version}',
            "every",
        ),
        Edit(
            "service/delivery/resources.py",
            '"s3:DeleteObject"]',
            '"s3:DeleteObject", "s3:PutObjectAcl"]',
        ),
        # The files are deleted with their stack.
        Edit(
            "service/delivery/resources.py",
            "],\n        removal_policy=RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,\n",
            "],\n        removal_policy=RemovalPolicy.DESTROY,\n",
        ),
        # Limits, and required attestations.
        Edit("environments/staging.toml", "max_p50_ms = 100\n", "max_p50_ms = 200\n"),
        Edit("environments/prod.toml", "\ntolerance = 1.0\n", "\ntolerance = 1.5\n"),
        Edit("pyproject.toml", '    "dynamic", "load",\n]', '    "load",\n]'),
    ),
    {"changes": ("findings",)},
    {"changes": {"PH503", "PH701", "PH702", "PH704", "PH707"}},
)
CODE_PACKAGES_AND_INFRASTRUCTURE = Planted(
    "Verify",
    (
        Edit(
            "service/app/paths.py",
            "\nPATTERN = ",
            "\n\ndef computed(text: str) -> object:\n"
            "    return eval(text)  # nosec\n\n\nPATTERN = ",
        ),
        # mangum, which is deployed, has an advisory; typing-extensions has an unapproved licence.
        Edit("pyproject.toml", '"MIT-0", "PSF-2.0",\n', '"MIT-0",\n'),
        Edit("pyproject.toml", '    "GPL-2.0-only",', '    "PSF-2.0", "GPL-2.0-only",'),
        Edit(
            "pyproject.toml", '# approved = ["boto3>=1.44,<2", "fastapi"]', 'approved = ["boto3"]'
        ),
        # A type that CloudFormation does not know.
        Edit(
            "pipeline/delivery/stacks/service.py",
            "        function = self._function(name, environment, artifact)\n",
            '        odd = {"Type": "Sting", "Value": "x"}\n'
            '        cdk, kind = __import__("aws_cdk"), "AWS::SSM::Parameter"\n'
            '        cdk.CfnResource(self, "Odd", type=kind, properties=odd)\n'
            "        function = self._function(name, environment, artifact)\n",
        ),
    ),
    {
        "security": ("1 bandit", "2 kingfisher", "1 silencing"),
        "supply_chain": ("approved", "licences", "1 pip-audit", "sources"),
        "infrastructure": ("cfn-lint E3030",),
    },
)
DEFECTS_OF_A_DEPLOYED_SERVICE = Planted(
    "dev",
    (
        _OS,
        Edit(
            FILES,
            '        "ETag": info.etag,\n',
            f'        "ETag": "" {_ON_LAMBDA} else info.etag,\n',
        ),
        Edit(
            FILES,
            "def _path(path: str) -> str:\n",
            "def _path(path: str) -> str:\n"
            f"    {_ON_LAMBDA} and not path.isascii():\n"
            '        raise RuntimeError("no such letter")\n',
        ),
    ),
    {"integration": ("failed",), "dynamic": ("Server error",)},
)
# Within every limit; a third of the p95 of reads is added.
SLOWER_READ_AND_SUBSTITUTED_FILE = Planted(
    "staging",
    (
        _OS,
        Edit(
            FILES,
            "    if content is None:\n",
            f"    {_ON_LAMBDA}:\n"
            "        time.sleep(0.01)\n"
            '    if os.environ.get("ENVIRONMENT") == "staging":\n'
            "        content = content and content[:-1]\n"
            "    if content is None:\n",
        ),
    ),
    {"load": ("-regression", "promoted last"), "synthetic": ("journey 1 of 3",)},
)
GATE_NOT_RUN = Planted(
    "staging",
    (Edit("pyproject.toml", '"dynamic", "load",\n]', '"dynamic", "load", "penetration",\n]'),),
    {"attest": ("penetration",)},
)
RELEASE_IN_A_FREEZE = Planted(
    "prod",
    (
        Edit(
            "environments/prod.toml",
            "# [[freeze]]\n"
            "# from = 2026-12-23T00:00:00Z\n"
            "# until = 2027-01-02T00:00:00Z\n"
            '# reason = "the holidays"\n',
            "[[freeze]]\n"
            "from = 2020-01-01T00:00:00Z\n"
            "until = 2120-01-01T00:00:00Z\n"
            'reason = "the holidays"\n',
        ),
    ),
    # Its bundle is also substituted after the attestation.
    {"window": ("the holidays",), "provenance": ("bundle",)},
)


class PipelineAccount:
    """`console.aws.account.Aws` of the pipeline's account only."""

    def __init__(self, client: Callable[..., Any]) -> None:
        self._client = client

    def client(self, service: str, place: Place | None = None, *, role: str | None = None) -> Any:
        assert place is None
        assert role is None
        return self._client(service)


class Team:
    """Commits to the rehearsal's own checkout, and releases."""

    def __init__(
        self,
        pithead: Callable[..., Any],
        variables: dict[str, str],
        aws: PipelineAccount,
    ) -> None:
        self._aws = aws
        self._pithead = pithead
        self._variables = {n: each for n, each in variables.items() if n.startswith("AWS_")}
        self.folder = STATE / "checkout"

    def commit(self, message: str, *edits: Edit) -> None:
        """Commit edits."""
        for edit in edits:
            edit.apply(self.folder)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", message)

    def git(self, *arguments: str) -> None:
        """Run git as a member of the team."""
        who = ("-c", "user.name=Team", "-c", "user.email=team@localhost")
        subprocess.run(["git", *who, *arguments], cwd=self.folder, check=True)

    def reports(self) -> tuple[GateReport, ...]:
        """Return the reports of the newest execution's gates."""
        return reports_in(self._aws, in_detail(self._aws, history(self._aws)[-1]))

    def release(self) -> Any:
        """Release the commit, and revert it as a team does after a refusal."""
        done = self._pithead("release", folder=self.folder, variables=self._variables)
        self.git("revert", "--no-edit", "HEAD")
        return done


@pytest.fixture(scope="module")
def market(
    rehearsed: dict[str, Any], pithead: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[advisories.Advisories]:
    """The rehearsal's local cloud, restarted with access to an advisory service."""
    endpoint = json.loads((STATE / "endpoint.json").read_text())
    ports = [endpoint[name].rsplit(":", 1)[1] for name in ("endpoint", "gateway")]
    trusted = advisories.certificate(tmp_path_factory.mktemp("certificate"))
    with advisories.served(trusted) as (kept, variables):
        pithead("down", "--force")
        started = pithead(
            *("up", "--detach", "--state", str(STATE), "--speed", f"{rehearsed['speed']:g}"),
            *("--port", ports[0], "--gateway-port", ports[1]),
            variables=variables,
        )
        assert started.returncode == 0, started.stderr
        yield kept


@pytest.fixture
def team(
    market: advisories.Advisories,
    pithead: Callable[..., Any],
    variables: dict[str, str],
    client: Callable[..., Any],
) -> Team:
    return Team(pithead, variables, PipelineAccount(client))


def _refused(team: Team, done: Any, planted: Planted) -> None:
    said = " ".join(done.stdout.split())
    assert done.returncode == REFUSED, f"{done.stdout}\n{done.stderr}"
    for gate, words in planted.refusals.items():
        assert f"the gate {gate} refused: " in said
        sentence = said.split(f"the gate {gate} refused: ", 1)[1].split("; the gate ", 1)[0]
        assert all(each in sentence for each in words), sentence
    reports = {each.gate: each for each in team.reports()}
    for gate, rules in planted.rules.items():
        assert rules <= set(reports[gate].rules), reports[gate]


@pytest.mark.parametrize(
    "planted",
    [
        pytest.param(FAILING_TEST_AND_WILDCARD, id="unit-synthesis"),
        pytest.param(UNSTABLE_ASSEMBLY_AND_LOST_TEST, id="synthesis-fewer"),
        pytest.param(LOOSENED_GATES, id="changes"),
        pytest.param(DEFECTS_OF_A_DEPLOYED_SERVICE, id="integration-dynamic"),
        pytest.param(SLOWER_READ_AND_SUBSTITUTED_FILE, id="load-synthetic"),
        pytest.param(GATE_NOT_RUN, id="attest"),
    ],
)
def test_a_planted_defect_is_refused(team: Team, planted: Planted) -> None:
    team.commit("plant", *planted.edits)
    _refused(team, team.release(), planted)


def test_a_release_in_a_freeze_or_with_a_substituted_bundle_is_refused(
    team: Team, client: Callable[..., Any]
) -> None:
    """Someone with access to the artifacts' bucket substitutes the bundle."""
    codepipeline = client("codepipeline")
    gate = {"pipelineName": "pithead", "stageName": "prod", "transitionType": "Inbound"}
    codepipeline.disable_stage_transition(**gate, reason="an attacker's")
    team.commit("plant", *RELEASE_IN_A_FREEZE.edits)
    with ThreadPoolExecutor(1) as pool:
        released = pool.submit(team.release)
        try:
            execution = _waiting(codepipeline, "prod", released)
            _exchange_the_bundle(client, execution)
        finally:
            codepipeline.enable_stage_transition(**gate)
        _refused(team, released.result(), RELEASE_IN_A_FREEZE)


def _waiting(codepipeline: Any, stage: str, release: Future[Any]) -> str:
    """Return the execution that waits at a stage's disabled transition, if any."""
    while not release.done():
        for each in codepipeline.get_pipeline_state(name="pithead")["stageStates"]:
            if each["stageName"] == stage and "inboundExecution" in each:
                return str(each["inboundExecution"]["pipelineExecutionId"])
        time.sleep(0.5)
    raise AssertionError(release.result())


def _exchange_the_bundle(client: Callable[..., Any], execution: str) -> None:
    listed = client("codepipeline").list_action_executions(
        pipelineName="pithead", filter={"pipelineExecutionId": execution}
    )
    (made,) = (
        artifact["s3location"]
        for action in listed["actionExecutionDetails"]
        if action["actionName"] == "Synth"
        for artifact in action["output"]["outputArtifacts"]
        if artifact["name"] == "Synth_Output"
    )
    s3 = client("s3")
    place = {"Bucket": made["bucket"], "Key": made["key"]}
    old = zipfile.ZipFile(io.BytesIO(s3.get_object(**place)["Body"].read()))
    bundle = max(old.infolist(), key=lambda each: each.file_size)
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as new:
        for each in old.infolist():
            new.writestr(each, old.read(each) if each is not bundle else b"something else")
    s3.put_object(**place, Body=content.getvalue())


def test_code_packages_and_infrastructure_are_verified(
    team: Team, market: advisories.Advisories
) -> None:
    """Runs last: gates that scan the history refuse each later commit."""
    market.vulnerable("mangum", "PYSEC-2026-1", "9.9")
    key = team.folder / "service" / "app" / "key.txt"
    key.write_text(made_up("github"))
    team.commit("a key")
    key.unlink()
    vendored = team.folder / "service" / "app" / "vendor" / "left.py"
    vendored.parent.mkdir()
    vendored.write_text('"""Pads on the left."""\n')
    # Another key, in the message.
    team.commit(f"plant {made_up('github')}", *CODE_PACKAGES_AND_INFRASTRUCTURE.edits)
    _refused(team, team.release(), CODE_PACKAGES_AND_INFRASTRUCTURE)
