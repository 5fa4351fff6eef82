"""Load figures of the virtual board: measured where there is something to measure.

CPU is this thread's own (`time.thread_time`), split by who used it: the core, audio in, audio out;
the rest belongs to the peer while there is one, else to main. Memory and stacks are those of a
plausible ESP32-S3 build and move with the session. One core of this computer stands for one of the
chip's, so the permille are those of a much faster chip.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from app.sim.core_abi import Heap, Load, TaskLoad

CORE, AUDIO_IN, AUDIO_OUT = "core", "audio_in", "audio_out"

HEAP_FREE_BYTES = 186_000
HEAP_OF_SESSION_BYTES = 61_000
HEAP_OF_REQUEST_BYTES = 38_000
PSRAM_USED_BYTES = 1_450_000
PSRAM_OF_SESSION_BYTES = 910_000


@dataclass(frozen=True, slots=True)
class _Task:
    """Pinned core (-1: none), priority, and the least stack left idle and in a session, bytes."""

    name: str
    core: int
    priority: int
    stack_left: int
    stack_left_live: int


_TASKS = (
    _Task("main", 0, 1, 2_360, 2_360),
    _Task(CORE, 0, 6, 3_912, 2_744),
    _Task("peer", 0, 15, 6_480, 3_236),
    _Task(AUDIO_IN, 1, 20, 2_972, 1_828),
    _Task(AUDIO_OUT, 1, 20, 3_104, 2_016),
    _Task("wifi", 0, 23, 3_528, 2_964),
)
_IDLE = (_Task("idle0", 0, 0, 724, 724), _Task("idle1", 1, 0, 740, 740))

_WIFI_SHARE = 0.15
"""Of what the peer used: packets cost their driver too, and no task here is the driver."""


class BoardLoad:
    """Who used the CPU since the last sample. All on the board's thread."""

    def __init__(self, psram_bytes: int) -> None:
        self._psram_bytes = psram_bytes
        self._spent_s = {CORE: 0.0, AUDIO_IN: 0.0, AUDIO_OUT: 0.0}
        self._sampled_at = self._thread_s = 0.0
        self._heap_low = self._psram_low = 2**32 - 1
        self._was_live = False

    def begin(self) -> None:
        """Starts the first period; on the thread whose time it is."""
        self._sampled_at, self._thread_s = time.monotonic(), time.thread_time()

    @contextmanager
    def charged(self, task: str) -> Iterator[None]:
        """The CPU time of the block belongs to `task`. Only for blocks that do not await."""
        before = time.thread_time()
        try:
            yield
        finally:
            self._spent_s[task] += time.thread_time() - before

    def sample(self, *, is_live: bool, open_requests: int, rssi_dbm: int) -> Load:
        """Figures since the last call."""
        self._was_live |= is_live
        now, thread_s = time.monotonic(), time.thread_time()
        elapsed_s = max(now - self._sampled_at, 1e-3)
        used_s = self._by_task(thread_s - self._thread_s, is_live=is_live)
        self._sampled_at, self._thread_s = now, thread_s
        self._spent_s = dict.fromkeys(self._spent_s, 0.0)

        permille = {name: min(1000, round(1000 * s / elapsed_s)) for name, s in used_s.items()}
        busy = [min(1000, sum(permille[t.name] for t in _TASKS if t.core == c)) for c in (0, 1)]
        rows = [self._row(task, permille[task.name]) for task in _TASKS]
        rows += [self._row(task, 1000 - busy[task.core]) for task in _IDLE]
        heap, psram = self._memory(is_live=is_live, open_requests=open_requests)
        return Load(
            core_count=2,
            cpu_permille=(busy[0], busy[1]),
            heap=heap,
            psram=psram,
            rssi_dbm=rssi_dbm,
            task_count=len(rows),
            tasks=(TaskLoad * len(rows))(*rows),
        )

    def _by_task(self, thread_s: float, *, is_live: bool) -> dict[str, float]:
        rest_s = max(0.0, thread_s - sum(self._spent_s.values()))
        peer_s = rest_s if is_live else 0.0
        return {
            **self._spent_s,
            "peer": peer_s * (1 - _WIFI_SHARE),
            "wifi": peer_s * _WIFI_SHARE,
            "main": rest_s - peer_s,
        }

    def _row(self, task: _Task, permille: int) -> TaskLoad:
        left = task.stack_left_live if self._was_live else task.stack_left
        return TaskLoad(task.name.encode(), task.core, task.priority, permille, left)

    def _memory(self, *, is_live: bool, open_requests: int) -> tuple[Heap, Heap]:
        # Buffers come and go with the traffic; the clock's fraction stands for that.
        flicker = int(time.monotonic() * 1000) % 97 * 16
        heap = HEAP_FREE_BYTES - open_requests * HEAP_OF_REQUEST_BYTES - flicker
        psram = max(0, self._psram_bytes - PSRAM_USED_BYTES - 4 * flicker)
        if is_live:
            heap -= HEAP_OF_SESSION_BYTES
            psram = max(0, psram - PSRAM_OF_SESSION_BYTES)
        heap = max(heap, 4_096)
        self._heap_low = min(self._heap_low, heap)
        self._psram_low = min(self._psram_low, psram)
        return (
            Heap(heap, self._heap_low, heap * 3 // 5),
            Heap(psram, self._psram_low, psram * 9 // 10),
        )
