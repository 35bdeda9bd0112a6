"""Random conditions and values that are subqueries."""

from data import BIGINT, BOOLEAN
from expressions import COMPARISONS, LIST_END
from sql import Expr, Query, Select, TableRef


class Subqueries:
    def subquery_predicate(self, scope, depth):
        """EXISTS, IN and comparisons with a scalar, correlated or not."""
        rng = self.rng
        table = rng.choice(self.tables)
        alias = self.alias()
        inner = self.refs(table, alias)
        kinds = [ref.type for ref in inner if ref.type.name not in LIST_END]
        where = None
        outer = [ref for ref in scope if ref.type.name not in LIST_END]
        if outer and self.chance(0.5):
            pairs = [(one, two) for one in inner for two in outer if one.type == two.type and one.type.name not in LIST_END]
            if pairs:
                one, two = rng.choice(pairs)
                where = Expr(BOOLEAN, "(", one.expr(), " = ", two.expr(), ")")
        if self.chance(0.5) or where is None:
            more = self.predicate(inner, 1)
            where = more if where is None else Expr(BOOLEAN, "(", where, " AND ", more, ")")
        source = TableRef(table.name, alias)
        roll = rng.random()
        if roll < 0.35:
            query = Query(Select([(Expr(BIGINT, "1"), "x0")], source, where))
            return self.exists(query)
        if roll < 0.75:
            kind = rng.choice(kinds)
            item = self.value(kind, inner, rng.choice([0, 0, 1]))
            query = Query(Select([(item, "x0")], source, where if self.chance(0.8) else None))
            op = rng.choice([" IN (", " NOT IN ("])
            operand = self.value(kind, outer, 0)
            if self.chance(0.25) and kind != BOOLEAN:
                return Expr(BOOLEAN, "(", operand, f" {rng.choice(COMPARISONS)} {rng.choice(['ANY', 'ALL'])} (", query, "))")
            return Expr(BOOLEAN, "(", operand, op, query, "))")
        function = rng.choice(["min", "max", "count"])
        kind = rng.choice([kind for kind in kinds if kind != BOOLEAN] or [BIGINT])
        item = Expr(kind if function != "count" else BIGINT, f"{function}(", self.value(kind, inner, 0), ")")
        query = Query(Select([(item, "x0")], source, where))
        return Expr(BOOLEAN, "(", self.value(item.type, outer, 0), f" {rng.choice(COMPARISONS)} (", query, "))")

    def exists(self, query):
        if self.chance(0.5):
            return Expr(BOOLEAN, "EXISTS (", query, ")")
        return Expr(BOOLEAN, "(NOT EXISTS (", query, "))")

    def scalar_subquery(self, scope):
        table, alias = self.rng.choice(self.tables), self.alias()
        inner = self.refs(table, alias)
        where = None
        pairs = [(one, two) for one in inner for two in scope if one.type == two.type and one.type.name not in LIST_END]
        if pairs and self.chance(0.7):
            one, two = self.rng.choice(pairs)
            where = Expr(BOOLEAN, "(", one.expr(), " = ", two.expr(), ")")
            if self.chance(0.3):
                where = Expr(BOOLEAN, "(", where, " AND ", self.predicate(inner, 0), ")")
        item = self.aggregate(inner)
        return Expr(item.type, "(", Query(Select([(item, "x0")], TableRef(table.name, alias), where)), ")")
