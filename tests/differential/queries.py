"""Random queries that most engines can answer, and answer alike.

What the references and Lakegate legitimately do differently is generated around, so that a difference is a fault:

- `/` of integers truncates in Lakegate and PostgreSQL; DuckDB's is `//`. Divisors are constants, never 0.
- Integer arithmetic widens its operands to BIGINT first: the types of small ones differ (PostgreSQL has no TINYINT).
- Decimal arithmetic is cast back to a type of its own: scales of results differ.
- Sums of floating-point numbers are over quarters, which add up exactly in any order, and specials.
- ORDER BY of a result that is cut by LIMIT names every column; window functions that depend on the order of peers order by
  every column of their source.
- Functions whose details differ by design (upper and lower case beyond ASCII, negative positions in substr, text of doubles)
  are left out.
"""

from aggregates import Aggregates
from data import BIGINT, BOOLEAN, DATE, DOUBLE, TIMESTAMP, VARCHAR, WIDE
from expressions import COMPARISONS, LIST_END, Expressions
from sources import Sources
from sql import Expr, Query, Select, SetOperation, exact
from subqueries import Subqueries


class Generator(Expressions, Subqueries, Aggregates, Sources):
    def __init__(self, rng, tables):
        self.rng = rng
        self.tables = tables
        self.aliases = 0
        self.ctes = []

    def chance(self, probability):
        return self.rng.random() < probability

    def alias(self):
        self.aliases += 1
        return f"a{self.aliases}"

    def select(self, depth, kinds=None, plain=False):
        """A SELECT; `kinds` are the types that its items must have (for set operations)."""
        rng = self.rng
        source, refs = self.source(depth)
        where = self.predicate(refs, 2, subqueries=depth > 0) if self.chance(0.5) else None
        if kinds is None and not plain and self.chance(0.4):
            return self.grouped(source, refs, where, depth)
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
            else:
                items.append(self.value(kind, refs, rng.choice([0, 0, 1, 2])))
        distinct = self.chance(0.12) and all(item.type.name not in LIST_END for item in items)
        return Select(list(zip(items, names(items))), source, where, distinct=distinct)

    def grouped(self, source, refs, where, depth):
        rng = self.rng
        plain = [ref for ref in refs if ref.type.name not in LIST_END]
        keys = []
        for ref in rng.sample(plain, min(len(plain), rng.choice([0, 1, 1, 2, 2, 3]))):
            key = ref.expr()
            if self.chance(0.2):
                key = Expr(ref.type, "coalesce(", key, ", ", self.constant(ref.type), ")")
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
            items.append(Expr(BIGINT, "CAST(grouping(", rng.choice(keys), ") AS ", BIGINT, ")"))
        having = None
        if self.chance(0.2):
            count = Expr(BIGINT, "count(*)") if self.chance(0.5) else self.aggregate(refs, 0)
            if count.type == BIGINT:
                having = Expr(BOOLEAN, "(", count, f" {rng.choice(COMPARISONS)} {rng.randint(0, 4)})")
            elif count.type.name in ("sum", "average"):
                having = Expr(BOOLEAN, "(", count, rng.choice([" IS NULL", " IS NOT NULL", " > 0"]), ")")
            else:
                having = Expr(BOOLEAN, "(", count, rng.choice([" IS NULL", " IS NOT NULL"]), ")")
        return Select(list(zip(items, names(items))), source, where, keys or None, sets, lists, having)

    def query(self, depth, top=False):
        """A query; `top` ones are ordered more often."""
        rng = self.rng
        outer, ctes = self.ctes, []
        if depth > 0 and self.chance(0.15):
            name = f"w{self.alias()}"
            query = self.query(depth - 1)
            if exact(query.columns()):
                ctes.append((name, query))
                self.ctes = self.ctes + [(name, exact(query.columns()))]
        if self.chance(0.15):
            left = self.select(depth, plain=True)
            left.items = [(expr, alias) for expr, alias in left.items if expr.type.name not in LIST_END] or [(Expr(BIGINT, "1"), "x0")]
            kinds = [expr.type for expr, _ in left.items]
            right = self.select(depth, kinds=kinds, plain=True)
            op = rng.choice(["UNION", "UNION ALL", "INTERSECT", "EXCEPT", "INTERSECT ALL", "EXCEPT ALL"])
            left.items = [(expr, f"x{i}") for i, (expr, _) in enumerate(left.items)]
            body = SetOperation(op, left, right)
        else:
            body = self.select(depth)
        self.ctes = outer
        query = Query(body, ctes)
        columns = query.columns()
        # An average is no number to order by: engines round it differently.
        orderable = all(ref.type.name not in (*LIST_END, "average") for ref in columns)
        if orderable and self.chance(0.35 if top else 0.15):
            order = list(columns)
            rng.shuffle(order)
            query.order = [(ref.text, rng.choice(["ASC", "DESC"]), rng.choice(["", "", "NULLS FIRST", "NULLS LAST"])) for ref in order]
            if self.chance(0.6):
                query.limit = rng.choice([0, 1, 2, 3, 5, 10, 100])
                query.offset = rng.choice([None, None, 0, 1, 2, 5])
        return query


def names(items):
    return [f"x{i}" for i in range(len(items))]
