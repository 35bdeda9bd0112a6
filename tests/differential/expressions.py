"""Random expressions: constants, values of a type and conditions, over the columns in scope."""

from decimal import Decimal

from data import BIGINT, BOOLEAN, DATE, DOUBLE, INT, TIMESTAMP, VARCHAR, Type, random_value
from sql import Expr

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


class Expressions:
    """What `Generator` makes of `rng` over the columns in scope."""

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
                # Engines round halves in their own ways.
                lambda: Expr(kind, "CAST(", {"lake": "trunc(", "duck": "trunc("}, sub(DOUBLE), ") AS ", BIGINT, ")"),
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
            return Expr(BOOLEAN, "(", self.predicate(scope, depth - 1, subqueries), rng.choice([" IS TRUE", " IS NOT TRUE", " IS FALSE", " IS NULL", " IS NOT NULL"]), ")")
        if subqueries and depth > 0 and roll < 0.6:
            return self.subquery_predicate(scope, depth - 1)
        if roll < 0.48 and any(ref.type == BOOLEAN for ref in scope):
            return self.value(BOOLEAN, [ref for ref in scope if ref.type == BOOLEAN], 0)
        if self.chance(0.12) and any(ref.padded for ref in scope):
            return self.padding_test(scope, depth)
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

    def padding_test(self, scope, depth):
        """A condition that tells a row without a partner from others, or does not."""
        rng = self.rng
        padded = [ref for ref in scope if ref.padded and ref.type.name not in LIST_END]
        if not padded:
            return Expr(BOOLEAN, "(", next(ref for ref in scope if ref.padded).expr(), " IS NULL)")
        ref = rng.choice(padded)
        column = ref.expr()
        kind = ref.type
        same = [other.expr() for other in scope if other.type == kind]
        other = rng.choice(same) if self.chance(0.5) else self.constant(kind)
        compared = Expr(BOOLEAN, "(", column, f" {rng.choice(COMPARISONS)} ", other, ")")
        rest = lambda: self.predicate(scope, min(depth, 1) - 1)  # noqa: E731
        forms = [
            lambda: ["coalesce(", column, ", ", other, f") {rng.choice(COMPARISONS)} ", self.value(kind, scope, 0)],
            lambda: ["CASE WHEN ", column, rng.choice([" IS NULL", " IS NOT NULL"]), " THEN ", rest(), " ELSE ", rest(), " END"],
            lambda: ["CASE WHEN ", compared, " THEN ", rest(), " END"],
            lambda: [compared, rng.choice([" IS TRUE", " IS NOT TRUE", " IS FALSE", " IS NOT FALSE", " IS NULL", " IS NOT NULL"])],
            lambda: ["NOT coalesce(", compared, ", ", rng.choice(["TRUE", "FALSE"]), ")"],
            lambda: [column, " IS NULL OR ", compared],
            lambda: [column, rng.choice([" IS NULL AND ", " IS NOT NULL OR "]), rest()],
            lambda: ["nullif(", column, ", ", other, ")", rng.choice([" IS NULL", " IS NOT NULL"])],
            lambda: ["CASE ", column, " WHEN ", other, " THEN 1 WHEN ", self.constant(kind), f" THEN 2 ELSE 0 END = {rng.randint(0, 2)}"],
            lambda: [column, rng.choice([" IS DISTINCT FROM ", " IS NOT DISTINCT FROM "]), other],
        ]
        return Expr(BOOLEAN, "(", *rng.choice(forms)(), ")")

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
