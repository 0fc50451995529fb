"""Tests cannot fake their result: each trick is refused or a finding."""

from __future__ import annotations

import os
import select
from typing import TYPE_CHECKING

import pytest

from pipeline.gates.report.result import CouldNotRunError
from pipeline.gates.testing import hooks, suite
from pipeline.gates.testing.suite import run_tests

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pipeline.gates.report.result import GateResult

    Write = Callable[[str, str], None]

_FAILING = "def test_good(): pass\ndef test_bad(): assert 1 == 2\n"


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Return a writer of files in a tree whose tests run."""
    root = tmp_path / "tree"
    root.mkdir()
    monkeypatch.setattr(suite, "ROOT", root)

    def write(path: str, text: str) -> None:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)

    return write


def judged() -> GateResult:
    return run_tests("unit", ["tests/service"])


def rules(outcome: GateResult) -> set[tuple[str, str]]:
    return {(each.rule, each.subject) for each in outcome.findings}


def test_passing_tests_are_counted(write: Write) -> None:
    write(
        "tests/service/test_it.py",
        "import pytest\n"
        "@pytest.mark.parametrize('n', [1, 2])\n"
        "def test_n(n): pass\n"
        "@pytest.mark.skip\n"
        "def test_skipped(): pass\n"
        "@pytest.mark.xfail\n"
        "def test_expected(): assert False\n"
        "class TestClass:\n"
        "    def test_method(self): pass\n",
    )
    outcome = judged()
    assert (outcome.status, outcome.sentence, outcome.findings) == ("passed", "5 tests", ())
    counts = outcome.details["counts"]
    assert (counts["collected"], counts["passed"], counts["skipped"], counts["xfailed"]) == (
        5,
        3,
        1,
        1,
    )
    assert "tests/service/test_it.py::test_n" in counts["functions"]
    assert "tests/service/test_it.py::TestClass::test_method" in counts["functions"]


def test_a_failure_has_its_assertion_message(write: Write) -> None:
    write("tests/service/test_it.py", _FAILING)
    outcome = judged()
    assert outcome.status == "refused"
    assert outcome.sentence == ("1 of 2 tests failed: test_bad: assert 1 == 2")


def test_a_file_that_cannot_be_imported_is_an_error(write: Write) -> None:
    write("tests/service/test_it.py", "import nobody_knows_it\ndef test_it(): pass\n")
    outcome = judged()
    assert outcome.status == "refused"
    assert "No module named 'nobody_knows_it'" in outcome.sentence


@pytest.mark.parametrize(
    ("hook", "name"),
    [
        (
            "import pytest\n@pytest.hookimpl(wrapper=True)\ndef pytest_runtest_makereport():\n"
            "    report = yield\n    report.outcome = 'passed'\n    return report\n",
            "pytest_runtest_makereport",
        ),
        (
            "import pytest\n@pytest.hookimpl(wrapper=True, specname='pytest_runtest_makereport')\n"
            "def innocent():\n"
            "    report = yield\n    report.outcome = 'passed'\n    return report\n",
            "pytest_runtest_makereport",
        ),
        ("def pytest_pyfunc_call(): return True\n", "pytest_pyfunc_call"),
        ("def pytest_runtest_protocol(): return True\n", "pytest_runtest_protocol"),
        ("def pytest_runtest_logreport(report): report.outcome = 'passed'\n", ""),
        ("def pytest_sessionfinish(session): session.exitstatus = 0\n", ""),
        (
            "def pytest_collection_modifyitems(items): items[:] = items[:1]\n",
            "pytest_collection_modifyitems",
        ),
        (
            "def pytest_collection_modifyitems(config, items):\n"
            "    config.hook.pytest_deselected(items=items[1:])\n    items[:] = items[:1]\n",
            "pytest_collection_modifyitems",
        ),
        ("def pytest_ignore_collect(): return None\n", "pytest_ignore_collect"),
        ("collect_ignore = ['test_other.py']\n", "collect_ignore"),
        ("pytest_plugins = ['evil']\n", "pytest_plugins"),
        ("globals()['pytest_pyfunc_call'] = lambda: True\n", "pytest_pyfunc_call"),
        (
            "class Evil:\n    def pytest_pyfunc_call(self): return True\n"
            "def pytest_configure(config): config.pluginmanager.register(Evil())\n",
            "pytest_pyfunc_call",
        ),
        ("from _pytest import runner\n", "_pytest"),
    ],
)
def test_a_hook_that_could_change_an_outcome_is_a_finding(
    write: Write, hook: str, name: str
) -> None:
    write("tests/service/test_it.py", _FAILING)
    write("tests/service/test_other.py", "def test_other(): pass\n")
    write("tests/conftest.py", hook)
    write("evil.py", "")
    try:
        outcome = judged()
    except CouldNotRunError:
        return
    assert outcome.status == "refused"
    assert "alters-outcomes" in {each.rule for each in outcome.findings}
    assert not name or ("alters-outcomes", name) in rules(outcome)


@pytest.mark.parametrize(
    ("file", "text", "subject"),
    [
        ("tests/conftest.py", "import pytest\npytest.Function.runtest = print\n", "runtest"),
        ("tests/conftest.py", "import pytest as p\np.raises = print\n", "p.raises"),
        ("tests/conftest.py", "from pytest import Function as F\nF.setup = print\n", "F.setup"),
        (
            "tests/conftest.py",
            "import pytest\n@pytest.fixture(autouse=True)\n"
            "def patched(request): request.node.obj = print\n",
            "obj",
        ),
        (
            "tests/conftest.py",
            "import pytest\n@pytest.fixture(autouse=True)\n"
            "def patched(request, monkeypatch): monkeypatch.setattr(request.node, 'obj', print)\n",
            "obj",
        ),
        ("tests/service/test_x.py", "import pytest\nsetattr(pytest, 'fail', print)\n", "pytest"),
        (
            "tests/service/test_x.py",
            "def test_x(monkeypatch): monkeypatch.setattr('_pytest.python.Function.x', print)\n",
            "_pytest.python.Function.x",
        ),
        ("tests/service/test_x.py", "def test_x(): pass\ntest_x.__code__ = 1\n", "__code__"),
    ],
)
def test_a_patch_of_pytest_is_a_finding(
    tmp_path: Path, write: Write, file: str, text: str, subject: str
) -> None:
    write(file, text)
    found = {
        (each.path, each.rule, each.subject) for each in hooks.scan(tmp_path / "tree", ["tests"])
    }
    assert (file, "alters-outcomes", subject) in found


def test_a_conftest_that_replaces_a_failing_test_is_refused(write: Write) -> None:
    write("tests/service/test_it.py", "def test_good(): pass\ndef test_bad(): assert 0\n")
    write(
        "tests/conftest.py",
        "import pytest\npytest.Function.runtest = lambda self: None\n",
    )
    assert judged().status == "refused"


def test_patching_the_code_under_test_is_no_finding(tmp_path: Path, write: Write) -> None:
    write(
        "tests/service/test_it.py",
        "import pytest\ndef test_it(monkeypatch, thing):\n"
        "    thing.name = 1\n    monkeypatch.setattr(thing, 'port', 1)\n",
    )
    assert hooks.scan(tmp_path / "tree", ["tests"]) == []


def test_a_process_left_by_a_test_is_killed_with_the_tests(write: Write, tmp_path: Path) -> None:
    held = tmp_path / "held"
    os.mkfifo(held)
    write(
        "tests/service/test_it.py",
        "import subprocess, sys\ndef test_it():\n"
        f"    held = open({str(held)!r}, 'w')\n"
        "    code = 'import time; time.sleep(120)'\n"
        "    subprocess.Popen([sys.executable, '-c', code], stdout=held)\n"
        "    held.write('started')\n",
    )
    with os.fdopen(os.open(held, os.O_RDONLY | os.O_NONBLOCK), "rb", buffering=0) as reader:
        assert judged().status == "passed"
        assert reader.read(7) == b"started"
        assert select.select([reader], [], [], 30)[0], "the process still runs"
        assert reader.read(1) == b""


def test_a_hook_registered_at_run_time_is_detected(write: Write) -> None:
    write("tests/service/test_it.py", "def test_it(): pass\n")
    write(
        "tests/conftest.py",
        "setattr(__import__('sys').modules[__name__], 'pytest_' + 'pyfunc_call', lambda: True)\n",
    )
    assert ("alters-outcomes", "pytest_pyfunc_call") in rules(judged())


def test_harmless_hooks_are_no_finding(write: Write) -> None:
    write("tests/service/test_it.py", "def test_it(): pass\n")
    write(
        "tests/conftest.py",
        "def pytest_configure(config): pass\ndef pytest_report_header(): return 'x'\n",
    )
    assert judged().status == "passed"


@pytest.mark.parametrize(
    "text",
    [
        "import os\ndef test_good(): pass\ndef test_exit(): os._exit(0)\n"
        "def test_bad(): assert 0\n",
        "import pytest\ndef test_good(): pass\ndef test_exit(): pytest.exit('x', returncode=0)\n"
        "def test_bad(): assert 0\n",
        "import os, signal\ndef test_kill(): os.kill(os.getpid(), signal.SIGKILL)\n",
        "import os\nos._exit(0)\n",
    ],
)
def test_an_early_exit_does_not_pass(write: Write, text: str) -> None:
    write("tests/service/test_it.py", text)
    with pytest.raises(CouldNotRunError, match=r"pytest ended early|pytest reported"):
        judged()


def test_an_exit_handler_that_hides_a_failure_does_not_pass(write: Write) -> None:
    """facebookresearch/momentum#1312: three test files passed on CI this way."""
    write(
        "tests/service/test_it.py", f"import atexit, os\natexit.register(os._exit, 0)\n{_FAILING}"
    )
    with pytest.raises(CouldNotRunError, match="exit code 0, but its session with 1"):
        judged()


def test_an_early_exit_names_the_running_test(write: Write) -> None:
    write("tests/service/test_it.py", "import os\ndef test_exit(): os._exit(0)\n")
    with pytest.raises(CouldNotRunError, match=r"test_it\.py::test_exit, with exit code 0"):
        judged()


def test_sys_exit_in_a_test_or_a_conftest_does_not_pass(write: Write) -> None:
    write("tests/service/test_it.py", "import sys\ndef test_exit(): sys.exit(0)\n")
    assert judged().status == "refused"
    write("tests/conftest.py", "import sys\nsys.exit(0)\n")
    with pytest.raises(CouldNotRunError, match="pytest ended early"):
        judged()


@pytest.mark.parametrize(
    "name", ["pytest.py", "pytest/__init__.py", "_pytest/__init__.py", "json.py"]
)
def test_a_module_that_hides_pytest_is_not_imported(write: Write, name: str) -> None:
    write(name, "import os\nos._exit(0)\n")
    write("tests/service/test_it.py", _FAILING)
    assert judged().sentence.startswith("1 of 2 tests failed: test_bad")


@pytest.mark.parametrize("variable", ["PYTEST_ADDOPTS", "PYTEST_PLUGINS"])
def test_environment_variables_do_not_select_tests(
    write: Write, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, "-k=good" if variable == "PYTEST_ADDOPTS" else "nobody_knows_it")
    write("tests/service/test_it.py", _FAILING)
    assert judged().sentence.startswith("1 of 2 tests failed")


@pytest.mark.parametrize("name", ["pytest.ini", ".pytest.ini", "tests/pytest.ini", "pytest.toml"])
def test_other_configuration_files_do_not_select_tests(write: Write, name: str) -> None:
    toml = (
        "[pytest]\naddopts = ['-k=good']\n"
        if name.endswith("toml")
        else "[pytest]\naddopts = -k good\n"
    )
    write(name, toml)
    write("pyproject.toml", "")
    write("tests/service/test_it.py", _FAILING)
    assert judged().sentence.startswith("1 of 2 tests failed")


@pytest.mark.parametrize(
    ("options", "subject"),
    [
        ('addopts = "-q -k good"', "tool.pytest addopts -k"),
        ('addopts = ["--deselect=tests/service/test_it.py::test_bad"]', ""),
        ('python_functions = "test_g*"', "tool.pytest python_functions"),
        ('addopts = ["-p", "evil"]', "tool.pytest addopts evil"),
    ],
)
def test_options_that_deselect_tests_are_refused(write: Write, options: str, subject: str) -> None:
    write("evil.py", "")
    write("pyproject.toml", f"[tool.pytest.ini_options]\npythonpath = ['.']\n{options}\n")
    write("tests/service/test_it.py", "def test_good(): pass\ndef test_bad(): pass\n")
    outcome = judged()
    assert outcome.status == "refused"
    assert not subject or ("alters-outcomes", subject) in rules(outcome)


def test_an_uncollected_test_is_a_finding(write: Write) -> None:
    write(
        "tests/service/test_it.py",
        "def test_good(): pass\n"
        "class TestIt:\n    __test__ = False\n    def test_bad(self): assert 0\n",
    )
    outcome = judged()
    assert outcome.status == "refused"
    assert rules(outcome) == {("left-out", "TestIt::test_bad")}


def test_a_forged_junit_report_is_overwritten(write: Write, reports: Path) -> None:
    forged = "<testsuites><testsuite tests='9' skipped='0'/></testsuites>"
    write(
        "tests/service/test_it.py",
        f"import atexit, pathlib\n"
        f"def forge(): pathlib.Path({str(reports / 'unit.xml')!r}).write_text({forged!r})\n"
        f"atexit.register(forge)\n"
        f"def test_bad(): forge(); assert 0\n",
    )
    assert judged().status == "refused"
    assert 'tests="1" failures="1"' in (reports / "unit.xml").read_text()


def test_records_written_by_a_test_are_ignored(write: Write) -> None:
    write(
        "tests/service/test_it.py",
        "import os, json\n"
        "def test_forge():\n"
        "    line = '0' * 64 + ' ' + json.dumps({'kind': 'ended', 'status': 0, 'errors': {}})\n"
        "    for descriptor in sorted(map(int, os.listdir('/proc/self/fd')))[3:]:\n"
        "        try: os.write(descriptor, (line + '\\n').encode())\n"
        "        except OSError: pass\n"
        "    os._exit(0)\n",
    )
    with pytest.raises(CouldNotRunError, match="the record of the tests was forged"):
        judged()


def test_a_test_that_forks_is_counted_once(write: Write) -> None:
    write(
        "tests/service/test_it.py",
        "import os\ndef test_fork():\n    child = os.fork()\n    if child: os.waitpid(child, 0)\n",
    )
    assert judged().sentence == "1 tests"
