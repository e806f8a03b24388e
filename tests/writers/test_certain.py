"""The rules before a language model, for generic tests alone."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
import pytest

from dbt_describe.planning import Descriptions, Task
from dbt_describe.project.nodes import Conventions
from dbt_describe.writers.certain import CertainFirstWriter
from dbt_describe.writers.protocol import WriterResult
from tests.every_resource import every_resource
from tests.writers.test_fallback import Queued

ANSWER = WriterResult(calls=1)


@pytest.mark.parametrize(
    ("unique_id", "language", "asks"),
    [
        ("test.shop.status", "English", False),
        ("test.shop.status", "German", True),
        ("test.shop.even_ids", "English", True),
        ("test.shop.assert_paid", "English", True),
        ("metric.shop.revenue", "English", True),
        ("model.shop.orders", "English", True),
    ],
)
def test_a_model_is_asked_for_what_the_rules_do_not_know(
    unique_id: str, language: str, asks: bool, tmp_path: Path
) -> None:
    project, lineage = every_resource(tmp_path)
    project = msgspec.structs.replace(project, conventions=Conventions(language))
    model = Queued("model", ANSWER)
    writer = CertainFirstWriter(model)
    task = Task(unique_id, (), describe_node=True)
    assert writer.estimate(task, project, lineage, Descriptions()).calls == asks
    result = asyncio.run(writer.write(task, project, lineage, Descriptions()))
    assert (model.tasks, result.calls) == (([task], 1) if asks else ([], 0))
    assert [draft.writer for draft in result.drafts] == ([] if asks else ["rules"])


def test_it_is_the_other_writer_in_all_else() -> None:
    model = Queued("model")
    writer = CertainFirstWriter(model)
    writer.avoid(3)
    writer.stop()
    asyncio.run(writer.aclose())
    assert (model.avoided, model.is_stopped, model.is_closed) == (3, True, True)
    assert (writer.name, writer.is_free) == ("model", False)
