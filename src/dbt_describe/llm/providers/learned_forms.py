"""The forms of an endpoint's models, remembered from run to run."""

from __future__ import annotations

import msgspec

from dbt_describe.llm.learned import Learned
from dbt_describe.llm.providers.forms import Form
from dbt_describe.llm.providers.quirks import Quirks, first_form

KIND = "form"


class LearnedForms:
    """The form that each model of one endpoint takes: what was learned, else what its kind of server is known for."""

    def __init__(self, learned: Learned, endpoint: str, quirks: Quirks) -> None:
        self._learned = learned
        self._endpoint = endpoint
        self._quirks = quirks
        self._forms: dict[str, Form] = {}

    def form(self, model: str) -> Form:
        """What to send next."""
        if model not in self._forms:
            self._forms[model] = self._recalled(model) or first_form(self._quirks, model)
        return self._forms[model]

    def learn(self, model: str, form: Form) -> None:
        """Remember a form, unless it is the one that is known."""
        if form == self.form(model):
            return
        self._forms[model] = form
        self._learned.learn(KIND, self._endpoint, model, msgspec.json.encode(form).decode())

    def _recalled(self, model: str) -> Form | None:
        """What an earlier run has learned; nothing where that is of another version, or no level of this server's."""
        text = self._learned.recall(KIND, self._endpoint, model)
        try:
            form = msgspec.json.decode(text, type=Form) if text else None
        except msgspec.DecodeError:
            return None
        if form is None or form.level not in self._quirks.ladder:
            return None
        # Only a name that the server has asked for is learned; otherwise it is the one of the settings, now as then.
        return form if form.limit_renamed else msgspec.structs.replace(form, limit_name=self._quirks.limit_name)
