"""Random conditions and values that are subqueries, up to three within one another.

A subquery reads columns of the level around it. One that is a value or has groups is
tied to it by equalities alone, and what is cut by LIMIT is not tied: Lakegate refuses the others. Aggregates are of a subquery's own
columns: of outer ones alone they would be the outer query's.
"""

from contextlib import contextmanager
from dataclasses import dataclass

from data import BIGINT, BOOLEAN
from expressions import COMPARISONS, LIST_END
from known import KEPT_OUT
from sql import Computed, Expr, Query, Ref, Select, SetOperation, SubRef, TableRef, exact, exposed

# The name of a subquery's column. WITHs and derived tables have an x0, too.
ITEM = "x0"
# Within one another at most.
DEEPEST = 3
# Rows of a subquery for all rows around it, about.
REACH = 60000


@dataclass
class Outer:
    """The columns that a subquery may read of the level around it, and whether by equalities alone."""

    columns: list
    equal: bool


class Subqueries:
    def subquery_predicate(self, scope, depth):
        """EXISTS, IN, ANY, ALL and comparisons with a scalar, correlated or not."""
        roll = self.rng.random()
        with self.inside(scope, equal=roll >= 0.75) as (source, inner):
            if source is None:
                return self.predicate(scope, min(depth, 1))
            if roll < 0.33:
                return self.exists(self.any_rows(source, inner))
            if roll < 0.75:
                return self.membership(source, inner, [ref for ref in scope if ref.type.name not in LIST_END])
            return self.comparison(source, inner, [ref for ref in scope if ref.type.name not in LIST_END])

    @contextmanager
    def inside(self, scope, equal):
        """A source for a subquery in this scope, and its columns. None where it would be too deep or too large."""
        # A common column of USING, named alone, is the inner table's if that has one, and the server knows it one level further only.
        outer = [ref for ref in scope if isinstance(ref, Ref) and ref.type.name not in LIST_END and (ref.qualified or not self.outers)]
        source, inner = self.subquery_source()
        if not isinstance(source, TableRef):
            outer = [ref for ref in outer if ref.qualified]
        before = self.reach
        if len(self.outers) >= DEEPEST or before * self.rows(source) > REACH:
            yield None, []
            return
        self.reach = before * max(1, self.rows(source))
        self.outers.append(Outer(outer, equal))
        try:
            yield source, inner
        finally:
            self.outers.pop()
            self.reach = before

    def subquery_source(self):
        """What a subquery reads: mostly one table."""
        roll = self.rng.random()
        if roll < 0.08:
            return self.join(*self.item(0), *self.item(0))
        if roll < 0.16 and not self.outers:
            query = self.layered(0)
            if exact(query.columns()):
                alias = self.alias()
                return SubRef(query, alias), exposed(query.columns(), alias)
        return self.item(0)

    # WHERE

    def inner_condition(self, inner, tied=True):
        """WHERE of a subquery: what ties it to the outer rows, and more that may hold the next subquery."""
        rng = self.rng
        equal = self.outers[-1].equal
        tie = self.tie(inner) if tied and self.chance(0.6) else None
        if tie is not None and self.chance(0.4):
            return tie
        deeper = len(self.outers) < DEEPEST and self.chance(0.3)
        scope = inner + self.seen() if tied and not equal and self.chance(0.15) else inner
        more = self.subquery_predicate(inner, 1) if deeper else self.predicate(scope, 1)
        if tie is None:
            return more
        return Expr(BOOLEAN, "(", tie, " AND " if equal else rng.choice([" AND "] * 5 + [" OR "]), more, ")")

    def seen(self):
        """The outer columns: those of the next level, now and then of the one beyond."""
        if len(self.outers) > 1 and not self.outers[-2].equal and self.chance(0.2):
            return self.outers[-2].columns
        return self.outers[-1].columns

    def tie(self, inner):
        pairs = [(one, two) for one in inner for two in self.seen() if one.type == two.type and one.type.name not in LIST_END]
        if not pairs:
            return None
        one, two = self.rng.choice(pairs)
        equal = self.outers[-1].equal or self.chance(0.75)
        op = " = " if equal else self.rng.choice([" <> ", " < ", " >= ", " IS NOT DISTINCT FROM "])
        return Expr(BOOLEAN, "(", one.expr(), op, two.expr(), ")")

    # Forms

    def any_rows(self, source, inner):
        """A query of which only counts whether it has rows."""
        one = [(Expr(BIGINT, "1"), ITEM)]
        roll = self.rng.random()
        groups = roll < 0.12
        self.outers[-1].equal = groups
        where = self.inner_condition(inner)
        if groups:
            keys = [ref.expr() for ref in inner if ref.type.name not in LIST_END][:1]
            having = Expr(BOOLEAN, f"(count(*) {self.rng.choice(COMPARISONS)} {self.rng.randint(1, 3)})")
            return Query(Select(one, source, where, keys, having=having))
        query = Query(Select(one, source, where))
        if roll < 0.2:
            query.limit, query.offset = self.rng.choice([1, 1, 2]), self.rng.choice([None, 1, 2])
        return query

    def membership(self, source, inner, operands):
        """IN, ANY and ALL."""
        rng = self.rng
        kinds = [ref.type for ref in inner if ref.type.name not in LIST_END]
        if not kinds:
            return self.exists(self.any_rows(source, inner))
        groups = self.chance(0.1)
        self.outers[-1].equal = groups
        where = self.inner_condition(inner) if self.chance(0.85) else None
        kind = rng.choice(kinds)
        op = rng.choice([" IN (", " NOT IN ("])
        item = (self.value(kind, inner, rng.choice([0, 0, 1])), ITEM)
        told = any(isinstance(ref, Computed) for ref in operands)
        if not groups and not (told and "row of aggregates" in KEPT_OUT) and self.chance(0.08):
            second = rng.choice(kinds)
            pair = [item, (self.value(second, inner, 0), "x1")]
            row = ["(", self.value(kind, operands, 0), ", ", self.value(second, operands, 0), ")"]
            return Expr(BOOLEAN, "(", *row, op, Query(Select(pair, source, where)), "))")
        operand = self.value(kind, operands, 0)
        if self.chance(0.08):
            operand = self.least(kind) or operand
        quantified = self.chance(0.25) and kind != BOOLEAN
        query = self.groups_of(item, source, where, inner) if groups else self.column(item, source, where, quantified)
        if quantified:
            return Expr(BOOLEAN, "(", operand, f" {rng.choice(COMPARISONS)} {rng.choice(['ANY', 'ALL'])} (", query, "))")
        return Expr(BOOLEAN, "(", operand, op, query, "))")

    def groups_of(self, item, source, where, inner):
        """A query of one column, of groups."""
        rng = self.rng
        kind = item[0].type
        ref = rng.choice([ref for ref in inner if ref.type.name not in LIST_END])
        having = Expr(BOOLEAN, f"(count(*) {rng.choice(COMPARISONS)} {rng.randint(1, 2)})") if self.chance(0.5) else None
        if ref.type == kind and self.chance(0.5):
            item = (ref.expr(), ITEM)
        else:
            item = (Expr(kind, rng.choice(["bool_and(", "bool_or("] if kind == BOOLEAN else ["min(", "max("]), item[0], ")"), ITEM)
        return Query(Select([item], source, where, [ref.expr()], having=having))

    def column(self, item, source, where, quantified):
        """A query of one column."""
        roll = self.rng.random()
        if roll < 0.1:
            return Query(Select([item], source, where, distinct=True))
        query = Query(Select([item], source, where))
        if roll > 0.95 and not (quantified and "quantified set operation" in KEPT_OUT):
            right, more = self.item(0)
            other = Select([(self.value(item[0].type, more, 0), ITEM)], right, self.tie(more))
            query.body = SetOperation(self.rng.choice(["UNION", "UNION ALL", "EXCEPT", "INTERSECT"]), query.body, other)
        elif roll > 0.85:
            self.cut(query)
        return query

    def comparison(self, source, inner, operands):
        """A value and a subquery that has one."""
        kinds = [ref.type for ref in inner if ref.type.name not in LIST_END]
        kind = self.rng.choice([kind for kind in kinds if kind != BOOLEAN] or [BIGINT])
        query = self.one_row(kind, source, inner)
        kind = query.columns()[0].type
        left = self.least(kind) if self.chance(0.1) else None
        return Expr(BOOLEAN, "(", left or self.value(kind, operands, 0), f" {self.rng.choice(COMPARISONS)} (", query, "))")

    def one_row(self, kind, source, inner):
        """A query of one column and at most one row."""
        rng = self.rng
        item = self.value(kind, inner, 0)
        # NULL of a column can be told from NULL for want of a row.
        if self.chance(0.15):
            query = Query(Select([(item, ITEM)], source, self.inner_condition(inner, tied=False)))
            query.order = [(ITEM, rng.choice(["ASC", "DESC"]), rng.choice(["", "", "NULLS FIRST"]))]
            query.limit, query.offset = 1, rng.choice([None, None, None, 1])
            return query
        function = rng.choice(["min", "max", "count"])
        item = Expr(kind if function != "count" else BIGINT, f"{function}(", item, ")")
        if self.chance(0.15):
            item = Expr(item.type, "coalesce(", item, ", ", self.constant(item.type), ")")
        return Query(Select([(item, ITEM)], source, self.inner_condition(inner)))

    def least(self, kind):
        """Another subquery of the type, which stands beside one; None where there is none."""
        with self.inside(self.outers[-1].columns, equal=True) as (source, inner):
            if source is None or kind == BOOLEAN:
                return None
            query = self.one_row(kind, source, inner)
            return Expr(kind, "(", query, ")") if query.columns()[0].type == kind else None

    def exists(self, query):
        if self.chance(0.5):
            return Expr(BOOLEAN, "EXISTS (", query, ")")
        return Expr(BOOLEAN, "(NOT EXISTS (", query, "))")

    def scalar_subquery(self, scope):
        """An aggregate or the first of a subquery, as a value."""
        with self.inside(scope, equal=True) as (source, inner):
            if source is None:
                return self.constant(BIGINT)
            if self.chance(0.25):
                kinds = [ref.type for ref in inner if ref.type.name not in LIST_END and ref.type != BOOLEAN]
                query = self.one_row(self.rng.choice(kinds or [BIGINT]), source, inner)
                return Expr(query.columns()[0].type, "(", query, ")")
            where = self.tie(inner) if self.chance(0.4) else self.inner_condition(inner)
            item = self.aggregate(inner)
            return Expr(item.type, "(", Query(Select([(item, ITEM)], source, where)), ")")
