"""What is remembered of a project, put into the facts of its nodes."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from dbt_describe.errors import StoreError
from dbt_describe.llm.bounds import Amount
from dbt_describe.memory.examples import choose_examples
from dbt_describe.memory.files import knowledge_sources
from dbt_describe.memory.index import Index, index_path
from dbt_describe.memory.passages import Source
from dbt_describe.memory.people import (
    Authors,
    abbreviation_sources,
    description_sources,
    doc_block_sources,
    read_authors,
)
from dbt_describe.memory.retrieval import Recall
from dbt_describe.memory.words import abbreviations_of
from dbt_describe.preparing import Prepared
from dbt_describe.progress import Progress
from dbt_describe.project.nodes import Project
from dbt_describe.prompting.config import PromptingConfig
from dbt_describe.prompting.facts import Enrich, NodeFacts
from dbt_describe.prompting.names import Names
from dbt_describe.settings import Settings


def gather(
    prepared: Prepared,
    settings: Settings,
    progress: Progress,
    asks: bool,
    charge: Callable[[Amount], None] = lambda _: None,
) -> Enrich | None:
    """What adds examples and passages to the facts of a node; None where nobody reads them.

    `charge` is told what was spent for it.

    Raises:
        LlmSettingsError: the model of `embeddings` is of a provider that has none.
    """
    asked = {unique_id: node.task for unique_id, node in prepared.plan.nodes.items() if node.asks}
    if not settings.llm.config.model or not asked:
        return None
    config = settings.llm.prompting
    authors = read_authors(prepared.written, prepared.standings)
    show = choose_examples(authors.people, prepared.project, config.style.examples)
    recall: Recall | None = None
    try:
        with opened(settings.llm.store_dir, prepared.project.root, progress) as index:
            index.renew(all_sources(prepared.project, authors, config, progress))
            recall = Recall(index, abbreviations_of(config.abbreviations))
            names = Names(prepared.project)
            for unique_id, task in asked.items():
                following = prepared.plan.nodes[unique_id].following
                recall.learn(names.of(unique_id), (*task.columns, *following))
            if config.embeddings:
                from dbt_describe.memory.meaning import add_by_meaning  # noqa: PLC0415 - only where it is wished

                add_by_meaning(recall, index, settings, progress, asks, charge)
    except StoreError as error:
        progress.say(f"Models are shown no passages of what is known here: {error}")
        return show
    return _both(show, recall)


def all_sources(project: Project, authors: Authors, config: PromptingConfig, progress: Progress) -> Iterator[Source]:
    """Everything that is remembered of the project."""
    yield from description_sources(authors)
    yield from doc_block_sources(project, authors)
    yield from abbreviation_sources(config.abbreviations)
    yield from knowledge_sources(config.knowledge, project.root, progress.say)


@contextlib.contextmanager
def opened(store_dir: Path | None, root: Path, progress: Progress) -> Iterator[Index]:
    """The project's index; one for this run alone where none can be kept.

    Raises:
        StoreError: this Python's SQLite has no full-text search.
    """
    index = _open(store_dir, root, progress)
    try:
        yield index
    finally:
        index.close()


def _open(store_dir: Path | None, root: Path, progress: Progress) -> Index:
    try:
        return Index(index_path(store_dir, root) if store_dir else None)
    except StoreError as error:
        index = Index(None)
        progress.say(f"What is known here isn't remembered for the next run: {error}")
        return index


def _both(show: Enrich, recall: Recall) -> Enrich:
    def enrich(facts: NodeFacts) -> NodeFacts:
        passages = recall.passages(facts)
        return show(msgspec.structs.replace(facts, passages=(*facts.passages, *passages)) if passages else facts)

    return enrich
