"""How the benchmark of large projects counts."""

from __future__ import annotations

import time
from types import ModuleType

import msgspec
import pytest

from benchmarks.clock import Clock, Stage
from benchmarks.layers import COLUMNS, generated_models
from benchmarks.pages import PAGE, RESULTS, Machine, with_tables
from benchmarks.scale import Run, Scale, growth, markdown
from benchmarks.targets import Target, Targets
from benchmarks.targets import markdown as markdown_of_targets

MACHINE = Machine(2, "a processor", 4, "Linux 6", "3.11", "2026-11-22")


def stage(name: str, cpu_s: float) -> Stage:
    return Stage(name, wall_s=cpu_s, cpu_s=cpu_s, held_mb=100, peak_mb=120)


def test_growth_is_told_for_each_model_and_only_of_stages_that_take_long() -> None:
    small = Run("cold", 1000, (stage("read", 1.0), stage("trace", 2.0), stage("rest", 0.001)))
    large = Run("cold", 20_000, (stage("read", 20.0), stage("trace", 120.0), stage("rest", 0.4)))
    assert growth([large, small]) == pytest.approx({("cold", "read"): 1.0, ("cold", "trace"): 3.0})


def test_a_stage_inside_of_another_is_its_own() -> None:
    module = ModuleType("module")
    module.__dict__["inner"] = lambda: time.sleep(0)
    clock = Clock()
    clock.watch(module, "inner", "inner")
    clock.time("outer", lambda: [module.inner()])
    assert [one.name for one in clock.stages] == ["inner", "outer"]
    inner, outer = clock.stages
    assert inner.wall_s > 0
    assert outer.wall_s > 0


def test_a_project_has_as_many_models_as_are_wanted_and_each_reads_the_layer_above() -> None:
    models = {entry["unique_id"]: entry for entry in generated_models(100)}
    assert len(models) == 100
    for unique_id, entry in models.items():
        layer = int(unique_id.split("_")[1])
        above = {f"seed.shop.raw_{unique_id.split('_')[2]}"} if layer == 0 else set(models)
        assert set(entry["depends_on"]["nodes"]) <= above
        assert COLUMNS[0] in entry["compiled_code"] or "select *" in entry["compiled_code"]


def test_targets_tell_what_is_missed() -> None:
    found = Targets(MACHINE, (Target("`--help`", 0.15, 0.1234, 0.1), Target("memory", 1024, 2000, unit="MB")))
    told = markdown_of_targets(found)
    assert "| `--help` | 0.15 s | 0.12 s | 0.10 s | yes |" in told
    assert "| memory | 1024 MB | 2000 MB | – | **no** |" in told


def test_the_page_shows_what_was_kept() -> None:
    page = PAGE.read_text(encoding="utf-8")
    scale = msgspec.json.decode((RESULTS / "scale.json").read_bytes(), type=Scale)
    targets = msgspec.json.decode((RESULTS / "targets.json").read_bytes(), type=Targets)
    assert with_tables(page, markdown(scale), "bench-scale") == page
    assert with_tables(page, markdown_of_targets(targets), "bench-targets") == page
