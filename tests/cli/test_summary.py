"""What a person reads, byte for byte."""

from __future__ import annotations

from decimal import Decimal
from textwrap import dedent

import click
import msgspec
import pytest

from dbt_describe.cli.main import join_lists, main
from dbt_describe.cli.output import printable, show
from dbt_describe.cli.summary import render_plan, render_report
from dbt_describe.planning import Abstention, Draft
from dbt_describe.report import Failure, FileResult, NodeEstimate, PlanReport, Report, Reviewed, Spent

DRAFTS = (
    Draft("model.shop.orders", "id", "Number of the order.", "inherited"),
    Draft("model.shop.orders", "total", "What was paid.", "gpt"),
)
FILE = FileResult("models/orders.yml", "a:\n", "a:\nb:\n", 2, created=False)


def test_a_report_tells_what_was_inherited_written_unknown_failed_and_spent() -> None:
    report = Report(
        writer="gpt",
        nodes=3,
        described_before=4,
        missing=9,
        drafts=DRAFTS,
        abstentions=(Abstention("model.shop.orders", "x", "no idea"), Abstention("model.shop.orders", "", "no idea")),
        failures=(Failure("model.shop.broken", "The server answered 500 three times."),),
        files=(FILE,),
        spent=Spent(2, 1500, 80, Decimal("0.0123")),
        warnings=("The manifest is new.",),
    )
    assert render_report(report) == dedent(
        """\
        Unknown, left for a person:
          model.shop.orders
            x, (itself): no idea
        Failed:
          model.shop.broken: The server answered 500 three times.
        Warning: The manifest is new.

        Described 2 of 9 missing descriptions in 1 file.
          inherited      1  the same values as a described column upstream
          written        1  by gpt
          unknown        2  left empty
          failed         5  for 1 reason, see above
          asked          2  requests, 1,500 tokens in, 80 out, $0.0123
          changed       2  models/orders.yml"""
    )
    assert report.exit_code == 3


def test_a_review_is_told_and_what_went_without_it() -> None:
    reviewed = Reviewed(7, 1, {"The server is gone.": 2})
    report = Report("gpt", 1, 0, 9, DRAFTS, files=(FILE,), reviewed=reviewed, warnings=reviewed.warnings)
    assert render_report(report).splitlines() == [
        "Warning: 2 drafts went without a review: The server is gone.",
        "",
        "Described 2 of 9 missing descriptions in 1 file.",
        "  inherited      1  the same values as a described column upstream",
        "  written        1  by gpt",
        "  reviewed       7  drafts checked against the facts, 1 of them written anew",
        "  unknown        0  left empty",
        "  changed       2  models/orders.yml",
    ]
    assert report.exit_code == 0


def test_what_failed_is_told_apart_from_what_was_left() -> None:
    failed = (Failure("model.shop.broken", "No."),)
    report = Report("gpt", 3, 0, 7, DRAFTS, failures=failed, files=(FILE,), not_begun=2, not_asked=4)
    lines = render_report(report).splitlines()
    assert "  failed         1  see above" in lines
    assert "  left           4  not asked" in lines
    none = render_report(msgspec.structs.replace(report, not_asked=5))
    assert "see above" not in none


def test_what_would_be_asked_is_told_where_nothing_is() -> None:
    report = Report("openai/x", 3, 0, 6, drafts=DRAFTS, files=(FILE,), not_asked=4, copies_left=1, cached_only=True)
    assert render_report(report).splitlines() == [
        "Described 2 of 6 missing descriptions in 1 file.",
        "  inherited      1  the same values as a described column upstream",
        "  written        1  by gpt",
        "  unknown        0  left empty",
        "  to ask         3  of openai/x, as no answer is kept; 1 column will follow",
        "  changed       2  models/orders.yml",
    ]
    assert report.exit_code == 0
    nothing = render_report(
        msgspec.structs.replace(report, drafts=(), files=(), not_asked=6, copies_left=0)
    ).splitlines()
    assert nothing[0] == "Described 0 of 6 missing descriptions in 0 files."
    assert nothing[-1] == "  to ask         6  of openai/x, as no answer is kept"


def test_what_a_host_had_itself_is_told_though_nothing_was_missing() -> None:
    report = Report("rules", 3, 6, files=(FILE,), taken_over=2)
    assert render_report(report).splitlines() == [
        "Described 0 of 0 missing descriptions in 1 file.",
        "  inherited      0  the same values as a described column upstream",
        "  written        0  by rules",
        "  taken over     2  as dbt-osmosis has inherited them",
        "  unknown        0  left empty",
        "  changed       2  models/orders.yml",
    ]


def test_one_of_a_kind_is_told_as_one() -> None:
    report = Report("gpt", 1, 0, 9, DRAFTS, files=(FILE,), reviewed=Reviewed(1), spent=Spent(cached=1))
    assert "       1  draft checked against the facts" in render_report(report)
    assert "       1  answer that had been paid for before" in render_report(report)


def test_docs_blocks_are_counted_apart() -> None:
    docs = FileResult("models/_columns.md", "", "{% docs id %}\n…\n{% enddocs %}\n", 0, created=True, doc_blocks=1)
    references = {("model.shop.orders", "id"): "id", ("model.shop.orders", "total"): "total"}
    report = Report("rules", 1, 0, 2, DRAFTS, files=(docs, FILE), references=references)
    assert report.doc_blocks == 1
    assert render_report(report).splitlines() == [
        "Described 2 of 2 missing descriptions in 1 file.",
        "  inherited      1  the same values as a described column upstream",
        "  written        1  by gpt",
        "  unknown        0  left empty",
        "  shared         2  by reference to docs blocks: 1 new, 1 existing",
        "  new           1  models/_columns.md, docs blocks",
        "  changed       2  models/orders.yml",
    ]


@pytest.mark.parametrize(
    ("spent", "not_begun", "code"), [(Spent(2), 0, 3), (Spent(), 0, 3), (Spent(2), 1, 3), (Spent(), 1, 3)]
)
def test_a_run_whose_model_couldnt_be_asked_to_the_end_says_so_and_isnt_done(
    spent: Spent, not_begun: int, code: int
) -> None:
    report = Report(
        writer="gpt, then rules",
        nodes=1,
        described_before=0,
        missing=2,
        drafts=DRAFTS,
        files=(FILE,),
        spent=spent,
        stopped_by="The budget is reached.",
        not_begun=not_begun,
    )
    assert "Stopped asking: The budget is reached." in render_report(report).splitlines()
    assert report.exit_code == code


def test_a_setting_that_nothing_could_be_asked_with_is_a_usage_error() -> None:
    stopped = Report(writer="gpt", nodes=1, described_before=0, stopped_by="no key", is_misconfigured=True, not_begun=1)
    assert stopped.exit_code == 2


def test_a_dry_run_begins_with_the_diff() -> None:
    report = Report(writer="rules", nodes=1, described_before=0, missing=2, drafts=DRAFTS, files=(FILE,), dry_run=True)
    assert render_report(report).splitlines()[:7] == [
        "--- a/models/orders.yml",
        "+++ b/models/orders.yml",
        "@@ -1 +1,2 @@",
        " a:",
        "+b:",
        "",
        "Would describe 2 of 2 missing descriptions in 1 file.",
    ]


def test_nothing_missing_is_said_in_one_line() -> None:
    report = Report(writer="rules", nodes=2, described_before=9)
    assert (render_report(report), report.exit_code) == ("Nothing to do: all 9 descriptions of 2 nodes are there.", 0)


def test_an_interrupted_run_says_what_is_left() -> None:
    report = Report(writer="gpt", nodes=9, described_before=0, missing=9, drafts=DRAFTS, interrupted=True, not_begun=7)
    text = render_report(report)
    assert text.startswith("Interrupted.\n\nDescribed 2 of 9 missing descriptions")
    assert text.endswith("7 nodes left. Run the command again to go on where it stopped.")
    assert report.exit_code == 130


def test_an_unknown_price_is_never_shown_as_nothing() -> None:
    report = Report(writer="x", nodes=1, described_before=0, drafts=DRAFTS, files=(FILE,), spent=Spent(1, 1, 1, None))
    assert "1 tokens in, 1 out, cost unknown" in render_report(report)


def test_a_plan_shows_each_node_and_the_sums() -> None:
    estimates = (
        NodeEstimate("model.shop.stg", "models/stg.yml", 1, 0, 2, 1, 900, 60, Decimal("0.001")),
        NodeEstimate("model.shop.mart", "models/mart.yml", 0, 3, 0, is_new_file=True),
    )
    assert render_plan(PlanReport(writer="gpt", nodes=2, described_before=1, estimates=estimates)) == dedent(
        """\
        node             inherit  follow     ask  tokens in    out       cost  file
        model.shop.stg         1       0       2        900     60    $0.0010  models/stg.yml
        model.shop.mart        0       3       0          0      0    $0.0000  models/mart.yml (new)

        6 descriptions missing in 2 nodes: 1 inherited now, 3 follow once their origin is described, 2 left to gpt.
        About 1 request, 900 tokens in, 60 out, $0.0010."""
    )


def test_what_a_batch_would_cost_is_told_where_that_is_less() -> None:
    live = NodeEstimate("model.shop.a", "a.yml", 0, 0, 2, 1, 900, 100, Decimal("0.01"))
    cheaper = msgspec.structs.replace(live, batch_cost_usd=Decimal("0.005"))
    free = msgspec.structs.replace(live, cost_usd=Decimal(0), batch_cost_usd=Decimal(0))
    plans = [PlanReport("gpt", 1, 0, estimates=(one,)) for one in (cheaper, live, free)]
    assert [render_plan(plan).splitlines()[-1].partition(" out, ")[2] for plan in plans] == [
        "$0.0100; in a batch (--batch) $0.0050.",
        "$0.0100.",
        "$0.0000.",
    ]


def test_a_plan_that_asks_in_batches_tells_their_price_first() -> None:
    live = NodeEstimate("model.shop.a", "a.yml", 0, 0, 2, 1, 900, 100, Decimal("0.01"))
    cheaper = msgspec.structs.replace(live, batch_cost_usd=Decimal("0.005"))
    plans = [PlanReport("gpt", 1, 0, estimates=(one,), in_batches=True) for one in (cheaper, live)]
    lines = [render_plan(plan).splitlines() for plan in plans]
    assert [shown[-1].partition(" out, ")[2] for shown in lines] == [
        "$0.0050 in a batch; asked at once (--no-batch) $0.0100.",
        "$0.0100.",
    ]
    assert [shown[1].split()[-2] for shown in lines] == ["$0.0050", "$0.0100"]


def test_what_waits_for_a_batch_is_told_with_what_to_do() -> None:
    report = Report(
        "gpt",
        3,
        0,
        9,
        DRAFTS,
        files=(FILE,),
        under_way=1,
        waiting=7,
        spent=Spent(batched=2, batched_cost_usd=Decimal(1)),
    )
    assert render_report(report) == dedent(
        """\
        Described 2 of 9 missing descriptions in 1 file.
          inherited      1  the same values as a described column upstream
          written        1  by gpt
          unknown        0  left empty
          under way      7  asked in a batch, or copies of that
          in batches     2  answers, $1.0000
          changed       2  models/orders.yml
        1 node waits for a batch. `dbt-describe batch status` shows how far it is; run `dbt-describe document` \
again to write what has come."""
    )
    assert report.exit_code == 0
    failed = msgspec.structs.replace(report, waiting=4, failures=(Failure("b", "no"),))
    assert "\n  failed         3  for 1 reason, see above\n" in render_report(failed)


def test_selectors_are_taken_as_dbt_takes_them() -> None:
    joined = join_lists(["document", "--select", "a", "b+", "--exclude", "c", "--dry-run", "-s", "d"])
    assert joined == ["document", "--select", "a", "--select", "b+", "--exclude", "c", "--dry-run", "-s", "d"]


def test_after_two_dashes_stand_files() -> None:
    joined = join_lists(["document", "--select", "a", "b", "--", "-x.sql", "c.sql"])
    assert joined == ["document", "--select", "a", "--select", "b", "--", "-x.sql", "c.sql"]
    with pytest.raises(click.UsageError, match="--select needs a value"):
        join_lists(["document", "--select", "--", "c.sql"])


def test_the_files_after_a_hook_s_selector_are_no_selectors() -> None:
    words = ["document", "--hook", "--select", "tag:nightly", "a.sql", "b.yml"]
    assert join_lists(words) == words


def test_the_same_message_is_told_once_for_all_nodes_that_it_happened_to() -> None:
    failures = tuple(Failure(f"model.shop.m{number}", "The server can't be reached.") for number in range(10))
    report = Report(writer="gpt", nodes=10, described_before=0, missing=10, failures=failures)
    named = ", ".join(f"model.shop.m{number}" for number in range(8))
    assert f"  {named} and 2 more: The server can't be reached." in render_report(report)


def test_a_long_list_of_unknowns_is_cut_unless_all_is_wished_for() -> None:
    unknown = tuple(Abstention(f"model.shop.m{number:02}", "", "no idea") for number in range(23))
    report = Report(writer="rules", nodes=23, described_before=0, missing=23, abstentions=unknown)
    assert "and 3 more nodes (--verbose lists them all)" in render_report(report)
    assert "model.shop.m22" in render_report(report, verbose=True)


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["document", "--nope"], 2, "No such option"),
        (["document", "--project-dir", "/nowhere/at/all"], 2, "No dbt_project.yml"),
        (["document", "--concurrency", "0"], 2, "0 is not in the range"),
        (["document", "--cached-only", "--no-cache"], 2, "nothing would be left to answer from"),
        (["document", "--cached-only", "--hook"], 2, "can't be combined with --hook"),
        (["document", "--select"], 2, "--select needs a value"),
        (["document", "--select", "", "--dry-run"], 2, "--select needs a value"),
        (["document", "--exclude", "--select", "x"], 2, "--exclude needs a value"),
        (["plan", "--select="], 2, "--select needs a value"),
        (["plan", "--selector", ""], 2, "--selector needs a value"),
        (["plan", "--changed="], 2, "--changed needs a value"),
        (["plan", "--state", " "], 2, "--state needs a value"),
        (["document", "--shard", ""], 2, "--shard needs a value"),
    ],
)
def test_wrong_usage_exits_2_with_a_sentence(
    words: list[str], code: int, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as raised:
        main(words)
    assert raised.value.code == code
    assert message in capsys.readouterr().err


def test_an_answer_that_was_not_accepted_is_counted_and_shown_on_demand() -> None:
    reason = "the model's answer can't be accepted: it holds Jinja"
    refused = Abstention("model.shop.orders", "x", reason, "openai/tiny", rejected="Amount\n{{ paid }}")
    draft = Draft("model.shop.orders", "y", "Text.", "openai/tiny")
    report = Report("openai/tiny", nodes=1, described_before=0, missing=2, abstentions=(refused,), drafts=(draft,))
    told = render_report(report)
    assert "unknown        1  left empty; 1 answer couldn't be accepted" in told
    assert "Amount" not in told
    assert "x was: Amount {{ paid }}" in render_report(report, verbose=True)


def test_nothing_that_a_terminal_would_act_on_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    hostile = "a\x1b[2Jb \x1b[31mred\x1b[0m \x1b[8mhidden\tend\r\n\u202etxet\x9b\x07"
    assert printable(hostile) == "a\ufffd[2Jb \x1b[31mred\x1b[0m \ufffd[8mhidden\tend\r\n\ufffdtxet\ufffd\ufffd"
    show(hostile)
    assert not {"\x1b", "\x07", "\x9b"} & set(capsys.readouterr().out)


def test_a_shard_says_which_part_of_the_whole_it_had() -> None:
    share = "Shard 2/4: 1 of 3 nodes that lack descriptions."
    report = Report("gpt", 9, 40, 2, DRAFTS, files=(FILE,), share=share)
    assert render_report(report).endswith(f"changed       2  models/orders.yml\n{share}")
    assert render_report(Report("gpt", 9, 40, share=share)) == f"Nothing to do.\n{share}"
    estimate = NodeEstimate("model.shop.a", "a.yml", 0, 0, 2)
    assert render_plan(PlanReport("gpt", 9, 40, estimates=(estimate,), share=share)).endswith(f"left to gpt.\n{share}")
    assert render_plan(PlanReport("gpt", 9, 40, share=share)) == f"Nothing to do.\n{share}"
