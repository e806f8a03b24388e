"""`dbt-describe cache`."""

from __future__ import annotations

import click


@click.group()
def cache() -> None:
    """Show or forget the answers that are kept, so that nothing is paid twice."""


@cache.command()
def info() -> None:
    """Show how many answers are kept, and where."""
    from dbt_describe.accounts import cache_info  # noqa: PLC0415 - --help must not wait for it
    from dbt_describe.settings import store_here  # noqa: PLC0415

    found = cache_info(store_here())
    click.echo(f"{found.answers:,} answers, {found.size_bytes / 1024:,.0f} KiB, in {found.place}")


@cache.command()
def clear() -> None:
    """Forget all kept answers."""
    from dbt_describe.accounts import clear_cache  # noqa: PLC0415 - --help must not wait for it
    from dbt_describe.settings import store_here  # noqa: PLC0415

    click.echo(f"Forgot {clear_cache(store_here()):,} answers.")
