"""Every error that dbt-describe raises on purpose.

    DbtDescribeError                     exit 2 unless a subclass says otherwise
    ├── SettingsError                    a flag, an environment variable or a setting is wrong
    │   └── UnsetVariableError           a setting refers to a variable that isn't set
    ├── ProjectError                     the dbt project, its artifacts or dbt itself
    │   ├── ProjectNotFoundError
    │   ├── ManifestError
    │   ├── DownloadError                an artifact can't be fetched from its URL
    │   ├── DbtCommandError
    │   └── SelectionError
    ├── SchemaFileError                  one YAML file can't be edited; the others go on
    ├── LockFileError                    dbt-describe.lock can't be read or written
    ├── PromptError                      a template or what goes into it
    │   └── PromptTooLargeError          of one node
    │       └── ModelCapacityError       of every node: the model takes too little at once
    ├── StoreError                       a SQLite file of ours can't be used
    ├── LlmError                         one request failed for good; its node is skipped
    │   ├── LlmSettingsError             no key, unknown provider or model name, refused credentials
    │   ├── BudgetError                  what may be spent is spent: nothing more is asked
    │   ├── QuotaError                   billing or quota: no further request can succeed
    │   ├── ContextWindowExceededError   the request is larger than the model's window
    │   └── StoppedError                 the run was stopped before the request was sent
    │       └── NotAskedError            the run asks nothing, and no answer is kept
    │           └── UnderWayError        a batch asks it, and hasn't come back
    └── AnswerError                      a reply that holds no usable answer
        ├── TruncatedAnswerError         it was cut off by a token limit: ask for less, or allow more
        └── RefusedAnswerError           the model or its content filter declined to answer

A message says what happened, where (file:line, unique_id, column), and what to do next. None holds a secret.
"""

from __future__ import annotations

EXIT_OK = 0
EXIT_CHECK_FAILED = 1
EXIT_UNSTAGED = 1
EXIT_USAGE = 2
EXIT_PARTIAL = 3
EXIT_BUG = 4
EXIT_INTERRUPTED = 130


class DbtDescribeError(Exception):
    """Base of the tree: catch it to catch all of ours. Never raised directly."""

    exit_code = EXIT_USAGE


class SettingsError(DbtDescribeError):
    """A flag, an environment variable or a setting can't be used."""


class UnsetVariableError(SettingsError):
    """A setting refers to an environment variable that isn't set."""


class ProjectError(DbtDescribeError):
    """The dbt project can't be read."""


class ProjectNotFoundError(ProjectError):
    """There is no dbt project at the given directory."""


class ManifestError(ProjectError):
    """manifest.json or catalog.json can't be read."""


class DownloadError(ProjectError):
    """manifest.json or catalog.json can't be fetched from where it is."""


class DbtCommandError(ProjectError):
    """The user's dbt is missing, or a command of it failed."""


class DbtTimeoutError(DbtCommandError):
    """dbt took too long, and was stopped."""


class SelectionError(ProjectError):
    """A selector can't be understood or matches nothing."""


class SchemaFileError(DbtDescribeError):
    """A schema file can't be edited safely; nothing was written to it."""


class BorrowedDescriptionError(SchemaFileError):
    """There is no place for a description: dbt takes that of something else."""


class DescribedAlreadyError(SchemaFileError):
    """A description stands there that isn't to be replaced."""


class LockFileError(DbtDescribeError):
    """dbt-describe.lock can't be read or written."""


class PromptError(DbtDescribeError):
    """A prompt template is broken or can't be rendered."""


class PromptTooLargeError(PromptError):
    """What must be sent doesn't fit the model's window."""


class ModelCapacityError(PromptTooLargeError):
    """The model's window is too small for the instructions and one answer, whatever is asked."""


class StoreError(DbtDescribeError):
    """A SQLite file of ours can't be used."""


class LlmError(DbtDescribeError):
    """A request to a language model failed for good."""

    billed_input_tokens = 0
    """What the failed request used as far as the provider told; set on the error by who knows."""
    billed_output_tokens = 0


class LlmSettingsError(LlmError):
    """No key, refused credentials, or a provider or model that doesn't exist: nothing will work until it is changed."""


class QuotaError(LlmError):
    """The account can't pay for more: no further request can succeed."""


class BudgetError(LlmError):
    """What may be spent is spent: nothing more is asked."""


class ContextWindowExceededError(LlmError):
    """The request is larger than the model's window: `limit_tokens` where the server named it, else 0."""

    def __init__(self, message: str, limit_tokens: int = 0) -> None:
        super().__init__(message)
        self.limit_tokens = limit_tokens


class StoppedError(LlmError):
    """The run was stopped before the request was sent; nothing is wrong with it."""


class NotAskedError(StoppedError):
    """The run gives only answers that are kept, and there is none to this request."""


class UnderWayError(NotAskedError):
    """A batch asks it, or may: asked now, it would be paid twice."""


class AnswerError(DbtDescribeError):
    """A reply holds no usable answer."""


class TruncatedAnswerError(AnswerError):
    """A reply was cut off by a token limit."""


class RefusedAnswerError(AnswerError):
    """The model, or the provider's content filter, declined to answer."""
