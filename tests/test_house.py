"""The rules of the house that a linter does not know: budget, imports, calls that are never made, floors.

Every rule reads the sources' syntax trees, so a rule cannot be dodged by formatting.
"""

from __future__ import annotations

import ast
import re
import statistics
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "src" / "tunesmith"
FILES = sorted(SOURCE.rglob("*.py"))
TREES = {path: ast.parse(path.read_text(encoding="utf-8")) for path in FILES}
NAMES = [str(path.relative_to(SOURCE)) for path in FILES]
EVERY_FILE = pytest.mark.parametrize("path", FILES, ids=NAMES)

Function = ast.FunctionDef | ast.AsyncFunctionDef
Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef

FILE_LINES = 400
FUNCTION_LINES = 60
FUNCTION_LINES_P90 = 40
LONG_FUNCTION_LINES = 50
LONG_FUNCTION_SHARE = 0.03
FIELDS = 20
BANNED_CALLS = {
    "eval",
    "exec",
    "compile",
    "__import__",
    "os.system",
    "os.popen",
    "pickle.load",
    "pickle.loads",
    "pickle.Unpickler",
    "dill.load",
    "dill.loads",
    "joblib.load",
    "torch.load",
    "yaml.load",
    "yaml.full_load",
    "yaml.unsafe_load",
    "shutil.unpack_archive",
    "jinja2.Environment",
    "jinja2.Template",
    "Environment",
    "Template",
    "tempfile.mktemp",
}
BANNED_ARGUMENTS = {("shell", True), ("trust_remote_code", True), ("weights_only", False)}
BANNED_METHODS = {"extractall", "unsafe_load", "full_load"}
STARTSWITH_ON_PATHS_ALLOWED = {
    "architecture/loading.py": "tells a path from a Hub id by its spelling; nothing is opened because of it",
}
"""Files where startswith(), which cannot contain a path, meets text that may be one; and why it is safe."""

FLOORS = {"torch": (2, 10), "transformers": (5, 3), "jinja2": (3, 1, 6)}
"""Releases below these have holes that a stranger's file can use, or lack what the engine runs."""


def functions(tree: ast.AST) -> Iterator[Function]:
    """Yield every function and method, however deep."""
    for node in ast.walk(tree):
        if isinstance(node, Function):
            yield node


def length(function: Function) -> int:
    """Return the lines of a function, its docstring left out."""
    lines = (function.end_lineno or function.lineno) - function.lineno + 1
    first = function.body[0]
    if ast.get_docstring(function) is not None:
        lines -= (first.end_lineno or first.lineno) - first.lineno + 1
    return lines


def public(tree: ast.Module) -> Iterator[Definition]:
    """Yield public functions, classes and methods; all inside a private class is private."""
    pending: list[ast.stmt] = list(tree.body)
    while pending:
        node = pending.pop()
        if isinstance(node, Definition) and not node.name.startswith("_"):
            yield node
            if isinstance(node, ast.ClassDef):
                pending.extend(node.body)


def dotted(node: ast.expr) -> str:
    """Return ``a.b.c`` for a chain of names; a call in it counts as its first argument."""
    if isinstance(node, ast.Attribute):
        before = dotted(node.value)
        return f"{before}.{node.attr}" if before else node.attr
    if isinstance(node, ast.Call):
        return dotted(node.args[0] if node.args else node.func)
    return node.id if isinstance(node, ast.Name) else ""


def calls(tree: ast.AST) -> Iterator[ast.Call]:
    """Yield every call."""
    return (node for node in ast.walk(tree) if isinstance(node, ast.Call))


# -- the budget -------------------------------------------------------------------------------------


@EVERY_FILE
def test_a_file_fits_its_budget(path: Path) -> None:
    """A file has at most 400 lines; what outgrows them becomes a package of the same name."""
    assert len(path.read_text(encoding="utf-8").splitlines()) <= FILE_LINES


@EVERY_FILE
def test_a_function_fits_its_budget(path: Path) -> None:
    """A function has at most 60 lines."""
    assert {f.name: length(f) for f in functions(TREES[path]) if length(f) > FUNCTION_LINES} == {}


def test_functions_are_short_as_a_rule() -> None:
    """Nine functions of ten have at most 40 lines, and at most 3 of 100 more than 50."""
    lengths = [length(function) for tree in TREES.values() for function in functions(tree)]
    assert statistics.quantiles(lengths, n=10)[-1] <= FUNCTION_LINES_P90
    assert sum(lines > LONG_FUNCTION_LINES for lines in lengths) <= LONG_FUNCTION_SHARE * len(lengths)


def declared(node: ast.ClassDef) -> int:
    """Return the number of fields that a class declares itself."""
    return sum(isinstance(statement, ast.AnnAssign) for statement in node.body)


@EVERY_FILE
def test_a_class_has_few_fields(path: Path) -> None:
    """A class declares at most 20 fields of its own."""
    for node in ast.walk(TREES[path]):
        if isinstance(node, ast.ClassDef):
            assert declared(node) <= FIELDS, node.name


@EVERY_FILE
def test_imports_stand_at_the_top(path: Path) -> None:
    """Only api imports inside functions: there a heavy stage is loaded when first needed."""
    if path.parent == SOURCE / "api":
        pytest.skip("the one place that may")
    hidden = [
        inner.lineno
        for function in functions(TREES[path])
        for inner in ast.walk(function)
        if isinstance(inner, ast.Import | ast.ImportFrom)
    ]
    assert hidden == []


@EVERY_FILE
def test_everything_public_says_what_it_is(path: Path) -> None:
    """Modules, public classes, functions and methods have docstrings."""
    tree = TREES[path]
    assert ast.get_docstring(tree), "module"
    silent = [node.name for node in public(tree) if not ast.get_docstring(node) and not overload(node)]
    assert silent == []


def overload(node: Definition) -> bool:
    """Return whether *node* is only a signature."""
    return any(dotted(decorator).endswith("overload") for decorator in node.decorator_list)


@EVERY_FILE
def test_every_function_names_what_it_returns(path: Path) -> None:
    """Return types are annotated, private functions included."""
    assert [function.name for function in functions(TREES[path]) if function.returns is None] == []


@EVERY_FILE
def test_a_file_is_named_for_its_idea(path: Path) -> None:
    """No drawers for odds and ends."""
    assert not {path.stem, *path.relative_to(SOURCE).parent.parts} & {
        "utils",
        "util",
        "helpers",
        "common",
        "misc",
    }


# -- calls that are never made ----------------------------------------------------------------------


def dangerous(tree: ast.AST) -> list[str]:
    """Return the calls that run, unpack or unpickle what a stranger may have written."""
    found = []
    for call in calls(tree):
        name = dotted(call.func)
        if name in BANNED_CALLS or name.rpartition(".")[2] in BANNED_METHODS:
            found.append(name)
        for keyword in call.keywords:
            value = keyword.value.value if isinstance(keyword.value, ast.Constant) else None
            if (keyword.arg, value) in BANNED_ARGUMENTS:
                found.append(f"{keyword.arg}={value}")
    return found


def paths_by_spelling(tree: ast.AST) -> list[int]:
    """Return the lines where startswith() meets a path-like name or a separator."""
    lines = []
    for call in calls(tree):
        if not (isinstance(call.func, ast.Attribute) and call.func.attr == "startswith"):
            continue
        texts = [n.value for n in ast.walk(call) if isinstance(n, ast.Constant) and isinstance(n.value, str)]
        named = re.search(r"path|folder|directory|file|root", dotted(call.func.value).lower())
        if named or any(text and text[0] in "/~\\" for text in texts):
            lines.append(call.lineno)
    return lines


@EVERY_FILE
def test_no_call_runs_what_a_stranger_wrote(path: Path) -> None:
    """Nothing evaluates text, starts a shell, unpickles, unpacks archives or renders unguarded templates."""
    assert dangerous(TREES[path]) == []


@EVERY_FILE
def test_a_path_is_not_contained_by_its_spelling(path: Path) -> None:
    """startswith() meets no path outside the list above."""
    if str(path.relative_to(SOURCE)) not in STARTSWITH_ON_PATHS_ALLOWED:
        assert paths_by_spelling(TREES[path]) == []


@pytest.mark.parametrize(
    "code",
    [
        "eval(text)",
        "subprocess.run(line, shell=True)",
        "torch.load(path)",
        "pickle.load(stream)",
        "yaml.load(text, Loader=loader)",
        "tarfile.open(path).extractall()",
        "jinja2.Environment().from_string(text)",
        "AutoModel.from_pretrained(name, trust_remote_code=True)",
    ],
)
def test_the_scan_sees_what_is_dangerous(code: str) -> None:
    """The rule above fails on each kind of call that it is there for."""
    assert dangerous(ast.parse(code)) != []


@pytest.mark.parametrize(
    "code", ["str(path).startswith(base)", "path.startswith(base)", "name.startswith('/')"]
)
def test_the_scan_sees_a_path_contained_by_its_spelling(code: str) -> None:
    """The rule above fails on text that is or may be a path."""
    assert paths_by_spelling(ast.parse(code)) == [1]


@EVERY_FILE
def test_no_module_that_unpickles_is_imported(path: Path) -> None:
    """The pickle module is imported only to write a snapshot; dill, joblib, marshal and shelve never."""
    imported = set()
    for node in ast.walk(TREES[path]):
        if isinstance(node, ast.Import):
            imported |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            imported.add(node.module.partition(".")[0])
            assert not (
                node.module == "pickle" and {a.name for a in node.names} & {"load", "loads", "Unpickler"}
            )
    allowed = {"pickle"} if path == SOURCE / "memory" / "snapshot.py" else set()
    assert imported & {"pickle", "dill", "joblib", "marshal", "shelve"} <= allowed


def test_every_exception_of_this_file_is_in_use() -> None:
    """A file that no longer needs its exception loses it."""
    for name in STARTSWITH_ON_PATHS_ALLOWED:
        assert paths_by_spelling(TREES[SOURCE / name]) != []


# -- floors, pins, and what the tree says -----------------------------------------------------------


def requirements() -> dict[str, str]:
    """Return every requirement of pyproject.toml by its lower-case name.

    Read line by line: tomllib is not in Python 3.10.
    """
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    quoted = re.findall(r'"([A-Za-z0-9_.-]+)((?:\[[^\]]*\])?)\s*>=\s*([0-9.]+)[^"]*"', text)
    return {name.lower(): version for name, _, version in quoted}


def release(text: str) -> tuple[int, ...]:
    """Return ``(2, 10)`` for ``2.10``."""
    return tuple(int(part) for part in text.split(".") if part.isdigit())


def test_dependencies_have_safe_floors() -> None:
    """torch, transformers and jinja2, where they are asked for, are asked for in safe releases."""
    asked = requirements()
    assert {"torch", "transformers"} <= set(asked)
    for name, floor in FLOORS.items():
        if name in asked:
            assert release(asked[name]) >= floor, name


def test_the_pins_satisfy_the_ranges() -> None:
    """constraints.txt pins one release of everything pyproject.toml asks for, at or above its floor."""
    pinned = dict(
        re.findall(
            r"^([A-Za-z0-9_.-]+)==([^;\s]+)", (ROOT / "constraints.txt").read_text(encoding="utf-8"), re.M
        )
    )
    pinned = {name.lower().replace("_", "-"): version for name, version in pinned.items()}
    for name, floor in requirements().items():
        assert release(pinned[name.lower().replace("_", "-")]) >= release(floor), name


def test_the_engine_runs_the_pinned_torch() -> None:
    """The pin of torch is the release whose numbers the tests prove."""
    assert "torch==2.13.0" in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()


PLACES = re.compile(
    r"(?<![\w.])/(?:work|root|tmp/(?!\w*\.)|opt|home)/[\w.]|\bfile:///|\bshared/(?:truth|traces|ghost|configs)"
    r"|\bissue #?\d+\b|\bTODO\b|\bFIXME\b|\bXXX\b"
)
SPOKEN = [
    path
    for pattern in (
        "src/**/*.py",
        "src/**/*.md",
        "docs/**/*.md",
        "*.md",
        "benchmarks/*.py",
        "examples/*",
        "Makefile",
    )
    for path in sorted(ROOT.glob(pattern))
    if path.is_file()
]


@pytest.mark.parametrize("path", SPOKEN, ids=[str(path.relative_to(ROOT)) for path in SPOKEN])
def test_nothing_speaks_of_the_machine_it_was_written_on(path: Path) -> None:
    """Sources and pages name public things only: no machine's folders, no work items, nothing left undone."""
    found = [line for line in path.read_text(encoding="utf-8").splitlines() if PLACES.search(line)]
    assert found == []
