"""Random items of FROM, and joins of them."""

from data import BIGINT, BOOLEAN, DATE, DOUBLE, INT, VARCHAR
from expressions import LIST_END, literal
from sql import Expr, Join, Ref, SubRef, TableRef, Values, exact, exposed


class Sources:
    def refs(self, table, alias):
        return [Ref(f"{alias}.{column.name}", column.type, column.wild) for column in table.columns]

    def item(self, depth):
        """A table, subquery, CTE or list of values: (source, columns)."""
        rng = self.rng
        alias = self.alias()
        if depth > 0 and self.chance(0.2):
            query = self.query(depth - 1)
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
        """ON: mostly an equality, now and then with more or of another kind."""
        rng = self.rng
        pairs = [
            (one, two)
            for one in left
            for two in right
            if one.type == two.type and one.type.name not in LIST_END or one.type.is_int and two.type.is_int
        ]
        if not pairs or self.chance(0.15):
            return self.predicate(left + right, depth)
        parts = []
        for one, two in rng.sample(pairs, min(len(pairs), rng.choice([1, 1, 1, 2]))):
            op = " = " if self.chance(0.85) else rng.choice([" < ", " >= ", " <> ", " IS NOT DISTINCT FROM "])
            parts.append(Expr(BOOLEAN, "(", one.expr(), op, two.expr(), ")"))
        if self.chance(0.3):
            parts.append(self.predicate(rng.choice([left, right, left + right]), 1))
        condition = parts[0]
        for part in parts[1:]:
            condition = Expr(BOOLEAN, "(", condition, " AND ", part, ")")
        return condition

    def source(self, depth):
        rng = self.rng
        item, refs = self.item(depth)
        joins = rng.choice([0, 0, 1, 1, 1, 2] if depth > 0 else [0, 0, 1])
        if joins == 1 and isinstance(item, TableRef) and item.table.startswith("t") and self.chance(0.2):
            return self.using(item, refs)
        for _ in range(joins):
            right, more = self.item(depth - 1)
            kind = rng.choice(["JOIN", "JOIN", "LEFT JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN", "CROSS JOIN", "LEFT SEMI JOIN", "LEFT ANTI JOIN"])
            on = None if kind == "CROSS JOIN" else self.condition(refs, more, 1)
            item = Join(kind, item, right, on)
            if "SEMI" not in kind and "ANTI" not in kind:
                refs = refs + more
        return item, refs

    def using(self, left, refs):
        table, alias = self.rng.choice(self.tables), self.alias()
        kind = self.rng.choice(["JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN", "FULL JOIN"])
        more = self.refs(table, alias)
        named = {ref.text.split(".")[1]: ref for ref in refs}
        shared = [ref for ref in more if ref.text.split(".")[1] in named and named[ref.text.split(".")[1]].type == ref.type and ref.type.name not in LIST_END]
        if not shared:
            return Join("CROSS JOIN", left, TableRef(table.name, alias)), refs + more
        chosen = self.rng.sample(shared, min(len(shared), self.rng.choice([1, 1, 2])))
        common = [ref for ref in more if ref.text.split(".")[1] in named]
        natural = len(shared) == len(common) and self.chance(0.3)
        if natural:
            chosen = common
        names = [ref.text.split(".")[1] for ref in chosen]
        kept = [ref for ref in refs + more if ref.text.split(".")[1] not in names]
        merged = [Ref(name, ref.type, ref.wild or named[name].wild) for name, ref in zip(names, chosen)]
        right = TableRef(table.name, alias)
        joined = Join(f"NATURAL {kind}", left, right) if natural else Join(kind, left, right, using=names)
        return joined, merged + kept
