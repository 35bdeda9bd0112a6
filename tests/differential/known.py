"""What Lakegate is known to answer wrongly, and kept out of the run until it is mended. Empty is how it should be."""

# Kept out of the queries.
AVOID = {
    # `x NOT IN (subquery)` where x is a constant (apache/datafusion: null-aware anti join wants a column).
    "NOT IN with a constant": True,
    # `x NOT IN (subquery) OR …`: NULLs are taken for no match (the mark of a join is never NULL).
    "IN beside OR": True,
    # `x > ALL (subquery)`, `x = ANY (subquery)`.
    "ANY and ALL": True,
    # RIGHT and FULL JOIN … USING do not merge the column, and it is ambiguous in WHERE.
    "JOIN USING": True,
    # CAST(timestamp AS varchar) has a T.
    "timestamp as text": True,
    # NaN in a file whose statistics leave it out: the column is then taken for a constant.
    "NaN in files": True,
    # Types whose extreme constants cannot be said.
    "extreme literals": {"timestamp", "date"},
}

# Errors of Lakegate that are excused where the references have rows: (pattern, why).
ERRORS = [
    # The engine's own checks of its plans: an error, and no wrong row.
    ("does not satisfy order requirements|does not satisfy distribution requirements", "a sort below a union or an aggregate"),
    ("Input field name .* does not match with the projection expression", "columns of one name in a projection"),
    ("Interval's lower bound", "bounds of an expression that are the wrong way round"),
    (r"to Timestamp\(ns\)|timestamp -?\d+ out of range", "timestamps of years that nanoseconds do not have"),
    ("is named twice; give one an alias", "a cast is not part of an aggregate's name: min(x), min(CAST(x AS …))"),
    ("null_aware anti join only supports single column", "NOT IN with a correlated subquery"),
]
