"""Selections over real manifests against what dbt itself selects there."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from dbt_describe.project import load_project
from dbt_describe.project.selection import INDIRECT, Selectors, find_nodes
from dbt_describe.project.selection.methods import OUTSIDE
from tests.project.real_selections import FIGURES, fingerprint, older


@pytest.mark.parametrize("name", ["fivetran-shopify", "tuva"])
def test_a_real_project_s_nodes_are_selected_as_dbt_does_it(
    name: str, real_project_dir: Callable[[str], Path], tmp_path: Path
) -> None:
    expected = json.loads(FIGURES.read_bytes())[name]
    path = real_project_dir(name) / "manifest.json.gz"
    project = load_project(tmp_path, path)
    (tmp_path / "dbt_project.yml").touch()
    for node in project.nodes.values():
        if project.is_own(node):
            (tmp_path / node.original_file_path).parent.mkdir(parents=True, exist_ok=True)
    if any("--state" in options for options in expected):
        state = json.dumps(older(json.loads(gzip.decompress(path.read_bytes()))))
        (tmp_path / "manifest.json").write_text(state, encoding="utf-8")
    found = {}
    for options in expected:
        words = options.split("|")
        given = dict(zip(words[::2], words[1::2], strict=True))
        selectors = Selectors(
            select=given.get("--select", ""),
            exclude=given.get("--exclude", ""),
            state=tmp_path if "--state" in given else None,
            indirect=next(mode for mode in INDIRECT if mode == given.get("--indirect-selection", "eager")),
        )
        listed = [
            unique_id
            for unique_id in find_nodes(project, selectors).unique_ids
            if project.nodes[unique_id].resource_type not in OUTSIDE
        ]
        found[options] = [len(listed), fingerprint(listed)]
    assert found == expected
