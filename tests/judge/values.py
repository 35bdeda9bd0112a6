"""Values of both servers in one form, which can be compared."""

import base64
import datetime
import json
import math
import re
from decimal import Decimal, InvalidOperation
from zoneinfo import ZoneInfo


class Type:
    """A type as Trino names it: its base, its number arguments dropped, and the types in it."""

    def __init__(self, base, inner=()):
        self.base, self.inner = base, list(inner)

    def __str__(self):
        return f"{self.base}({', '.join(map(str, self.inner))})" if self.inner else self.base


def _split(text):
    """Splits at the commas outside of brackets and quotes."""
    parts, depth, quoted, start = [], 0, False, 0
    for i, c in enumerate(text):
        if c == '"':
            quoted = not quoted
        elif not quoted and c == "(":
            depth += 1
        elif not quoted and c == ")":
            depth -= 1
        elif not quoted and not depth and c == ",":
            parts.append(text[start:i])
            start = i + 1
    return [part.strip() for part in parts + [text[start:]] if part.strip()]


def _field(text):
    """The type of a field of a row, which may have a name."""
    found = re.match(r'^("(?:[^"]|"")*"|\w+)\s+(.+)$', text)
    times = re.match(r"^(timestamp|time|interval|double)\b", text)
    return found[2] if found and (text[0] == '"' or not times) else text


def parse_type(text):
    text = text.strip()
    zoned = text.endswith("with time zone")
    found = re.match(r"^(array|map|row)\((.*)\)$", text, re.S)
    if found:
        inner = _split(found[2])
        if found[1] == "row":
            inner = map(_field, inner)
        return Type(found[1], map(parse_type, inner))
    base = re.sub(r"\([^()]*\)", "", text)
    base = re.sub(r"\s+with(out)? time zone", "", base)
    if base.lower().startswith(("interval", "time")):
        base = base.lower()
    return Type(base + " with time zone" if zoned else base)


def names_of_fields(text):
    return re.sub(r"\s+", " ", text).lower()


def _zone(name):
    if name in ("UTC", "Z", "GMT"):
        return datetime.timezone.utc
    found = re.match(r"^([+-])(\d\d)(?::?(\d\d))?(?::?(\d\d))?$", name)
    if found:
        delta = datetime.timedelta(hours=int(found[2]), minutes=int(found[3] or 0), seconds=int(found[4] or 0))
        return datetime.timezone(-delta if found[1] == "-" else delta)
    return ZoneInfo(name)


def _moment(text, zoned):
    text = re.sub(r"(?<=\d)T(?=\d)", " ", text)
    found = re.match(r"^([+-]?\d+-\d\d-\d\d) (\d\d:\d\d:\d\d)(\.\d+)?\s*(.*)$", text)
    if not found:
        return text
    fraction = (found[3] or "").rstrip("0").rstrip(".")
    clock = f"{found[1].lstrip('+')} {found[2]}"
    if not zoned or not found[4] or found[4] == "BC":
        return f"{clock}{fraction}" + (" BC" if found[4] == "BC" else "")
    try:
        instant = datetime.datetime.fromisoformat(clock).replace(tzinfo=_zone(found[4]))
        return instant.astimezone(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M:%S").rjust(19, "0") + fraction + " UTC"
    except (ValueError, OverflowError, KeyError):
        return f"{clock}{fraction} {found[4]}"


_UNITS = {"year": 12, "mon": 1, "day": 86_400_000, "hour": 3_600_000, "min": 60_000, "sec": 1000}


def _interval(text):
    """Months, and milliseconds."""
    months, millis, rest = 0, 0, text
    for number, unit in re.findall(r"([+-]?\d+(?:\.\d+)?) (year|mon|day|hour|min|sec)s?", text):
        if unit in ("year", "mon"):
            months += int(number) * _UNITS[unit]
        else:
            millis += round(float(number) * _UNITS[unit])
        rest = rest.replace(f"{number} {unit}", "", 1)
    found = re.match(r"^(-?)(\d+)-(\d+)$", text)
    if found:
        months = int(found[2]) * 12 + int(found[3])
        return (-months if found[1] else months, 0)
    found = re.search(r"([+-]?)(?:(\d+) )?(\d+):(\d+):(\d+(?:\.\d+)?)", rest)
    if found:
        clock = int(found[3]) * 3_600_000 + int(found[4]) * 60_000 + round(float(found[5]) * 1000)
        clock += int(found[2] or 0) * 86_400_000
        millis += -clock if found[1] == "-" else clock
    return (months, millis)


def _bytes(value):
    if value.startswith("\\x"):
        return bytes.fromhex(value[2:])
    return base64.b64decode(value)


def _number(value):
    if isinstance(value, (int, Decimal)) and not isinstance(value, bool):
        return value
    try:
        number = float(value)
    except ValueError:
        return str(value)
    return number


_INTEGERS = {"tinyint", "smallint", "integer", "bigint"}


def canonical(value, kind, text=False):
    """The comparable form of a value of a type; `text` for a key of a map and text of PostgreSQL's arrays."""
    if value is None:
        return None
    base = kind.base
    if base == "unknown" and not kind.inner:
        return value
    if base == "array":
        items = value if isinstance(value, list) else read_array(value)
        return [canonical(item, kind.inner[0]) for item in items]
    if base == "map":
        value = json.loads(value) if isinstance(value, str) else value
        if isinstance(value, list):  # Entries, of a map whose keys are no text.
            value = dict((json.dumps(k), v) for k, v in value)
        return {repr(canonical(k, kind.inner[0])): canonical(v, kind.inner[1]) for k, v in value.items()}
    if base == "row":
        value = json.loads(value) if isinstance(value, str) else value
        value = list(value.values()) if isinstance(value, dict) else value
        return tuple(canonical(v, t) for v, t in zip(value, kind.inner)) + (() if len(value) == len(kind.inner) else (len(value),))
    if base in _INTEGERS:
        return int(value)
    if base in ("double", "real"):
        return _number(value)
    if base == "decimal":
        try:
            return Decimal(str(value)).normalize()
        except InvalidOperation:
            return str(value)
    if base == "boolean":
        return value if isinstance(value, bool) else value in ("t", "true")
    if base == "date":
        found = re.match(r"^(\d+)(-\d\d-\d\d) BC$", str(value))
        return f"-{int(found[1]) - 1:04}{found[2]}" if found else str(value).lstrip("+")
    if base in ("timestamp", "timestamp with time zone"):
        return _moment(str(value), "zone" in base)
    if base in ("time", "time with time zone"):
        return re.sub(r"(\.\d*?)0+(?=$|[+-])", r"\1", str(value)).replace(".+", "+").rstrip(".") if "." in str(value) else str(value)
    if base.lower().startswith(("interval", "duration")):
        return _interval(str(value))
    if base == "json":
        try:
            return ("json", json.dumps(json.loads(value), sort_keys=True) if isinstance(value, str) else json.dumps(value, sort_keys=True))
        except ValueError:
            return str(value)
    if base in ("varbinary", "HyperLogLog", "P4HyperLogLog", "tdigest", "SetDigest") or base.startswith("qdigest"):
        return _bytes(value)
    return str(value)


def read_array(text):
    """PostgreSQL's text of an array, `{1,NULL,"a b"}`, or JSON of a nested one."""
    if not text.startswith("{"):
        return json.loads(text)
    items, i = [], 1
    while text[i] != "}":
        if text[i] == ",":
            i += 1
        elif text[i] == '"':
            item, i = "", i + 1
            while text[i] != '"':
                i += text[i] == "\\"
                item += text[i]
                i += 1
            items.append(item)
            i += 1
        else:
            end = i
            while text[end] not in ",}":
                end += 1
            items.append(None if text[i:end] == "NULL" else text[i:end])
            i = end
    return items


def same(a, b, digits=12):
    """Whether two canonical values are equal; floating point within a relative error."""
    if isinstance(a, (list, tuple)) and isinstance(b, (list, tuple)):
        return len(a) == len(b) and all(map(lambda x, y: same(x, y, digits), a, b))
    if isinstance(a, dict) and isinstance(b, dict):
        if a.keys() != b.keys():
            a, b = ({_loose(k): v for k, v in x.items()} for x in (a, b))
        return a.keys() == b.keys() and all(same(a[k], b[k], digits) for k in a)
    if isinstance(a, bool) or isinstance(b, bool):
        return a is b
    if isinstance(a, (int, float, Decimal)) and isinstance(b, (int, float, Decimal)):
        if isinstance(a, float) or isinstance(b, float):
            a, b = float(a), float(b)
            if math.isnan(a) or math.isnan(b):
                return math.isnan(a) and math.isnan(b)
            return a == b or math.isclose(a, b, rel_tol=10.0**-digits)
        return a == b
    if type(a) is tuple and a[:1] == ("json",) and isinstance(b, str):
        return a[1] == canonical(b, Type("json"))[1]
    if type(b) is tuple and b[:1] == ("json",):
        return same(b, a, digits)
    return type(a) is type(b) and a == b


def _loose(key):
    """A key of a map as a number where it is one."""
    try:
        return float(re.sub(r"^Decimal\('(.*)'\)$", r"\1", key))
    except ValueError:
        return key


def shown(value, limit=110):
    text = repr(value)
    return text if len(text) <= limit else text[:limit] + "…"
