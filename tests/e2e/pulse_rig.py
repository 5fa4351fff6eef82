"""A sound server of the tests' own: a speaker nobody hears, and a microphone that plays what it is
given. Runs in a private folder and is ended by its pid.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

NEEDED = ("pulseaudio", "pactl", "paplay", "parec")
UP_WITHIN_S = 10.0


def is_there() -> bool:
    return all(shutil.which(program) for program in NEEDED)


@contextmanager
def sound_server(folder: Path) -> Iterator[dict[str, str]]:
    """The environment in which `speaker` and `mic` are the default devices."""
    run, home = folder / "run", folder / "home"
    for path in (run, home):
        path.mkdir(mode=0o700)
    (home / ".asoundrc").write_text("pcm.!default { type pulse }\nctl.!default { type pulse }\n")
    environment = {
        **{k: v for k, v in os.environ.items() if not k.startswith("PULSE")},
        "XDG_RUNTIME_DIR": str(run),
        "HOME": str(home),
        "PULSE_LATENCY_MSEC": "30",
    }
    modules = (
        "module-native-protocol-unix",
        "module-null-sink sink_name=speaker rate=48000 channels=1",
        "module-null-sink sink_name=micin rate=48000 channels=1",
        "module-remap-source source_name=mic master=micin.monitor",
        "module-always-sink",
    )
    command = ["pulseaudio", "-n", "--daemonize=no", "--exit-idle-time=-1", "--disallow-exit",
               "--use-pid-file=no", f"--log-target=file:{folder}/pulse.log"]  # fmt: skip
    for module in modules:
        command += ["-L", module]
    server = subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        _wait_until_up(environment)
        for kind, name in (("sink", "speaker"), ("source", "mic")):
            _pactl(environment, f"set-default-{kind}", name)
        yield environment
    finally:
        server.terminate()
        server.wait(5)


def _pactl(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        ["pactl", *arguments], env=environment, capture_output=True, timeout=5, check=False
    )


def _wait_until_up(environment: dict[str, str]) -> None:
    end = time.monotonic() + UP_WITHIN_S
    while b"mic" not in _pactl(environment, "list", "short", "sources").stdout:
        assert time.monotonic() < end, "the sound server did not start"
