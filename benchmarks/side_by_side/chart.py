"""The comparison as an SVG: bars for each tool, a panel for each measure and project."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from xml.sax.saxutils import escape

from benchmarks.side_by_side.results import Comparison, Result

_PANELS: tuple[tuple[str, Callable[[Result], float], Callable[[float], str]], ...] = (
    ("LLM calls", lambda one: one.calls, lambda value: f"{value:,.0f}"),
    ("input tokens", lambda one: one.input_tokens, lambda value: f"{value:,.0f}"),
    ("cost", lambda one: one.cost_usd, lambda value: f"${value:.3f}"),
    ("LLM phase, seconds", lambda one: one.llm_phase_s, lambda value: f"{value:.1f}"),
    ("wall, seconds", lambda one: one.wall_s, lambda value: f"{value:.1f}"),
    ("CPU, seconds", lambda one: one.cpu_s, lambda value: f"{value:.1f}"),
)
_OURS, _OTHERS = "#0b6e4f", "#9aa5b1"
_WIDTH, _LABELS, _VALUES, _MARGIN = 490, 240, 60, 20
_ROW, _HEAD, _TOP = 18, 34, 52


def chart(comparison: Comparison) -> str:
    """The whole picture."""
    works = list(comparison.titles)
    tallest = max(sum(one.work == work for one in comparison.results) for work in works)
    panel_height = _HEAD + tallest * _ROW + 10
    width, height = _MARGIN + len(works) * _WIDTH, _TOP + len(_PANELS) * panel_height + 8
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        'font-family="Helvetica, Arial, sans-serif" font-size="12">',
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
    ]
    for column, work in enumerate(works):
        left = _MARGIN + column * _WIDTH
        title = f"{comparison.titles[work]}"
        lines.append(_text(left, 22, title, 'font-weight="bold" font-size="13"'))
        lines.append(_text(left, 38, f"{comparison.latencies_s[work]} s for each answer", 'fill="#52606d"'))
        results = [one for one in comparison.results if one.work == work]
        for row, (name, measure, show) in enumerate(_PANELS):
            top = _TOP + row * panel_height
            lines.append(_text(left, top + 24, name, 'font-weight="bold"'))
            lines += _bars(left, top + _HEAD, [(one.tool, measure(one)) for one in results], show)
    return "\n".join([*lines, "</svg>"]) + "\n"


def _bars(left: int, top: int, values: list[tuple[str, float]], show: Callable[[float], str]) -> Iterator[str]:
    longest = max(value for _, value in values) or 1.0
    room = _WIDTH - _LABELS - _VALUES - _MARGIN
    for place, (tool, value) in enumerate(values):
        middle = top + place * _ROW + 12
        colour = _OURS if "dbt-describe" in tool else _OTHERS
        length = max(1.0, room * value / longest)
        yield _text(left + _LABELS - 8, middle, tool, 'text-anchor="end" fill="#323f4b"')
        yield f'<rect x="{left + _LABELS}" y="{middle - 10}" width="{length:.1f}" height="13" fill="{colour}"/>'
        yield _text(left + _LABELS + length + 5, middle, show(value), 'fill="#323f4b"')


def _text(x: float, y: float, text: str, attributes: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" {attributes}>{escape(text)}</text>'
