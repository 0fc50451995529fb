"""Another service in an otherwise unchanged checkout, synthesised and gated."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from environments.schema import NAMES
from pipeline.names import STACK
from tests.replaced import NAME, replaced

if TYPE_CHECKING:
    from pathlib import Path

_TAGS = re.compile(r'"(Key|Value)": "[\w-]+"|\\"tags\\":\{.*?\}')


def _run(folder: Path, module: str, *arguments: str, **variables: str) -> str:
    """Run a program in a checkout; return its output, also after a failure."""
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments],
        cwd=folder,
        env=os.environ | variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A commit that delivers the squares API."""
    return replaced(tmp_path_factory.mktemp("squares") / "checkout")


@pytest.fixture(scope="module")
def assembly(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The assembly of that commit, for this machine."""
    folder = tmp_path_factory.mktemp("squares") / "cdk.out"
    context = json.loads((checkout / "cdk.json").read_text())["context"] | {
        "connection-arn": "arn:aws:codeconnections:eu-west-1:111111111111:connection/none",
        "bundle": "host",
    }
    _run(checkout, "pipeline.app", CDK_CONTEXT_JSON=json.dumps(context), CDK_OUTDIR=str(folder))
    return folder


def _templates(assembly: Path) -> dict[str, dict[str, Any]]:
    """Return the environments' templates by name."""
    return {
        name: json.loads(path.read_text())
        for name in NAMES
        for path in (assembly / f"assembly-{STACK}-{name}").glob("*.template.json")
    }


def test_the_stacks_have_the_services_name_and_no_files_api_resources(assembly: Path) -> None:
    templates = _templates(assembly)
    assert set(templates) == set(NAMES)
    for name, template in templates.items():
        resources = template["Resources"]
        buckets = [key for key, one in resources.items() if one["Type"] == "AWS::S3::Bucket"]
        assert all(key.startswith("ReleaseJudge") for key in buckets)
        apis = {
            one["Properties"]["Name"]
            for one in resources.values()
            if one["Type"] == "AWS::ApiGateway::RestApi"
        }
        assert f"{NAME}-{name}" in apis
        assert all(each.startswith(f"{NAME}-{name}") for each in apis)
        (function,) = (
            one
            for key, one in resources.items()
            if one["Type"] == "AWS::Lambda::Function" and key.startswith("Function")
        )
        variables = function["Properties"]["Environment"]["Variables"]
        assert (variables["SERVICE_NAME"], "BUCKET" in variables) == (NAME, False)
        assert function["Properties"]["Handler"] == "service.app.handler.handler"
        text = _TAGS.sub("", json.dumps(resources))
        assert not re.search(r"\bfiles-|-files\b|/files\b|[Ff]iles API", text)


def test_the_assembly_passes_the_template_lint_and_cdk_nag(assembly: Path) -> None:
    program = (
        "import sys; from pathlib import Path; "
        "from pipeline.gates.template import assembly, catalogue, validation; "
        "folder = Path(sys.argv[1]); "
        "found = [*catalogue.lint(assembly.read(folder)), *validation.findings(folder)]; "
        "print(*found); sys.exit(bool(found) or not validation.plugins(folder))"
    )
    done = subprocess.run([sys.executable, "-c", program, str(assembly)], check=False)
    assert done.returncode == 0


def test_another_service_passes_the_gates_that_need_no_deployment(checkout: Path) -> None:
    assert "gate unit: passed" in _run(checkout, "pipeline.gates.unit")
    assert "gate security: passed" in _run(checkout, "pipeline.gates.security")


def test_a_service_without_journeys_gets_the_default_journey_in_its_bundle(checkout: Path) -> None:
    program = (
        "import zipfile; from pipeline.builds import bundle; "
        "print(*zipfile.ZipFile(bundle.build_synthetic('host')).namelist())"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=checkout, capture_output=True, text=True, check=True
    )
    modules = {each for each in done.stdout.split() if each.endswith(".py")}
    assert {each for each in modules if each.startswith("service/")} == {
        "service/__init__.py", "service/delivery/__init__.py", "service/delivery/name.py",
    }  # fmt: skip
