"""Run a buildspec's commands, each in its own shell, as CodeBuild's agent does.

The next command gets the variables (all assigned variables are exported) and the working directory
of the previous one. Functions and options such as `set -e` apply only to their command.
"""

from __future__ import annotations

import shlex
import subprocess
from typing import TYPE_CHECKING

from localcloud.codebuild import processes

if TYPE_CHECKING:
    from pathlib import Path

    from localcloud.core.confinement import Rules

# A session leader for each build. All processes stay in its group, also the background processes
# that a command starts for the next ones. If the local cloud dies, it exits after its command.
_LEADER = 'while IFS= read -r script; do "$0" "$script" </dev/null >&2; echo $?; done'


class Shell:
    """The shell of a build: `run` runs a command, `end` kills all processes."""

    def __init__(
        self,
        name: str,
        folder: Path,
        source: Path,
        environment: dict[str, str],
        log: int,
        rules: Rules,
    ) -> None:
        self._name = name
        self._rules = rules
        self._script = folder / "script.sh"
        self._variables = folder / "env.sh"
        self._place = folder / "dir.txt"
        self._environment = environment
        self._build = environment["CODEBUILD_BUILD_ID"]
        self._variables.touch()
        self._place.write_text(f"{source}\n")
        self._leader = subprocess.Popen(
            rules.command("sh", "-c", _LEADER, name),
            cwd=source,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            pass_fds=rules.descriptors,
            bufsize=0,
            start_new_session=True,
        )

    @property
    def group(self) -> int:
        """The process group of all commands."""
        return self._leader.pid

    def run(self, command: str, *, succeeding: bool) -> int | None:
        """Run a command; return its exit status, or None if `end` was called meanwhile."""
        self._script.write_text(self._text(command, succeeding))
        try:
            self._leader.stdin.write(f"{self._script}\n".encode())  # type: ignore[union-attr]  # it is a pipe
        except BrokenPipeError:
            return None
        status = self._leader.stdout.readline()  # type: ignore[union-attr]  # it is a pipe
        return int(status) if status else None

    def exported(self, names: tuple[str, ...]) -> dict[str, str]:
        """Return variables after the last command; an unset one is empty."""
        if not names:
            return {}
        shown = "; ".join(f'printf "%s\\0" "${{{name}-}}"' for name in names)
        done = subprocess.run(
            # The build wrote the script, so it runs under the build's confinement.
            self._rules.command(
                self._name, "-c", f". {shlex.quote(str(self._variables))}; {shown}"
            ),
            capture_output=True,
            check=True,
            env=self._environment,
            pass_fds=self._rules.descriptors,
        )
        values = done.stdout.decode(errors="replace").split("\0")
        return dict(zip(names, values, strict=False))

    def end(self) -> None:
        """Kill every process of the build; thread-safe."""
        processes.end(self._build, self.group)

    def close(self) -> None:
        """Kill the remaining processes and wait for the leader."""
        self.end()
        with self._leader:
            pass

    def _text(self, command: str, succeeding: bool) -> str:
        variables = shlex.quote(str(self._variables))
        place = shlex.quote(str(self._place))
        return "\n".join(
            [
                f'cd "$(cat {place})"',
                "set -a",
                f". {variables}",
                f"CODEBUILD_BUILD_SUCCEEDING={int(succeeding)}",
                command,
                "",  # a command may end in a backslash
                "CODEBUILD_LAST_EXIT=$?",
                f"export -p > {variables}",
                f"pwd > {place}",
                "exit $CODEBUILD_LAST_EXIT",
                "",
            ]
        )
