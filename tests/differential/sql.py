"""Queries as trees, and how each engine spells them.

A node is rendered for a [`Target`]: a dialect (`lake`, `duck` or `pg`) and the names that the tables have there. What a
dialect cannot say raises [`Unsupported`].
"""

from dataclasses import dataclass, field

from data import Type


class Unsupported(Exception):
    """The dialect has no such thing."""


@dataclass
class Target:
    dialect: str
    names: dict = field(default_factory=dict)

    def table(self, name):
        return self.names.get(name, name)


class Expr:
    """Pieces in a row: text, a dict of texts by dialect, a type (for casts), an expression or a query."""

    def __init__(self, kind, *parts):
        self.type = kind
        self.parts = list(parts)

    def render(self, to):
        return "".join(piece(part, to) for part in self.parts)

    def nodes(self):
        return [part for part in self.parts if isinstance(part, (Expr, Query))]


def piece(part, to):
    if isinstance(part, str):
        return part
    if isinstance(part, Type):
        return part.sql(to.dialect)
    if isinstance(part, dict):
        if to.dialect not in part and "" not in part:
            raise Unsupported(f"{part} in {to.dialect}")
        return part.get(to.dialect, part.get(""))
    return part.render(to)


def listed(parts, to, separator=", "):
    return separator.join(piece(part, to) for part in parts)


@dataclass
class Ref:
    """A column that expressions may name. `wild` columns have extremes that must not be summed."""

    text: str
    type: Type
    wild: bool = False

    def expr(self):
        text = self.text
        if self.type.name in ("array", "struct"):
            return Expr(self.type, {"lake": text, "duck": text})
        return Expr(self.type, text)


@dataclass
class TableRef:
    table: str
    alias: str

    def render(self, to):
        return f"{to.table(self.table)} AS {self.alias}"


@dataclass
class SubRef:
    query: object
    alias: str

    def render(self, to):
        return f"({self.query.render(to)}) AS {self.alias}"


@dataclass
class Values:
    rows: list
    alias: str
    names: list

    def render(self, to):
        rows = ", ".join(f"({listed(row, to)})" for row in self.rows)
        return f"(VALUES {rows}) AS {self.alias}({', '.join(self.names)})"


SEMI = {"LEFT SEMI JOIN": "SEMI JOIN", "LEFT ANTI JOIN": "ANTI JOIN"}


@dataclass
class Join:
    kind: str
    left: object
    right: object
    on: object = None
    using: list = None

    def render(self, to):
        kind = self.kind
        if kind in SEMI:
            kind = piece({"lake": kind, "duck": SEMI[kind]}, to)
        condition = ""
        if self.using:
            condition = f" USING ({', '.join(self.using)})"
        elif self.on is not None:
            condition = f" ON {self.on.render(to)}"
        right = self.right.render(to)
        if isinstance(self.right, Join):
            right = f"({right})"
        return f"{self.left.render(to)} {kind} {right}{condition}"


@dataclass
class Select:
    items: list  # (expression, alias)
    source: object = None
    where: object = None
    group: list = None  # expressions; [] is GROUP BY ()
    sets: str = ""  # "", ROLLUP, CUBE or GROUPING SETS
    set_lists: list = None  # places in `group`, for GROUPING SETS
    having: object = None
    distinct: bool = False

    def render(self, to):
        items = ", ".join(f"{expr.render(to)} AS {alias}" for expr, alias in self.items)
        text = f"SELECT {'DISTINCT ' if self.distinct else ''}{items}"
        if self.source is not None:
            text += f" FROM {self.source.render(to)}"
        if self.where is not None:
            text += f" WHERE {self.where.render(to)}"
        if self.group:
            keys = listed(self.group, to)
            if self.sets in ("ROLLUP", "CUBE"):
                keys = f"{self.sets} ({keys})"
            elif self.sets:
                lists = [listed([self.group[i] for i in places if i < len(self.group)], to) for places in self.set_lists]
                keys = f"GROUPING SETS ({', '.join(f'({one})' for one in lists)})"
            text += f" GROUP BY {keys}"
        if self.having is not None:
            text += f" HAVING {self.having.render(to)}"
        return text

    def columns(self):
        return [Ref(alias, expr.type) for expr, alias in self.items]


@dataclass
class SetOperation:
    op: str
    left: object
    right: object

    def render(self, to):
        return f"({self.left.render(to)}) {self.op} ({self.right.render(to)})"

    def columns(self):
        return self.left.columns()


@dataclass
class Query:
    body: object
    ctes: list = field(default_factory=list)  # (name, Query)
    order: list = field(default_factory=list)  # (alias, "ASC" | "DESC", "" | "NULLS FIRST" | "NULLS LAST")
    limit: int = None
    offset: int = None

    def render(self, to):
        text = ""
        if self.ctes:
            text = "WITH " + ", ".join(f"{name} AS ({query.render(to)})" for name, query in self.ctes) + " "
        text += self.body.render(to)
        if self.order:
            # Lakegate and DuckDB sort NULLs last whichever way they sort.
            keys = [f"{alias} {way} {nulls or piece({'pg': 'NULLS LAST', '': ''}, to)}".strip() for alias, way, nulls in self.order]
            text += f" ORDER BY {', '.join(keys)}"
        if self.limit is not None:
            text += f" LIMIT {self.limit}"
        if self.offset is not None:
            text += f" OFFSET {self.offset}"
        return text

    def columns(self):
        return self.body.columns()

    @property
    def total(self):
        """Whether ORDER BY decides the place of every row (but for rows that are equal)."""
        return {alias for alias, _, _ in self.order} >= {ref.text for ref in self.columns()}


def joined(parts):
    pieces = []
    for part in parts:
        pieces += [", ", part]
    return pieces[1:]


def exact(columns):
    """The columns whose type is the same in all engines; not sums and averages."""
    return [ref for ref in columns if ref.type.name not in ("sum", "average")]


def exposed(columns, alias):
    kept = exact(columns)
    return [Ref(f"{alias}.{ref.text}", ref.type, True) for ref in kept]
