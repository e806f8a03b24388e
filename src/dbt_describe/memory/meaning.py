"""Passages that are near a name in what they mean, though they share no word with it: by embeddings, where wished."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from operator import mul

import msgspec

from dbt_describe.errors import LlmError, StoreError
from dbt_describe.llm.bounds import Amount
from dbt_describe.llm.embeddings import check_provider, embed, embedding_model
from dbt_describe.memory.index import Index
from dbt_describe.memory.passages import Remembered
from dbt_describe.memory.retrieval import BY_MEANING, MOST_PASSAGES, Candidate, Recall
from dbt_describe.progress import Progress
from dbt_describe.prompting.fragments import Fragment
from dbt_describe.prompting.redaction import sendable
from dbt_describe.redaction.columns import is_personal, is_secret
from dbt_describe.redaction.credentials import is_telling, without_credentials
from dbt_describe.redaction.literals import without_personal_literals
from dbt_describe.redaction.personal import without_personal
from dbt_describe.schedule import run_to_end
from dbt_describe.settings import LlmSettings, Settings, secret_values

LEAST_SIMILARITY = 0.45
"""Cosine of name and passage. An estimate for OpenAI's third generation, for which unrelated short texts have far less;
not measured with projects, and other models may need another."""
MOST_COMPARED = 2_000
"""Passages; documents come last."""
MOST_MULTIPLICATIONS = 100_000_000
"""Of one run: 7 s in Python alone (3.11, measured 2026-11). Where there are more names, they are compared with fewer
passages."""

Vector = tuple[float, ...]
Charge = Callable[[Amount], None]
Embed = Callable[..., Coroutine[None, None, None]]
"""`llm.embeddings.embed`, or a double of it."""


def add_by_meaning(
    recall: Recall,
    index: Index,
    settings: Settings,
    progress: Progress,
    asks: bool,
    charge: Charge,
    ask: Embed = embed,
) -> None:
    """Add to what bears on the names learned; without `asks`, or offline, by what is kept of earlier runs alone.

    An endpoint that fails is told of, and costs the run nothing else.

    Raises:
        LlmSettingsError: the setting names a provider that has no embeddings.
        StoreError: the index can't be read.
    """
    check_provider(settings.llm.prompting.embeddings, settings.llm.config)
    safe = _safe(settings.llm)
    said = {key: safe(text) for key, text in recall.spoken().items()}
    known = [(one, safe(f"{one.title}: {one.text}" if one.title else one.text)) for one in _compared(index, said)]
    if not said or not known:
        return
    texts = dict.fromkeys((*(text for _, text in known), *said.values()))
    vectors = _vectors(texts, index, settings.llm, progress, charge, ask if asks else None)
    passages = _within_reach([(one, vectors[text]) for one, text in known if text in vectors], len(set(said.values())))
    if len(passages) < len(known) and len(vectors) == len(texts):
        progress.say(f"Names are compared with {len(passages):,} passages by what they mean; there are too many.")
    near: dict[str, tuple[Candidate, ...]] = {}
    for key, text in said.items():
        if text in vectors:
            if text not in near:
                near[text] = _nearest(vectors[text], passages)
            recall.add(key, near[text])


def _vectors(
    texts: Iterable[str], index: Index, llm: LlmSettings, progress: Progress, charge: Charge, ask: Embed | None
) -> dict[str, Vector]:
    """Those that are kept, and where they may be asked for, the others."""
    by_hash = {hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:32]: text for text in texts}
    found: dict[str, bytes] = {}
    try:
        # What is kept is found without a key.
        planned = msgspec.structs.replace(llm.config, plans_only=True)
        model = embedding_model(llm.prompting.embeddings, planned, llm.environ)
        # Another server behind the same name has other vectors.
        name = f"{model.model} {model.endpoints[0].shown}"
        found.update({by_hash[key]: vector for key, vector in index.vectors(name, by_hash).items()})
        missing = {text: key for key, text in by_hash.items() if text not in found}

        def keep(vectors: Mapping[str, bytes]) -> None:
            found.update(vectors)
            index.keep_vectors(name, {missing[text]: vector for text, vector in vectors.items()})

        def note(used: Amount) -> None:
            charge(used)
            cost = f", ${used.cost_usd:.6f}" if used.cost_usd else ""
            if used.tokens:
                progress.say(f"Finding passages by what they mean took {used.tokens:,} tokens of {model.model}{cost}.")

        if missing and ask and llm.config.offline and not model.is_local:
            progress.say(f"Offline, {model.model} isn't asked what passages mean; what is kept of it is used.")
        elif missing and ask:
            model = embedding_model(llm.prompting.embeddings, llm.config, llm.environ)
            progress.wait(f"Asking {model.model} what {len(missing):,} passages and names mean.")
            run_to_end(ask(list(missing), model, llm.config, llm.store, keep, note, progress.say))
    except (LlmError, StoreError) as error:
        progress.say(f"Not all passages can be found by what they mean: {error}")
    return {text: struct.unpack(f"<{len(vector) // 4}f", vector) for text, vector in found.items()}


def _nearest(vector: Vector, passages: Sequence[tuple[Remembered, Vector]]) -> tuple[Candidate, ...]:
    """The passages that are near enough, the nearest first; equally near ones in the order of their places."""
    scored = [
        Candidate(BY_MEANING, one, round(sum(map(mul, vector, other)), 4))
        for one, other in passages
        if len(other) == len(vector)
    ]
    near = [one for one in scored if one.score >= LEAST_SIMILARITY]
    near.sort(key=lambda one: (-one.score, one.passage.place, one.passage.text))
    # Some may be found by words as well, or said by the facts.
    return tuple(near[:MOST_PASSAGES])


def _compared(index: Index, said: Mapping[tuple[str, str], str]) -> list[Remembered]:
    return index.knowledge(MOST_COMPARED) if said else []


def _within_reach(passages: list[tuple[Remembered, Vector]], names: int) -> list[tuple[Remembered, Vector]]:
    """As many of the first passages as so many names can be compared with in reasonable time."""
    longest = max((len(vector) for _, vector in passages), default=1)
    return passages[: MOST_MULTIPLICATIONS // (longest * max(names, 1))]


def _safe(llm: LlmSettings) -> Callable[[str], str]:
    """What takes out of a text all that isn't sent with a prompt either."""
    secrets = tuple(filter(is_telling, secret_values(llm.environ)))

    def safe(text: str) -> str:
        text = without_credentials(sendable(Fragment("knowledge", text)).text, secrets)
        if not llm.prompting.redact:
            return text
        return without_personal(without_personal_literals(text, lambda name: is_personal(name) or is_secret(name)))

    return safe
