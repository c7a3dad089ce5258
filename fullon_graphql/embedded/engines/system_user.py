"""The system user of PostgreSQL, which refuses to run as root.

Started by root, it runs as a system user of its own, which must be able to reach the data folder and the programs. The
folders above them get the permission to pass through (execute), never to read.
"""

from __future__ import annotations

import logging
import os
import pwd
import stat
import subprocess
from dataclasses import dataclass
from pathlib import Path

from fullon_graphql.embedded.engines.errors import EngineError

logger = logging.getLogger(__name__)

USER_NAME = "pgserver"
"""The name that the wheel's own starter uses, too."""


@dataclass(frozen=True, slots=True)
class SystemUser:
    """A user and its group, by number."""

    uid: int
    gid: int


def postgres_user() -> SystemUser | None:
    """The user to run PostgreSQL as, or None for the current one.

    Raises:
        EngineError: the current user is root and the system user cannot be created.
    """
    if os.geteuid() != 0:
        return None
    try:
        entry = _create_if_absent()
    except (OSError, subprocess.CalledProcessError) as error:
        raise EngineError(
            f"PostgreSQL refuses to run as root, and the user '{USER_NAME}' cannot be created ({error}). "
            "Start as another user."
        ) from error
    return SystemUser(entry.pw_uid, entry.pw_gid)


def _create_if_absent() -> pwd.struct_passwd:
    try:
        return pwd.getpwnam(USER_NAME)
    except KeyError:
        command = ["useradd", "--system", "--no-create-home", "--user-group", USER_NAME]
        subprocess.run(command, check=True, capture_output=True)  # noqa: S603  # constants only
        return pwd.getpwnam(USER_NAME)


def create_folder(folder: Path, owner: SystemUser | None) -> None:
    """Create `folder` with mode 700, owned by `owner`."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if owner:
        os.chown(folder, owner.uid, owner.gid)
        allow_passing(folder)


def allow_passing(path: Path) -> None:
    """Let other users pass through the folders above `path`."""
    for folder in path.resolve().parents:
        mode = folder.stat().st_mode
        if not mode & stat.S_IXOTH:
            logger.warning(
                "adding execute permission for other users to %s, so that PostgreSQL's user can reach %s", folder, path
            )
            folder.chmod(mode | stat.S_IXOTH)


def allow_reading(folder: Path) -> None:
    """Let other users read and run the files in `folder`: PostgreSQL's programs, unpacked with a strict umask."""
    allow_passing(folder)
    for path in (folder, *folder.rglob("*")):
        mode = path.stat().st_mode
        path.chmod(mode | stat.S_IROTH | (stat.S_IXOTH if mode & stat.S_IXUSR else 0))
