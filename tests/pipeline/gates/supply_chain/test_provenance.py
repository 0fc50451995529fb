"""Attestation after staging's gates, and verification before prod, with a KMS key."""

from __future__ import annotations

import base64
import copy
import hashlib
import json
import shutil
import zipfile
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from environments.schema import load_home
from pipeline.builds import bundle as bundles
from pipeline.gates import attest, provenance
from pipeline.gates.gate import main
from pipeline.gates.report.result import CouldNotRunError, GateResult
from pipeline.gates.supply_chain import lock, origin, sbom
from pipeline.gates.supply_chain.function_code import Code
from pipeline.names import ATTESTATION, ATTESTATION_KEY, EVIDENCE
from tests.pipeline.conftest import Checkout

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture
def key(aws: str) -> Iterator[Any]:
    """KMS with the attestation key."""
    kms = boto3.client("kms", region_name=load_home().region, endpoint_url=aws)
    made = kms.create_key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")["KeyMetadata"]
    kms.create_alias(AliasName=ATTESTATION_KEY, TargetKeyId=made["KeyId"])
    yield kms
    kms.delete_alias(AliasName=ATTESTATION_KEY)


OWN = {"service/app/handler.py": "handler = None\n"}
"""The commit's files, from which the bundle `shipped` is built."""


@pytest.fixture(autouse=True)
def commit(root: Path, shipped: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A clone of the commit; the bundle is rebuilt unchanged."""
    handler = root / "service" / "app" / "handler.py"
    handler.parent.mkdir(parents=True)
    handler.write_text(OWN["service/app/handler.py"])
    made = Checkout(root)
    made.git("init", "--quiet")
    id_ = made.commit()
    monkeypatch.setenv("CODEBUILD_RESOLVED_SOURCE_VERSION", id_)
    monkeypatch.setattr(bundles, "build_all", lambda _platform: (shipped,))
    return id_


@pytest.fixture
def results(root: Path) -> Callable[..., None]:
    """Return a writer of the gates' summaries, among other reports."""

    def write(**statuses: str) -> None:
        shutil.rmtree(root / EVIDENCE, ignore_errors=True)
        for gate, status in statuses.items():
            folder = root / EVIDENCE / gate.title()
            folder.mkdir(parents=True)
            summary = {"gate": gate, "status": status, "sentence": f"{gate} said so"}
            (folder / f"{gate}.json").write_text(json.dumps(summary))
            (folder / "a-tools-own.json").write_text("[]")

    write(security="passed", load="passed")
    return write


@pytest.fixture
def handed_on(root: Path, reports: Path) -> Callable[[], Path]:
    """Return a function that attests and passes the attestation to prod's gate."""

    def hand_on() -> Path:
        assert main("attest", attest.run) == 0
        folder = root / ATTESTATION
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(reports, folder)
        return folder / attest.FILE

    return hand_on


def _refused(outcome: GateResult) -> str:
    assert outcome.status == "refused"
    return outcome.sentence


def test_an_attested_release_may_enter_prod(
    assembly: Any,
    results: Any,
    key: Any,
    handed_on: Callable[[], Path],
    reports: Path,
    commit: str,
) -> None:
    attestation = json.loads(handed_on().read_text())
    assert main("provenance", provenance.run) == 0
    summary = json.loads((reports / "provenance.json").read_text())
    assert summary["sentence"] == (f"commit {commit[:12]} was attested with the results of 2 gates")
    assert summary["details"]["results"] == {"load": "passed", "security": "passed"}
    statement = json.loads(base64.b64decode(attestation["payload"]))
    digest = hashlib.sha256((assembly.folder / "asset.b.zip").read_bytes()).hexdigest()
    assert statement["subject"] == [{"name": "Function", "digest": {"sha256": digest}}]


def test_an_overridden_gate_is_attested_as_not_run(
    assembly: Any, results: Any, key: Any, handed_on: Callable[[], Path]
) -> None:
    results(security="not run", load="passed")
    handed_on()
    assert provenance.run().sentence.endswith("of 2 gates; not run, by an override: security")


@pytest.mark.parametrize(
    ("found", "sentence"),
    [
        ({"security": "passed"}, "no result of the gate load"),
        ({}, "no result of the gate security; no result of the gate load"),
        (
            {"security": "refused", "load": "passed"},
            "the gate security ended refused: security said so",
        ),
        (
            {"security": "passed", "load": "passed", "dynamic": "refused"},
            "the gate dynamic ended refused",
        ),
    ],
)
def test_nothing_is_signed_without_every_result(
    assembly: Any, results: Any, key: Any, reports: Path, found: dict[str, str], sentence: str
) -> None:
    results(**found)
    assert sentence in _refused(attest.run())
    assert not (reports / attest.FILE).exists()


def test_an_attestation_signed_without_a_result_is_rejected(
    assembly: Any,
    results: Any,
    key: Any,
    policy: Callable[..., Any],
    handed_on: Callable[[], Path],
) -> None:
    """A step that signs anything is not enough: the gate reads the results itself."""
    policy(attested_gates=("security",))
    results(security="passed")
    handed_on()
    policy(attested_gates=("security", "load"))
    assert "no result of the gate load" in _refused(provenance.run())


def test_results_passed_on_by_another_gate_are_found(
    assembly: Any, results: Any, key: Any, root: Path
) -> None:
    """Behind the symlink by which CDK gives a step its inputs."""
    (root / EVIDENCE / "Security").rename(root / "elsewhere")
    (root / EVIDENCE / "Load" / EVIDENCE).symlink_to(root / "elsewhere")
    assert attest.run().status == "passed"


def test_without_required_gates_nothing_is_signed(
    assembly: Any, results: Any, key: Any, policy: Callable[..., Any]
) -> None:
    policy(attested_gates=())
    assert "requires no gate" in _refused(attest.run())


@pytest.mark.parametrize(
    "damage",
    [
        "{",
        "[]",
        '{"gate": "load"}',
        '{"gate": "load", "status": "ok", "sentence": ""}',
        '{"gate": "security", "status": "passed", "sentence": ""}',
    ],
)
def test_an_unreadable_result_counts_as_missing(
    assembly: Any, results: Any, key: Any, root: Path, damage: str
) -> None:
    (root / EVIDENCE / "Load" / "load.json").write_text(damage)
    with pytest.raises(CouldNotRunError, match=r"Load/load\.json"):
        attest.run()


def _edited(change: Callable[[dict[str, Any]], Any]) -> Callable[[dict[str, Any]], None]:
    def edit(envelope: dict[str, Any]) -> None:
        statement = json.loads(base64.b64decode(envelope["payload"]))
        change(statement)
        envelope["payload"] = base64.b64encode(json.dumps(statement).encode()).decode()

    return edit


def _resigned(kms: Any, envelope: dict[str, Any]) -> None:
    """Sign as the attest step does, with another key."""
    payload = base64.b64decode(envelope["payload"])
    type_ = envelope["payloadType"].encode()
    message = b"DSSEv1 %d %b %d %b" % (len(type_), type_, len(payload), payload)
    own = kms.create_key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")["KeyMetadata"]
    signed = kms.sign(
        KeyId=own["KeyId"],
        Message=hashlib.sha256(message).digest(),
        MessageType="DIGEST",
        SigningAlgorithm="ECDSA_SHA_256",
    )
    envelope["signatures"] = [
        {"keyid": own["Arn"], "sig": base64.b64encode(signed["Signature"]).decode()}
    ]


@pytest.mark.parametrize(
    "forge",
    [
        _edited(lambda s: s["subject"][0]["digest"].update(sha256="0" * 64)),
        _edited(lambda s: s["predicate"]["runDetails"]["byproducts"].pop()),
        lambda e: e["signatures"][0].update(sig=base64.b64encode(b"0" * 70).decode()),
        lambda e: e["signatures"][0].update(sig="no base64"),
        lambda e: e.update(payloadType="application/json"),
        lambda e: e["signatures"].append(e["signatures"][0]),
        lambda e: e["signatures"].clear(),
        lambda e: e.pop("payload"),
    ],
)
def test_a_forged_attestation_is_rejected(
    assembly: Any,
    results: Any,
    key: Any,
    handed_on: Callable[[], Path],
    forge: Callable[[dict[str, Any]], Any],
) -> None:
    file = handed_on()
    envelope = json.loads(file.read_text())
    forge(envelope)
    file.write_text(json.dumps(envelope))
    assert _refused(provenance.run()).startswith("the attestation is forged: ")


def test_an_attestation_signed_with_another_key_is_rejected(
    assembly: Any, results: Any, key: Any, handed_on: Callable[[], Path]
) -> None:
    file = handed_on()
    envelope = json.loads(file.read_text())
    _resigned(key, envelope)
    file.write_text(json.dumps(envelope))
    assert "has not signed it" in _refused(provenance.run())


@pytest.mark.parametrize("text", ["", "[]", "{", '"attested"'])
def test_a_file_that_is_no_envelope_is_rejected(
    assembly: Any, results: Any, key: Any, root: Path, text: str
) -> None:
    (root / ATTESTATION).mkdir()
    (root / ATTESTATION / attest.FILE).write_text(text)
    assert "forged" in _refused(provenance.run())


def test_another_statement_by_the_same_key_is_rejected(
    assembly: Any, results: Any, key: Any, root: Path
) -> None:
    from pipeline.gates.supply_chain import envelope  # noqa: PLC0415  # what the attest step has in its hands

    (root / ATTESTATION).mkdir()
    statements: tuple[Any, ...] = ({}, {"_type": "x"}, [])
    for statement in statements:
        sealed = envelope.seal(statement, key, ATTESTATION_KEY)
        (root / ATTESTATION / attest.FILE).write_text(sealed)
        assert "the attestation is invalid" in _refused(provenance.run())


def test_a_tampered_bundle_is_rejected(
    assembly: Any, results: Any, key: Any, handed_on: Callable[[], Path], bundle: Any
) -> None:
    """Under the same key, because the asset's name comes from its sources."""
    handed_on()
    for environment in ("dev", "staging", "prod"):
        other = bundle({"service/app/handler.py": "import os\n"}, name="other.zip").read_bytes()
        assembly.publish(environment, "b.zip", other)
    sentence = _refused(provenance.run())
    assert " was attested for Function and not " in sentence
    assert "the version of Function is not bound to its bundle by CodeSha256" in sentence


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (
            {"service/app/evil.py": "import os\n"},
            "the code of Function has service/app/evil.py, which the commit does not have",
        ),
        (
            {"service/app/handler.py": "import os\n"},
            "the code of Function has service/app/handler.py different from the commit",
        ),
        ({"service/app/handler.py": None}, "the code of Function lacks service/app/handler.py"),
        (
            {"alpha/__init__.py": "import os\n"},
            "the code of Function has alpha/__init__.py different from the lock",
        ),
        (
            {"alpha/__pycache__/x.pyc": "bytecode"},
            "the code of Function has alpha/__pycache__/x.pyc, which the lock does not have",
        ),
        (
            {"sitecustomize.py": "import os\n"},
            "the code of Function has sitecustomize.py, which the lock does not have",
        ),
        ({"beta/__init__.py": None}, "the code of Function lacks beta/__init__.py"),
        ({"META-INF/x": "?"}, "has META-INF/x, which the lock does not have"),
    ],
)
def test_an_attested_bundle_that_differs_from_the_commit_is_rejected(
    assembly: Any,
    results: Any,
    key: Any,
    handed_on: Callable[[], Path],
    bundle: Any,
    shipped: Path,
    root: Path,
    policy: Any,
    change: dict[str, str | None],
    sentence: str,
) -> None:
    """A build with a poisoned cache produces it; gates and key find no fault."""
    with zipfile.ZipFile(shipped) as archive:
        files = {name: archive.read(name).decode() for name in archive.namelist()}
    files = {name: text for name, text in (files | change).items() if text is not None}
    poisoned = bundle(files, name="poisoned.zip")
    pins = lock.read(root / "requirements" / "service.txt")
    bill = sbom.document(poisoned, pins, policy().licences)
    shutil.rmtree(assembly.folder)
    assembly.write(poisoned.read_bytes(), bill)
    handed_on()
    said = _refused(provenance.run())
    assert said.startswith("prod would get other code than commit ")
    assert sentence in said


def test_a_signature_is_allowed_only_where_bundles_are_signed(bundle: Any, shipped: Path) -> None:
    with zipfile.ZipFile(shipped) as archive:
        files = {name: archive.read(name).decode() for name in archive.namelist()}
    signed = bundle(files | {"META_INF/aws_signer_signature_v1.0.SF": "signed"}, name="signed.zip")
    code = [Code("Function", "key", signed, ())]
    commit = {name: text.encode() for name, text in OWN.items()}
    assert origin.differences(code, commit, [shipped], signed=True) == []
    assert len(origin.differences(code, commit, [shipped], signed=False)) == 1


def test_a_bundle_that_lacks_a_file_of_the_commit_is_rejected(
    assembly: Any,
    results: Any,
    key: Any,
    handed_on: Callable[[], Path],
    root: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Even if both builds omit it."""
    (root / "service" / "app" / "limits.json").write_text("{}")
    monkeypatch.setenv("CODEBUILD_RESOLVED_SOURCE_VERSION", Checkout(root).commit())
    handed_on()
    assert "the code of Function lacks service/app/limits.json" in _refused(provenance.run())


def test_without_the_commit_the_bundle_cannot_be_verified(
    assembly: Any, results: Any, key: Any, handed_on: Callable[[], Path], root: Path
) -> None:
    handed_on()
    shutil.rmtree(root / ".git")
    with pytest.raises(CouldNotRunError, match=r"cannot be compared with the commit: git ls-tree"):
        provenance.run()


def test_a_prod_template_that_names_another_asset_is_rejected(
    assembly: Any, results: Any, key: Any, handed_on: Callable[[], Path]
) -> None:
    handed_on()
    assembly.publish("prod", "evil.zip", b"PK\x05\x06" + bytes(18))
    assembly.edit("prod", lambda r: r["Function"]["Properties"]["Code"].update(S3Key="evil.zip"))
    with pytest.raises(CouldNotRunError, match="dev would get other code for Function than prod"):
        provenance.run()
    for environment in ("dev", "staging"):
        assembly.edit(environment, lambda resources: resources.pop("Function"))
        assembly.edit(environment, lambda resources: resources.update(Other=_OTHER))
    assert " was attested for Function and not " in _refused(provenance.run())


_OTHER = {"Type": "AWS::Lambda::Function", "Properties": {"Code": {"S3Key": "b.zip"}}}


def test_two_files_published_under_one_key_are_rejected(
    assembly: Any, results: Any, key: Any, handed_on: Callable[[], Path]
) -> None:
    """cdk-assets publishes the first and skips existing keys."""
    handed_on()
    path = assembly.nested("prod") / "files.assets.json"
    document = json.loads(path.read_text())
    evil = copy.deepcopy(document["files"]["b.zip"])
    evil["source"]["path"] = "../asset.s.json"
    document["files"] = {"evil": evil, **document["files"]}
    path.write_text(json.dumps(document))
    with pytest.raises(CouldNotRunError, match=r"two files are published under the key b\.zip"):
        provenance.run()


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda r: r["Function"]["Properties"].update(Layers=["arn:x"]), "Function has layers"),
        (lambda r: r.update(Other={"Type": "AWS::Lambda::LayerVersion"}), "LayerVersion Other"),
        (lambda r: r.update(Other={"Type": "AWS::CloudFormation::Stack"}), "Stack Other"),
        (lambda r: r["Version"].update(Properties={"Fn::If": []}), "Version.FunctionName"),
    ],
)
def test_code_outside_the_compared_properties_is_rejected(
    assembly: Any,
    results: Any,
    key: Any,
    handed_on: Callable[[], Path],
    change: Callable[[dict[str, Any]], Any],
    named: str,
) -> None:
    handed_on()
    assembly.edit("prod", change)
    with pytest.raises(CouldNotRunError, match=named):
        provenance.run()


def test_an_additional_function_in_prod_is_rejected(
    assembly: Any, results: Any, key: Any, handed_on: Callable[[], Path]
) -> None:
    handed_on()
    assembly.edit("prod", lambda resources: resources.update(Other=_OTHER))
    assert "nothing was attested for Other" in _refused(provenance.run())


def test_inline_code_in_the_template_is_rejected(
    assembly: Any, results: Any, key: Any, handed_on: Callable[[], Path]
) -> None:
    handed_on()
    inline = {"ZipFile": "def handler(*_): ..."}
    assembly.edit("prod", lambda r: r["Function"]["Properties"].update(Code=inline))
    with pytest.raises(CouldNotRunError, match="function Function is not an asset"):
        provenance.run()


def test_a_version_not_bound_to_the_bundle_is_rejected(
    assembly: Any, results: Any, key: Any, handed_on: Callable[[], Path]
) -> None:
    handed_on()
    assembly.edit("prod", lambda r: r["Version"]["Properties"].pop("CodeSha256"))
    assert "not bound to its bundle by CodeSha256" in _refused(provenance.run())
    assembly.edit("prod", lambda r: r.pop("Version"))
    assert "publishes no version of a function" in _refused(provenance.run())


def test_an_attestation_of_another_commit_is_rejected(
    assembly: Any,
    results: Any,
    key: Any,
    handed_on: Callable[[], Path],
    monkeypatch: pytest.MonkeyPatch,
    commit: str,
) -> None:
    handed_on()
    monkeypatch.setenv("CODEBUILD_RESOLVED_SOURCE_VERSION", "d" * 40)
    assert _refused(provenance.run()) == (
        f"prod would get another release than the attested one: commit {commit} was attested and "
        f"not {'d' * 40}"
    )


def test_an_attestation_of_another_lock_or_sbom_is_rejected(
    assembly: Any, results: Any, key: Any, handed_on: Callable[[], Path], root: Path
) -> None:
    handed_on()
    lock = root / "requirements" / "service.txt"
    lock.write_text(lock.read_text() + "# changed\n")
    bill = json.loads((assembly.folder / "asset.s.json").read_text())
    bill["components"].pop()
    assembly.publish("prod", "s.json", json.dumps(bill).encode())
    sentence = _refused(provenance.run())
    assert ": lock " in sentence
    assert "another SBOM was attested for Function" in sentence


@pytest.mark.parametrize("bills", [0, 2])
def test_a_bundle_with_no_sbom_or_with_two_is_not_attested(
    assembly: Any, results: Any, key: Any, bills: int
) -> None:
    text = (assembly.folder / "asset.s.json").read_bytes()
    assembly.publish("prod", "s.json", text if bills else b"{}")
    if bills:
        assembly.publish("prod", "again.json", text)
    with pytest.raises(CouldNotRunError, match=f"{bills} SBOMs of asset.b.zip are published"):
        attest.run()


def test_a_release_without_an_attestation_is_rejected(
    assembly: Any, key: Any, reports: Path
) -> None:
    assert main("provenance", provenance.run) == 2
    said = json.loads((reports / "provenance.json").read_text())["sentence"]
    assert "attestation/attestation.json cannot be read" in said


def test_without_the_key_nothing_is_signed(assembly: Any, results: Any, aws: str) -> None:
    with pytest.raises(CouldNotRunError, match=r"KMS did not sign: .*NotFound"):
        attest.run()


def test_without_kms_the_release_is_rejected(
    assembly: Any,
    results: Any,
    key: Any,
    handed_on: Callable[[], Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    handed_on()
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    with pytest.raises(CouldNotRunError, match="KMS did not verify: "):
        provenance.run()


def test_without_an_assembly_the_gate_could_not_run(root: Path, policy: Any) -> None:
    with pytest.raises(CouldNotRunError, match=r"cdk\.out/manifest\.json: the file is missing"):
        provenance.run()
