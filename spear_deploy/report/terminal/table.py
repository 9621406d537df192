"""The tables of the terminal."""

from __future__ import annotations

from typing import Any

import rich.table


class Table(rich.table.Table):
    """Cuts no word that is too long for its column: it goes on in the next line, as names have to be typed."""

    def __init__(self, *headers: str, **options: Any) -> None:
        super().__init__(**options)
        for header in headers:
            self.add_column(header)

    def add_column(self, *given: Any, **options: Any) -> None:
        """Like Rich's, whose own way is an ellipsis; a column that may not wrap can do nothing else."""
        overflow = "ellipsis" if options.get("no_wrap") else "fold"
        super().add_column(*given, **{"overflow": overflow, **options})
