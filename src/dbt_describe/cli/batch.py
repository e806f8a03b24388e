"""`dbt-describe batch`.

list, status --json: [{"batch": "b0123456789abcde", "model": "openai/gpt-6-luna", "state": "running", "questions": 40,
                       "answered": 12, "failed": 0, "fetched": 0, "open": 40, "nodes": 40,
                       "projects": ["/home/me/shop"], "made": "2026-11-22T05:12:00Z", "provider_id": "batch_1",
                       "message": ""}]
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from dbt_describe.cli.options import MODEL_OPTIONS, settings_of, with_options
from dbt_describe.cli.output import show
from dbt_describe.cli.tables import aligned

if TYPE_CHECKING:
    from dbt_describe.batch_desk import BatchView, Round

_NOTHING = "No batch is known. `dbt-describe document --batch` sends one."
_THEN = "`dbt-describe document` writes what has come."
_ALONE = "`dbt-describe document` asks {} one by one, at the usual price; with --batch, in a new batch."


@click.group()
def batch() -> None:
    """Look after batches: requests that providers answer within a day, at half the price (document --batch)."""


@batch.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_(as_json: bool) -> None:
    """Show the batches that are known here, as far as is known. Asks nobody."""
    from dbt_describe.batch_desk import known_batches  # noqa: PLC0415 - --help must not wait for it
    from dbt_describe.settings import store_dir  # noqa: PLC0415

    _show(known_batches(store_dir()), as_json=as_json)


@batch.command()
@click.argument("ids", nargs=-1, metavar="[ID]...")
@with_options(MODEL_OPTIONS)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def status(ids: tuple[str, ...], as_json: bool, **given: Any) -> None:
    """Ask the providers how far batches are; what is there is fetched, too."""
    from dbt_describe.batch_desk import advance_batches  # noqa: PLC0415 - --help must not wait for it
    from dbt_describe.cli.progress import open_progress  # noqa: PLC0415

    this_round, found = advance_batches(settings_of(given), open_progress(), ids)
    _show(found, as_json=as_json, told="\n".join(this_round.problems))
    if not as_json:
        _tell(this_round)
        _tell_left(this_round)
    _raise_stuck(this_round)


@batch.command()
@click.argument("ids", nargs=-1, metavar="[ID]...")
@with_options(MODEL_OPTIONS)
def fetch(ids: tuple[str, ...], **given: Any) -> None:
    """Fetch the answers of batches that have ended. The next run of document writes them."""
    from dbt_describe.batch_desk import advance_batches  # noqa: PLC0415 - --help must not wait for it
    from dbt_describe.cli.progress import open_progress  # noqa: PLC0415

    this_round, _ = advance_batches(settings_of(given), open_progress(), ids)
    _tell(this_round)
    if not this_round.kept:
        show("No new answer is there.")
    _tell_left(this_round)
    _raise_stuck(this_round)


@batch.command()
@click.argument("id_", metavar="ID")
@with_options(MODEL_OPTIONS)
def cancel(id_: str, **given: Any) -> None:
    """Let a batch answer nothing more. What it has answered is paid for, and fetched."""
    from dbt_describe.batch_desk import cancel_batch  # noqa: PLC0415 - --help must not wait for it
    from dbt_describe.cli.progress import open_progress  # noqa: PLC0415

    cancelled = cancel_batch(settings_of(given), open_progress(), id_)
    this_round = cancelled.round
    _tell(this_round)
    still = " The provider is still at it: `dbt-describe batch fetch` fetches what it has answered."
    if cancelled.was_open:
        show(f"Batch {cancelled.batch} is cancelled.{still if this_round.open else ''}")
        if this_round.open:
            show(_ALONE.format("what it doesn't answer"))
        _tell_left(this_round)
    else:
        show(f"Batch {cancelled.batch} was done before: there is nothing to cancel.")
    _raise_stuck(this_round)


@batch.command()
@click.argument("ids", nargs=-1, required=True, metavar="ID...")
def forget(ids: tuple[str, ...]) -> None:
    """Forget batches: what they ask is asked anew. The provider goes on with them, and bills them."""
    from dbt_describe.batch_desk import forget_batches  # noqa: PLC0415 - --help must not wait for it
    from dbt_describe.settings import store_dir  # noqa: PLC0415

    forgotten = forget_batches(store_dir(), ids)
    show(f"Forgot {len(forgotten):,} {'batch' if len(forgotten) == 1 else 'batches'}.")
    left = [one.record for one in forgotten if one.is_with_provider]
    for record in left:
        where = (
            f"is still with its provider ({record.provider_id} there)"
            if record.provider_id
            else "may be with its provider"
        )
        show(f"Batch {record.id} {where}, which goes on with it and bills it.")
    if left:
        show("What it asks, `dbt-describe document` asks anew, and it is paid once more.")


def _show(found: Sequence[BatchView], *, as_json: bool, told: str = "") -> None:
    """Print batches; below the table, what is wrong with them, but for those of which it is `told` anyway."""
    if as_json:
        show(json.dumps([_plain(one) for one in found], indent=2, ensure_ascii=False))
        return
    if not found:
        show(_NOTHING)
        return
    heads = ["batch", "state", "answered", "failed", "fetched", "nodes", "made (UTC)", "model"]
    rows = [
        [
            one.record.id,
            one.state,
            f"{one.record.succeeded:,} of {one.record.requests:,}",
            f"{one.record.failed:,}",
            f"{one.kept:,}",
            f"{one.nodes:,}",
            _time(one.record.made_at).replace("T", " ").removesuffix("Z"),
            one.record.model,
        ]
        for one in found
    ]
    show("\n".join(aligned(heads, rows, words=frozenset({0, 1, 6, 7}), names=7)))
    for one in found:
        if one.record.message and one.record.id not in told:
            show(f"{one.record.id}: {one.record.message}")


def _raise_stuck(this_round: Round) -> None:
    """What must be changed before a provider can be asked is an error, told after what the others said."""
    if this_round.stuck is not None:
        raise this_round.stuck


def _tell(this_round: Round) -> None:
    for problem in this_round.problems:
        if problem != str(this_round.stuck):
            show(problem)
    if this_round.kept:
        answers = "answer is" if this_round.kept == 1 else "answers are"
        show(f"{this_round.kept:,} {answers} here. {_THEN}")
    if this_round.again:
        requests = "question that failed is" if this_round.again == 1 else "questions that failed are"
        show(f"{this_round.again:,} {requests} asked in another batch.")


def _tell_left(this_round: Round) -> None:
    """What the next run asks at the usual price, unless it is told not to."""
    if this_round.given_up:
        questions = "question" if this_round.given_up == 1 else "questions"
        show(_ALONE.format(f"the {this_round.given_up:,} {questions} that no batch answers"))


def _plain(one: BatchView) -> dict[str, object]:
    return {
        "batch": one.record.id,
        "model": one.record.model,
        "state": one.state,
        "questions": one.record.requests,
        "answered": one.record.succeeded,
        "failed": one.record.failed,
        "fetched": one.kept,
        "open": one.open,
        "nodes": one.nodes,
        "projects": list(one.projects),
        "made": _time(one.record.made_at),
        "provider_id": one.record.provider_id,
        "message": one.record.message,
    }


def _time(unix_s: float) -> str:
    return datetime.datetime.fromtimestamp(unix_s, datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
