"""Blocking work of an adapter runs in a thread of its own that ends with the work.

Not asyncio's default pool: its threads outlive their work, and under qasync they are ten QThreads.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Result = TypeVar("Result")


async def in_thread(work: Callable[[], Result], *, name: str) -> Result:
    """What `work` returns or raises. Cancelling stops the waiting, not the work."""
    executor = ThreadPoolExecutor(1, thread_name_prefix=f"parley-{name}")
    try:
        return await asyncio.get_running_loop().run_in_executor(executor, work)
    finally:
        executor.shutdown(wait=False)
