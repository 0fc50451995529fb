"""Files and ports that confined code can reach, tried by confined code."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from localcloud.core import confined, confinement

TRIES = """
import ctypes, json, os, signal, sys
state, home, server = sys.argv[1:4]
def tried(what):
    try:
        found = what()
    except PermissionError:
        return "refused"
    return "refused" if found == b"" else "done"
def memory():
    with open(f"/proc/{server}/mem", "rb") as file:
        file.read(1)
def attach():
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.ptrace(16, int(server), None, None) < 0:
        raise PermissionError
print(json.dumps({
    "ledger": tried(lambda: open(f"{state}/ledger.sqlite", "rb").read()),
    "listing": tried(lambda: os.listdir(state)),
    "secrets": tried(lambda: open(f"{home}/.aws/credentials").read()),
    "outside": tried(lambda: open(f"{home}/new", "w")),
    "system": tried(lambda: open("/etc/pithead-test", "w")),
    "link": tried(lambda: os.symlink(f"{home}/.aws", "out") or os.listdir("out")),
    "environment": tried(lambda: open(f"/proc/{server}/environ", "rb").read()),
    "root": tried(lambda: os.listdir(f"/proc/{server}/root")),
    "memory": tried(memory),
    "attach": tried(attach),
    "signal": tried(lambda: os.kill(int(server), 0)),
    "disk": tried(lambda: os.mknod("disk", 0o60600, os.makedev(254, 0)) or open("disk", "rb")),
    "own": tried(lambda: open("mine", "w").write("x")),
    "move": tried(lambda: (os.mkdir("d"), os.rename("mine", "d/mine"))),
    "library": tried(lambda: open(os.__file__).read()),
}))
"""

needs_landlock = pytest.mark.xfail(not confined.abi(), reason="no Landlock", run=False)


@needs_landlock
@pytest.mark.parametrize("closed", [(), (80, 443)])
def test_confined_code_reaches_only_allowed_files(tmp_path: Path, closed: tuple[int, ...]) -> None:
    """With the rules of functions, and of builds, which also restrict ports."""
    state, home = tmp_path / "state", tmp_path / "home"
    work = state / "codebuild" / "1" / "src"
    for folder in (work, home / ".aws"):
        folder.mkdir(parents=True)
    (state / "ledger.sqlite").write_text("secret")
    (home / ".aws" / "credentials").write_text("secret")
    rules = confinement.rules(state, [], [work])
    # The test's folders are in /tmp, which sandboxes share; no home folder is.
    write = tuple(each for each in rules.write if not home.is_relative_to(Path(each).resolve()))
    ports = confinement.closed_ports(*closed) if closed else -1
    rules = replace(rules, write=write, ports=ports)
    done = subprocess.run(
        rules.command(confinement._PYTHON, "-c", TRIES, str(state), str(home), str(os.getpid())),
        pass_fds=rules.descriptors,
        cwd=work,
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, str] = json.loads(done.stdout)
    allowed = {name for name, outcome in found.items() if outcome == "done"}
    assert allowed == {"own", "move", "library"}


@needs_landlock
def test_tmp_is_shared_except_for_the_state_folder(tmp_path: Path) -> None:
    place = tmp_path / "place"
    state = place / "a" / "state"
    for folder in (state, place / "b", place / "a" / "c"):
        folder.mkdir(parents=True)

    def around(path: Path) -> set[Path]:
        return {Path(each) for each in confined.around(str(path), str(state))}

    assert around(place) == {place / "b", place / "a" / "c"}
    assert around(place / "b") == {place / "b"}
    assert around(state / "deep") == {state / "deep"}
    assert around(state) == set()


@needs_landlock
def test_a_link_left_by_a_sandbox_gives_the_next_no_access(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared, home = tmp_path / "shared", tmp_path / "home"
    for folder in (shared / "state", home):
        folder.mkdir(parents=True)
    (home / "secret").touch()
    (shared / "to home").symlink_to(home)
    (shared / "to all").symlink_to("/")
    (shared / "to itself").symlink_to(shared)
    # Of the devices, /dev/shm may contain the test's own folders.
    monkeypatch.setattr(confinement, "_DEVICES", ("/dev/null",))
    monkeypatch.setattr(confinement, "_SHARED", (str(shared),))
    rules = confinement.rules(shared / "state", [], [])
    for path in (home / "secret", shared / "to home" / "secret", home / "new"):
        write = rules.command("sh", "-c", ': > "$1"', "sh", str(path))
        done = subprocess.run(write, capture_output=True, check=False)
        assert b"Permission denied" in done.stderr, path


@needs_landlock
def test_many_files_beside_the_state_folder_do_not_break_confinement(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An argument of a program has at most 128 KiB ("MAX_ARG_STRLEN")."""
    monkeypatch.setattr(confinement, "_SHARED", (str(tmp_path),))
    for number in range(3000):
        (tmp_path / f"{number}-{'x' * 60}").touch()
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "ledger.sqlite").write_text("secret")
    rules = confinement.rules(tmp_path / "state", [], [])
    (file, ledger) = (tmp_path / f"7-{'x' * 60}", tmp_path / "state" / "ledger.sqlite")
    assert [rules.readable(each) for each in (file, ledger)] == [True, False]
    for each, code in ((file, 0), (ledger, 1)):
        done = subprocess.run(rules.command("cat", str(each)), capture_output=True, check=False)
        assert done.returncode == code, done.stderr


def test_a_kernel_without_landlock_is_logged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(confined, "abi", lambda: 0)
    assert "are not confined: this kernel has no Landlock" in confinement.announce()


@needs_landlock
def test_a_kernel_with_landlock_is_not_logged() -> None:
    assert confinement.announce() == ""


def test_the_target_of_a_link_decides_access(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("")
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "link").symlink_to(tmp_path / "secret")
    (tmp_path / "own" / "file").write_text("")
    rules = confinement.Rules((), (str(tmp_path / "own"),))
    assert [rules.readable(tmp_path / "own" / each) for each in ("link", "file")] == [False, True]


CLOSED_PORT_BYPASSES = """
import ctypes, json, os, socket, sys
libc = ctypes.CDLL(None, use_errno=True)
where = ("127.0.0.1", int(sys.argv[1]))
def tried(way):
    try:
        way()
    except OSError as error:
        return type(error).__name__ + " " + os.strerror(error.errno)
    return "connected"
def connect(*kind):
    with socket.socket(*kind) as made:
        made.connect(where)
def fast_open():
    with socket.socket() as made:
        made.sendto(b"x", 0x20000000, where)
def fast_open_message():
    with socket.socket() as made:
        made.sendmsg([b"x"], [], 0x20000000, where)
def io_uring():
    libc.syscall(425, 8, ctypes.create_string_buffer(120))
    return os.strerror(ctypes.get_errno())
print(json.dumps({
    "tcp": tried(connect),
    "mptcp": tried(lambda: connect(socket.AF_INET, socket.SOCK_STREAM, 262)),
    "smc": tried(lambda: connect(socket.AF_INET, socket.SOCK_STREAM, 256)),
    "smc family": tried(lambda: connect(43, socket.SOCK_STREAM, 0)),
    "fast open": tried(fast_open),
    "fast open message": tried(fast_open_message),
    "io_uring": io_uring(),
}))
"""


@needs_landlock
def test_no_kind_of_socket_reaches_a_closed_port(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        ruleset = confined.port_ruleset({port})
        rules = confinement.rules(tmp_path / "state", [], [tmp_path])
        try:
            tried = subprocess.run(
                replace(rules, ports=ruleset).command(
                    str(Path(sys.executable).resolve()), "-c", CLOSED_PORT_BYPASSES, str(port)
                ),
                pass_fds=[ruleset],
                cwd=tmp_path,
                capture_output=True,
                text=True,
                check=True,
            )
        finally:
            os.close(ruleset)
        found = json.loads(tried.stdout)
        assert "connected" not in found.values(), found
        assert found["tcp"] == "PermissionError Permission denied"
        assert found["mptcp"].endswith("Protocol not supported"), found
        assert found["io_uring"] == "Function not implemented"


@needs_landlock
def test_an_open_port_is_reached_as_before(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        ruleset = confinement.closed_ports(80, 443)
        connect = f"import socket; socket.create_connection(('127.0.0.1', {port})).sendall(b'x')"
        rules = replace(confinement.rules(tmp_path / "state", [], [tmp_path]), ports=ruleset)
        command = rules.command(str(Path(sys.executable).resolve()), "-c", connect)
        subprocess.run(command, pass_fds=[ruleset], cwd=tmp_path, check=True)
