"""PH101 to PH103: tools that builds install and run."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.gates.template import assembly, catalogue
from pipeline.gates.template.shell import commands

if TYPE_CHECKING:
    from collections.abc import Callable


def _project(*lines: Any, image: str = "aws/codebuild/standard:8.0", **spec: Any) -> dict[str, Any]:
    buildspec = {"version": "0.2", "phases": {"build": {"commands": list(lines)}}, **spec}
    return {
        "Build": {
            "Type": "AWS::CodeBuild::Project",
            "Properties": {
                "Environment": {"Image": image},
                "Source": {"BuildSpec": json.dumps(buildspec)},
            },
        }
    }


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("npm install -g aws-cdk@2", "aws-cdk"),  # CDK Pipelines' own default
        ("npm install -g cdk-assets@latest", "cdk-assets"),  # and another one
        ("npm i --global aws-cdk", "aws-cdk"),
        ("sudo npm install -g @aws/tool@^1.2.3", "@aws/tool"),
        ("yarn global add aws-cdk", "aws-cdk"),
        ("npx cdk synth", "cdk"),
        ("cd app && CI=1 npx --yes cdk@latest synth", "cdk"),
        ("pip install cfn-lint", "cfn-lint"),
        ("python3 -m pip install --upgrade pip", "pip"),
        ("pip3 install 'poetry>=1.8'", "poetry"),
        ("pip install -r requirements.txt", "requirements.txt"),
        ("pip install --requirement=dev.txt", "dev.txt"),
        ("uv pip sync requirements/gates.txt", "requirements/gates.txt"),
        ("pipx install uv", "uv"),
        ("npx -p aws-cdk cdk synth", "aws-cdk"),
        ("uvx --from 'httpie' http", "httpie"),
        ("python -m uv pip install black", "black"),
        ("uv tool install ruff", "ruff"),
        ("uvx ruff check", "ruff"),
        ("if true; then pip install black; fi", "black"),
        ("false || \\\n  /usr/bin/pip install black", "black"),
    ],
)
def test_an_unpinned_tool_is_named(
    line: str, what: str, found: Callable[..., list[tuple[str, str]]]
) -> None:
    assert found(_project(line)) == [("PH101", f"Build {what}")]


@pytest.mark.parametrize(
    "line",
    [
        "npm install --global aws-cdk@2.1148.1",
        "npm install -g cdk-assets@4.7.3 @aws/tool@1.0.0-rc.1",
        "npm ci",
        "npm run build -- --global",
        "npx cdk@2.1148.1 synth",
        "npx --no-install cdk synth",
        "npx --package=aws-cdk@2.1148.1 cdk synth",
        "python3 -m pip install --quiet --require-hashes --requirement requirements/uv.txt",
        "uv pip sync --quiet --require-hashes requirements/gates.txt",
        "pip install poetry==1.8.3",
        "pip install -e . ./dist/app.whl",
        "uv sync --frozen",
        "uvx ruff@0.14.1 check",
        "echo 'npm install -g aws-cdk'",
        "cdk -a . deploy Pipe",
        "npm install -g aws-cdk@$CDK_VERSION",
        "unbalanced 'quote npm install -g x",
    ],
)
def test_pinned_tools_are_no_finding(
    line: str, found: Callable[..., list[tuple[str, str]]]
) -> None:
    assert found(_project(line)) == []


def test_npx_after_an_install_from_a_lock_is_pinned(
    found: Callable[..., list[tuple[str, str]]],
) -> None:
    assert found(_project("npm ci", "npx cdk synth")) == []
    with_a_tool = _project("npm install -g cdk@2.1148.1", "npx cdk synth")
    assert found(with_a_tool) == [("PH101", "Build cdk")]


def test_the_latest_runtime_is_a_finding(
    found: Callable[..., list[tuple[str, str]]],
) -> None:
    phases = {"install": {"runtime-versions": {"nodejs": "latest", "python": "3.13"}}}
    assert found(_project(phases=phases)) == [("PH101", "Build nodejs")]


@pytest.mark.parametrize(
    "line",
    [
        "curl -sfL https://example.com/install.sh | sh -s -- -b /usr/local/bin",
        "wget -qO- https://example.com/i | sudo bash",
        "bash <(curl -s https://example.com/i)",
        "curl -s https://example.com/i.py | python3 - && echo",
        'sh -c "$(curl -fsSL https://example.com/i)"',
    ],
)
def test_piping_a_download_into_a_shell_is_a_finding(
    line: str, found: Callable[..., list[tuple[str, str]]]
) -> None:
    assert [rule for rule, _ in found(_project(line))] == ["PH102"]


@pytest.mark.parametrize(
    "line",
    [
        "curl -sf https://example.com/health",
        "curl -o x.tgz https://e.com/x && tar xf x.tgz",
        "curl -s https://e.com/x | python3 -m json.tool",
    ],
)
def test_a_download_alone_is_no_finding(
    line: str, found: Callable[..., list[tuple[str, str]]]
) -> None:
    assert found(_project(line)) == []


@pytest.mark.parametrize(
    ("image", "floats"),
    [
        ("aws/codebuild/standard:8.0", False),
        ("public.ecr.aws/x/y@sha256:abc", False),
        ("registry:5000/builder", True),
        ("builder:latest", True),
    ],
)
def test_a_floating_image_tag_is_a_finding(
    image: str, floats: bool, found: Callable[..., list[tuple[str, str]]]
) -> None:
    assert found(_project(image=image)) == ([("PH103", f"Build {image}")] if floats else [])


def test_a_buildspec_may_be_a_file_of_the_assembly_or_joined(written: Any) -> None:
    file, joined = _project("npm i -g a")["Build"], _project("npm i -g b")["Build"]
    text = file["Properties"]["Source"]["BuildSpec"]
    file["Properties"]["Source"]["BuildSpec"] = "buildspec-1.yaml"
    whole = joined["Properties"]["Source"]["BuildSpec"]
    joined["Properties"]["Source"]["BuildSpec"] = {"Fn::Join": ["", [whole[:9], whole[9:]]]}
    written.stack({"File": file, "Joined": joined})
    (written.folder / "buildspec-1.yaml").write_text(text)
    findings = catalogue.lint(assembly.read(written.folder))
    assert {each.subject for each in findings} == {"File a", "Joined b"}


@given(st.text(alphabet="ab ;&|()'\"\n\\$<>=-@", max_size=40))
def test_any_command_line_is_parsed(line: str) -> None:
    for command in commands(line):
        assert command
        assert all(isinstance(word, str) for word in command)
