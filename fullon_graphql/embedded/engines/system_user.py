"""The system user of PostgreSQL, which refuses to run as root.

Everybody but root runs it as themselves. For root it runs as a user of its own, who must be able to reach the data
folder and the programs: where a folder on the way is closed (root's home is), it is opened for passing through, never
for reading.
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

SYSTEM_USER = "pgserver"
"""The name that the wheel's own starter uses too."""


@dataclass(frozen=True, slots=True)
class Account:
    """A user and group by number, as the operating system wants them."""

    uid: int
    gid: int


def postgres_account() -> Account | None:
    """The account to run PostgreSQL as, or None for our own.

    Raises:
        EngineError: we are root and the system user cannot be created.
    """
    if os.geteuid() != 0:
        return None
    try:
        entry = _system_user()
    except (OSError, subprocess.CalledProcessError) as error:
        raise EngineError(
            f"PostgreSQL refuses to run as root, and the user '{SYSTEM_USER}' cannot be created ({error}). "
            "Start as another user."
        ) from error
    return Account(entry.pw_uid, entry.pw_gid)


def _system_user() -> pwd.struct_passwd:
    try:
        return pwd.getpwnam(SYSTEM_USER)
    except KeyError:
        command = ["useradd", "--system", "--no-create-home", "--user-group", SYSTEM_USER]
        subprocess.run(command, check=True, capture_output=True)  # noqa: S603  # nothing in it comes from outside
        return pwd.getpwnam(SYSTEM_USER)


def give(folder: Path, account: Account | None) -> None:
    """Create `folder`, for its owner's eyes only, and make it the account's."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if account:
        os.chown(folder, account.uid, account.gid)
        open_the_way(folder)


def open_the_way(path: Path) -> None:
    """Let other users pass through the folders above `path`."""
    for folder in path.resolve().parents:
        mode = folder.stat().st_mode
        if not mode & stat.S_IXOTH:
            logger.warning("letting other users pass through %s, so that PostgreSQL's user reaches %s", folder, path)
            folder.chmod(mode | stat.S_IXOTH)


def open_to_read(folder: Path) -> None:
    """Let other users read and run what is in `folder`: PostgreSQL's programs, unpacked under a strict umask."""
    open_the_way(folder)
    for path in (folder, *folder.rglob("*")):
        mode = path.stat().st_mode
        path.chmod(mode | stat.S_IROTH | (stat.S_IXOTH if mode & stat.S_IXUSR else 0))
