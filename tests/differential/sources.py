"""Random items of FROM, and joins of them."""

from collections import Counter
from dataclasses import replace

from data import BIGINT, BOOLEAN, DATE, DOUBLE, INT, VARCHAR
from expressions import LIST_END, literal
from sql import SEMI, Expr, Join, Ref, SubRef, TableRef, Values, exact, exposed, rows, settled

# Rows that a join may have, about; more would take the test's time, not find more.
LARGEST = 20000


class Sources:
    def refs(self, table, alias):
        return [Ref(f"{alias}.{column.name}", column.type, column.wild) for column in table.columns]

    def item(self, depth):
        """A table, subquery, CTE or list of values: (source, columns)."""
        rng = self.rng
        alias = self.alias()
        if depth > 0 and self.chance(0.2):
            query = self.query(depth - 1)
            if self.chance(0.6):
                settled(query)
            if exact(query.columns()):
                return SubRef(query, alias), exposed(query.columns(), alias)
        if self.ctes and self.chance(0.5):
            name, columns = rng.choice(self.ctes)
            return TableRef(name, alias), exposed(columns, alias)
        if self.chance(0.06):
            kinds = [rng.choice([BIGINT, VARCHAR, INT, DATE, DOUBLE, BOOLEAN]) for _ in range(rng.randint(1, 3))]
            rows = [[self.constant(kind) if self.chance(0.9) else literal(None, kind) for kind in kinds] for _ in range(rng.randint(1, 4))]
            rows[0] = [Expr(kind, "CAST(", cell, " AS ", kind, ")") for cell, kind in zip(rows[0], kinds)]
            names = [f"v{i}" for i in range(len(kinds))]
            return Values(rows, alias, names), [Ref(f"{alias}.{name}", kind) for name, kind in zip(names, kinds)]
        table = rng.choice(self.tables)
        return TableRef(table.name, alias), self.refs(table, alias)

    def condition(self, left, right, depth):
        """ON: mostly an equality, now and then with more or of another kind. With it, whether few rows meet."""
        rng = self.rng
        pairs = [
            (one, two)
            for one in left
            for two in right
            if one.type == two.type and one.type.name not in LIST_END or one.type.is_int and two.type.is_int
        ]
        if not pairs or self.chance(0.15):
            return self.predicate(left + right, depth), False
        parts = []
        ops = []
        for one, two in rng.sample(pairs, min(len(pairs), rng.choice([1, 1, 1, 2]))):
            ops.append(" = " if self.chance(0.85) else rng.choice([" < ", " >= ", " <> ", " IS NOT DISTINCT FROM "]))
            parts.append(Expr(BOOLEAN, "(", one.expr(), ops[-1], two.expr(), ")"))
        if self.chance(0.3):
            parts.append(self.predicate(rng.choice([left, right, left + right]), 1))
        condition = parts[0]
        for part in parts[1:]:
            condition = Expr(BOOLEAN, "(", condition, " AND ", part, ")")
        return condition, " = " in ops

    def source(self, depth):
        """What a FROM has, and its columns."""
        rng = self.rng
        if self.chance(0.08 if depth > 0 else 0.05):
            return self.using(depth)
        item, refs = self.item(depth)
        for _ in range(rng.choice([0, 0, 1, 1, 1, 2] if depth > 0 else [0, 0, 1])):
            item, refs = self.join(item, refs, *self.item(depth - 1))
        return item, refs

    def join(self, left, refs, right, more):
        """The two joined in some way, unless that may have too many rows: then the left one alone."""
        # A common column of USING, named alone, is ambiguous beside a column of that name.
        others = {ref.name for ref in more}
        clear = [ref for ref in refs if ref.qualified or ref.name not in others]
        kind = self.rng.choice(["JOIN", "JOIN", "LEFT JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN", "CROSS JOIN", "LEFT SEMI JOIN", "LEFT ANTI JOIN"])
        on, few = (None, False) if kind == "CROSS JOIN" else self.condition(clear, more, 1)
        if kind in SEMI:
            return Join(kind, left, right, on, rows=self.rows(left)), refs
        size = self.product(left, right, few)
        if size > LARGEST:
            return left, refs
        return Join(kind, left, right, on, rows=size), self.padded(kind, clear, more)

    def padded(self, kind, refs, more):
        """The columns of both sides, with those marked that an outer join fills with NULLs."""
        left, right = "RIGHT" in kind or "FULL" in kind, "LEFT" in kind or "FULL" in kind
        return [replace(ref, padded=ref.padded or left) for ref in refs] + [replace(ref, padded=ref.padded or right) for ref in more]

    def rows(self, node):
        return rows(node, self.sizes)

    def product(self, left, right, few):
        left, right = self.rows(left), self.rows(right)
        return max(left, right, left * right // (4 if few else 1))

    # USING and NATURAL

    def using(self, depth):
        """A chain of two to four items that share names of columns."""
        rng = self.rng
        # Two copies of a WITH, or subqueries, have the same names, too.
        item, refs = self.item(depth)
        count = rng.choice([1, 1, 2, 2, 3])
        for _ in range(count):
            right, more = self.item(0)
            if count > 1 and self.chance(0.12):
                other = self.item(0)
                right, more = self.common(right, more, *other, full=False) or (right, more)
            # Of what a FULL JOIN makes, the next join is left alone.
            made = self.common(item, refs, right, more, full=count == 1)
            if made is None:
                break
            item, refs = made
        return item, refs

    def common(self, left, refs, right, more, full):
        """The two joined by columns that both have once, or None if there are none."""
        rng = self.rng
        counts = Counter(ref.name for ref in refs), Counter(ref.name for ref in more)
        mine, theirs = {ref.name: ref for ref in refs}, {ref.name: ref for ref in more}
        both = [name for name in theirs if name in mine]
        once = [name for name in both if counts[0][name] == counts[1][name] == 1]
        shared = [name for name in once if mine[name].type == theirs[name].type and mine[name].type.name not in LIST_END]
        if not shared:
            return None
        natural = len(shared) == len(both) and self.whole(left) and self.whole(right) and self.chance(0.4)
        names = both if natural else rng.sample(shared, min(len(shared), rng.choice([1, 1, 2])))
        # A common name that stands for no common column would be ambiguous from now on.
        if any(not mine[name].qualified or not theirs[name].qualified for name in both if name not in names):
            return None
        size = self.product(left, right, True)
        if size > LARGEST:
            return None
        kind = rng.choice(["JOIN", "LEFT JOIN", "RIGHT JOIN"] + ["FULL JOIN"] * 2 * full)
        kept = [ref for ref in self.padded(kind, refs, more) if ref.name not in names]
        merged = [Ref(name, mine[name].type, mine[name].wild or theirs[name].wild) for name in names]
        if natural:
            return Join(f"NATURAL {kind}", left, right, rows=size), merged + kept
        return Join(kind, left, right, using=names, rows=size), merged + kept

    def whole(self, node):
        """Whether the columns that are known of it are all that it has, as NATURAL sees them."""
        if isinstance(node, Join):
            return self.whole(node.left) and self.whole(node.right)
        if isinstance(node, SubRef):
            return len(exact(node.query.columns())) == len(node.query.columns())
        return not (isinstance(node, TableRef) and node.table in self.partial)
