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

from decimal import Decimal

from data import BIGINT, BOOLEAN, DATE, DOUBLE, INT, TIMESTAMP, VARCHAR, WIDE, Type, random_value
from sql import Expr, Join, Query, Ref, Select, SetOperation, SubRef, TableRef, Values

COMPARISONS = ["=", "<>", "<", "<=", ">", ">="]
PATTERNS = ["%a%", "a%", "%b", "_", "%", "", "a_b", "%''%", "%日%", "__", "ab%c", "%ä"]
FIELDS = ["year", "month", "day", "quarter", "dow", "doy"]
LIST_END = ("array", "struct")



def quoted(text):
    return "'" + text.replace("'", "''") + "'"


def literal(value, kind):
    """The constant as an expression of exactly the type."""
    if value is None:
        return Expr(kind, "CAST(NULL AS ", kind, ")")
    if kind.is_int:
        return Expr(kind, f"CAST({value} AS ", kind, ")") if value >= -(2**63) + 1 else Expr(kind, f"CAST('{value}' AS ", kind, ")")
    if kind.is_float:
        value = float(value)
        text = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}.get(repr(value), repr(value))
        return Expr(kind, f"CAST('{text}' AS ", kind, ")")
    if kind.name == "decimal":
        return Expr(kind, f"CAST('{Decimal(value):f}' AS ", kind, ")")
    if kind.name == "varchar":
        return Expr(kind, quoted(value))
    if kind.name == "date":
        return Expr(kind, f"DATE '{value.isoformat()}'")
    if kind.name == "timestamp":
        return Expr(kind, f"TIMESTAMP '{value.isoformat(' ')}'")
    if kind.name == "boolean":
        return Expr(kind, "TRUE" if value else "FALSE")
    raise ValueError(kind)


class Generator:
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

    # Expressions

    def constant(self, kind):
        rng = self.rng
        if self.chance(0.07):
            return literal(None, kind)
        if kind == BIGINT and self.chance(0.5):
            return Expr(kind, str(rng.randint(0, 10)))
        if kind.is_float and self.chance(0.05):
            return literal(float("nan"), kind)
        value = random_value(rng, kind, self.chance(0.2))
        return literal(value, kind)

    def value(self, kind, scope, depth):
        """An expression of the type over the columns in scope."""
        rng = self.rng
        own = [ref for ref in scope if ref.type == kind]
        if kind.name in LIST_END:
            return rng.choice(own).expr()
        if depth <= 0 or self.chance(0.3):
            return rng.choice(own).expr() if own and self.chance(0.85) else self.constant(kind)
        sub = lambda kind: self.value(kind, scope, depth - 1)  # noqa: E731
        common = [
            lambda: Expr(kind, "CASE WHEN ", self.predicate(scope, depth - 1), " THEN ", sub(kind), " ELSE ", sub(kind), " END"),
            lambda: Expr(kind, "CASE WHEN ", self.predicate(scope, depth - 1), " THEN ", sub(kind), " END"),
            lambda: Expr(kind, "coalesce(", sub(kind), ", ", sub(kind), ")"),
            lambda: Expr(kind, "nullif(", sub(kind), ", ", sub(kind), ")"),
        ]
        if kind != BOOLEAN:
            common.append(lambda: Expr(kind, rng.choice(["greatest(", "least("]), sub(kind), ", ", sub(kind), ")"))
            # CASE of an operand.
            common.append(
                lambda: Expr(kind, "CASE ", *self.cased(scope, depth - 1), " THEN ", sub(kind), " ELSE ", sub(kind), " END")
            )
        special = self.special(kind, scope, depth, sub)
        if special and self.chance(0.65):
            return rng.choice(special)()
        return rng.choice(common)()

    def cased(self, scope, depth):
        kind = self.scope_type(scope)
        return [self.value(kind, scope, depth), " WHEN ", self.value(kind, scope, depth)]

    def special(self, kind, scope, depth, sub):
        """What only this type has."""
        rng = self.rng
        if kind == BOOLEAN:
            return [lambda: self.predicate(scope, depth)]
        if kind == BIGINT:
            wide = lambda: Expr(BIGINT, "CAST(", sub(self.int_type(scope)), " AS ", BIGINT, ")")  # noqa: E731
            number = lambda: str(rng.choice([-7, -3, -1, 1, 2, 3, 10]))  # noqa: E731
            field = rng.choice(FIELDS)
            return [
                lambda: Expr(kind, "(", wide(), rng.choice([" + ", " - ", " * "]), wide(), ")"),
                lambda: Expr(kind, "(", wide(), rng.choice([" + ", " - ", " * "]), wide(), ")"),
                lambda: Expr(kind, "(", wide(), {"duck": " // ", "": " / "}, "(" + number() + "))"),
                lambda: Expr(kind, "(", wide(), " % (", number(), "))"),
                lambda: Expr(kind, "abs(", wide(), ")"),
                lambda: Expr(kind, "(- ", wide(), ")"),
                lambda: Expr(kind, "CAST(length(", sub(VARCHAR), ") AS ", BIGINT, ")"),
                lambda: Expr(kind, "CAST(strpos(", sub(VARCHAR), ", ", self.constant(VARCHAR), ") AS ", BIGINT, ")"),
                lambda: Expr(kind, "CAST(extract(", field, " FROM ", sub(DATE), ") AS ", BIGINT, ")"),
                lambda: Expr(kind, "CAST(extract(", rng.choice(["hour", "minute", field]), " FROM ", sub(TIMESTAMP), ") AS ", BIGINT, ")"),
                lambda: Expr(kind, "CAST(CAST(", sub(BOOLEAN), " AS ", INT, ") AS ", BIGINT, ")"),
                lambda: Expr(kind, "CAST(CAST(", sub(BIGINT), " AS ", VARCHAR, ") AS ", BIGINT, ")"),
                lambda: Expr(kind, "CAST(", sub(self.decimal_type(scope)), " AS ", kind, ")"),
                # Halves are rounded to even in PostgreSQL.
                lambda: Expr(kind, "CAST(", {"lake": "round(", "duck": "round("}, sub(DOUBLE), ") AS ", BIGINT, ")"),
                *self.nested(BIGINT, scope),
            ]
        if kind.is_int:
            return [lambda: Expr(kind, "CAST(", sub(self.int_type(scope)), " AS ", kind, ")"), *self.nested(kind, scope)]
        if kind.is_float:
            options = [
                lambda: Expr(kind, rng.choice(["floor(", "ceil(", "abs("]), sub(kind), ")"),
                lambda: Expr(kind, "(- ", sub(kind), ")"),
            ]
            # Of single precision, engines round results of arithmetic in their own ways.
            if kind == DOUBLE:
                options += [
                    lambda: Expr(kind, "CAST(", sub(self.int_type(scope)), " AS ", kind, ")"),
                    lambda: Expr(kind, "(", sub(kind), rng.choice([" + ", " - ", " * "]), sub(kind), ")"),
                ]
            return options
        if kind.name == "decimal":
            small = [ref.type for ref in scope if ref.type.name == "decimal" and ref.type.precision <= 18]
            other = rng.choice(small) if small else Type("decimal", 9, 2)
            return [
                lambda: Expr(kind, "CAST(", Expr(kind, "(", sub(other), rng.choice([" + ", " - ", " * "]), sub(other), ")"), " AS ", kind, ")"),
                lambda: Expr(kind, "CAST(", sub(rng.choice([INT, other])), " AS ", kind, ")"),
                lambda: Expr(kind, "abs(", sub(kind), ")"),
                lambda: Expr(kind, "(- ", sub(kind), ")"),
            ]
        if kind == VARCHAR:
            texted = [self.int_type(scope), DATE, BOOLEAN, TIMESTAMP]
            return [
                lambda: Expr(kind, "(", sub(VARCHAR), " || ", sub(VARCHAR), ")"),
                lambda: Expr(kind, "substr(", sub(VARCHAR), f", {rng.randint(1, 3)}, {rng.randint(0, 3)})"),
                lambda: Expr(kind, f"trim({rng.choice(['BOTH', 'LEADING', 'TRAILING'])} ' ' FROM ", sub(VARCHAR), ")"),
                lambda: Expr(kind, "replace(", sub(VARCHAR), f", {quoted(rng.choice(['a', 'ab', 'ä', 'x']))}, ", sub(VARCHAR), ")"),
                lambda: Expr(kind, rng.choice(["left(", "right("]), sub(VARCHAR), f", {rng.randint(0, 3)})"),
                lambda: Expr(kind, "CAST(", sub(rng.choice(texted)), " AS ", kind, ")"),
                lambda: Expr(kind, "repeat(", sub(VARCHAR), f", {rng.randint(0, 2)})"),
            ]
        if kind == DATE:
            return [
                lambda: Expr(kind, "CAST((", sub(DATE), rng.choice([" + ", " - "]), f"INTERVAL '{rng.randint(1, 40)}' {rng.choice(['DAY', 'MONTH'])}) AS ", DATE, ")"),
                lambda: Expr(kind, "CAST(", sub(TIMESTAMP), " AS ", DATE, ")"),
                lambda: Expr(kind, "CAST(CAST(", sub(DATE), " AS ", VARCHAR, ") AS ", DATE, ")"),
            ]
        if kind == TIMESTAMP:
            unit = rng.choice(["year", "month", "week", "day", "hour", "minute", "second"])
            return [
                lambda: Expr(kind, f"date_trunc('{unit}', ", sub(TIMESTAMP), ")"),
                lambda: Expr(kind, "CAST(", sub(DATE), " AS ", TIMESTAMP, ")"),
                lambda: Expr(kind, "(", sub(TIMESTAMP), rng.choice([" + ", " - "]), f"INTERVAL '{rng.randint(1, 70)}' {rng.choice(['MINUTE', 'DAY', 'MONTH'])})"),
            ]
        return []

    def nested(self, kind, scope):
        """Items of arrays and fields of structs."""
        found = []
        for ref in scope:
            if ref.type.name == "array":
                found.append(lambda ref=ref: Expr(kind, "CAST(", ref.expr(), f"[{self.rng.randint(1, 3)}] AS ", kind, ")"))
                found.append(lambda ref=ref: Expr(kind, "CAST(", {"lake": "cardinality(", "duck": "len("}, ref.expr(), ") AS ", kind, ")"))
            elif ref.type.name == "struct":
                found.append(lambda ref=ref: Expr(kind, "CAST(", ref.expr(), "['f'] AS ", kind, ")"))
        return found

    def int_type(self, scope):
        kinds = [ref.type for ref in scope if ref.type.is_int]
        return self.rng.choice(kinds) if kinds else BIGINT

    def decimal_type(self, scope):
        kinds = [ref.type for ref in scope if ref.type.name == "decimal" and ref.type.precision <= 18]
        return self.rng.choice(kinds) if kinds else Type("decimal", 9, 2)

    def scope_type(self, scope):
        kinds = [ref.type for ref in scope if ref.type.name not in LIST_END]
        return self.rng.choice(kinds) if kinds and self.chance(0.9) else self.rng.choice([BIGINT, VARCHAR, DOUBLE, DATE])

    def predicate(self, scope, depth, subqueries=False):
        rng = self.rng
        roll = rng.random()
        if depth > 0 and roll < 0.3:
            op = rng.choice([" AND ", " OR "])
            return Expr(BOOLEAN, "(", self.predicate(scope, depth - 1, subqueries), op, self.predicate(scope, depth - 1, subqueries), ")")
        if depth > 0 and roll < 0.38:
            return Expr(BOOLEAN, "(NOT ", self.predicate(scope, depth - 1, subqueries), ")")
        if depth > 0 and roll < 0.42:
            return Expr(BOOLEAN, "(", self.predicate(scope, depth - 1), rng.choice([" IS TRUE", " IS NOT TRUE", " IS FALSE", " IS NULL", " IS NOT NULL"]), ")")
        if subqueries and depth > 0 and roll < 0.6:
            return self.subquery_predicate(scope, depth - 1)
        if roll < 0.48 and any(ref.type == BOOLEAN for ref in scope):
            return self.value(BOOLEAN, [ref for ref in scope if ref.type == BOOLEAN], 0)
        if roll > 0.93:
            merged = self.merged(scope)
            if merged is not None:
                return merged
        kind = self.scope_type(scope)
        left = lambda: self.value(kind, scope, rng.choice([0, 0, depth - 1]))  # noqa: E731
        choice = rng.random()
        if kind == VARCHAR and choice < 0.25:
            return Expr(BOOLEAN, "(", left(), rng.choice([" LIKE ", " NOT LIKE "]), f"'{rng.choice(PATTERNS)}')")
        if choice < 0.1:
            nested = [ref for ref in scope if ref.type.name in LIST_END]
            operand = rng.choice(nested).expr() if nested and self.chance(0.3) else left()
            return Expr(BOOLEAN, "(", operand, rng.choice([" IS NULL", " IS NOT NULL"]), ")")
        if choice < 0.2:
            return Expr(BOOLEAN, "(", left(), rng.choice([" IS DISTINCT FROM ", " IS NOT DISTINCT FROM "]), left(), ")")
        if choice < 0.3:
            return Expr(BOOLEAN, "(", left(), rng.choice([" BETWEEN ", " NOT BETWEEN "]), left(), " AND ", left(), ")")
        if choice < 0.45:
            items = []
            for _ in range(rng.randint(1, 5)):
                items += [", ", self.constant(kind) if self.chance(0.8) else left()]
            if self.chance(0.15):
                items += [", NULL"]
            return Expr(BOOLEAN, "(", left(), rng.choice([" IN (", " NOT IN ("]), *items[1:], "))")
        right = left
        if kind.is_int or kind.name in ("decimal", "double"):
            other = rng.choice([self.int_type(scope), kind, kind])
            right = lambda: self.value(other, scope, 0)  # noqa: E731
        elif kind == DATE and self.chance(0.2):
            right = lambda: self.value(TIMESTAMP, scope, 0)  # noqa: E731
        if self.chance(0.5):
            right = lambda: self.constant(kind)  # noqa: E731
        return Expr(BOOLEAN, "(", left(), f" {rng.choice(COMPARISONS)} ", right(), ")")

    def merged(self, scope):
        """A condition on a cast that many values have one result of: the column is no constant."""
        rng = self.rng
        casts = {TIMESTAMP: DATE, BIGINT: DOUBLE, DOUBLE: INT, Type("decimal", 18, 4): Type("decimal", 10, 0)}
        own = [ref for ref in scope if ref.type in casts]
        if not own:
            return None
        ref = rng.choice(own)
        kind = casts[ref.type]
        constant = Expr(kind, f"DATE '2024-02-{rng.choice([28, 29])}'") if kind == DATE else literal(rng.randint(-2, 4), kind)
        cast = Expr(kind, "CAST(", ref.expr(), " AS ", kind, ")")
        if kind == INT:
            # Halves, NaN and infinities are cast by each engine in its own way.
            cast = Expr(DOUBLE, "floor(", ref.expr(), ")")
            constant = literal(rng.randint(-2, 4), DOUBLE)
        return Expr(BOOLEAN, "(", cast, rng.choice([" = ", " = ", " <= ", " >= "]), constant, ")")

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

    # Aggregates and windows

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
        options = [
            lambda: Expr(BIGINT, "count(*)", *filtered),
            lambda: Expr(BIGINT, f"count({distinct}", self.value(kind, scope, depth), ")", *filtered),
            lambda: Expr(Type("sum"), f"sum({distinct}", operand, ")", *filtered),
            lambda: Expr(Type("sum"), f"sum({distinct}", operand, ")", *filtered),
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
                return Expr(BIGINT, rng.choice(["row_number()", f"ntile({rng.randint(1, 4)})", "rank()", "dense_rank()"]), *over, ")")
            if roll < 0.5:
                function = rng.choice(["lag", "lead"])
                default = [", ", self.constant(kind)] if self.chance(0.4) else []
                return Expr(kind, f"{function}(", operand(), f", {rng.randint(0, 3)}", *default, ")", *over, ")")
            if roll < 0.75:
                function, more = rng.choice([("first_value", ""), ("last_value", ""), ("nth_value", f", {rng.randint(1, 3)}")])
                return Expr(kind, f"{function}(", operand(), more + ")", *over, rows() if self.chance(0.7) else "", ")")
            item = self.window_aggregate(scope)
            return Expr(item.type, item, *over, rows() if self.chance(0.8) else "", ")")
        order = ordered(rng.sample(kinds, min(len(kinds), rng.choice([1, 1, 2]))), computed=True) if kinds else []
        if order and self.chance(0.4):
            return Expr(BIGINT, rng.choice(["rank()", "dense_rank()"]), " OVER (", *parts, *order, ")")
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
        return Expr(item.type, item, " OVER (", *parts, *order, frame, ")")

    def window_aggregate(self, scope):
        rng = self.rng
        tame = [ref for ref in scope if not ref.wild]
        doubles = [ref for ref in tame if ref.type == DOUBLE]
        decimals = [ref for ref in tame if ref.type.name == "decimal"]
        kind = self.scope_type(scope)
        whole = Expr(BIGINT, "CAST(", self.value(self.int_type(tame), tame, 0), " AS ", BIGINT, ")")
        operand = rng.choice([whole] + [ref.expr() for ref in doubles + decimals])
        filtered = [" FILTER (WHERE ", self.predicate(scope, 1), ")"] if self.chance(0.15) else []
        options = [
            lambda: Expr(BIGINT, "count(*)", *filtered),
            lambda: Expr(BIGINT, "count(", self.value(kind, scope, 0), ")", *filtered),
            lambda: Expr(Type("sum"), "sum(", operand, ")", *filtered),
            lambda: Expr(Type("average"), "avg(", operand, ")", *filtered),
        ]
        if kind != BOOLEAN:
            options += [lambda: Expr(kind, rng.choice(["min(", "max("]), self.value(kind, scope, 0), ")", *filtered)] * 2
        return rng.choice(options)()

    # Sources

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

    # Queries

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
