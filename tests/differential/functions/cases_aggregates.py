"""Aggregates of groups, and window functions over all rows."""

from cases import Case

ORDER = "ORDER BY id"


def aggregates(*texts, **options):
    return [Case(text, kind="aggregate", **options) for text in texts]


def aggregate(lake, duck, **options):
    return Case(lake, duck, kind="aggregate", **options)


def window(lake, duck="", **options):
    return Case(lake, duck, kind="window", **options)


CASES = [
    *aggregates(
        "count(*)", "count(@s)", "count(DISTINCT @l)", "count(DISTINCT @s)", "sum(@l)", "sum(@i)", "sum(@v)", "avg(@l)", "avg(@v)",
        "min(@n)", "max(@n)", "min(@s)", "max(@s)",
    ),
    *aggregates(
        "min(@x)", "min(@d)", "max(@ts)", "sum(@x)", "avg(@x)", "min(@ln)", "max(@ls)", "min(@dc)", "sum(@dc)", "count_if(@f)",
        "bool_and(@f)", "bool_or(@f)", "min(@f)", "max(@bin)",
    ),
    *aggregates(
        f"array_agg(@l {ORDER})", f"array_agg(@s {ORDER} DESC)", f"array_agg(@ln {ORDER})", "array_agg(@l ORDER BY id) FILTER (WHERE @f)",
        "sum(@l) FILTER (WHERE @f)", "count(*) FILTER (WHERE @l > 2)",
    ),
    *aggregates(
        "stddev(@v)", "stddev_pop(@v)", "stddev_samp(@v)", "var_pop(@v)", "var_samp(@v)", "stddev(@l)", "corr(@v, @o)", "covar_pop(@v, @o)",
        "covar_samp(@v, @o)",
    ),
    *aggregates("regr_slope(@v, @o)", "regr_intercept(@v, @o)", "kurtosis(@v)", "sum(DISTINCT @l)"),
    # In Trino, NaN is not the greatest number.
    aggregate("max(@x)", "max(@x) FILTER (WHERE NOT isnan(@x))"),
    aggregate("max_by(@s, id)", "arg_max_null(@s, id)"),
    aggregate("min_by(@s, id)", "arg_min_null(@s, id)"),
    aggregate("max_by(@n, id)", "arg_max_null(@n, id)"),
    aggregate("min_by(@ln, id)", "arg_min_null(@ln, id)"),
    aggregate("every(@f)", "bool_and(@f)"),
    aggregate("skewness(@v)", "skewness(@v) * (count(@v) - 2) / sqrt(count(@v) * (count(@v) - 1))"),
    aggregate("geometric_mean(abs(@v) + 1)", "geomean(abs(@v) + 1)"),
    aggregate("array_sort(array_agg(DISTINCT @l))", "list_sort(array_agg(DISTINCT @l), 'ASC', 'NULLS LAST')"),
    aggregate(f"listagg(@s, ',') WITHIN GROUP ({ORDER})", f"string_agg(@s, ',' {ORDER})"),
    aggregate("max_by(@s, id, 3)", "list_transform(array_agg({'a': @s} ORDER BY id DESC)[1:3], lambda z: z.a)"),
    aggregate("min_by(@l, id, 2)", "array_agg(@l ORDER BY id)[1:2]"),
    aggregate("histogram(@s)", "histogram(@s)"),
    aggregate("histogram(@l)", "histogram(@l)"),
    aggregate("map_agg(id, @s)", f"map_from_entries(array_agg(ROW(id, @s) {ORDER}))"),
    aggregate("cardinality(multimap_agg(@l, id))", "count(DISTINCT @l)"),
    aggregate("map_keys(multimap_agg(@l, id))", "list(DISTINCT @l) FILTER (WHERE @l IS NOT NULL)", unordered=True),
    aggregate("array_sort(set_agg(@l))", "list_sort(list(DISTINCT @l), 'ASC', 'NULLS LAST')"),
    aggregate("cardinality(map_union(@mp))", "len(list_distinct(flatten(list(map_keys(@mp)))))"),
    aggregate("bitwise_and_agg(@n)", "bit_and(@n)"),
    aggregate("bitwise_or_agg(@n)", "bit_or(@n)"),
    aggregate("bitwise_xor_agg(@n)", "bit_xor(@n)"),
    aggregate("approx_distinct(@n)", "count(DISTINCT @n)", tolerance=0.1),
    aggregate("approx_distinct(@s)", "count(DISTINCT @s)", tolerance=0.1),
    aggregate("approx_distinct(@d)", "count(DISTINCT @d)", tolerance=0.1),
    aggregate("cardinality(approx_set(@n))", "count(DISTINCT @n)", tolerance=0.1),
    aggregate("arbitrary(grp)", "any_value(grp)"),
    aggregate("any_value(grp)", "any_value(grp)"),
    aggregate("count(DISTINCT @x)", "count(DISTINCT @x)"),
    window("row_number() OVER (ORDER BY id)"),
    window("row_number() OVER (PARTITION BY grp ORDER BY @l, id)"),
    window("rank() OVER (PARTITION BY grp ORDER BY @l)"),
    window("dense_rank() OVER (ORDER BY @s)"),
    window("percent_rank() OVER (PARTITION BY grp ORDER BY @l)"),
    window("cume_dist() OVER (PARTITION BY grp ORDER BY @l)"),
    window("ntile(4) OVER (ORDER BY id)"),
    window("ntile(3) OVER (PARTITION BY grp ORDER BY id DESC)"),
    window("lag(@s) OVER (ORDER BY id)"),
    window("lead(@l, 2, -1) OVER (PARTITION BY grp ORDER BY id)"),
    window("lag(@l, 1) IGNORE NULLS OVER (ORDER BY id)", "lag(@l, 1 IGNORE NULLS) OVER (ORDER BY id)"),
    window("first_value(@s) OVER (PARTITION BY grp ORDER BY id)"),
    window("last_value(@s) IGNORE NULLS OVER (ORDER BY id)", "last_value(@s IGNORE NULLS) OVER (ORDER BY id)"),
    window(
        "first_value(@l) IGNORE NULLS OVER (PARTITION BY grp ORDER BY id ROWS BETWEEN 2 PRECEDING AND 3 FOLLOWING)",
        "first_value(@l IGNORE NULLS) OVER (PARTITION BY grp ORDER BY id ROWS BETWEEN 2 PRECEDING AND 3 FOLLOWING)",
    ),
    window("nth_value(@l, 2) OVER (PARTITION BY grp ORDER BY id ROWS BETWEEN 1 PRECEDING AND 2 FOLLOWING)"),
    window("last_value(@x) OVER (PARTITION BY grp ORDER BY id ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING)"),
    window("sum(@l) OVER (PARTITION BY grp ORDER BY id ROWS BETWEEN 3 PRECEDING AND 1 FOLLOWING)"),
    window("count(@s) OVER (ORDER BY id RANGE BETWEEN 5 PRECEDING AND CURRENT ROW)"),
    window("max(@v) OVER (ORDER BY @l, id GROUPS BETWEEN 2 PRECEDING AND 1 FOLLOWING)"),
    window("min(@s) OVER (PARTITION BY grp ORDER BY id ROWS BETWEEN 2 PRECEDING AND CURRENT ROW)"),
    window("avg(@v) OVER (PARTITION BY grp)"),
    window("bool_or(@f) OVER (PARTITION BY grp ORDER BY id)"),
    window("count_if(@f) OVER (PARTITION BY grp ORDER BY id)", "count(*) FILTER (WHERE @f) OVER (PARTITION BY grp ORDER BY id)"),
    window("max_by(@s, id) OVER (PARTITION BY grp)", "arg_max_null(@s, id) OVER (PARTITION BY grp)"),
    window("array_agg(@l) OVER (PARTITION BY grp ORDER BY id ROWS BETWEEN 2 PRECEDING AND CURRENT ROW)"),
]
