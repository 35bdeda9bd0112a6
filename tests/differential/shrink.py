"""Makes a query that differs small: every edit that leaves it differing in the same way is kept.

An edit need not make sense: one that gives a statement which no engine takes does not differ, and is undone.
"""

import copy
import time

from data import Table
from expressions import literal
from sql import Expr, Join, Query, Select, SetOperation, SubRef, TableRef, Values

SECONDS = 60  # at most for one query


def edits(query):
    """Functions that each change something of `query` in place, the ones that take away most first."""
    found = []
    query_edits(query, found)
    return [edit for _, edit in sorted(found, key=lambda one: -one[0])]


def size(node):
    if isinstance(node, Expr):
        return 1 + sum(size(part) for part in node.parts)
    if isinstance(node, Query):
        return 3 + size(node.body) + sum(size(query) for _, query in node.ctes) + len(node.order)
    if isinstance(node, Select):
        parts = [expr for expr, _ in node.items] + [node.source, node.where, node.having] + (node.group or [])
        return 2 + sum(size(part) for part in parts)
    if isinstance(node, SetOperation):
        return 1 + size(node.left) + size(node.right)
    if isinstance(node, Join):
        return 1 + size(node.left) + size(node.right) + size(node.on)
    if isinstance(node, SubRef):
        return 1 + size(node.query)
    if isinstance(node, Values):
        return 1 + len(node.rows)
    return 1 if isinstance(node, TableRef) else 0


def setting(holder, name, value):
    return lambda: setattr(holder, name, value)


def placing(items, place, value):
    def edit():
        items[place] = value

    return edit


def removing(items, place):
    return lambda: items.pop(place)


def query_edits(query, found):
    for place, (_, cte) in enumerate(query.ctes):
        found.append((size(cte), removing(query.ctes, place)))
        query_edits(cte, found)
    # What a LIMIT takes is decided by the whole order.
    if query.order and query.limit is None and query.offset is None:
        found.append((2, setting(query, "order", [])))
        for place in range(len(query.order)):
            found.append((1, removing(query.order, place)))
    for name in ("limit", "offset"):
        if getattr(query, name) is not None:
            found.append((2, setting(query, name, None)))
    body_edits(query.body, lambda body: setting(query, "body", body), found)


def body_edits(body, put, found):
    if isinstance(body, SetOperation):
        found.append((size(body.right), put(body.left)))
        found.append((size(body.left), put(body.right)))
        body_edits(body.left, lambda side: setting(body, "left", side), found)
        body_edits(body.right, lambda side: setting(body, "right", side), found)
        return
    if len(body.items) > 1:
        for place in range(len(body.items)):
            found.append((size(body.items[place][0]) + 1, removing(body.items, place)))
    for place, (expr, alias) in enumerate(body.items):
        put_item = lambda value, place=place, alias=alias: placing(body.items, place, (value, alias))  # noqa: E731
        expr_edits(expr, put_item, found)
    for name in ("where", "having"):
        if getattr(body, name) is not None:
            found.append((size(getattr(body, name)) + 1, setting(body, name, None)))
            expr_edits(getattr(body, name), lambda value, name=name: setting(body, name, value), found)
    if body.group:
        found.append((size(body.group), setting(body, "group", None)) if not isinstance(body.group, list) else (3, setting(body, "group", None)))
        for place in range(len(body.group)):
            found.append((2, removing(body.group, place)))
        if body.sets:
            found.append((2, setting(body, "sets", "")))
        for place in range(len(body.set_lists or [])):
            found.append((1, removing(body.set_lists, place)))
    if body.distinct:
        found.append((1, setting(body, "distinct", False)))
    if body.source is not None:
        source_edits(body.source, lambda value: setting(body, "source", value), found)


def source_edits(source, put, found):
    if isinstance(source, Join):
        found.append((size(source.right) + size(source.on), put(source.left)))
        found.append((size(source.left) + size(source.on), put(source.right)))
        source_edits(source.left, lambda value: setting(source, "left", value), found)
        source_edits(source.right, lambda value: setting(source, "right", value), found)
        if source.on is not None:
            expr_edits(source.on, lambda value: setting(source, "on", value), found)
        if source.kind not in ("JOIN", "CROSS JOIN"):
            found.append((1, setting(source, "kind", "JOIN")))
    elif isinstance(source, SubRef):
        query_edits(source.query, found)
        inner = source.query.body
        if isinstance(inner, Select) and isinstance(inner.source, TableRef):
            found.append((size(source), put(TableRef(inner.source.table, source.alias))))
        elif isinstance(inner, Select) and isinstance(inner.source, SubRef):
            # Columns of both are named alike, mostly.
            found.append((size(source) - size(inner.source), put(SubRef(inner.source.query, source.alias))))
    elif isinstance(source, Values) and len(source.rows) > 1:
        for place in range(len(source.rows)):
            found.append((1, removing(source.rows, place)))


def expr_edits(expr, put, found):
    whole = size(expr)
    for part in expr.parts:
        if isinstance(part, Expr) and part.type == expr.type:
            found.append((whole - size(part), put(part)))
    if whole > 3 and expr.type.name in ("boolean", "bigint", "varchar", "double", "int"):
        found.append((whole - 2, put(literal(None, expr.type))))
    for place, part in enumerate(expr.parts):
        if isinstance(part, Expr):
            expr_edits(part, lambda value, place=place: placing(expr.parts, place, value), found)
        elif isinstance(part, Query):
            query_edits(part, found)


def shrink(query, differs, seconds=SECONDS):
    """The smallest query found for which `differs` still gives what it gave for this one."""
    until = time.monotonic() + seconds
    wanted = differs(query)
    if wanted is None:
        return query
    place = 0
    while time.monotonic() < until:
        candidate = copy.deepcopy(query)
        steps = edits(candidate)
        if place >= len(steps):
            break
        steps[place]()
        try:
            kept = size(candidate) <= size(query) and differs(candidate) == wanted
        except Exception:  # an edit may leave what cannot even be rendered
            kept = False
        if kept:
            query = candidate
            place = max(0, place - 1)
        else:
            place += 1
    return query


def inlined(table):
    """The table as a subquery of constants, for every dialect in one text each."""
    columns = table.columns

    def text(dialect):
        def cell(value, column):
            from sql import Target

            if column.type.name in ("array", "struct"):
                return nested(value, column.type, dialect)
            typed = literal(value, column.type).render(Target(dialect))
            return typed if column.type.name != "varchar" or value is None else f"CAST({typed} AS VARCHAR)"

        rows = [
            "SELECT " + ", ".join(f"{cell(value, column)} AS {column.name}" for value, column in zip(row, columns))
            for row in table.rows
        ]
        if not rows:
            empty = ", ".join(f"{cell(None, column)} AS {column.name}" for column in columns)
            return f"(SELECT {empty} WHERE FALSE)"
        return "(" + " UNION ALL ".join(rows) + ")"

    return text


def nested(value, kind, dialect):
    if value is None:
        return f"CAST(NULL AS {kind.sql(dialect)})" if dialect == "duck" else "NULL"
    if kind.name == "array":
        return "[" + ", ".join("NULL" if item is None else str(item) for item in value) + "]"
    field, text = ("NULL" if value["f"] is None else str(value["f"])), ("NULL" if value["g"] is None else f"'{value['g']}'")
    return f"named_struct('f', {field}, 'g', {text})" if dialect == "lake" else f"{{'f': {field}, 'g': {text}}}"


def without_rows(tables, place, start, end):
    """The tables without rows `start` to `end` of one."""
    changed = list(tables)
    table = tables[place]
    changed[place] = Table(table.name, table.columns, table.keys, table.rows[:start] + table.rows[end:])
    return changed


def shrink_rows(tables, differs, seconds=SECONDS):
    """Fewer rows for which `differs(tables)` still holds: halves, then quarters, and so on to single ones."""
    until = time.monotonic() + seconds
    for place in range(len(tables)):
        step = max(1, len(tables[place].rows))
        while step >= 1:
            start = 0
            while start < len(tables[place].rows) and time.monotonic() < until:
                candidate = without_rows(tables, place, start, start + step)
                if differs(candidate):
                    tables = candidate
                else:
                    start += step
            step //= 2
    return tables


def used_columns(tables, texts):
    """The tables without columns that no text names."""
    slim = []
    for table in tables:
        places = [i for i, column in enumerate(table.columns) if any(names(text, column.name) for text in texts)]
        places = places or [0]
        rows = [tuple(row[i] for i in places) for row in table.rows]
        slim.append(Table(table.name, [table.columns[i] for i in places], 0, rows))
    return slim


def names(text, column):
    import re

    return re.search(rf"\b{column}\b", text) is not None
