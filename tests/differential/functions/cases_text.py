"""Text, binary, regular expressions, JSON and URLs."""

from cases import Case, same

EMPTY = "an empty part: DuckDB returns the text, Trino has a meaning of its own"

CASES = [
    Case("upper(@s)", only="NOT contains(@s, 'ß')", why="DuckDB: ẞ, Java: ß"),
    *same("length(@s)", "lower(@s)", "@s || @t", "starts_with(@s, @t)", "ends_with(@s, @t)", "strpos(@s, @t)", "position(@t IN @s)"),
    *same("concat_ws(@t, @s, @u)", "concat_ws(',', @s, @t, @u)", "translate(@s, @t, @u)", "@s LIKE @p", "@s LIKE '%' || @t || '%'"),
    *same("@a LIKE '%a_b%'", "@a LIKE 'a%'", "@a LIKE '%b'", "@a NOT LIKE '_%_'", "@p LIKE 'a\\%'"),
    Case("concat(@s, @t)", "@s || @t"),
    Case("concat(@s, '-', @t, @u)", "@s || '-' || @t || @u"),
    Case(
        "reverse(@s)",
        "list_aggregate(list_reverse(list_transform(range(1, length(@s) + 1), lambda z: substring(@s, z, 1))), 'string_agg', '')",
        only="@s <> ''", why="string_agg of nothing is NULL",
    ),
    Case(
        "lpad(@s, @i, @t)", "lpad(@s, @i, @t)",
        refused="@i < 0 AND @t IS NOT NULL AND @s IS NOT NULL OR @t = '' AND @i IS NOT NULL AND @s IS NOT NULL",
    ),
    Case(
        "rpad(@s, @i, @t)", "rpad(@s, @i, @t)",
        refused="@i < 0 AND @t IS NOT NULL AND @s IS NOT NULL OR @t = '' AND @i IS NOT NULL AND @s IS NOT NULL",
    ),
    Case("ltrim(@s)", "ltrim(@s, {space})"),
    Case("rtrim(@s)", "rtrim(@s, {space})"),
    Case("trim(@s)", "trim(@s, {space})"),
    Case("trim(BOTH @t FROM @s)", "trim(@s, @t)"),
    Case("trim(LEADING @t FROM @s)", "ltrim(@s, @t)"),
    Case("trim(TRAILING @t FROM @s)", "rtrim(@s, @t)"),
    *same("ltrim(@s, @t)", "rtrim(@s, @t)", "trim(@s, @t)"),
    Case("replace(@s, @t, @u)", only="@t <> ''", why=EMPTY),
    Case("replace(@s, @t)", "replace(@s, @t, '')"),
    Case(
        "split(@s, @t)", "string_split(@s, @t)", only="@t <> '' AND @t IS NOT NULL",
        why="an empty delimiter splits into letters in DuckDB and is an error in Trino; NULL splits nothing",
    ),
    Case("split(@a, @c)", "CASE WHEN @c IS NOT NULL THEN string_split(@a, @c) END", refused="@c = '' AND @a IS NOT NULL"),
    Case("split_part(@a, ',', @i)", "string_split(@a, ',')[@i]", refused="@i <= 0 AND @a IS NOT NULL"),
    Case("split_part(@s, @t, 2)", "string_split(@s, @t)[2]", only="@t <> ''", why=EMPTY),
    Case(
        "substr(@s, @i)",
        "CASE WHEN @i > 0 THEN substring(@s, @i) WHEN @i < 0 AND -@i <= length(@s) THEN substring(@s, length(@s) + @i + 1) WHEN @i <= 0 AND @s IS NOT NULL THEN '' END",
    ),
    Case(
        "substring(@s, @l, @k)",
        "CASE WHEN @k IS NULL THEN NULL WHEN @k <= 0 AND @l IS NOT NULL AND @s IS NOT NULL THEN '' WHEN @l > 0 THEN substring(@s, @l, @k) " "WHEN @l < 0 AND -@l <= length(@s) THEN substring(@s, length(@s) + @l + 1, @k) WHEN @l <= 0 AND @s IS NOT NULL THEN '' END",
    ),
    Case("levenshtein_distance(@a, @c)", "levenshtein(@a, @c)"),
    Case(
        "hamming_distance(@a, @c)", "hamming(@a, @c)", only="length(@a) = length(@c) AND length(@a) > 0",
        why="DuckDB refuses the empty text",
    ),
    Case("codepoint(CAST(substr(@s, 1, 1) AS varchar(1)))", "unicode(@s)", only="@s <> ''", why="DuckDB: -1, Trino: an error"),
    Case("chr(@cp)", "chr(@cp::INTEGER)", refused="@cp < 0 OR @cp > 1114111 OR @cp BETWEEN 55296 AND 57343"),
    Case("normalize(@s, NFC)", "nfc_normalize(@s)"),
    Case("normalize(@s)", "nfc_normalize(@s)"),
    Case("to_utf8(@s)", "encode(@s)"),
    Case("from_utf8(to_utf8(@s))", "@s"),
    Case("to_hex(to_utf8(@s))", "hex(encode(@s))"),
    Case("from_hex(@h)", "unhex(@h)"),
    Case("to_hex(@bin)", "hex(@bin)"),
    Case("length(@bin)", "octet_length(@bin)"),
    Case("to_base64(@bin)", "base64(@bin)"),
    Case("from_base64(to_base64(@bin))", "@bin"),
    Case("to_base64(to_utf8(@s))", "base64(encode(@s))"),
    Case("from_base64url(to_base64url(@bin))", "@bin"),
    Case("from_base32(to_base32(@bin))", "@bin"),
    Case("to_base64url(@bin)", "replace(replace(base64(@bin), '+', '-'), '/', '_')"),
    Case("to_hex(md5(to_utf8(@s)))", "upper(md5(@s))"),
    Case("to_hex(sha1(to_utf8(@s)))", "upper(sha1(@s))"),
    Case("to_hex(sha256(to_utf8(@s)))", "upper(sha256(@s))"),
    Case("to_hex(sha256(@bin))", "upper(sha256(@bin))"),
    Case("to_hex(md5(@bin))", "upper(md5(@bin))"),
    Case("url_encode(@s)", "replace(replace(replace(url_encode(@s), '%20', '+'), '~', '%7E'), '%2A', '*')"),
    Case("url_decode(url_encode(@s))", "@s"),
    Case("url_decode(@url)", "url_decode(replace(@url, '+', ' '))"),
    Case(
        "reverse(@bin)", "unhex(list_aggregate(list_reverse(regexp_extract_all(hex(@bin), '..')), 'string_agg', ''))",
        only="octet_length(@bin) > 0", why="string_agg of nothing is NULL",
    ),
    Case("substr(@bin, 2, 3)", "unhex(substring(hex(@bin), 3, 6))"),
    Case("from_base(to_base(@n, 16), 16)", "@n"),
    Case("to_base(@n, 36)", "lower(to_base(@n, 36))", only="@n >= 0", why="DuckDB refuses negative numbers"),
    Case("to_base(@n, 2)", "to_base(@n, 2)", only="@n >= 0", why="DuckDB refuses negative numbers"),
]

SPACE = "' ' || chr(9) || chr(10) || chr(11) || chr(12) || chr(13) || chr(28) || chr(29) || chr(30) || chr(31) || chr(5760) || " + " || ".join(
    f"chr({point})" for point in [*range(8192, 8199), *range(8200, 8203), 8232, 8233, 8287, 12288]
)
CASES = [Case(**{**case.__dict__, "duck": case.duck.replace("{space}", f"({SPACE})")}) for case in CASES]

# What RE2 and Java write and mean alike, on texts of one line.
PATTERNS = [
    "a", "ab|a", "a+", "[ab]+", "[^a]", "(a)(b)?", "b{1,2}", "^a", "b$", "a.b", r"\d+", r"\w+", r"\s", r"\bab", "(?i)AB", "a*?b", "(?:ab)+", r"\.", "[a-c,]+",
    r"[^\w]", r"\D", "(a|b)(c|0)", "🙂", "(?i)[a-b]+", r"\W+", "(a+)(b+)", "^$", ".", ".+", "0|1", "^.{2}", "(?s).", r"[\d,]", "[.]",
]  # fmt: skip


def regexps():
    for pattern in PATTERNS:
        # DuckDB's boundaries of words are ASCII's, Java's are Unicode's.
        for text in ("@a",) if "\\b" in pattern else ("@a", "regexp_replace(@s, '[\\r\\n]', ' ')"):
            duck = text.replace("' ')", "' ', 'g')")
            yield Case(f"regexp_like({text}, '{pattern}')", f"regexp_matches({duck}, '{pattern}')")
            yield Case(f"regexp_extract({text}, '{pattern}')", f"CASE WHEN regexp_matches({duck}, '{pattern}') THEN regexp_extract({duck}, '{pattern}') END")
            yield Case(f"regexp_replace({text}, '{pattern}', '<$0>')", f"regexp_replace({duck}, '{pattern}', '<\\0>', 'g')")
            yield Case(f"regexp_replace({text}, '{pattern}')", f"regexp_replace({duck}, '{pattern}', '', 'g')")
            yield Case(f"regexp_extract_all({text}, '{pattern}')", f"regexp_extract_all({duck}, '{pattern}')")
            yield Case(f"regexp_count({text}, '{pattern}')", f"len(regexp_extract_all({duck}, '{pattern}'))")
            if pattern not in ("^$",):
                yield Case(f"regexp_split({text}, '{pattern}')", f"string_split_regex({duck}, '{pattern}')")
    for pattern in ("(a)(b)?", "(a|b)(c|0)", "(a+)(b+)"):
        yield Case(f"coalesce(regexp_extract(@a, '{pattern}', 2), '')", f"regexp_extract(coalesce(@a, ''), '{pattern}', 2)")
        yield Case(f"transform(regexp_extract_all(@a, '{pattern}', 2), z -> coalesce(z, ''))", f"list_transform(regexp_extract_all(@a, '{pattern}', 2), lambda z: coalesce(z, ''))")
        yield Case(f"regexp_replace(@a, '{pattern}', '$2-$1')", f"regexp_replace(@a, '{pattern}', '\\2-\\1', 'g')")
        yield Case(f"regexp_replace(@a, '{pattern}', z -> upper(z[1]))", f"regexp_replace(@a, '{pattern}', 'A', 'g')",
                   only="NOT regexp_matches(@a, '[bB]')", why="a lambda of DuckDB's replacement there is not")  # fmt: skip


CASES += list(regexps())

PATHS = ["$", "$.a", "$.b", "$.a.b", "$.a[0]", "$[0]", "$[1].a", "$.b[1].c", '$["c d"]', "$.é", "$.A"]
SCALAR = "json_type(@j, '{duck}') IN ('OBJECT', 'ARRAY', 'NULL')"


def jsons():
    for path in PATHS:
        duck = path.replace('["c d"]', '."c d"')
        scalar = SCALAR.format(duck=duck)
        yield Case(f"json_extract_scalar(@j, '{path}')", f"CASE WHEN {scalar} THEN NULL ELSE json_extract_string(@j, '{duck}') END")
        yield Case(f"json_format(json_extract(@j, '{path}'))", f"json_extract(@j, '{duck}')::VARCHAR", json=True)
        yield Case(f"json_size(@j, '{path}')",
                   f"CASE json_type(@j, '{duck}') WHEN 'ARRAY' THEN json_array_length(@j, '{duck}') WHEN 'OBJECT' THEN len(json_keys(@j, '{duck}')) ELSE CASE WHEN json_type(@j, '{duck}') IS NOT NULL THEN 0 END END")  # fmt: skip
    yield Case("json_array_length(@j)", "CASE WHEN json_type(@j) = 'ARRAY' THEN json_array_length(@j) END")
    yield Case("is_json_scalar(@j)", "json_type(@j) NOT IN ('OBJECT', 'ARRAY')")
    yield Case("json_format(json_parse(@j))", "json(@j)::VARCHAR", json=True)
    yield Case("json_array_contains(@j, 1)", "CASE WHEN json_type(@j) = 'ARRAY' THEN len(list_filter(from_json(@j, '[\"JSON\"]'), lambda z: json_type(z) IN ('UBIGINT', 'BIGINT') AND z::VARCHAR = '1')) > 0 END")
    yield Case("json_array_contains(@j, 'a')", "CASE WHEN json_type(@j) = 'ARRAY' THEN len(list_filter(from_json(@j, '[\"JSON\"]'), lambda z: z::VARCHAR = '\"a\"')) > 0 END")
    yield Case("json_array_contains(@j, true)", "CASE WHEN json_type(@j) = 'ARRAY' THEN len(list_filter(from_json(@j, '[\"JSON\"]'), lambda z: z::VARCHAR = 'true')) > 0 END")
    yield Case("json_format(json_array_get(@j, @i))", "CASE WHEN json_type(@j) = 'ARRAY' THEN json_extract(@j, '$[' || CASE WHEN @i < 0 THEN '#' ELSE '' END || @i || ']')::VARCHAR END", json=True,
               only="json_type(@j, '$[' || CASE WHEN @i < 0 THEN '#' ELSE '' END || @i || ']') NOT IN ('VARCHAR', 'NULL')", why="Trino's does not quote texts, and is NULL of null")


CASES += list(jsons())
