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
        # Of a column: whether it may hold extremes. Of a sum: the type that holds it in all engines.
        self.wild = True
        self.whole = None

    def known(self, wild, whole=None):
        self.wild = wild
        self.whole = whole
        return self

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
    """A column that expressions may name. `wild` columns have extremes that must not be summed, `padded` ones NULLs of an outer join."""

    text: str
    type: Type
    wild: bool = False
    padded: bool = False

    def expr(self):
        text = self.text
        if self.type.name in ("array", "struct"):
            return Expr(self.type, {"lake": text, "duck": text})
        return Expr(self.type, text).known(self.wild)

    @property
    def name(self):
        return self.text.split(".")[-1]

    @property
    def qualified(self):
        return "." in self.text


@dataclass
class Computed:
    """What expressions over a grouped SELECT may name: a key or an aggregate."""

    made: Expr
    padded: bool = False
    qualified: bool = False

    @property
    def type(self):
        return self.made.type

    @property
    def wild(self):
        return self.made.wild

    def expr(self):
        return self.made


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
    rows: int = 0  # about as many it has

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
    items: list  # (expression, alias); no alias: as the engine names it
    source: object = None
    where: object = None
    group: list = None  # expressions; [] is GROUP BY ()
    sets: str = ""  # "", ROLLUP, CUBE or GROUPING SETS
    set_lists: list = None  # places in `group`, for GROUPING SETS
    having: object = None
    distinct: bool = False

    def render(self, to):
        items = ", ".join(expr.render(to) + (f" AS {alias}" if alias else "") for expr, alias in self.items)
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
        return [Ref(alias, expr.type, expr.wild) for expr, alias in self.items]


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
            # DuckDB sorts NULLs last whichever way it sorts; Lakegate and PostgreSQL first in descending order.
            keys = [
                f"{alias} {way} {nulls or piece({'duck': 'NULLS FIRST' if way == 'DESC' else 'NULLS LAST', '': ''}, to)}".strip()
                for alias, way, nulls in self.order
            ]
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
    return [Ref(f"{alias}.{ref.text}", ref.type, ref.wild) for ref in exact(columns)]


def settled(query):
    """The query with its sums cast to types that are the same in all engines, so that it can be asked about."""
    if isinstance(query.body, Select):
        query.body.items = [(settled_sum(expr), alias) for expr, alias in query.body.items]
    return query


def settled_sum(expr):
    return expr if expr.whole is None else Expr(expr.whole, "CAST(", expr, " AS ", expr.whole, ")").known(expr.wild)


def rows(node, known):
    """About how many rows a source or query has; `known` says it of tables and CTEs."""
    if isinstance(node, TableRef):
        return known.get(node.table, 1)
    if isinstance(node, SubRef):
        return rows(node.query, known)
    if isinstance(node, Values):
        return len(node.rows)
    if isinstance(node, Join):
        return node.rows
    if isinstance(node, SetOperation):
        return rows(node.left, known) + rows(node.right, known)
    if isinstance(node, Select):
        return 1 if node.source is None else rows(node.source, known)
    found = rows(node.body, known)
    return found if node.limit is None else min(found, node.limit)
