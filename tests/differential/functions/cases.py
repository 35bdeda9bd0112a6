"""What a case is."""

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Case:
    """One expression in both languages; `@name` is a column of values.py, or a constant in its place."""

    lake: str
    duck: str = ""
    # DuckDB's condition on the rows that are compared, and why the others are not.
    only: str = ""
    why: str = ""
    # DuckDB's condition on the rows that Lakegate must refuse with an error.
    refused: str = ""
    # Lists are compared as multisets.
    unordered: bool = False
    # Texts are JSON, whose objects are compared without the order of their keys.
    json: bool = False
    # Numbers may differ so much, of their size.
    tolerance: float = 1e-9
    # An aggregate of the rows of each group, or a window function over them all.
    kind: str = "scalar"

    def __post_init__(self):
        assert bool(self.only) == bool(self.why), f"a restriction and its reason: {self.lake}"

    @property
    def careful(self):
        """Whether it is asked inside TRY, since some rows may have an error."""
        return self.kind == "scalar" and bool(self.only or self.refused)

    def columns(self):
        return sorted(set(re.findall(r"@(\w+)", f"{self.lake} {self.duck} {self.only} {self.refused}")))

    def text(self, dialect):
        return self.lake if dialect == "lake" else self.duck or self.lake


def same(*texts, **options):
    """Cases that both languages write alike."""
    return [Case(text, **options) for text in texts]


def fill(text, names):
    return re.sub(r"@(\w+)", lambda found: names[found[1]], text)
