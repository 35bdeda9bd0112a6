"""What Lakegate is known to refuse that the references answer. Empty is how it should be."""

# Errors of Lakegate that are excused where the references have rows: (pattern, why).
ERRORS = [
    ("is named twice; give one an alias", "a cast of a constant is not part of an aggregate's name: count(*), count(CAST(1 AS …))"),
    (r"42703: column .* does not exist", "a common column of USING, named alone in two subqueries that it is outside of"),
]
