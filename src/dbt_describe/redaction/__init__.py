"""What mustn't leave the machine, taken out of texts: credentials always; personal data where that is wished.

Pure functions of text. A mark stands where something was: `[redacted email]`.
"""

from dbt_describe.redaction.columns import is_personal, is_secret
from dbt_describe.redaction.credentials import without_credentials
from dbt_describe.redaction.literals import without_personal_literals
from dbt_describe.redaction.marks import count_marks, mark, most_marks, told_of_marks
from dbt_describe.redaction.personal import without_personal
from dbt_describe.redaction.unreadable import without_unreadable

__all__ = [
    "count_marks",
    "is_personal",
    "is_secret",
    "mark",
    "most_marks",
    "told_of_marks",
    "without_credentials",
    "without_personal",
    "without_personal_literals",
    "without_unreadable",
]
