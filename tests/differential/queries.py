"""Random queries that most engines can answer, and answer alike.

What the references and Lakegate legitimately do differently is generated around, so that a difference is a fault:

- `/` of integers truncates in Lakegate and PostgreSQL; DuckDB's is `//`. Divisors are constants, never 0.
- Integer arithmetic widens its operands to BIGINT first: the types of small ones differ (PostgreSQL has no TINYINT).
- Decimal arithmetic is cast back to a type of its own: scales of results differ.
- Sums of floating-point numbers are over quarters, which add up exactly in any order, and specials.
- ORDER BY of a result that is cut by LIMIT names every column; window functions that depend on the order of peers order by
  every column of their source.
- What is named outside of a subquery has the same type in all engines: sums are cast there, averages are not named. A subquery that is
  cut by LIMIT is ordered by all its columns, none of them a float: 0 and -0 have an order here alone.
- Joins, and subqueries for all rows around them, are kept to some ten thousand rows.
- Functions whose details differ by design (upper and lower case beyond ASCII, negative positions in substr, text of doubles)
  are left out.
"""

from contextlib import contextmanager

from aggregates import Aggregates
from data import BIGINT, BOOLEAN, DATE, DOUBLE, TIMESTAMP, VARCHAR, WIDE
from expressions import COMPARISONS, LIST_END, Expressions
from layers import Layers, named
from sources import Sources
from sql import Computed, Expr, Query, Select, SetOperation, exact, settled
from subqueries import Subqueries


class Generator(Expressions, Subqueries, Aggregates, Sources, Layers):
    def __init__(self, rng, tables):
        self.rng = rng
        self.tables = tables
        self.aliases = 0
        self.ctes = []
        # Those CTEs that have columns which nothing may name.
        self.partial = set()
        # About how many rows tables and CTEs have.
        self.sizes = {table.name: len(table.rows) for table in tables}
        # The columns of the levels around a subquery, and about how many rows those have.
        self.outers = []
        self.reach = 1

    def chance(self, probability):
        return self.rng.random() < probability

    def alias(self):
        self.aliases += 1
        return f"a{self.aliases}"

    @contextmanager
    def reaching(self, source):
        """For what is computed for each row of the source."""
        before = self.reach
        self.reach = max(1, self.rows(source))
        try:
            yield
        finally:
            self.reach = before

    def select(self, depth, kinds=None, plain=False):
        """A SELECT; `kinds` are the types that its items must have (for set operations)."""
        rng = self.rng
        source, refs = self.source(depth)
        with self.reaching(source):
            where = self.predicate(refs, 2, subqueries=depth > 0) if self.chance(0.5) else None
            if depth > 0 and self.chance(0.08):
                where = self.subquery_predicate(refs, 1)
            if kinds is None and not plain and self.chance(0.4):
                return self.grouped(source, refs, where)
            return self.listed(source, refs, where, depth, kinds, plain)

    def listed(self, source, refs, where, depth, kinds, plain):
        """A SELECT without GROUP BY."""
        rng = self.rng
        if kinds is None:
            kinds = [rng.choice(refs).type if self.chance(0.9) else rng.choice([BIGINT, VARCHAR, DOUBLE, BOOLEAN, DATE, TIMESTAMP, WIDE]) for _ in range(rng.randint(1, 4))]
        windows = not plain and self.chance(0.25)
        total = all(ref.type.name not in LIST_END for ref in refs)
        items = []
        for kind in kinds:
            if windows and self.chance(0.6):
                items.append(self.window(refs, total))
                # Of two, each could order equal rows another way.
                total = False
            elif not plain and depth > 0 and self.chance(0.05):
                items.append(self.scalar_subquery(refs))
            elif depth > 0 and self.chance(0.03) and kind.name not in LIST_END:
                value = self.value(kind, refs, 0), self.value(kind, refs, 0)
                items.append(Expr(kind, "CASE WHEN ", self.subquery_predicate(refs, 1), " THEN ", value[0], " ELSE ", value[1], " END"))
            else:
                items.append(self.value(kind, refs, rng.choice([0, 0, 1, 2])))
        distinct = self.chance(0.12) and all(item.type.name not in LIST_END for item in items)
        return Select(named(items), source, where, distinct=distinct)

    def grouped(self, source, refs, where):
        rng = self.rng
        plain = [ref for ref in refs if ref.type.name not in LIST_END]
        keys, columns = [], []
        for ref in rng.sample(plain, min(len(plain), rng.choice([0, 1, 1, 2, 2, 3]))):
            key = ref.expr()
            if self.chance(0.2):
                key = Expr(ref.type, "coalesce(", key, ", ", self.constant(ref.type), ")")
            else:
                columns.append(ref)
            keys.append(key)
        sets, lists = "", None
        if keys and self.chance(0.25):
            sets = rng.choice(["ROLLUP", "CUBE", "GROUPING SETS"])
            lists = [[i for i in range(len(keys)) if self.chance(0.5)] for _ in range(rng.randint(1, 3))]
            used = {place for one in lists for place in one}
            if used != set(range(len(keys))):
                lists.append(list(range(len(keys))))
        # Of grouped keys each is printed as it is; with sets, nothing else of them may be.
        items = [key for key in keys if self.chance(0.85)]
        items += [self.aggregate(refs) for _ in range(rng.randint(0 if items else 1, 3))]
        if sets and self.chance(0.3):
            items.append(Expr(BIGINT, "CAST(grouping(", rng.choice(keys), ") AS ", BIGINT, ")").known(False))
        elif self.chance(0.15 if not sets else 0.05):
            items += self.windows_over_groups(keys, items)
        having = self.having(refs, columns) if self.chance(0.2) else None
        return Select(named(items), source, where, keys or None, sets, lists, having)

    def windows_over_groups(self, keys, items):
        """A window function over the groups: in the order of peers only where all keys order them."""
        scope = [Computed(item) for item in items if item.type.name not in ("sum", "average")]
        if not scope or len(scope) < len(items):
            return []
        return [self.window(scope, False)] if self.chance(0.5) else [self.window(scope, True)]

    def having(self, refs, columns):
        rng = self.rng
        count = Expr(BIGINT, "count(*)") if self.chance(0.5) else self.aggregate(refs, 0)
        if self.chance(0.3) and count.type.name not in ("sum", "average"):
            # Subqueries read keys that are columns; of aggregates they are told.
            return self.subquery_predicate([Computed(count), *columns], 1)
        if count.type == BIGINT:
            return Expr(BOOLEAN, "(", count, f" {rng.choice(COMPARISONS)} {rng.randint(0, 4)})")
        if count.type.name in ("sum", "average"):
            return Expr(BOOLEAN, "(", count, rng.choice([" IS NULL", " IS NOT NULL", " > 0"]), ")")
        return Expr(BOOLEAN, "(", count, rng.choice([" IS NULL", " IS NOT NULL"]), ")")

    def query(self, depth, top=False):
        """A query; `top` ones are ordered more often."""
        rng = self.rng
        query = self.unordered(depth)
        columns = query.columns()
        if not query.order and query.limit is None and all(map(self.sortable, columns)) and self.chance(0.35 if top else 0.15):
            query.order = self.order(columns)
            # Of a subquery, nothing says afterwards that 0 and -0 have no order.
            if self.chance(0.6) and (top or not any(ref.type.is_float for ref in columns)):
                query.limit = rng.choice([0, 1, 2, 3, 5, 10, 100])
                query.offset = rng.choice([None, None, 0, 1, 2, 5])
        return query

    def unordered(self, depth):
        rng = self.rng
        roll = rng.random()
        if roll < (0.16 if depth > 0 else 0.06):
            return self.layered(depth)
        if depth > 0 and roll < 0.22:
            return self.shared(depth)
        outer, ctes = self.ctes, []
        if depth > 0 and self.chance(0.15):
            query = settled(self.query(depth - 1))
            if exact(query.columns()):
                ctes.append(self.cte(query))
        if self.chance(0.15):
            left = self.select(depth, plain=True)
            left.items = [(expr, alias) for expr, alias in left.items if expr.type.name not in LIST_END] or [(Expr(BIGINT, "1"), "x0")]
            kinds = [expr.type for expr, _ in left.items]
            right = self.select(depth, kinds=kinds, plain=True)
            op = rng.choice(["UNION", "UNION ALL", "INTERSECT", "EXCEPT", "INTERSECT ALL", "EXCEPT ALL"])
            left.items = [(expr, f"x{i}") for i, (expr, _) in enumerate(left.items)]
            # Columns of WITHs and derived tables are called x0, x1 … too.
            right.items = [(expr, None if self.chance(0.5) else f"x{i}") for i, (expr, _) in enumerate(right.items)]
            body = SetOperation(op, left, right)
        else:
            body = self.select(depth)
        self.ctes = outer
        return Query(body, ctes)
