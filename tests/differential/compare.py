"""When two results are the same.

| values | same if |
|---|---|
| integers, text, dates, timestamps, booleans, NULL | equal |
| decimals and integers | equal as numbers, whatever their scale |
| binary floats | equal to 1e-9 of their size; NaN is NaN, -0.0 is 0.0 |
| a float and a decimal | equal to 1e-6, or to one unit of the decimal's last place (an average is a float in DuckDB) |
| arrays, structs | item by item |

Rows are a multiset, or a sequence where ORDER BY names every column (but for rows with a floating-point 0).

Of errors: where every engine errs, nothing is compared. Where only Lakegate does, it is a difference, unless its error is one of
`EXCUSED`. Where only the references do (DuckDB's and PostgreSQL's order of evaluation differs from ours, and an expression that is
not needed need not be evaluated), it is none, unless both do and say that a number is out of range, which Lakegate must not wrap.
"""

import datetime
import math
import re
from collections import Counter
from decimal import Decimal

import known

FLOATS = 1e-9
MIXED = 1e-6

# Lakegate's errors where a reference has rows, that are right all the same: (SQLSTATE, pattern, why).
EXCUSED = [
    ("0A000", "", "not supported"),
    ("years", "", "years that Python does not have"),
    ("22", "(?i)out of range|overflow|too (small|large) to store", "out of range: DuckDB and PostgreSQL sum in wider types, or need not evaluate"),
]


def excuse(failed):
    """Why the error of Lakegate's is none, or None."""
    for code, pattern, why in EXCUSED:
        if failed.code.startswith(code) and re.search(pattern, failed.message):
            return why
    for pattern, why in known.ERRORS:
        if re.search(pattern, str(failed)):
            return f"known: {why}"
    return None


def place(value):
    """One unit of a decimal's last place, a hair more."""
    if isinstance(value, Decimal):
        return 10.0 ** value.as_tuple().exponent * 1.000001
    return 0.0


def same(left, right):
    if left is None or right is None:
        return left is right
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    exact = (int, Decimal)
    if isinstance(left, exact) and isinstance(right, exact):
        if left == right:
            return True
        # Averages of decimals have more or fewer digits.
        return isinstance(left, Decimal) and isinstance(right, Decimal) and place(left) != place(right) and near(left, right)
    if isinstance(left, (int, float, Decimal)) and isinstance(right, (int, float, Decimal)):
        return near(left, right)
    if isinstance(left, (list, tuple)) and isinstance(right, (list, tuple)):
        return len(left) == len(right) and all(map(same, left, right))
    return left == right


def near(left, right):
    a, b = float(left), float(right)
    if math.isnan(a) or math.isnan(b):
        return math.isnan(a) and math.isnan(b)
    if a == b or math.isinf(a) or math.isinf(b):
        return a == b
    both = isinstance(left, float) and isinstance(right, float)
    return abs(a - b) <= max((FLOATS if both else MIXED) * max(abs(a), abs(b)), place(left), place(right), 1e-9)


def key(row):
    """Sorts rows that are the same next to each other, mostly; `stray` does not depend on it."""
    parts = []
    for value in row:
        if value is None:
            parts.append((0, ""))
        elif isinstance(value, bool):
            parts.append((1, str(value)))
        elif isinstance(value, (int, float, Decimal)):
            parts.append((2, f"{float(value) + 0.0:.4e}"))
        else:
            parts.append((3, str(value)))
    return tuple(parts)


def same_row(left, right):
    return len(left) == len(right) and all(map(same, left, right))


def exact_part(row):
    return tuple(value if isinstance(value, (str, datetime.date)) else value is None for value in row)


def stray(left, right):
    """A row that one list has more often than the other: (which, row). None if they hold the same rows."""
    try:
        if Counter(left) == Counter(right):
            return None
    except TypeError:  # lists and dicts do not hash
        pass
    left, right = sorted(left, key=key), sorted(right, key=key)
    if len(left) == len(right) and all(map(same_row, left, right)):
        return None
    pool = {}
    for row in right:
        pool.setdefault(exact_part(row), []).append(row)
    for row in left:
        candidates = pool.get(exact_part(row), [])
        found = next((i for i, candidate in enumerate(candidates) if same_row(row, candidate)), None)
        if found is None:
            return ("more", row)
        del candidates[found]
    rest = next((rows[0] for rows in pool.values() if rows), None)
    return None if rest is None else ("less", rest)


def normal(rows):
    return [tuple(plain(value) for value in row) for row in rows]


def plain(value):
    if isinstance(value, datetime.datetime) and value.tzinfo is not None:
        return value.replace(tzinfo=None)
    if isinstance(value, dict):
        return tuple(plain(item) for item in value.values())
    if isinstance(value, list):
        return tuple(plain(item) for item in value)
    return value


def difference(left, right, ordered=False):
    """None if the rows are the same, else what differs, in a line."""
    left, right = normal(left), normal(right)
    found = stray(left, right)
    if found is not None:
        counts = "" if len(left) == len(right) else f" ({len(left)} rows against {len(right)})"
        return f"a row {found[0]}: {shown(found[1])}{counts}"
    if ordered:
        for number, (one, two) in enumerate(zip(left, right)):
            # 0 and -0 are one number to the references, which then look at the next column; ORDER BY here tells them apart.
            if any(isinstance(value, float) and value == 0 for value in (*one, *two)):
                continue
            if not same_row(one, two):
                return f"order: row {number + 1} is {shown(one)} against {shown(two)}"
    return None


def shown(row):
    text = repr(row)
    return text if len(text) < 300 else text[:300] + "…"
