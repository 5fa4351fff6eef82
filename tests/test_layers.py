"""The layering contracts hold, and each can fail: one planted violation for each is seen."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CONTRACTS = [
    contract["name"]
    for contract in tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"][
        "contracts"
    ]
]
PLANTED = {
    "main, compose, then ui, adapters and sim as strangers, then core": (
        "app/ui/planted.py",
        "import app.adapters",
    ),
    "core computes": ("app/core/planted.py", "import time"),
    "Qt stays in the view": ("app/adapters/planted.py", "import PySide6"),
    "the view touches no device": ("app/ui/planted.py", "import keyring"),
    "sim is the outside world": ("app/sim/planted.py", "import app.core"),
    "no cycles": ("app/core/planted.py", "import app.compose"),
}


def lint(tree: Path) -> subprocess.CompletedProcess[str]:
    """The verdict of import-linter on the package in `tree`."""
    program = (
        "import sys; sys.path.insert(0, '.');"
        "from importlinter.cli import lint_imports; sys.exit(lint_imports(cache_dir=None))"
    )
    return subprocess.run(
        [sys.executable, "-P", "-c", program], cwd=tree, capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="module")
def skeleton(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same layers with nothing in them: contracts are about names, and this is quick."""
    tree = tmp_path_factory.mktemp("layers")
    shutil.copy(ROOT / "pyproject.toml", tree)
    for module in ("__init__", "__main__", "compose"):
        (tree / "app").mkdir(exist_ok=True)
        (tree / "app" / f"{module}.py").touch()
    for layer in ("core", "adapters", "ui", "sim"):
        (tree / "app" / layer).mkdir()
        (tree / "app" / layer / "__init__.py").touch()
    (tree / "app/compose.py").write_text("import app.core\n")
    return tree


def test_every_contract_has_a_planted_violation() -> None:
    assert sorted(PLANTED) == sorted(CONTRACTS)


def test_the_skeleton_itself_is_clean(skeleton: Path) -> None:
    verdict = lint(skeleton)
    assert verdict.returncode == 0, verdict.stdout


@pytest.mark.parametrize("contract", CONTRACTS)
def test_a_planted_violation_is_reported(contract: str, skeleton: Path, tmp_path: Path) -> None:
    tree = shutil.copytree(skeleton, tmp_path / "tree")
    name, line = PLANTED[contract]
    (tree / name).write_text(line + "\n")
    verdict = lint(tree)
    assert verdict.returncode != 0
    assert f"{contract} BROKEN" in verdict.stdout
