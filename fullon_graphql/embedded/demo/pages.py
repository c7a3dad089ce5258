"""Build the pages for browsers while the demo runs, in a checkout: `web/build.py` in a process of its own.

A package that was installed contains its pages, and has nothing to build.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import Final

BUILD: Final = Path(__file__).parents[3] / "web" / "build.py"


async def build_pages() -> str:
    """Build missing pages; returns a sentence to show, or an empty string if nothing was missing.

    A cancellation ends the build and the processes that it has started.
    """
    if not BUILD.exists():
        return ""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(BUILD),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    try:
        said, _ = await process.communicate()
    finally:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
            await process.wait()
    return said.decode().strip()
