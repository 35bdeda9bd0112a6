//! The engine's messages in the words of SQL: its literals, types and names of functions are not
//! those that the user wrote.
//!
//! ```text
//! count(Int64(1))                     count(*)
//! Utf8("day")                         'day'
//! Utf8View + List(Int32)              varchar + array(integer)
//! currently only "…" appears in …     left out
//! No function matches … Candidate functions: …
//! ```

/// How a message begins that an operator does not take its operands.
pub(crate) const NO_OPERATOR: &str = "Cannot apply operator: ";

/// Returns a message of the planner in the words of SQL.
pub(crate) fn of_plan(message: &str) -> String {
    if let Some(message) = grouped(message) {
        return message;
    }
    let (said, call) = match message.split_once(" No function matches the given name") {
        Some((said, rest)) => (said, called(rest)),
        None => (message, None),
    };
    if let Some((_, reason)) = said.split_once("user-defined coercion failed with: ") {
        return of_types(without_kinds(reason));
    }
    match call {
        Some((name, types)) => {
            format!("function {name}({}) does not exist", of_types(types))
        }
        None => operators(of_types(said)),
    }
}

/// Returns the message about an expression that is neither grouped nor aggregated.
fn grouped(message: &str) -> Option<String> {
    let (_, rest) = message.split_once("While expanding wildcard, column \"")?;
    let (column, _) = rest.split_once("\" must appear in the GROUP BY clause")?;
    Some(format!(
        "column \"{}\" must appear in the GROUP BY clause or be used in an aggregate function",
        of_types(column)
    ))
}

/// Returns the message about a call in a place that has no such calls.
pub(crate) fn misplaced(message: &str) -> Option<String> {
    let rest = message.strip_prefix("Physical plan does not support logical expression ")?;
    let (kind, _) = rest.split_once(['(', ' '])?;
    let kind = match kind {
        "WindowFunction" => "window",
        "AggregateFunction" => "aggregate",
        _ => return None,
    };
    Some(format!("{kind} functions are not allowed in this place"))
}

/// Returns the name and the argument types of a rejected call: `abs` and `Utf8` of `… 'abs(Utf8)'.`.
fn called(text: &str) -> Option<(&str, &str)> {
    let (_, call) = text.split_once('\'')?;
    let (call, _) = call.split_once("'.")?;
    let (name, types) = call.split_once('(')?;
    Some((name, types.strip_suffix(')')?))
}

/// Removes the kinds of errors that the engine puts before a message.
pub(crate) fn without_kinds(mut message: &str) -> &str {
    const KINDS: [&str; 4] = [
        "External error: ",
        "Error during planning: ",
        "Execution error: ",
        "This feature is not implemented: ",
    ];
    while let Some(rest) = KINDS.iter().find_map(|kind| message.strip_prefix(kind)) {
        message = rest;
    }
    message
}

/// Names an operator whose operands have no common type as the dialects' own errors do.
fn operators(message: String) -> String {
    const BEFORE: [&str; 5] = [
        "Cannot coerce arithmetic expression ",
        "Cannot infer common argument type for comparison operation ",
        "Cannot infer common argument type for logical boolean operation ",
        "Cannot infer common argument type for operation ",
        "Cannot get result type for temporal operation ",
    ];
    let Some(rest) = BEFORE
        .iter()
        .find_map(|before| message.strip_prefix(before))
    else {
        return message;
    };
    let rest = rest.trim_end_matches(" to valid types");
    let expression = rest.split_once(": ").map_or(rest, |(before, _)| before);
    format!("{NO_OPERATOR}{expression}")
}

/// Returns a message with types, literals and inner names of functions as in SQL.
pub(crate) fn of_types(message: &str) -> String {
    let mut out = String::with_capacity(message.len());
    let mut rest = message;
    let mut within_word = false;
    while let Some(first) = rest.chars().next() {
        let found = match within_word {
            true => None,
            false => literal(rest)
                .or_else(|| data_type(rest, 0))
                .or_else(|| inner_name(rest)),
        };
        if let Some((plain, after)) = found {
            out.push_str(&plain);
            rest = after;
            continue;
        }
        within_word = first.is_alphanumeric() || first == '_' || first == '$';
        out.push(first);
        rest = rest.get(first.len_utf8()..).unwrap_or_default();
    }
    out.replace("count(1)", "count(*)")
}

/// Returns the word at the start of a text, and what follows it.
fn word(text: &str) -> Option<(&str, &str)> {
    let end = text.find(|character: char| !(character.is_alphanumeric() || character == '_'));
    let (word, after) = text.split_at_checked(end.unwrap_or(text.len()))?;
    (!word.is_empty()).then_some((word, after))
}

/// Reads a literal of the engine: `Int64(1)`, `Utf8("day")`.
fn literal(text: &str) -> Option<(String, &str)> {
    let (kind, after) = word(text)?;
    let inner = after.strip_prefix('(')?;
    let quoted = || inner.strip_prefix('"')?.split_once("\")");
    let null = || Some(("NULL".to_owned(), inner.strip_prefix("NULL)")?));
    match kind {
        "Utf8" | "Utf8View" | "LargeUtf8" => null().or_else(|| {
            let (value, after) = quoted()?;
            Some((format!("'{}'", value.replace('\'', "''")), after))
        }),
        "Date32" => null().or_else(|| {
            let (value, after) = quoted()?;
            Some((format!("DATE '{value}'"), after))
        }),
        "Boolean" | "Int8" | "Int16" | "Int32" | "Int64" | "UInt8" | "UInt16" | "UInt32"
        | "UInt64" | "Float32" | "Float64" => {
            let (value, after) = inner.split_once(')')?;
            let plain = value
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
            (plain && !value.is_empty()).then(|| (value.to_owned(), after))
        }
        "Decimal128" | "Decimal256" => {
            let (digits, after) = inner.strip_prefix("Some(")?.split_once("),")?;
            let (precision_and_scale, after) = after.split_once(')')?;
            let (_, scale) = precision_and_scale.split_once(',')?;
            Some((decimal(digits, scale.trim().parse().ok()?)?, after))
        }
        _ => None,
    }
}

/// Returns a decimal: `1.5` of `15` with one digit after the point.
fn decimal(digits: &str, scale: usize) -> Option<String> {
    const MOST_DIGITS: usize = 76;
    let (sign, digits) = match digits.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", digits),
    };
    if scale == 0 {
        return Some(format!("{sign}{digits}"));
    }
    if scale > MOST_DIGITS {
        return None;
    }
    let padded = format!("{digits:0>width$}", width = scale + 1);
    let (whole, fraction) = padded.split_at_checked(padded.len() - scale)?;
    Some(format!("{sign}{whole}.{fraction}"))
}

/// Reads a type of the engine: `Utf8View`, `List(Int32)`.
fn data_type(text: &str, depth: usize) -> Option<(String, &str)> {
    const MAX_DEPTH: usize = 32;
    let (name, after) = word(text)?;
    let simple = match name {
        "Utf8" | "Utf8View" | "LargeUtf8" => "varchar",
        "Binary" | "BinaryView" | "LargeBinary" => "varbinary",
        "Int8" => "tinyint",
        "Int16" => "smallint",
        "Int32" => "integer",
        "Int64" | "UInt64" => "bigint",
        "Float32" => "real",
        "Float64" => "double",
        "Boolean" => "boolean",
        "Date32" => "date",
        _ => "",
    };
    if !simple.is_empty() && !after.starts_with('(') {
        return Some((simple.to_owned(), after));
    }
    if depth > MAX_DEPTH {
        return None;
    }
    let (inner, after) = enclosed(after)?;
    let nested = match name {
        "Timestamp" if inner.contains('"') => "timestamp with time zone".to_owned(),
        "Timestamp" => "timestamp".to_owned(),
        "Time32" | "Time64" => "time".to_owned(),
        "Interval" | "Duration" => "interval".to_owned(),
        "Decimal128" | "Decimal256" => format!("decimal({})", inner.replace(' ', "")),
        "List" | "LargeList" | "FixedSizeList" => {
            let item = inner.trim_start_matches("non-null ");
            let (item, _) = data_type(item, depth + 1)?;
            format!("array({item})")
        }
        "Map" => map(inner, depth).unwrap_or_else(|| "map".to_owned()),
        "Struct" => row(inner, depth).unwrap_or_else(|| "row".to_owned()),
        _ => return None,
    };
    Some((nested, after))
}

/// Returns a map's type: `map(varchar, integer)` of `"entries": Struct("key": …, "value": …), …`.
fn map(inner: &str, depth: usize) -> Option<String> {
    let (_, entries) = inner.split_once("Struct")?;
    let (entries, _) = enclosed(entries)?;
    match fields(entries, depth)?.as_slice() {
        [(_, key), (_, value)] => Some(format!("map({key}, {value})")),
        _ => None,
    }
}

/// Returns a row's type: `row(a integer)` of `"a": Int32`.
fn row(inner: &str, depth: usize) -> Option<String> {
    let fields = fields(inner, depth)?.into_iter();
    let fields: Vec<String> = fields
        .map(|(name, data_type)| format!("{name} {data_type}"))
        .collect();
    Some(format!("row({})", fields.join(", ")))
}

/// Reads the names and types of fields: `"a": Int32, "b": non-null Utf8`.
fn fields(mut text: &str, depth: usize) -> Option<Vec<(&str, String)>> {
    let mut found = Vec::new();
    loop {
        let (name, rest) = text.strip_prefix('"')?.split_once("\": ")?;
        let (data_type, rest) = data_type(rest.trim_start_matches("non-null "), depth + 1)?;
        found.push((name, data_type));
        if rest.is_empty() {
            return Some(found);
        }
        text = rest.strip_prefix(", ")?;
    }
}

/// Returns what the parentheses at the start of a text enclose, and what follows them.
fn enclosed(text: &str) -> Option<(&str, &str)> {
    let inner = text.strip_prefix('(')?;
    let mut depth = 0usize;
    for (place, character) in inner.char_indices() {
        match character {
            '(' => depth += 1,
            ')' if depth == 0 => {
                let (inner, after) = inner.split_at_checked(place)?;
                return Some((inner, after.strip_prefix(')')?));
            }
            ')' => depth -= 1,
            _ => {}
        }
    }
    None
}

/// Reads the name of a function that stands for syntax: `$subscript(`.
fn inner_name(text: &str) -> Option<(String, &str)> {
    let (name, after) = word(text.strip_prefix('$')?)?;
    if !after.starts_with('(') {
        return None;
    }
    let plain = match name {
        "subscript" => "element_at",
        "cast" => "CAST",
        "try" => "TRY",
        other => other,
    };
    Some((plain.to_owned(), after))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_and_types_are_those_of_sql() {
        for (engine, plain) in [
            ("count(Int64(1))", "count(*)"),
            ("date_trunc(Utf8(\"day\"),t.x)", "date_trunc('day',t.x)"),
            ("Utf8(\"it's\") Utf8(NULL)", "'it''s' NULL"),
            (
                "x + Decimal128(Some(-15),3,1) Decimal128(Some(5),2,2)",
                "x + -1.5 0.05",
            ),
            ("Boolean(true) AND Float64(1.5)", "true AND 1.5"),
            ("Date32(\"2024-01-02\")", "DATE '2024-01-02'"),
            ("CAST(x AS Int64)", "CAST(x AS bigint)"),
            ("an array, not Utf8View", "an array, not varchar"),
            (
                "List(non-null Int32, field: 'x') = Timestamp(µs)",
                "array(integer) = timestamp",
            ),
            (
                "Timestamp(µs, \"UTC\") Time64(µs) Decimal128(10, 2)",
                "timestamp with time zone time decimal(10,2)",
            ),
            (
                "Map(\"entries\": non-null Struct(\"key\": Utf8), unsorted)",
                "map",
            ),
            (
                "cannot cast List(Struct(\"a\": Int32, \"b\": non-null Utf8)) to Map(\"entries\": non-null Struct(\"key\": non-null Utf8, \"value\": Struct(\"c\": Int8)), unsorted)",
                "cannot cast array(row(a integer, b varchar)) to map(varchar, row(c tinyint))",
            ),
            ("$subscript(t.a, Int64(1))", "element_at(t.a, 1)"),
            (
                "\"$path\" xInt64 Int64x Int64(",
                "\"$path\" xInt64 Int64x Int64(",
            ),
        ] {
            assert_eq!(of_types(engine), plain, "{engine}");
        }
    }

    #[test]
    fn messages_name_what_was_written() {
        let candidates =
            "You might need to add explicit type casts.\n\tCandidate functions:\n\tf(X)";
        for (engine, plain) in [
            (
                "Column in SELECT must be in GROUP BY or an aggregate function: While expanding wildcard, column \"t.a\" must appear in the GROUP BY clause or must be part of an aggregate function, currently only \"count(Int64(1))\" appears in the SELECT clause satisfies this requirement".to_owned(),
                "column \"t.a\" must appear in the GROUP BY clause or be used in an aggregate function",
            ),
            (
                format!("Execution error: Function 'avg' user-defined coercion failed with: External error: avg takes a number, not (Utf8View). No function matches the given name and argument types 'avg(Utf8View)'. {candidates}"),
                "avg takes a number, not (varchar).",
            ),
            (
                format!("Function 'abs' expects Numeric but received String. No function matches the given name and argument types 'abs(Utf8)'. {candidates}"),
                "function abs(varchar) does not exist",
            ),
            (
                "Cannot coerce arithmetic expression Utf8View + Int32 to valid types".to_owned(),
                "Cannot apply operator: varchar + integer",
            ),
            (
                "Cannot get result type for temporal operation Timestamp(µs) + Timestamp(µs): Invalid argument error: Invalid".to_owned(),
                "Cannot apply operator: timestamp + timestamp",
            ),
        ] {
            assert_eq!(of_plan(&engine), plain);
        }
        let call = "Physical plan does not support logical expression WindowFunction(WindowFunction { fun: x })";
        assert_eq!(
            misplaced(call).as_deref(),
            Some("window functions are not allowed in this place")
        );
    }
}
