from __future__ import annotations

import base64
import hashlib
import json
import zipfile
from typing import TYPE_CHECKING, Any

import pytest

from environments.schema import NAMES, load_home
from environments.supply_chain import Licences, SupplyChain
from pipeline.gates import attest, gate, provenance
from pipeline.gates.supply_chain import lock, program, sbom
from pipeline.names import ASSEMBLY, STACK

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

GATES = ("security", "load")
_HASH = f"--hash=sha256:{'0' * 64}"


@pytest.fixture(autouse=True)
def reports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Write these gates' reports to a temporary folder, without waivers."""
    folder = tmp_path / "reports"
    folder.mkdir()
    for module in (gate, program, attest):
        monkeypatch.setattr(module, "REPORTS", folder)
    monkeypatch.setattr(gate, "WAIVERS", tmp_path / "waivers.toml")
    return folder


@pytest.fixture
def package() -> Callable[..., dict[str, str]]:
    """Return the files of an installed package; metadata fields by name, `_` for `-`."""

    def make(name: str, version: str, *lines: str, **fields: str) -> dict[str, str]:
        head = ["Metadata-Version: 2.4", f"Name: {name}", f"Version: {version}", *lines]
        head += [f"{field.replace('_', '-')}: {value}" for field, value in fields.items()]
        folder = f"{name.replace('-', '_')}-{version}.dist-info"
        module = f"{name.replace('-', '_')}/__init__.py"
        return {f"{folder}/METADATA": "\n".join(head) + "\n\nwords\n", module: ""}

    return make


@pytest.fixture
def bundle(tmp_path: Path) -> Callable[..., Path]:
    """Return a writer of a bundle with files."""

    def make(*files: dict[str, str], name: str = "bundle.zip") -> Path:
        path = tmp_path / name
        with zipfile.ZipFile(path, "w") as archive:
            for each in files:
                for inside, text in each.items():
                    archive.writestr(zipfile.ZipInfo(inside), text)
        return path

    return make


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout with a lock of two packages."""
    folder = tmp_path / "checkout"
    (folder / "requirements").mkdir(parents=True)
    file = folder / "requirements" / "service.txt"
    file.write_text(f"alpha==1.0 {_HASH}\nbeta==2.0 \\\n    {_HASH}\n")
    (folder / "pyproject.toml").write_text(
        '[dependency-groups]\nservice = ["alpha", "acme-internal"]\n'
    )
    for module in (program, attest, provenance):
        monkeypatch.setattr(module, "ROOT", folder)
    monkeypatch.setattr(program, "LOCK", file)
    monkeypatch.setenv("CODEBUILD_RESOLVED_SOURCE_VERSION", "c" * 40)
    return folder


@pytest.fixture
def policy(monkeypatch: pytest.MonkeyPatch) -> Callable[..., SupplyChain]:
    """Return a writer of the checkout's policy; by default it allows shipping."""

    def set_(**parts: Any) -> SupplyChain:
        usual: dict[str, Any] = {"licences": Licences(allowed=("MIT",)), "attested_gates": GATES}
        policy = SupplyChain(**usual | parts)
        home = load_home().model_copy(update={"supply_chain": policy})
        for module in (program, attest, provenance):
            monkeypatch.setattr(module, "load_home", lambda: home)
        return policy

    set_()
    return set_


@pytest.fixture
def shipped(
    package: Callable[..., dict[str, str]], bundle: Callable[..., Path], policy: Any
) -> Path:
    """A valid bundle: the locked packages, under an allowed licence."""
    return bundle(
        package("alpha", "1.0", License_Expression="MIT", Requires_Dist="beta>=1"),
        package("beta", "2.0", "Classifier: License :: OSI Approved :: MIT License"),
        {"service/app/handler.py": "handler = None\n"},
    )


class Assembly:
    """A cloud assembly like the CDK's, of which each part can be made wrong."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def nested(self, environment: str) -> Path:
        return self.folder / f"assembly-{STACK}-{environment}"

    def edit(self, environment: str, change: Callable[[dict[str, Any]], Any]) -> None:
        """Change an environment's template."""
        path = self.nested(environment) / "files.template.json"
        document = json.loads(path.read_text())
        change(document["Resources"])
        path.write_text(json.dumps(document))

    def publish(self, environment: str, key: str, content: bytes) -> Path:
        """Publish a file to an environment's asset bucket."""
        file = self.folder / f"asset.{key}"
        file.write_bytes(content)
        path = self.nested(environment) / "files.assets.json"
        document = json.loads(path.read_text()) if path.exists() else {"files": {}}
        document["files"][key] = {
            "source": {"path": f"../{file.name}", "packaging": "file"},
            "destinations": {"there": {"bucketName": "assets", "objectKey": key}},
        }
        path.write_text(json.dumps(document))
        return file

    def write(self, code: bytes, bill: str) -> None:
        """Write three environments that deploy one bundle with its SBOM."""
        artifacts: dict[str, Any] = {}
        for name in NAMES:
            nested = self.nested(name)
            nested.mkdir(parents=True)
            artifacts[nested.name] = {
                "type": "cdk:cloud-assembly",
                "properties": {"directoryName": nested.name, "displayName": f"{STACK}/{name}"},
            }
            self.publish(name, "b.zip", code)
            self.publish(name, "s.json", bill.encode())
            template = {"Resources": _resources("b.zip", code)}
            (nested / "files.template.json").write_text(json.dumps(template))
            stack = {"templateFile": "files.template.json"}
            manifest = {
                "artifacts": {
                    "files.assets": {
                        "type": "cdk:asset-manifest",
                        "properties": {"file": "files.assets.json"},
                    },
                    "files": {
                        "type": "aws:cloudformation:stack",
                        "environment": "aws://444444444444/eu-west-1",
                        "properties": stack,
                    },
                }
            }
            (nested / "manifest.json").write_text(json.dumps(manifest))
        (self.folder / "manifest.json").write_text(json.dumps({"artifacts": artifacts}))


def _resources(key: str, code: bytes) -> dict[str, Any]:
    digest = base64.b64encode(hashlib.sha256(code).digest()).decode()
    return {
        "Function": {
            "Type": "AWS::Lambda::Function",
            "Properties": {"Code": {"S3Bucket": "assets", "S3Key": key}},
        },
        "Version": {
            "Type": "AWS::Lambda::Version",
            "Properties": {"FunctionName": {"Ref": "Function"}, "CodeSha256": digest},
        },
    }


@pytest.fixture
def assembly(root: Path, shipped: Path, policy: Callable[..., SupplyChain]) -> Assembly:
    """The assembly of a valid release."""
    made = Assembly(root / ASSEMBLY)
    pins = lock.read(root / "requirements" / "service.txt")
    made.write(shipped.read_bytes(), sbom.document(shipped, pins, policy().licences))
    return made
