"""The journeys' bundle: reproducible, and with the standard library only."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path

from pipeline.builds import bundle

_TRAVEL = """
import json, sys
import pipeline.journeys.handler
from pipeline.journeys.customer import create_customer
assert create_customer(None).__module__ == "service.delivery.journey"
print(json.dumps(sorted(sys.modules)))
"""


def test_the_bundle_is_reproducible_on_each_platform(tmp_path: Path) -> None:
    for name in ("host", "linux-arm64"):
        first = bundle.build_synthetic(name)
        assert first.read_bytes() == bundle.build_synthetic(name, cache=tmp_path).read_bytes()
    made = {build(name) for build in (bundle.build_judge, bundle.build_synthetic)
            for name in ("host", "linux-arm64")}  # fmt: skip
    assert len(made) == 4


def test_the_journeys_import_only_the_standard_library(tmp_path: Path) -> None:
    with zipfile.ZipFile(bundle.build_synthetic("host")) as archive:
        archive.extractall(tmp_path)
    names = {"URL": "http://x/", "SECONDS": "20", "SERVICE": "files", "ENVIRONMENT": "prod"}
    run = subprocess.run(
        [Path(sys.executable).resolve(), "-S", "-P", "-B", "-c", _TRAVEL],
        env=names | {"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    modules = set(json.loads(run.stdout))
    ours = {name for name in modules if name.split(".")[0] in {"pipeline", "service"}}
    assert ours == {
        "pipeline", "pipeline.names", "pipeline.service", "pipeline.journeys",
        "pipeline.journeys.client", "pipeline.journeys.customer", "pipeline.journeys.handler",
        "pipeline.journeys.journey", "service", "service.delivery", "service.delivery.journey",
        "service.delivery.name",
    }  # fmt: skip
    others = {name.split(".")[0] for name in modules - ours} - {"__main__"}
    assert others <= sys.stdlib_module_names
