"""What Lakegate is known to refuse or to answer wrongly. Empty is how it should be."""

# Errors of Lakegate that are excused where the references have rows: (pattern, why).
ERRORS = [
    ("is named twice; give one an alias", "a cast of a constant is not part of an aggregate's name: count(*), count(CAST(1 AS …))"),
]

# What the generator does not make, since Lakegate refuses it or answers it wrongly; without its entry it is made.
KEPT_OUT = {
    "row of aggregates": "HAVING (max(x), k) IN (SELECT …): aggregates are not allowed in WHERE (42000)",
    "quantified set operation": "= ANY ((SELECT …) UNION (SELECT …)) is a syntax error (42601)",
}

# Where DuckDB is not believed: (pattern of the statement, why).
DUCKDB_FAULTS = [
    (r"EXISTS \(.* ALL \(", "EXISTS over x >= ALL (no rows) has no row (2.0)"),
]
