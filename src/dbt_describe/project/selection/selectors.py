"""What is asked for: dbt's own selection options."""

from __future__ import annotations

from pathlib import Path

import msgspec

from dbt_describe.project.selection.criteria import Indirect


class Selectors(msgspec.Struct, frozen=True):
    """What is to be selected, by dbt's options of the same names."""

    select: str = ""
    """Words with spaces between them."""
    exclude: str = ""
    selector: str = ""
    """The name of a selector of selectors.yml."""
    state: Path | None = None
    """The directory of an older manifest.json, or such a file."""
    indirect: Indirect = "eager"

    @property
    def are_given(self) -> bool:
        """Whether they restrict anything, so that selectors.yml has no say."""
        return bool(self.select.strip() or self.exclude.strip() or self.selector)

    @property
    def state_manifest(self) -> Path | None:
        """The older manifest itself."""
        if self.state is None or self.state.is_file():
            return self.state
        return self.state / "manifest.json"

    def options(self) -> list[str]:
        """The same as options of `dbt ls`."""
        directory = self.state_manifest.parent if self.state_manifest else None
        given = (
            ("--select", self.select),
            ("--exclude", self.exclude),
            ("--selector", self.selector),
            ("--state", str(directory) if directory else ""),
            ("--indirect-selection", "" if self.indirect == "eager" else self.indirect),
        )
        return [word for flag, value in given if value.strip() for word in (flag, value)]
