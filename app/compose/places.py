"""Where the program finds what it ships and what was built for it, from a checkout or installed."""

from __future__ import annotations

import json
import os
import sys
from functools import cache
from pathlib import Path
from typing import Literal

from app.core.faults import Fault
from app.core.language import tr

BoardKind = Literal["korvo2", "atoms3r"]
"""The boards there are, as the wire and the bundles name them."""

_ROOT = Path(__file__).resolve().parents[2]
RESOURCES = _ROOT / "resources"
HOST_BUILD = _ROOT / "firmware" / "host" / "build"
PARTITIONS = _ROOT / "firmware" / "partitions.csv"


def virtual_cores() -> tuple[Path, ...]:
    """Host builds of the firmware core that a virtual board may run."""
    suffix = {"darwin": "dylib", "win32": "dll"}.get(sys.platform, "so")
    return tuple(sorted(HOST_BUILD.glob(f"*parley_core*.{suffix}")))


def virtual_bundle() -> Path:
    """The firmware bundle for the virtual board. Raises Fault when it was not built yet."""
    path = HOST_BUILD / "parley-virtual.zip"
    if not path.exists():
        raise Fault(
            tr("The firmware for the virtual board is not built yet."),
            tr("Run ./dev setup, then try again."),
            str(path),
        )
    return path


@cache
def catalogue(language: str) -> dict[str, str]:
    """English text → text in `language` (`zh_CN`); empty when there is no such catalogue."""
    path = RESOURCES / "language" / f"{language}.json"
    if not path.exists():
        return {}
    texts: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))
    return texts


def users_language() -> str:
    """The system's language as a catalogue name; empty for English and all we have no texts for."""
    for name in ("PARLEY_LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG"):
        if wanted := os.environ.get(name):
            return "zh_CN" if wanted.startswith("zh") else ""
    return ""
