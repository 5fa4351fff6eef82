"""Which lines and branches of parley_core the C tests reach, by gcov; the standard library only.

    python firmware/tools/coverage.py [BUILD_FOLDER]

Builds the tests without sanitizers (their checks are branches too), runs them and prints a table.
Ends with 1 when a line is not reached or fewer than 95 % of the branches are; then it names them.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

FIRMWARE = Path(__file__).resolve().parents[1]
CORE = FIRMWARE / "components/parley_core"
BRANCHES_PERCENT = 95.0


@dataclass(frozen=True)
class Reach:
    """What the tests reached of one file, or of all."""

    lines: int
    all_lines: int
    branches: int
    all_branches: int
    missed: tuple[str, ...]

    def __str__(self) -> str:
        lines = _percent(self.lines, self.all_lines)
        branches = _percent(self.branches, self.all_branches)
        counts = f"({self.lines} of {self.all_lines}, {self.branches} of {self.all_branches})"
        return f"lines {lines:5.1f} %  branches {branches:5.1f} %  {counts}"

    @property
    def is_enough(self) -> bool:
        enough_branches = _percent(self.branches, self.all_branches) >= BRANCHES_PERCENT
        return self.lines == self.all_lines and enough_branches


def _percent(reached: int, count: int) -> float:
    return 100.0 * reached / count if count else 100.0


def _run(*command: object) -> str:
    words = [str(word) for word in command]
    done = subprocess.run(words, capture_output=True, text=True, check=False)  # noqa: S603  ours
    if done.returncode:
        sys.stderr.write(done.stdout + done.stderr)
        raise SystemExit(1)
    return done.stdout


def measure(build: Path) -> dict[str, Reach]:
    """Builds, runs, counts; the files of the core by name."""
    _run("cmake", "-S", FIRMWARE / "host", "-B", build, "-DPARLEY_COVERAGE=ON")
    _run("cmake", "--build", build, "--parallel", "2", "--target", "parley_core_tests")
    for stale in build.rglob("*.gcda"):
        stale.unlink()
    _run(build / "parley_core_tests")
    told = _run("gcov", "--json-format", "--stdout", "-b", *sorted(build.rglob("*.gcda")))
    found: dict[str, Reach] = {}
    for document in told.splitlines():
        for file in json.loads(document)["files"]:
            path = (build / file["file"]).resolve()
            if path.parent == CORE and path.suffix == ".c":
                found[path.name] = _reach(path.name, file["lines"])
    return found


def _reach(name: str, lines: list[dict[str, object]]) -> Reach:
    missed: list[str] = []
    ways: list[bool] = []
    for line in lines:
        branches = line["branches"]
        assert isinstance(branches, list)
        taken = [way["count"] > 0 for way in branches]
        ways += taken
        if not line["count"]:
            missed.append(f"{name}:{line['line_number']}: not reached")
        elif not all(taken):
            missed.append(f"{name}:{line['line_number']}: not every branch is taken")
    reached = sum(bool(line["count"]) for line in lines)
    return Reach(reached, len(lines), sum(ways), len(ways), tuple(missed))


def main(arguments: list[str]) -> int:
    build = Path(arguments[0]).resolve() if arguments else FIRMWARE / "host/build-coverage"
    found = measure(build)
    for name, reach in sorted(found.items()):
        sys.stdout.write(f"{name:16} {reach}\n")
    parts = list(found.values())
    total = Reach(
        sum(part.lines for part in parts),
        sum(part.all_lines for part in parts),
        sum(part.branches for part in parts),
        sum(part.all_branches for part in parts),
        tuple(place for part in parts for place in part.missed),
    )
    sys.stdout.write(f"{'parley_core':16} {total}\n")
    missing = [path.name for path in CORE.glob("*.c") if path.name not in found]
    if total.is_enough and not missing:
        return 0
    for place in [*total.missed, *(f"{name}: not measured" for name in missing)]:
        sys.stdout.write(place + "\n")
    return 1


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
