"""The arrows of the architecture: which file may import which, and which may touch the world."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from dpipe.lang.stages import STAGES

ROOT = Path(__file__).parent.parent
MAY_IMPORT = {
    "lang": {"lang"},
    "stdlib": {"stdlib"},
    "runtime": {"runtime", "lang"},
    "api": {"api", "runtime", "lang", "stdlib"},
    "cli": {"cli", "api", "runtime", "lang"},
}
WAIST = {"lang/graph.py", "lang/types.py", "lang/stages.py"}
ONLY_IN = {"lark": "lang/tables.py", "openai": "runtime/models/sdk.py"}
LEAVES = ("runtime/sources/", "runtime/sinks/", "runtime/metrics/", "runtime/stages/")
# The executor's nursery holds the run; in the others wait the calls of one stage.
NURSERIES = {
    "runtime/executor.py",
    "runtime/ahead.py",
    "runtime/embedding.py",
    "runtime/stages/ask.py",
    "runtime/stages/vectors.py",
    "runtime/voices.py",
}
# A constant is worked out before and beside the run, so an async function has a trio of its own.
STARTS_TRIO = {
    "api/running.py",
    "api/beside.py",
    "api/testing.py",
    "api/explaining.py",
    "runtime/run.py",
    "runtime/testing.py",
    "runtime/calling.py",
}
READS_ENVIRONMENT = ("api/project.py", "cli/")

WORLD = {"os", "io", "pathlib", "socket", "subprocess", "time", "trio", "asyncio"}

FILES = sorted(
    path.relative_to(ROOT).as_posix()
    for folder in MAY_IMPORT
    for path in (ROOT / folder).rglob("*.py")
)
each_file = pytest.mark.parametrize("file", FILES)


@cache
def tree(file: str) -> tuple[ast.AST, ...]:
    return tuple(ast.walk(ast.parse((ROOT / file).read_text(encoding="utf-8"))))


@cache
def imports(file: str) -> frozenset[str]:
    """What a file imports: dpipe's own files as ``lang/graph.py``, others by their top name."""
    found: set[str] = set()
    for node in tree(file):
        if isinstance(node, ast.Import):
            found |= {target(alias.name) for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}:{node.lineno} imports relatively"
            found |= {target(f"{node.module}.{alias.name}") for alias in node.names}
    return frozenset(found)


def target(name: str) -> str:
    top, *parts = name.split(".")
    if top != "dpipe":
        return top
    folder = parts.pop(0) if parts and parts[0] in MAY_IMPORT else "api"
    for end in range(len(parts), 0, -1):
        file = "/".join([folder, *parts[:end]]) + ".py"
        if (ROOT / file).is_file():
            return file
    return f"{folder}/__init__.py"


def reads_of(file: str, module: str, *names: str) -> list[int]:
    """The lines where a file uses ``module.name``."""
    return [
        node.lineno
        for node in tree(file)
        if isinstance(node, ast.Attribute)
        and node.attr in names
        and isinstance(node.value, ast.Name)
        and node.value.id == module
    ]


@each_file
def test_imports_point_down_the_layers(file: str) -> None:
    allowed = MAY_IMPORT[file.split("/")[0]]
    own = {name for name in imports(file) if name.endswith(".py")}
    assert {name for name in own if name.split("/")[0] not in allowed} == set()


@each_file
def test_runtime_knows_of_lang_the_waist_alone(file: str) -> None:
    if file.startswith("runtime/"):
        assert {name for name in imports(file) if name.startswith("lang/")} <= WAIST


@each_file
def test_big_libraries_have_one_place_each(file: str) -> None:
    assert {name for name in imports(file) if ONLY_IN.get(name, file) != file} == set()


@each_file
def test_sources_sinks_metrics_and_stages_do_not_know_one_another(file: str) -> None:
    if file.startswith(LEAVES) and not file.endswith("/__init__.py"):
        of_its_own = {leaf for leaf in leaves() if file.startswith(leaf.removesuffix(".py"))}
        assert imports(file) & leaves() - of_its_own == set()
        assert "runtime/executor.py" not in imports(file)


@cache
def leaves() -> frozenset[str]:
    """The files that hold one source, sink, metric or stage; others in their folders are shared.

    One that has grown has parts beside it: ``dedup_embedding.py`` belongs to ``dedup.py``.
    """
    text = (ROOT / "stdlib/builtins.dpipe").read_text(encoding="utf-8")
    modules = re.findall(r'python\("dpipe\.([\w.]+):', text)
    stages = (f"runtime/stages/{name}" for name in STAGES)
    names = [module.replace(".", "/") for module in modules] + list(stages)
    return frozenset(f"{name}{mark}.py" for name in names for mark in ("", "_"))


@each_file
def test_only_what_waits_opens_a_nursery(file: str) -> None:
    if file not in NURSERIES:
        assert reads_of(file, "trio", "open_nursery") == []


@each_file
def test_only_the_edge_starts_trio(file: str) -> None:
    if file not in STARTS_TRIO:
        assert reads_of(file, "trio", "run") == []


@each_file
def test_only_the_command_line_prints(file: str) -> None:
    if not file.startswith("cli/"):
        prints = [
            node.lineno
            for node in tree(file)
            if isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id == "print"
        ]
        assert prints + reads_of(file, "sys", "stdout", "stderr", "argv") == []


@each_file
def test_the_environment_is_read_at_the_edge(file: str) -> None:
    if not file.startswith(READS_ENVIRONMENT):
        assert reads_of(file, "os", "environ", "getenv", "environb") == []


@each_file
def test_lang_is_pure(file: str) -> None:
    if file.startswith("lang/"):
        assert imports(file) & WORLD == set()


def test_the_arrows_are_seen() -> None:
    assert target("dpipe.lang.graph.Graph") == "lang/graph.py"
    assert target("dpipe.check_me") == "api/__init__.py"
    assert target("dpipe.runtime.models") == "runtime/__init__.py"
    assert "lang/graph.py" not in imports("lang/source.py")
