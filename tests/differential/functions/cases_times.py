"""Dates and times."""

from cases import Case, same

UNITS = ["second", "minute", "hour", "day", "week", "month", "quarter", "year"]
# (MySQL's pattern, Joda's, strftime's)
FORMATS = [
    ("%Y-%m-%d", "yyyy-MM-dd", "%Y-%m-%d"), ("%H:%i:%s", "HH:mm:ss", "%H:%M:%S"), ("%Y-%m-%d %H:%i:%s.%f", None, "%Y-%m-%d %H:%M:%S.%f"), ("%T", None, "%H:%M:%S"),
    ("%W, %e %M %Y", "EEEE, d MMMM yyyy", "%A, %-d %B %Y"), ("%a %b", "EEE MMM", "%a %b"), ("%c/%e/%y", "M/d/yy", "%-m/%-d/%y"), ("%j", "DDD", "%j"),
    ("%l:%i %p", "h:mm a", "%-I:%M %p"), ("%h %k", "hh H", "%I %-H"), ("%x-%v", "xxxx-ww", "%G-%V"), ("%r", None, "%I:%M:%S %p"), ("100%%", None, "100%%"),
    (None, "yyyy-MM-dd'T'HH:mm:ss.SSS", "%Y-%m-%dT%H:%M:%S.%g"), (None, "e", "%u"), (None, "S", None),
]  # fmt: skip
# Trino formats a timestamp to the millisecond, rounded.
ROUNDED = "date_trunc('millisecond', @ts + INTERVAL 500 MICROSECOND)"
LATE = "the year 9999 has no room for more in Python or Trino's formats"

CASES = [
    *same(
        "year(@d)", "quarter(@d)", "month(@d)", "week(@d)", "day(@d)", "year(@ts)", "quarter(@ts)", "month(@ts)", "week(@ts)", "day(@ts)",
        "hour(@ts)", "minute(@ts)", "second(@ts)",
    ),
    *same(
        "extract(year FROM @ts)", "extract(month FROM @d)", "extract(day FROM @ts)", "extract(week FROM @ts)", "extract(hour FROM @ts)",
        "extract(second FROM date_trunc('second', @ts))",
    ),
    Case("day_of_week(@d)", "isodow(@d)"),
    Case("day_of_year(@d)", "dayofyear(@d)"),
    Case("year_of_week(@d)", "isoyear(@d)"),
    Case("last_day_of_month(@d)", "last_day(@d)"),
    Case("day_of_week(@ts)", "isodow(@ts)"),
    Case("dow(@ts)", "isodow(@ts)"),
    Case("doy(@ts)", "dayofyear(@ts)"),
    Case("yow(@ts)", "isoyear(@ts)"),
    Case("last_day_of_month(@ts)", "last_day(@ts)"),
    Case("week_of_year(@ts)", "week(@ts)"),
    Case("day_of_month(@d)", "day(@d)"),
    Case("extract(dow FROM @d)", "isodow(@d)"),
    Case("extract(day_of_year FROM @d)", "dayofyear(@d)"),
    Case("millisecond(@ts)", "millisecond(@ts) % 1000"),
    Case("date(@ts)", "@ts::DATE"),
    Case("date(@dt)", "@dt::DATE"),
    Case("from_iso8601_date(@dt)", "@dt::DATE"),
    Case("to_unixtime(@ts)", "epoch(@ts)"),
    Case("from_unixtime(@v)", "to_timestamp(@v)"),
    Case("from_unixtime(@q)", "to_timestamp(@q)"),
    Case(
        "from_unixtime_nanos(@n)", "make_timestamp(CASE WHEN @n >= 0 THEN (@n + 500) // 1000 ELSE -((499 - @n) // 1000) END)",
        only="@n BETWEEN -9000000000000000000 AND 9000000000000000000", why="500 more overflow",
    ),
    Case("to_iso8601(@d)", "strftime(@d, '%Y-%m-%d')"),
    Case("to_iso8601(date_trunc('second', @ts))", "strftime(@ts, '%Y-%m-%dT%H:%M:%S.000')"),
    Case("from_iso8601_timestamp(to_iso8601(@ts))", "date_trunc('millisecond', @ts)"),
    Case("@d + INTERVAL '3' DAY", "(@d + INTERVAL 3 DAY)::DATE", only="@d < DATE '9999-12-20'", why=LATE),
    Case("@ts - INTERVAL '2' HOUR", "@ts - INTERVAL 2 HOUR", only="@ts > TIMESTAMP '0001-01-02'", why=LATE),
    Case("@ts + INTERVAL '1' MONTH", "@ts + INTERVAL 1 MONTH", only="@ts < TIMESTAMP '9999-11-20'", why=LATE),
    Case("@d - INTERVAL '1' YEAR", "(@d - INTERVAL 1 YEAR)::DATE", only="@d > DATE '0002-01-02'", why=LATE),
    Case("date_diff('millisecond', @ts, @us)", "date_sub('millisecond', date_trunc('millisecond', @ts), date_trunc('millisecond', @us))"),
    Case("date_add('millisecond', @i, @ts)", "@ts + to_milliseconds(@i)", only="year(@ts) BETWEEN 2 AND 9998", why=LATE),
    Case(
        "sequence(@d, @d + INTERVAL '3' DAY)", "list_transform(range(4), lambda z: @d + z::INTEGER)",
        only="@d IS NOT NULL AND @d < DATE '9999-12-20'", why=LATE,
    ),
    Case(
        "sequence(date_trunc('month', @d), date_trunc('month', @d) + INTERVAL '3' MONTH, INTERVAL '1' MONTH)",
        "list_transform(range(4), lambda z: (date_trunc('month', @d) + to_months(z::INTEGER))::DATE)",
        only="@d IS NOT NULL AND @d < DATE '9999-07-20'", why=LATE,
    ),
    Case("human_readable_seconds(0)", "'0 seconds'"),
]


def by_unit():
    for unit in UNITS:
        yield Case(f"date_trunc('{unit}', @ts)")
        yield Case(f"date_diff('{unit}', @ts, @us)", f"date_sub('{unit}', @ts, @us)")
        duck = f"@ts + to_{unit}s(@i)"
        yield Case(f"date_add('{unit}', @i, @ts)", duck, only="year(@ts) BETWEEN 20 AND 9970", why=LATE)
        if unit not in ("second", "minute", "hour"):
            yield Case(f"date_trunc('{unit}', @d)", f"date_trunc('{unit}', @d)::DATE")
            yield Case(f"date_diff('{unit}', @d, @e)", f"date_sub('{unit}', @d, @e)")
            yield Case(f"date_add('{unit}', @i, @d)", f"(@d + to_{unit}s(@i))::DATE", only="year(@d) BETWEEN 20 AND 9970", why=LATE)


def quoted(pattern):
    return pattern.replace("'", "''")


def by_format():
    for mysql, joda, duck in FORMATS:
        if duck is None:
            continue
        if mysql:
            yield Case(f"date_format(@ts, '{mysql}')", f"strftime({ROUNDED}, '{duck}')")
            yield Case(f"date_format(@d, '{mysql}')", f"strftime(@d, '{duck}')")
        if joda:
            yield Case(f"format_datetime(@ts, '{quoted(joda)}')", f"strftime({ROUNDED}, '{duck}')")
    for mysql, joda, duck in FORMATS[:6] + FORMATS[8:9] + FORMATS[13:14]:
        # What is written is read again.
        reading = duck.replace("%-d", "%d").replace("%-m", "%m").replace("%-I", "%I")
        written = f"strftime({ROUNDED}, '{duck}')"
        read = f"strptime({written}, '{reading}')"
        full = "%Y" in duck
        if mysql and full:
            yield Case(f"date_parse(date_format(@ts, '{mysql}'), '{mysql}')", f"date_trunc('millisecond', {read})", only="@ts < TIMESTAMP '9999-12-31'", why=LATE)
        if joda and full:
            yield Case(f"parse_datetime(format_datetime(@ts, '{quoted(joda)}'), '{quoted(joda)}')", f"date_trunc('millisecond', {read})", only="@ts < TIMESTAMP '9999-12-31'", why=LATE)


CASES += [*by_unit(), *by_format()]
