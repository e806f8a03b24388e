"""Source in the shape of dbt-osmosis's `core/transforms.py` (1.3.0 to 1.5.0): what is taken over, who holds it."""

from __future__ import annotations

PLAIN = '''
class TransformOperation:
    def __init__(self, func, name):
        self.func, self.name = func, name

    def __call__(self, context, node=None):
        self.func(context, node)
        return self


def synthesize_missing_documentation_with_openai(context, node=None):
    """Synthesize missing documentation."""
    if node is None:
        for one in context.nodes:
            synthesize_missing_documentation_with_openai(context, one)
        return
    context.asked.append(node)


HELD_BY_PIPELINE = TransformOperation(
    synthesize_missing_documentation_with_openai, "synthesize_missing_documentation_with_openai"
)
HELD_BY_COMMAND = synthesize_missing_documentation_with_openai
'''
OPERATION = (
    PLAIN
    + """
synthesize_missing_documentation_with_openai = HELD_BY_PIPELINE
"""
)
"""The step as an operation itself, as its neighbours are."""
CLOSURE = """
class TransformOperation:
    def __init__(self, func, name):
        self.func, self.name = func, name

    def __call__(self, context, node=None):
        self.func(context, node)
        return self


def made(prefix):
    def synthesize_missing_documentation_with_openai(context, node=None):
        context.asked.append((prefix, node))

    return synthesize_missing_documentation_with_openai


synthesize_missing_documentation_with_openai = made("dbt-osmosis's own")
HELD_BY_PIPELINE = TransformOperation(synthesize_missing_documentation_with_openai, "synthesize")
ANOTHER = TransformOperation(made("another"), "another")
"""
UNKNOWN = """
def synthesize_missing_documentation_with_openai(context, nodes, *, client):
    raise AssertionError("nobody calls this")
"""
