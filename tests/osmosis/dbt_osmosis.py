"""A small dbt-osmosis for fast tests: modules with the names, the shapes and the habits of the real one.

Files are JSON, which is YAML. `integration_tests/` has the real one.
"""

from __future__ import annotations

import contextlib
import json
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from dbt_describe.osmosis import takeover
from tests.manifests import PACKAGE, manifest


class Node:
    """dbt's node, and its column."""

    def __init__(self, entry: Mapping[str, Any], file: str) -> None:
        self.unique_id: str = entry["unique_id"]
        self.name: str = entry["name"]
        self.package_name: str = entry["package_name"]
        self.resource_type: str = entry["resource_type"]
        self.language = "sql"
        self.raw_code = entry.get("raw_code", "")
        self.compiled_code = ""
        self.description: str = entry.get("description", "")
        self.columns: dict[str, Any] = {
            name: SimpleNamespace(name=name, description=column["description"], data_type=None)
            for name, column in entry["columns"].items()
        }
        self.depends_on_nodes: list[str] = entry.get("depends_on", {}).get("nodes", [])
        self.file = file
        self.entry = entry

    def as_entry(self) -> dict[str, Any]:
        """How the manifest has it."""
        columns = {name: {"name": name, "description": one.description} for name, one in self.columns.items()}
        here = {"description": self.description, "compiled_code": self.compiled_code, "columns": columns}
        return {**self.entry, **here}


class Manifest:
    """dbt's manifest in memory, and what is written of it."""

    def __init__(self, nodes: Mapping[str, Node]) -> None:
        self.nodes = dict(nodes)
        self.sources: dict[str, Any] = {}
        self.docs: dict[str, Any] = {}
        self.metadata = SimpleNamespace(project_name=None, adapter_type=None)

    def writable_manifest(self) -> Manifest:
        return self

    def write(self, path: str) -> None:
        content = manifest(*(node.as_entry() for node in self.nodes.values())) | {"docs": self.docs}
        content["metadata"] |= vars(self.metadata)
        Path(path).write_text(json.dumps(content), encoding="utf-8")


class Connections:
    """dbt's connection manager, which counts what it is asked."""

    def __init__(self) -> None:
        self.queries = 0

    def open(self, _: object) -> None:
        self.queries += 1

    def execute(self, _: str) -> None:
        self.queries += 1

    def add_query(self, _: str) -> None:
        self.queries += 1


class Adapter:
    """dbt's adapter."""

    def __init__(self) -> None:
        self.connections = Connections()

    def connection_named(self, _: str, *, should_release_connection: bool) -> Any:
        assert should_release_connection
        return threading.Lock()

    def acquire_connection(self) -> None:
        """There is one again."""

    def get_columns_in_relation(self, _: object) -> None:
        self.connections.queries += 1


class Context:
    """YamlRefactorContext; nodes are given with the file that each of them goes to, an empty one for none."""

    def __init__(self, root: Path, *nodes: tuple[Mapping[str, Any], str], **settings: Any) -> None:
        built = [Node(entry, file) for entry, file in nodes]
        runtime = SimpleNamespace(
            project_root=str(root),
            project_name=PACKAGE,
            target_path="target",
            credentials=SimpleNamespace(type="duckdb"),
        )
        config = SimpleNamespace(profiles_dir=None, profile=None, target=None, vars={}, disable_introspection=False)
        self.project = SimpleNamespace(
            manifest=Manifest({node.unique_id: node for node in built}),
            runtime_cfg=runtime,
            config=config,
            adapter=Adapter(),
        )
        self.settings = SimpleNamespace(**{"dry_run": False, "catalog_path": None, "models": [], **settings})
        self.placeholders = ("", "Pending further documentation")
        self.ignore_patterns: list[str] = []
        self.pool = ThreadPoolExecutor(2)
        self.yaml_handler = self.yaml_handler_lock = None
        self.mutations = 0
        self.written_files: set[Path] = set()
        self.built: dict[str, dict[str, str]] = {}
        """unique_id → columns of the table, with their types."""
        self.broken_files: set[str] = set()
        """Files that can't be written when it comes to it."""

    def register_mutations(self, count: int) -> None:
        self.mutations += count

    def register_written_file(self, path: Path) -> None:
        self.written_files.add(path)

    def node(self, name: str) -> Node:
        found: Node = self.project.manifest.nodes[f"model.{PACKAGE}.{name}"]
        return found

    def commit(self) -> None:
        """What the pipeline does after its last step; it raises where dbt-osmosis would log."""
        sys.modules["dbt_osmosis.core.sync_operations"].sync_node_to_yaml(self, None, commit=True)


def _node_filters() -> ModuleType:
    module = ModuleType("dbt_osmosis.core.node_filters")

    def _iter_candidate_nodes(context: Context) -> Iterator[tuple[str, Node]]:
        wanted = context.settings.models
        for unique_id, node in context.project.manifest.nodes.items():
            if not wanted or node.name in wanted:
                yield unique_id, node

    module.__dict__["_iter_candidate_nodes"] = _iter_candidate_nodes
    return module


def _path_management() -> ModuleType:
    module = ModuleType("dbt_osmosis.core.path_management")

    def get_current_yaml_path(context: Context, node: Node) -> Path | None:
        path = Path(context.project.runtime_cfg.project_root, node.file)
        return path if node.file and path.exists() else None

    def get_target_yaml_path(context: Context, node: Node) -> Path:
        if not node.file:
            raise ValueError(f"Config key `+dbt-osmosis:` not set for model {node.name}")
        return Path(context.project.runtime_cfg.project_root, node.file)

    module.__dict__.update(get_current_yaml_path=get_current_yaml_path, get_target_yaml_path=get_target_yaml_path)
    return module


def _reader() -> ModuleType:
    module = ModuleType("dbt_osmosis.core.schema.reader")
    cache: dict[Path, Any] = {}

    def read(path: Path) -> Any:
        if path not in cache:
            cache[path] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        return cache[path]

    module.__dict__.update(
        _YAML_BUFFER_CACHE=cache, _YAML_ORIGINAL_CACHE={}, _YAML_BUFFER_CACHE_LOCK=threading.Lock(), read=read
    )
    return module


_SYNC = '''
def _sync_doc_section(context, node, doc_section):
    if node.description and not doc_section.get("description"):
        doc_section["description"] = node.description
    columns = doc_section.setdefault("columns", {})
    for name, column in node.columns.items():
        if column.description:
            columns[name] = column.description


def _write(context, path, doc):
    if path.name in context.broken_files:
        raise OSError("the disk is full")
    context.register_mutations(1)
    if not context.settings.dry_run:
        path.write_text(json.dumps(doc), encoding="utf-8")
    reader._YAML_BUFFER_CACHE.pop(path, None)


def _sync_node_group_to_yaml(context, nodes, *, commit=True):
    path = paths.get_target_yaml_path(context, nodes[0])
    doc = reader.read(path)
    for node in nodes:
        _sync_doc_section(context, node, doc.setdefault(node.name, {}))
    _write(context, path, doc)


def _preflight_sync_group(context, nodes):
    doc = reader.read(paths.get_target_yaml_path(context, nodes[0]))
    if "duplicate" in doc:
        raise ValueError("Duplicate YAML entries")


def sync_node_to_yaml(context, node=None, *, commit=True):
    """All files or, after the first thing that is wrong with one, none."""
    nodes = [node] if node else [node for _, node in filters._iter_candidate_nodes(context)]
    for one in nodes:
        paths.get_target_yaml_path(context, one)
    for one in nodes:
        _sync_node_group_to_yaml(context, [one])
'''


def _sync_operations(**modules: ModuleType) -> ModuleType:
    module = ModuleType("dbt_osmosis.core.sync_operations")
    module.__dict__.update(json=json, **modules)
    exec(_SYNC, module.__dict__)
    return module


def _introspection() -> ModuleType:
    module = ModuleType("dbt_osmosis.core.introspection")

    def get_columns(context: Context, node: Node) -> dict[str, Any]:
        if node.unique_id not in context.built:
            with contextlib.suppress(Exception):
                context.project.adapter.get_columns_in_relation(node)
        found = context.built.get(node.unique_id, {})
        return {name: SimpleNamespace(name=name, type=kind) for name, kind in found.items()}

    def resolve_setting(context: Context, name: str, node: Node, column: str, *, fallback: bool) -> bool:
        return fallback

    module.__dict__.update(get_columns=get_columns, resolve_setting=resolve_setting)
    return module


def _compilation() -> ModuleType:
    """dbt's compiler: takes the raw SQL as it is; `-- fails` can't be compiled, `-- asks` asks the warehouse."""
    module = ModuleType("dbt.compilation")

    class Compiler:
        def __init__(self, config: Any) -> None:
            self.config = config

        def compile_node(self, node: Node, _: Manifest, __: Mapping[str, Any], *, write: bool) -> None:
            assert not write
            if "-- fails" in node.raw_code:
                raise ValueError("Compilation Error\n  no such macro")
            if "-- asks" in node.raw_code:
                self.config.connections.execute("select 1")
            node.compiled_code = node.raw_code

    module.__dict__["Compiler"] = Compiler
    return module


@pytest.fixture
def osmosis(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Context]:
    """Makes a context in a project of its own; dbt-osmosis's modules are there as long as the test runs."""
    filters, paths, reader = _node_filters(), _path_management(), _reader()
    modules = (
        *(filters, paths, reader, _introspection(), _compilation()),
        _sync_operations(filters=filters, paths=paths, reader=reader),
    )
    for module in modules:
        monkeypatch.setitem(sys.modules, module.__name__, module)
    for package in ("dbt_osmosis", "dbt_osmosis.core", "dbt_osmosis.core.schema", takeover.TRANSFORMS):
        monkeypatch.setitem(sys.modules, package, ModuleType(package))
    monkeypatch.setenv("DBT_DESCRIBE_STORE", str(tmp_path / "store"))
    root = tmp_path / "project"
    root.mkdir()
    (root / "dbt_project.yml").write_text(f"name: {PACKAGE}\n", encoding="utf-8")
    (root / "models").mkdir()

    def make(*nodes: tuple[Mapping[str, Any], str], **settings: Any) -> Context:
        for entry, _ in nodes:
            (root / entry["original_file_path"]).write_text(entry["raw_code"], encoding="utf-8")
        context = Context(root.resolve(), *nodes, **settings)
        context.project.runtime_cfg.connections = context.project.adapter.connections
        return context

    return make
