"""Arrays, maps, rows and lambdas."""

from cases import Case, same

NONE = "DuckDB leaves NULLs out, or has another order"


def sorted_set(duck):
    return f"list_sort(list_distinct({duck}))"


def without_nulls(lake):
    return f"array_sort(filter({lake}, z -> z IS NOT NULL))"


def logic(test):
    """any_match in DuckDB, with NULL where no item is true and one is unknown."""
    return f"CASE WHEN len(list_filter(@ln, lambda z: {test})) > 0 THEN true WHEN len(list_filter(@ln, lambda z: ({test}) IS NULL)) > 0 THEN NULL WHEN @ln IS NOT NULL THEN false END"


def extreme(duck, column):
    return f"CASE WHEN list_count({column}) = len({column}) THEN {duck}({column}) END"


CASES = [
    Case("cardinality(@ln)", "len(@ln)"),
    Case("cardinality(@ls)", "len(@ls)"),
    Case("cardinality(@mp)", "cardinality(@mp)"),
    Case("element_at(@ln, @i)", "list_extract(@ln, @i)", refused="@i = 0 AND @ln IS NOT NULL"),
    Case("element_at(@ls, @l)", "list_extract(@ls, @l)", refused="@l = 0 AND @ls IS NOT NULL"),
    Case("@ln[@i]", "@ln[@i]", refused="@ln IS NOT NULL AND (@i <= 0 OR @i > len(@ln))"),
    Case(
        "contains(@ln, @l)",
        "CASE WHEN list_contains(@ln, @l) THEN true WHEN list_count(@ln) < len(@ln) AND @l IS NOT NULL THEN NULL ELSE list_contains(@ln, @l) END",
    ),
    Case(
        "contains(@ls, @t)",
        "CASE WHEN list_contains(@ls, @t) THEN true WHEN list_count(@ls) < len(@ls) AND @t IS NOT NULL THEN NULL ELSE list_contains(@ls, @t) END",
    ),
    Case("array_position(@ln, @l)", "CASE WHEN @ln IS NOT NULL AND @l IS NOT NULL THEN coalesce(list_position(@ln, @l), 0) END"),
    Case("array_position(@ls, @t)", "CASE WHEN @ls IS NOT NULL AND @t IS NOT NULL THEN coalesce(list_position(@ls, @t), 0) END"),
    Case("array_remove(@ln, @l)", "CASE WHEN @l IS NOT NULL THEN list_filter(@ln, lambda z: z IS DISTINCT FROM @l) END"),
    Case("array_remove(@ls, @t)", "CASE WHEN @t IS NOT NULL THEN list_filter(@ls, lambda z: z IS DISTINCT FROM @t) END"),
    Case("array_sort(@ln)", "list_sort(@ln, 'ASC', 'NULLS LAST')"),
    Case("array_sort(@ls)", "list_sort(@ls, 'ASC', 'NULLS LAST')"),
    Case("array_sort(@lx)", "list_sort(@lx, 'ASC', 'NULLS LAST')"),
    Case("array_sort(@ld)", "list_sort(@ld, 'ASC', 'NULLS LAST')"),
    Case(
        "array_sort(@ln, (z, w) -> if(z < w, 1, if(z = w, 0, -1)))", "list_sort(@ln, 'DESC')", only="list_count(@ln) = len(@ln)",
        why="a comparison with NULL is NULL",
    ),
    Case(
        "array_distinct(@ln)", "list_filter(@ln, lambda z, p: NOT list_contains(@ln[1:p - 1], z))", only="list_count(@ln) = len(@ln)",
        why=NONE,
    ),
    Case(
        "array_distinct(@ls)", "list_filter(@ls, lambda z, p: NOT list_contains(@ls[1:p - 1], z))", only="list_count(@ls) = len(@ls)",
        why=NONE,
    ),
    Case("cardinality(array_distinct(@ln))", "len(list_distinct(@ln)) + CAST(list_count(@ln) < len(@ln) AS INTEGER)"),
    Case("cardinality(array_distinct(@lx))", "len(list_distinct(@lx)) + CAST(list_count(@lx) < len(@lx) AS INTEGER)"),
    # DuckDB returns an empty list for NULL beside a list.
    Case(without_nulls("array_intersect(@ln, @lm)"),
         "CASE WHEN @ln IS NULL OR @lm IS NULL THEN NULL ELSE list_sort(list_intersect(@ln, @lm)) END"),
    Case(without_nulls("array_intersect(@ls, @lt)"),
         "CASE WHEN @ls IS NULL OR @lt IS NULL THEN NULL ELSE list_sort(list_intersect(@ls, @lt)) END"),
    Case(without_nulls("array_union(@ln, @lm)"), sorted_set("@ln || @lm")),
    Case(without_nulls("array_union(@ls, @lt)"), sorted_set("@ls || @lt")),
    Case(
        without_nulls("array_except(@ln, @lm)"), sorted_set("list_filter(@ln, lambda z: NOT list_contains(@lm, z))"), only="@lm IS NOT NULL",
        why="NULL contains nothing in DuckDB",
    ),
    Case(
        "contains(transform(array_except(@ln, @lm), z -> z IS NULL), true)",
        "CASE WHEN @ln IS NOT NULL AND @lm IS NOT NULL THEN list_count(@ln) < len(@ln) AND list_count(@lm) = len(@lm) END",
    ),
    Case(
        "arrays_overlap(@ln, @lm)",
        "CASE WHEN list_has_any(@ln, @lm) THEN true WHEN len(@ln) > 0 AND len(@lm) > 0 AND (list_count(@ln) < len(@ln) OR list_count(@lm) < len(@lm)) THEN NULL ELSE list_has_any(@ln, @lm) END",
    ),
    Case(
        "arrays_overlap(@ls, @lt)",
        "CASE WHEN list_has_any(@ls, @lt) THEN true WHEN len(@ls) > 0 AND len(@lt) > 0 AND (list_count(@ls) < len(@ls) OR list_count(@lt) < len(@lt)) THEN NULL ELSE list_has_any(@ls, @lt) END",
    ),
    Case("array_max(@ln)", extreme("list_max", "@ln")),
    Case("array_min(@ln)", extreme("list_min", "@ln")),
    Case("array_max(@ls)", extreme("list_max", "@ls")),
    Case("array_min(@ls)", extreme("list_min", "@ls")),
    Case(
        "array_max(@lx)", extreme("list_max", "@lx"), only="NOT coalesce(list_contains(@lx, 'nan'::DOUBLE), false)",
        why="Trino leaves NaN out",
    ),
    Case("array_min(@lx)", extreme("list_min", "@lx")),
    Case("array_max(@ld)", extreme("list_max", "@ld")),
    Case("array_min(@ld)", extreme("list_min", "@ld")),
    Case("concat(@ln, @lm)", "@ln || @lm"),
    Case("concat(@ls, @lt, @ls)", "@ls || @lt || @ls"),
    *same("@ln || @lm", only="@ln IS NOT NULL AND @lm IS NOT NULL", why="a NULL array adds nothing, as in PostgreSQL"),
    *same("@ls || @lt", only="@ls IS NOT NULL AND @lt IS NOT NULL", why="a NULL array adds nothing, as in PostgreSQL"),
    Case("@ln || @l", "list_append(@ln, @l)", only="@ln IS NOT NULL", why="a NULL array adds nothing, as in PostgreSQL"),
    Case("@l || @ln", "list_prepend(@l, @ln)", only="@ln IS NOT NULL", why="a NULL array adds nothing, as in PostgreSQL"),
    Case("flatten(@ll)", "flatten(@ll)"),
    Case("reverse(@ln)", "list_reverse(@ln)"),
    Case("reverse(@ls)", "list_reverse(@ls)"),
    Case("array_join(@ls, ', ')", "CASE WHEN @ls IS NOT NULL THEN coalesce(array_to_string(@ls, ', '), '') END"),
    Case("array_join(@ln, ',', '?')", "array_to_string(list_transform(@ln, lambda z: coalesce(z::VARCHAR, '?')), ',')"),
    Case(
        "array_join(@ls, @t)",
        "substring(list_reduce(list_filter(@ls, lambda z: z IS NOT NULL), lambda z, w: z || @t || w, ''), length(@t) + 1)",
    ),
    Case(
        "array_join(@ls, '-', @t)", "CASE WHEN @t IS NOT NULL THEN array_to_string(list_transform(@ls, lambda z: coalesce(z, @t)), '-') END",
    ),
    Case("sequence(@i, @k)", "CASE WHEN @i <= @k THEN generate_series(@i, @k) ELSE generate_series(@i, @k, -1) END"),
    Case("sequence(@i, @k, 3)", "generate_series(@i, @k, 3)", refused="@i > @k"),
    Case(
        "slice(@ln, @i, @k)",
        "CASE WHEN @i > 0 THEN @ln[@i:@i + @k - 1] WHEN -@i <= len(@ln) THEN @ln[len(@ln) + @i + 1:len(@ln) + @i + @k] WHEN @i < 0 AND @k IS NOT NULL AND @ln IS NOT NULL THEN [] END",
        refused="(@i = 0 OR @k < 0) AND @ln IS NOT NULL AND @i IS NOT NULL AND @k IS NOT NULL",
    ),
    Case("slice(@ls, 2, 2)", "@ls[2:3]"),
    Case("repeat(@l, @i)", "list_transform(range(@i), lambda z: @l)", only="@i >= 0", why="Trino refuses a negative count"),
    Case("repeat(@s, @k)", "list_transform(range(@k), lambda z: @s)", only="@k >= 0", why="Trino refuses a negative count"),
    Case("trim_array(@ln, @i)", "@ln[1:len(@ln) - @i]", refused="(@i < 0 OR @i > len(@ln)) AND @ln IS NOT NULL"),
    Case("zip(@ln, @ls)", "list_zip(@ln, @ls)", only="@ln IS NOT NULL AND @ls IS NOT NULL", why="NULL is an empty list in DuckDB"),
    Case(
        "array_histogram(@ls)",
        "map_from_entries(list_transform(list_distinct(@ls), lambda z: ROW(z, len(list_filter(@ls, lambda w: w = z)))))",
    ),
    Case("dot_product(@lv, @lw)", "list_dot_product(@lv, @lw)"),
    Case("euclidean_distance(@lv, @lw)", "list_distance(@lv, @lw)"),
    Case("cosine_similarity(@lv, @lw)", "list_cosine_similarity(@lv, @lw)"),
    Case("cosine_distance(@lv, @lw)", "list_cosine_distance(@lv, @lw)"),
    Case(
        "ngrams(@ls, 2)", "list_transform(range(1, len(@ls)), lambda z: @ls[z:z + 1])", only="len(@ls) >= 2",
        why="a shorter array is one n-gram",
    ),
    Case("array_first(@ln)", "@ln[1]"),
    Case("array_last(@ls)", "@ls[-1]"),
    Case("any_match(@ln, z -> z > 2)", logic("z > 2")),
    Case("none_match(@ln, z -> z > 2)", f"NOT ({logic('z > 2')})"),
    Case("all_match(@ln, z -> z > 2)", f"NOT ({logic('NOT z > 2')})"),
    Case("any_match(@ln, z -> z = @l)", logic("z = @l")),
    Case("transform(@ln, z -> z + 1)", "list_transform(@ln, lambda z: z + 1)"),
    Case("transform(@ln, z -> z * @i)", "list_transform(@ln, lambda z: z * @i)"),
    Case("transform(@ls, z -> length(z || @t))", "list_transform(@ls, lambda z: length(z || @t))"),
    Case("transform(@ls, z -> lower(z))", "list_transform(@ls, lambda z: lower(z))"),
    Case("transform(@ll, z -> transform(z, w -> w - @l))", "list_transform(@ll, lambda z: list_transform(z, lambda w: w - @l))"),
    Case("transform(@ll, z -> cardinality(filter(z, w -> w > 1)))", "list_transform(@ll, lambda z: len(list_filter(z, lambda w: w > 1)))"),
    Case("transform(@ln, z -> coalesce(z, @l))", "list_transform(@ln, lambda z: coalesce(z, @l))"),
    Case("transform(@ln, z -> @s)", "list_transform(@ln, lambda z: @s)"),
    Case("filter(@ln, z -> z > 1)", "list_filter(@ln, lambda z: z > 1)"),
    Case("filter(@ls, z -> z <> @t)", "list_filter(@ls, lambda z: z <> @t)"),
    Case("filter(@ln, z -> z IS NULL OR @f)", "list_filter(@ln, lambda z: z IS NULL OR @f)"),
    Case("filter(@lx, z -> z < @v)", "list_filter(@lx, lambda z: z < @v)"),
    Case("filter(@ll, z -> cardinality(z) > 2)", "list_filter(@ll, lambda z: len(z) > 2)"),
    Case("reduce(@ln, 0, (z, w) -> z + coalesce(w, 0), z -> z)", "list_reduce(@ln, lambda z, w: z + coalesce(w, 0), 0::BIGINT)"),
    Case("reduce(@ln, BIGINT '1', (z, w) -> z * 2 + w, z -> z)", "list_reduce(@ln, lambda z, w: z * 2 + w, 1::BIGINT)"),
    Case(
        "reduce(@ls, CAST('' AS varchar), (z, w) -> z || coalesce(w, @t), z -> length(z))",
        "length(list_reduce(@ls, lambda z, w: z || coalesce(w, @t), ''))",
    ),
    Case(
        "reduce(@ln, @l, (z, w) -> greatest(z, w), z -> z)",
        "list_reduce(@ln, lambda z, w: CASE WHEN z IS NOT NULL AND w IS NOT NULL THEN greatest(z, w) END, @l)",
    ),
    Case(
        "zip_with(@ln, @lm, (z, w) -> z + w)", "list_transform(list_zip(@ln, @lm), lambda z: z[1] + z[2])",
        only="@ln IS NOT NULL AND @lm IS NOT NULL", why="NULL is an empty list in DuckDB",
    ),
    Case(
        "zip_with(@ls, @ln, (z, w) -> coalesce(z, '?') || coalesce(CAST(w AS varchar), '!'))",
        "list_transform(list_zip(@ls, @ln), lambda z: coalesce(z[1], '?') || coalesce(z[2]::VARCHAR, '!'))",
        only="@ln IS NOT NULL AND @ls IS NOT NULL", why="NULL is an empty list in DuckDB",
    ),
    Case("element_at(@mp, @t)", "@mp[@t]"),
    Case("element_at(@mp, 'a')", "@mp['a']"),
    Case("map_keys(@mp)"),
    Case("map_values(@mp)"),
    Case("map_entries(@mp)"),
    Case("@mp['a']", "@mp['a']", refused="NOT list_contains(map_keys(@mp), 'a')"),
    Case("map_concat(@mp, @mq)", only="@mp IS NOT NULL AND @mq IS NOT NULL", why="NULL is an empty map in DuckDB"),
    Case("map_from_entries(map_entries(@mp))", "@mp"),
    Case("map(map_keys(@mp), map_values(@mp))", "@mp"),
    Case("map_filter(@mp, (z, w) -> w > 1)", "map_from_entries(list_filter(map_entries(@mp), lambda z: z.value > 1))"),
    Case("map_filter(@mp, (z, w) -> z <> @t)", "map_from_entries(list_filter(map_entries(@mp), lambda z: z.key <> @t))"),
    Case(
        "transform_values(@mp, (z, w) -> w + length(z))",
        "map_from_entries(list_transform(map_entries(@mp), lambda z: ROW(z.key, z.value + length(z.key))))",
    ),
    Case(
        "transform_keys(@mp, (z, w) -> z || '!')",
        "map_from_entries(list_transform(map_entries(@mp), lambda z: ROW(z.key || '!', z.value)))",
    ),
    Case(
        "map_zip_with(@mp, @mq, (z, w, q) -> coalesce(w, 0) - coalesce(q, 0))",
        "map_from_entries(list_transform(list_distinct(map_keys(@mp) || map_keys(@mq)), lambda z: ROW(z, coalesce(@mp[z], 0) - coalesce(@mq[z], 0))))",
    ),
    Case("@st.f", "(@st).f"),
    Case("@st.g", "(@st).g"),
    Case("ROW(@n, @s)", "ROW(@n, @s)"),
    Case("CAST(ROW(@n, @s) AS ROW(a bigint, b varchar)).b", "@s"),
    Case("transform(@ls, z -> ROW(z, @l))", "list_transform(@ls, lambda z: ROW(z, @l))"),
    Case("cardinality(combinations(@ln, 2))", "len(@ln) * (len(@ln) - 1) // 2"),
]
