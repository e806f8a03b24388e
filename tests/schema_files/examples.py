"""Generated schema files and texts for the property tests.

`HYPOTHESIS_PROFILE=nightly` tries 2,000 of them, else 200.
"""

from __future__ import annotations

import os

from hypothesis import strategies as st

EXAMPLES = 2000 if os.environ.get("HYPOTHESIS_PROFILE") == "nightly" else 200

_CHARS = st.one_of(
    st.sampled_from("abcdefgh XYZ 0123 .,:;#-'\"\\&*!|>%@`[]{}?/=~_\n\t\r\x85\u2028\ufeffäß漢🎉"),
    st.characters(exclude_categories=["Cs"]),
)
_RAW = st.one_of(
    st.text(_CHARS, min_size=1, max_size=60),
    st.lists(st.sampled_from(["one", "row", "per", "#1", "order:", "- a", "it's", "yes"]), min_size=1, max_size=40).map(
        " ".join
    ),
)
TEXTS = _RAW.filter(lambda text: bool(text.strip()) and not any(jinja in text for jinja in ("{{", "{%", "{#")))

_NAMES = [f"col_{index}" for index in range(6)]
_GAPS = ["", " ''", ' ""', " null", " ~", " TBD", " # todo", " |\n{body}TBD", " >-  # c\n{body}TBD"]
_KEPT = [
    " Plain words.",
    " 'single: quoted' # why",
    ' "double\\tquoted"',
    " |\n{body}A block\n{body}\n{body}of lines.",
    " >-\n{body}Folded over\n{body}two lines.\n",
    " |+\n{body}kept\n\n",
    " 'over\n{body}two lines'",
    " plain over\n{body}two lines",
]
_OTHER = [
    "data_tests: [unique, not_null]",
    "data_tests:\n{indent}- unique",
    "data_tests:\n{indent}  - unique # why\n{indent}  # deep",
    "meta: {{a: 1, a: 2}}",
    "<<: *common",
    "data_type: int # type\n{indent}# below",
    "tags: [\"x\", 'y']",
]
_COMMENTS = ["", "", "", "{indent}# between\n", "\n", "# at the margin\n", "{indent}  # deeper\n\n"]


@st.composite
def schema_texts(draw: st.DrawFn) -> str:
    """A schema file with one model `orders`, gaps and human texts in all styles, in any line endings."""
    offset, item = draw(st.sampled_from([(0, 2), (2, 2), (4, 2), (2, 4)]))
    root = draw(st.sampled_from([0, 2]))
    lines = draw(st.sampled_from(["", "# top\n", "---\n", "version: 2\n\n"]))
    lines += "anchors:\n  - &common\n    data_type: text\n"
    lines += draw(
        st.sampled_from(["", "seeds:\n- name: s\n  columns:\n  - name: a\n    description: A seed's column.\n"])
    )
    lines += "models:\n" + _comment(draw, root)
    column = root + item
    lines += _entry(draw, "orders", root, item)
    if draw(st.booleans()):
        lines += f"{' ' * column}columns:{draw(st.sampled_from(['', ' # all']))}\n"
        for name in draw(st.lists(st.sampled_from(_NAMES), unique=True, min_size=1)):
            lines += _comment(draw, column + offset)
            if draw(st.integers(0, 6)) == 0:
                lines += f"{' ' * (column + offset)}- {{name: {name}, data_type: 'int'}}\n"
            else:
                lines += _entry(draw, name, column + offset, item)
    lines += draw(
        st.sampled_from(["", "\n\n", "# end\n", f"{' ' * root}- name: customers\n", "exposures:\n- name: e\n"])
    )
    text = lines if draw(st.booleans()) else lines.rstrip("\n")
    return text.replace("\n", draw(st.sampled_from(["\n", "\n", "\r\n", "\r"])))


def _entry(draw: st.DrawFn, name: str, dash: int, item: int) -> str:
    indent = " " * (dash + item)
    written = draw(st.sampled_from([name, name.upper(), f'"{name}"', f"'{name}'"]))
    keys = [f"name: {written}{draw(st.sampled_from(['', ' # PK', '   ']))}"]
    kept = draw(st.sampled_from([*_GAPS, *_KEPT, None, None]))
    if kept is not None:
        keys.insert(draw(st.integers(0, 1)), f"description:{kept.format(body=indent + '  ')}")
    keys += [key.format(indent=indent) for key in draw(st.lists(st.sampled_from(_OTHER), unique=True, max_size=2))]
    if sum(key.startswith("data_tests") for key in keys) > 1:
        keys.pop()
    first, *others = keys
    marker = "-".ljust(item)
    return f"{' ' * dash}{marker}{first}\n" + "".join(f"{indent}{key}\n" for key in others)


def _comment(draw: st.DrawFn, indent: int) -> str:
    return draw(st.sampled_from(_COMMENTS)).format(indent=" " * indent)


@st.composite
def wanted_texts(draw: st.DrawFn) -> dict[str, str]:
    """Column (empty: the model) → text."""
    names = draw(st.lists(st.sampled_from(["", *_NAMES, "new_a", "new b"]), unique=True, min_size=1))
    return {name: draw(TEXTS) for name in names}
