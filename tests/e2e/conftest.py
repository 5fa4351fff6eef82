"""A program on a virtual board for each test, closed whatever happened."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from program_run import Run

from app.compose.program import Program
from app.core.events import Event


@pytest.fixture
async def run() -> AsyncIterator[Run]:
    told: list[Event] = []
    run = Run(Program(told.append), told)
    yield run
    await run.program.close()
