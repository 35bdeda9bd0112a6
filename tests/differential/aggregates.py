"""Random aggregates and window functions."""

from data import BIGINT, BOOLEAN, DOUBLE, INT, VARCHAR, Type
from expressions import LIST_END
from sql import Expr, joined


class Aggregates:
    def aggregate(self, scope, depth=1):
        rng = self.rng
        tame = [ref for ref in scope if not (ref.wild and ref.type.is_float)]
        filtered = [" FILTER (WHERE ", self.predicate(scope, 1), ")"] if self.chance(0.2) else []
        distinct = "DISTINCT " if self.chance(0.25) else ""
        kind = self.scope_type(scope)
        numeric = rng.choice([BIGINT, BIGINT, DOUBLE] + [ref.type for ref in tame if ref.type.name == "decimal"])
        whole = Expr(BIGINT, "CAST(", self.value(self.int_type(scope), scope, rng.choice([0, 0, depth])), " AS ", BIGINT, ")")
        operand = whole if numeric == BIGINT else self.value(numeric, tame, 0)
        if numeric == DOUBLE and any(ref.type == DOUBLE and not ref.wild for ref in scope) is False:
            operand, numeric = whole, BIGINT
        total = lambda: Expr(Type("sum"), f"sum({distinct}", operand, ")", *filtered).known(self.extreme(scope), exact_sum(numeric))  # noqa: E731
        options = [
            lambda: Expr(BIGINT, "count(*)", *filtered).known(False),
            lambda: Expr(BIGINT, f"count({distinct}", self.value(kind, scope, depth), ")", *filtered).known(False),
            total,
            total,
            # Of whole numbers in floating point, so not of extremes.
            lambda: Expr(Type("average"), f"avg({distinct}", self.tame(numeric, scope, operand), ")", *filtered),
            lambda: Expr(Type("average"), rng.choice(["stddev_samp(", "var_pop(", "stddev_pop("]), Expr(DOUBLE, "CAST(", self.value(self.int_type(tame), [r for r in tame if not r.wild], 0), " AS ", DOUBLE, ")"), ")", *filtered),
            lambda: Expr(BOOLEAN, rng.choice(["bool_and(", "bool_or("]), self.predicate(scope, depth), ")", *filtered),
        ]
        if kind != BOOLEAN:
            options += [lambda: Expr(kind, rng.choice(["min(", "max("]), self.value(kind, scope, depth), ")", *filtered)] * 2
        if self.chance(0.3):
            text = self.value(VARCHAR, scope, 0)
            options = [lambda: Expr(VARCHAR, "string_agg(", text, ", ',' ORDER BY ", text, ")", *filtered)]
        return rng.choice(options)()

    @staticmethod
    def extreme(scope):
        """Whether sums of the columns may be too large to be summed again."""
        return any(ref.wild for ref in scope if ref.type.is_int or ref.type.is_float or ref.type.name == "decimal")

    def tame(self, kind, scope, operand):
        """The operand, or for whole numbers another one without extremes."""
        if kind != BIGINT:
            return operand
        tame = [ref for ref in scope if not ref.wild]
        return Expr(BIGINT, "CAST(", self.value(self.int_type(tame), tame, 0), " AS ", BIGINT, ")")

    def window(self, scope, total):
        """A window function; one whose result depends on the order of peers only where all columns order them."""
        rng = self.rng
        kinds = [ref for ref in scope if ref.type.name not in LIST_END]
        partition = [self.value(ref.type, scope, rng.choice([0, 0, 1])) for ref in rng.sample(kinds, rng.choice([0, 1, 1, 2]) if len(kinds) > 1 else 0)]
        parts = ["PARTITION BY ", *joined(partition)] if partition else []

        def ordered(refs, computed=False):
            keys = []
            for ref in refs:
                key = ref.expr()
                if computed and self.chance(0.3):
                    key = Expr(ref.type, "(", self.value(ref.type, scope, 1), ")")
                # Alike in the three dialects.
                keys += [", ", key, rng.choice([" ASC NULLS LAST", " DESC NULLS LAST", " ASC NULLS FIRST", " DESC NULLS FIRST"])]
            return [" ORDER BY ", *keys[1:]]

        def bound(side):
            return rng.choice(["UNBOUNDED " + side, "CURRENT ROW", f"{rng.randint(0, 3)} {side}"])

        def rows():
            start, end = bound("PRECEDING"), bound("FOLLOWING")
            if self.chance(0.2):
                start, end = f"{rng.randint(2, 3)} PRECEDING", f"{rng.randint(0, 2)} PRECEDING"
            elif self.chance(0.2):
                start, end = f"{rng.randint(0, 1)} FOLLOWING", f"{rng.randint(1, 3)} FOLLOWING"
            return f" ROWS BETWEEN {start} AND {end}"

        everything = list(kinds)
        rng.shuffle(everything)
        if total and kinds and self.chance(0.6):
            kind = rng.choice(kinds).type
            operand = lambda: self.value(kind, scope, 0)  # noqa: E731
            roll = rng.random()
            over = [" OVER (", *parts, *ordered(everything)]
            if roll < 0.25:
                return Expr(BIGINT, rng.choice(["row_number()", f"ntile({rng.randint(1, 4)})", "rank()", "dense_rank()"]), *over, ")").known(False)
            if roll < 0.5:
                function = rng.choice(["lag", "lead"])
                default = [", ", self.constant(kind)] if self.chance(0.4) else []
                return Expr(kind, f"{function}(", operand(), f", {rng.randint(0, 3)}", *default, ")", *over, ")")
            if roll < 0.75:
                function, more = rng.choice([("first_value", ""), ("last_value", ""), ("nth_value", f", {rng.randint(1, 3)}")])
                return Expr(kind, f"{function}(", operand(), more + ")", *over, rows() if self.chance(0.7) else "", ")")
            item = self.window_aggregate(scope)
            return Expr(item.type, item, *over, rows() if self.chance(0.8) else "", ")").known(item.wild, item.whole)
        order = ordered(rng.sample(kinds, min(len(kinds), rng.choice([1, 1, 2]))), computed=True) if kinds else []
        if order and self.chance(0.4):
            return Expr(BIGINT, rng.choice(["rank()", "dense_rank()"]), " OVER (", *parts, *order, ")").known(False)
        if order and self.chance(0.3):
            return Expr(Type("average"), rng.choice(["percent_rank()", "cume_dist()"]), " OVER (", *parts, *order, ")")
        item = self.window_aggregate(scope)
        frame = ""
        if order and self.chance(0.5):
            frame = rng.choice(
                [
                    " RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW",
                    " RANGE BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING",
                    " RANGE BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING",
                    " GROUPS BETWEEN 1 PRECEDING AND CURRENT ROW",
                    " GROUPS BETWEEN CURRENT ROW AND 2 FOLLOWING",
                    " GROUPS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING",
                ]
            )
            whole = [ref for ref in kinds if ref.type in (BIGINT, INT) and not ref.wild]
            if whole and self.chance(0.5):
                order = ordered([rng.choice(whole)])
                frame = f" RANGE BETWEEN {rng.randint(0, 3)} PRECEDING AND {rng.randint(0, 3)} FOLLOWING"
        return Expr(item.type, item, " OVER (", *parts, *order, frame, ")").known(item.wild, item.whole)

    def window_aggregate(self, scope):
        rng = self.rng
        tame = [ref for ref in scope if not ref.wild]
        doubles = [ref for ref in tame if ref.type == DOUBLE]
        decimals = [ref for ref in tame if ref.type.name == "decimal"]
        kind = self.scope_type(scope)
        whole = Expr(BIGINT, "CAST(", self.value(self.int_type(tame), tame, 0), " AS ", BIGINT, ")")
        operand = rng.choice([whole] + [ref.expr() for ref in doubles + decimals])
        summed = exact_sum(operand.type)
        filtered = [" FILTER (WHERE ", self.predicate(scope, 1), ")"] if self.chance(0.15) else []
        options = [
            lambda: Expr(BIGINT, "count(*)", *filtered).known(False),
            lambda: Expr(BIGINT, "count(", self.value(kind, scope, 0), ")", *filtered).known(False),
            lambda: Expr(Type("sum"), "sum(", operand, ")", *filtered).known(operand.type != BIGINT and operand.wild, summed),
            lambda: Expr(Type("average"), "avg(", operand, ")", *filtered),
        ]
        if kind != BOOLEAN:
            options += [lambda: Expr(kind, rng.choice(["min(", "max("]), self.value(kind, scope, 0), ")", *filtered)] * 2
        return rng.choice(options)()


def exact_sum(kind):
    """The type that holds a sum in all engines."""
    return Type("decimal", 38, kind.scale) if kind.name == "decimal" else kind
