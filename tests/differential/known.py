"""What Lakegate is known to refuse or to answer wrongly. Empty is how it should be."""

# Errors of Lakegate that are excused where the references have rows: (pattern, why).
ERRORS = [
    ("is named twice; give one an alias", "a cast of a constant is not part of an aggregate's name: count(*), count(CAST(1 AS …))"),
    (r'42703: column "a[0-9]+\.[a-z0-9]+" does not exist', "a correlated scalar subquery before IN, over a WITH that renames the column"),
    (r"does not satisfy order requirements", "a window or a sort by a column that is a constant below a join"),
    (r'42702: column reference "y0" is ambiguous', "a correlated scalar subquery before IN, in a HAVING"),
]

# What the generator does not make, since Lakegate refuses it or answers it wrongly; without its entry it is made.
KEPT_OUT = {
    "four by one name": "a common column of four or more tables is ambiguous (42702)",
    "common name and semi join": "a common column, named alone in WHERE above a semi join, is ambiguous (42702)",
    "row of aggregates": "HAVING (max(x), k) IN (SELECT …): aggregates are not allowed in WHERE (42000)",
    "named as an inner column": "IN (SELECT DISTINCT y AS x … WHERE x = outer.x) is ambiguous (42702), EXISTS with another within it likewise",
    "nested over a join": "EXISTS (SELECT … FROM u JOIN v … WHERE u.k = outer.k AND EXISTS (…)): u.k does not exist (42703)",
    "two levels out": "a column of the level but one around a subquery does not exist (42703)",
    "quantified set operation": "= ANY ((SELECT …) UNION (SELECT …)) is a syntax error (42601)",
    "scalar without rows": "(SELECT 1 … LIMIT 1) is not NULL where it has no row",
}
