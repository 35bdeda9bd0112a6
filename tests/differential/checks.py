"""Checks that need no reference: what Lakegate answers must agree with what it answers otherwise.

Each takes a query (the subject) and gives None or what differs. A subject with a predicate is a SELECT without grouping and
windows; see [`subject`].
"""

import copy

from compare import difference
from data import BIGINT, BOOLEAN
from sql import Expr, Query, Select, SetOperation, SubRef

# No table has as many rows: a subquery with this LIMIT is the subquery, and lets no predicate through.
EVERYTHING = 1000000


def subject(generator):
    """A SELECT with a WHERE, as the checks want it."""
    kinds = []
    while not kinds:
        source, refs = generator.source(1)
        kinds = [ref for ref in refs if ref.type.name not in ("array", "struct")]
    chosen = generator.rng.sample(kinds, min(len(kinds), generator.rng.randint(1, 4)))
    items = [(generator.value(ref.type, refs, generator.rng.choice([0, 0, 1])), f"x{place}") for place, ref in enumerate(chosen)]
    return Query(Select(items, source, generator.predicate(refs, 2, subqueries=generator.chance(0.4))))


def where(query, predicate):
    changed = copy.deepcopy(query)
    changed.body.where = predicate
    changed.order, changed.limit, changed.offset = [], None, None
    return changed


def parts(query):
    """The rows for which the predicate is true, false and NULL."""
    p = query.body.where
    return [where(query, p), where(query, Expr(BOOLEAN, "(NOT ", p, ")")), where(query, Expr(BOOLEAN, "(", p, " IS NULL)"))]


def partition(ask, query):
    """A predicate, its negation and its being NULL part the rows."""
    pieces = [row for part in parts(query) for row in ask(part)]
    return difference(pieces, ask(where(query, None)))


def partition_aggregates(ask, query):
    """Aggregates over the three parts, put together again, are those over all rows."""
    first, second, third = (part.body for part in parts(query))
    together = Query(SetOperation("UNION ALL", SetOperation("UNION ALL", first, second), third))

    def over(rows):
        items = [Expr(BIGINT, "count(*)")]
        for expr, alias in query.body.items:
            items += [Expr(BIGINT, f"count({alias})"), Expr(BIGINT, f"count(DISTINCT {alias})")]
            if expr.type != BOOLEAN:
                items += [Expr(expr.type, f"min({alias})"), Expr(expr.type, f"max({alias})")]
            if expr.type.name in ("smallint", "int"):
                items.append(Expr(BIGINT, f"sum({alias})"))
        return Query(Select([(item, f"y{place}") for place, item in enumerate(items)], SubRef(rows, "t")))

    return difference(ask(over(together)), ask(over(where(query, None))))


def count_or_sum(ask, query):
    """NoREC: as many rows fulfil a predicate as give true when it is computed for all of them."""
    p = query.body.where
    counted = Query(Select([(Expr(BIGINT, "count(*)"), "n")], query.body.source, p))
    summed = Expr(BIGINT, "coalesce(sum(CASE WHEN ", p, " THEN 1 ELSE 0 END), 0)")
    return difference(ask(counted), ask(Query(Select([(summed, "n")], query.body.source))))


def hidden(ask, query):
    """A predicate that cannot reach the files filters as one that can."""
    inner = where(query, None)
    inner.body.items = [*inner.body.items, (query.body.where, "h")]
    inner.limit = EVERYTHING
    items = [(Expr(expr.type, alias), alias) for expr, alias in query.body.items]
    return difference(ask(where(query, query.body.where)), ask(Query(Select(items, SubRef(inner, "t"), Expr(BOOLEAN, "h")))))


def head(ask, query):
    """ORDER BY … LIMIT … OFFSET is the slice of the whole result in that order."""
    ordered = where(query, query.body.where)
    places = list(enumerate(alias for _, alias in query.body.items))
    ways = [("ASC", ""), ("DESC", "NULLS FIRST"), ("ASC", "NULLS FIRST"), ("DESC", "NULLS LAST")]
    # What a subject asks for must not change from one call to the next.
    seed = len(query.body.items) + len(query.body.where.parts)
    ordered.order = [(alias, *ways[(place + seed) % 4]) for place, alias in places]
    whole = ask(ordered)
    for limit, offset in ((1, None), (3, 1), (5, 2)):
        ordered.limit, ordered.offset = limit, offset
        start = offset or 0
        found = difference(ask(ordered), whole[start : start + limit], ordered=True)
        if found:
            return f"LIMIT {limit} OFFSET {start}: {found}"
    return None


def group_or_distinct(ask, query):
    """DISTINCT is GROUP BY all columns, and both hold each row of the whole once."""
    distinct = where(query, query.body.where)
    distinct.body.distinct = True
    items = [(Expr(expr.type, alias), alias) for expr, alias in query.body.items]
    grouped = Query(Select(items, SubRef(where(query, query.body.where), "t"), None, [expr for expr, _ in items]))
    return difference(ask(distinct), ask(grouped))


def join_or_product(ask, query):
    """An inner join is a filtered product."""
    from sql import Join

    source = query.body.source
    if not (isinstance(source, Join) and source.kind == "JOIN" and source.on is not None):
        return None
    product = where(query, query.body.where)
    product.body.source = Join("CROSS JOIN", source.left, source.right)
    product.body.where = Expr(BOOLEAN, "(", source.on, " AND ", query.body.where, ")")
    return difference(ask(where(query, query.body.where)), ask(product))


CHECKS = {
    "partition": partition,
    "partition aggregates": partition_aggregates,
    "count or sum": count_or_sum,
    "hidden": hidden,
    "head": head,
    "distinct": group_or_distinct,
    "join or product": join_or_product,
}


