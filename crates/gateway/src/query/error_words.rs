//! The words, values and signs of a statement, among which errors find their places.

use lakegate_error::Operands;
use sqlparser::dialect::GenericDialect;
use sqlparser::tokenizer::{Location, Token, Tokenizer};

/// A name with its qualifiers, a keyword, a value, or a sign.
#[derive(Debug)]
pub(super) struct Word {
    /// The last part of a name, a value, or a sign.
    text: String,
    is_value: bool,
    begins: Location,
}

impl Word {
    fn is(&self, text: &str) -> bool {
        match self.is_value {
            true => self.text == text,
            false => self.text.eq_ignore_ascii_case(text),
        }
    }

    /// Whether it is a keyword, a name or a sign of this text.
    fn is_word(&self, text: &str) -> bool {
        !self.is_value && self.text.eq_ignore_ascii_case(text)
    }
}

/// Reads the words of a statement; none of a text that has no tokens.
pub(super) fn words(text: &str) -> Vec<Word> {
    let tokens = Tokenizer::new(&GenericDialect {}, text).tokenize_with_location();
    let mut words: Vec<Word> = Vec::new();
    let mut after_period = false;
    for token in tokens.unwrap_or_default() {
        let begins = token.span.start;
        let (text, is_value) = match token.token {
            Token::Whitespace(_) => continue,
            Token::Period => {
                after_period = true;
                continue;
            }
            Token::Word(word) => match words.last_mut() {
                Some(name) if after_period => {
                    name.text = word.value;
                    after_period = false;
                    continue;
                }
                _ => (word.value, false),
            },
            Token::SingleQuotedString(text) | Token::EscapedStringLiteral(text) => (text, true),
            Token::Number(number, _) => (number, true),
            other => (other.to_string(), false),
        };
        after_period = false;
        words.push(Word {
            text,
            is_value,
            begins,
        });
    }
    words
}

/// Returns where an operator begins. Of several that are written alike, it is the first one whose
/// neighbours fit best.
pub(super) fn of_operands(operands: &Operands, words: &[Word]) -> Option<Location> {
    let at = words.iter().find(|word| {
        let place = (word.begins.line, word.begins.column);
        operands.place == Some(place) && word.is(&operands.sign)
    });
    if let Some(word) = at {
        return Some(word.begins);
    }
    let fits = |expected: Option<&String>, found: Option<&Word>| -> usize {
        let (Some(expected), Some(found)) = (expected, found) else {
            return 0;
        };
        usize::from(found.is(expected))
    };
    let score = |place: usize| {
        let mut before = words.get(..place).unwrap_or_default().iter().rev();
        let before = before.find(|word| !word.is_word("(") && !word.is_word(")"));
        let mut after = words.get(place + 1..).unwrap_or_default().iter();
        let after = after.find(|word| !word.is_word("(") && !word.is_word("-"));
        fits(operands.before.as_ref(), before) + fits(operands.after.as_ref(), after)
    };
    let mut best: Option<(usize, Location)> = None;
    for (place, word) in words.iter().enumerate() {
        if !word.is(&operands.sign) {
            continue;
        }
        let score = score(place);
        if best.is_none_or(|(known, _)| score > known) {
            best = Some((score, word.begins));
        }
    }
    let begins = best.map(|(_, begins)| begins);
    // CASE x WHEN y compares as well.
    begins.or_else(|| match operands.sign.as_str() {
        "=" => {
            let when = words.iter().find(|word| word.is_word("WHEN"));
            when.map(|word| word.begins)
        }
        _ => None,
    })
}

/// Returns where the word behind these begins: that behind `ORDER` and `BY`, without parentheses.
pub(super) fn behind(before: &[&str], words: &[Word]) -> Option<Location> {
    let places = words.windows(before.len());
    let found = places.enumerate().find(|(_, window)| {
        let mut pairs = window.iter().zip(before);
        pairs.all(|(word, text)| word.is_word(text))
    });
    let (place, _) = found?;
    let mut rest = words.get(place + before.len()..)?.iter();
    rest.find(|word| !word.is_word("(")).map(|word| word.begins)
}

/// Returns where a number is among the keys of a clause, such as that of `ORDER BY`.
pub(super) fn numbered_key(clause: &str, number: &str, words: &[Word]) -> Option<Location> {
    let begins = |pair: &[Word]| match pair {
        [first, second] => first.is_word(clause) && second.is_word("BY"),
        _ => false,
    };
    let place = words.windows(2).position(begins)?;
    let mut keys = words.get(place + 2..)?.iter();
    let key = keys.find(|word| word.is_value && word.text == number)?;
    Some(key.begins)
}

/// Returns where the first item begins of the query behind a set operation, such as `UNION`.
pub(super) fn second_query(operation: &str, words: &[Word]) -> Option<Location> {
    let place = words.iter().position(|word| word.is_word(operation))?;
    let rest = words.get(place + 1..)?;
    let skipped = ["ALL", "DISTINCT", "(", "SELECT", "VALUES"];
    let mut rest = rest.iter();
    rest.find(|word| !skipped.iter().any(|text| word.is_word(text)))
        .map(|word| word.begins)
}

/// Returns where the first row of VALUES begins that has another number of values than the row before
/// it.
pub(super) fn other_row(words: &[Word]) -> Option<Location> {
    let begin = words.iter().position(|word| word.is_word("VALUES"))?;
    let (mut depth, mut count, mut first) = (0_usize, 0_usize, None);
    let mut expected = None;
    for word in words.get(begin + 1..)? {
        if depth == 1 && first.is_none() {
            first = Some(word.begins);
        }
        if word.is_word("(") {
            depth += 1;
        } else if word.is_word(")") {
            depth = depth.checked_sub(1)?;
            if depth == 0 {
                if *expected.get_or_insert(count) != count {
                    return first;
                }
                (count, first) = (0, None);
            }
        } else if word.is_word(",") && depth == 1 {
            count += 1;
        }
    }
    None
}

/// Returns where the first subquery begins, in parentheses, that is a value and has several columns.
pub(super) fn wide_subquery(words: &[Word]) -> Option<Location> {
    let no_values = [
        "FROM", "JOIN", "LATERAL", "EXISTS", "IN", "ANY", "ALL", "SOME", "AS",
    ];
    words.iter().enumerate().find_map(|(place, word)| {
        let before = place.checked_sub(1).and_then(|before| words.get(before));
        let is_value = !before.is_some_and(|word| no_values.iter().any(|text| word.is_word(text)));
        let next = words.get(place + 1)?;
        if !word.is_word("(") || !next.is_word("SELECT") || !is_value {
            return None;
        }
        let mut depth = 0_usize;
        for item in words.get(place + 2..)? {
            if item.is_word("(") {
                depth += 1;
            } else if item.is_word(")") {
                depth = depth.checked_sub(1)?;
            } else if depth == 0 && item.is_word("FROM") {
                return None;
            } else if depth == 0 && (item.is_word(",") || item.is_word("*")) {
                return Some(word.begins);
            }
        }
        None
    })
}

/// Returns where the operator before the first ANY or ALL begins.
pub(super) fn compared_with_any(words: &[Word]) -> Option<Location> {
    let found = words.windows(3).find(|window| match window {
        [_, any, open] => {
            open.is_word("(") && ["ANY", "ALL", "SOME"].iter().any(|text| any.is_word(text))
        }
        _ => false,
    });
    found?.first().map(|word| word.begins)
}

/// Returns where the cast to a type begins: `::` before it, or the CAST that it ends. `target`: the
/// first word of its name.
pub(super) fn cast_to(target: &str, words: &[Word]) -> Option<Location> {
    let spelled: &[&str] = match target {
        "integer" => &["int", "int4", "integer"],
        "bigint" => &["int8", "bigint"],
        "smallint" => &["int2", "smallint"],
        "double" => &["float8", "double", "float"],
        "real" => &["float4", "real"],
        "numeric" => &["numeric", "decimal"],
        "boolean" => &["bool", "boolean"],
        "timestamp" => &["timestamp", "timestamptz"],
        "time" => &["time", "timetz"],
        other => &[other],
    };
    let is_target = |word: &Word| spelled.iter().any(|text| word.is_word(text));
    // Where each open CAST begins, and the parentheses that are open there.
    let mut casts = Vec::new();
    let mut open = 0_usize;
    for (place, word) in words.iter().enumerate() {
        let next = words.get(place + 1);
        if word.is_word("::") && next.is_some_and(is_target) {
            return Some(word.begins);
        }
        if word.is_word("(") {
            open += 1;
        } else if word.is_word(")") {
            open = open.saturating_sub(1);
        } else if word.is_word("CAST") {
            casts.push((word.begins, open));
        } else if word.is_word("AS")
            && let Some((begins, _)) = casts.pop_if(|(_, outer)| *outer + 1 == open)
            && next.is_some_and(is_target)
        {
            return Some(begins);
        }
    }
    None
}

/// Returns where a column begins that an INSERT names, by its number from 0.
pub(super) fn target_at(number: usize, words: &[Word]) -> Option<Location> {
    let into = words.iter().position(|word| word.is_word("INTO"))?;
    let open = into.checked_add(2)?;
    words.get(open).filter(|word| word.is_word("("))?;
    item_at(number, words.get(open + 1..)?)
}

/// Returns where an expression of the first row of an INSERT begins, by its number from 0.
pub(super) fn expression_at(number: usize, words: &[Word]) -> Option<Location> {
    let begin = words
        .iter()
        .position(|word| word.is_word("VALUES") || word.is_word("SELECT"))?;
    let mut items = words.get(begin + 1..)?;
    let skipped: &[&str] = match words.get(begin)?.is_word("VALUES") {
        true => &["("],
        false => &["ALL", "DISTINCT"],
    };
    if let [first, rest @ ..] = items
        && skipped.iter().any(|text| first.is_word(text))
    {
        items = rest;
    }
    item_at(number, items)
}

/// Returns where an item of a list begins that ends with a parenthesis or FROM.
fn item_at(number: usize, words: &[Word]) -> Option<Location> {
    let (mut depth, mut item, mut begins) = (0_usize, 0_usize, true);
    for word in words {
        if depth == 0 && (word.is_word(")") || word.is_word("FROM")) {
            return None;
        }
        if begins && item == number {
            return Some(word.begins);
        }
        begins = depth == 0 && word.is_word(",");
        item += usize::from(begins);
        if word.is_word("(") || word.is_word("[") {
            depth += 1;
        } else if word.is_word(")") || word.is_word("]") {
            depth = depth.saturating_sub(1);
        }
    }
    None
}

/// Returns where the name of a type begins that something is cast to.
pub(super) fn type_named(name: &str, words: &[Word]) -> Option<Location> {
    let found = words.windows(2).find(|pair| match pair {
        [before, word] => word.is_word(name) && (before.is_word("::") || before.is_word("AS")),
        _ => false,
    });
    found?.last().map(|word| word.begins)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(found: Option<Location>) -> Option<u64> {
        found.map(|location| location.column)
    }

    #[test]
    fn operators_are_told_apart_by_their_neighbours() {
        for (sign, before, after, text, expected) in [
            (
                "=",
                Some("i"),
                Some("s"),
                "SELECT 1 = 1, x.i = t.s",
                Some(19),
            ),
            ("=", None, None, "SELECT 1 = 1, i = s", Some(10)),
            ("=", Some("x"), None, "SELECT 1", None),
            (
                "=",
                Some("x"),
                None,
                "SELECT CASE x WHEN y THEN 1 END",
                Some(15),
            ),
            (
                "NOT",
                Some("s"),
                None,
                "SELECT NOT b, s NOT IN (1)",
                Some(17),
            ),
            ("i", Some("AND"), None, "SELECT i, b AND (t.i)", Some(18)),
            (
                "<>",
                Some("i"),
                Some("1"),
                "SELECT 2 <> 1, i != 1",
                Some(18),
            ),
            ("+", Some("a"), Some("it's"), "SELECT a + 'it''s'", Some(10)),
        ] {
            let operands = Operands {
                sign: sign.to_owned(),
                before: before.map(str::to_owned),
                after: after.map(str::to_owned),
                ..Operands::default()
            };
            let found = of_operands(&operands, &words(text));
            assert_eq!(column(found), expected, "{text}");
        }
    }

    #[test]
    fn a_place_counts_if_the_word_is_there() {
        let placed = |column: u64| Operands {
            sign: "max".to_owned(),
            place: Some((1, column)),
            ..Operands::default()
        };
        let text = words("SELECT max(x), MAX(y)");
        for (column_of_word, expected) in [(8, 8), (16, 16), (9, 8), (0, 8)] {
            let found = of_operands(&placed(column_of_word), &text);
            assert_eq!(column(found), Some(expected), "{column_of_word}");
        }
    }

    #[test]
    fn places_are_those_of_postgres() {
        let found = |text: &str| words(text);
        for (place, expected) in [
            (
                behind(&["WHERE"], &found("SELECT 1 FROM t WHERE (t.x)")),
                Some(24),
            ),
            (
                behind(&["ORDER", "BY"], &found("SELECT 1 ORDER BY 2")),
                Some(19),
            ),
            (behind(&["WHERE"], &found("SELECT 1")), None),
            (
                second_query("UNION", &found("SELECT 1 UNION ALL (SELECT 2, 3)")),
                Some(28),
            ),
            (other_row(&found("VALUES (1, f(2, 3)), (4)")), Some(23)),
            (other_row(&found("VALUES (1, 2), (3, 4)")), None),
            (other_row(&found("VALUES )")), None),
            (
                wide_subquery(&found(
                    "SELECT * FROM (SELECT 1, 2) t WHERE 1 = (SELECT 1, 2)",
                )),
                Some(41),
            ),
            (
                wide_subquery(&found("SELECT (SELECT f(1, 2) FROM a, b)")),
                None,
            ),
            (
                cast_to("date", &found("SELECT '1'::int, 2::date")),
                Some(19),
            ),
            (
                cast_to("date", &found("SELECT CAST(CAST(1 AS int) AS date)")),
                Some(8),
            ),
            (
                cast_to("date", &found("SELECT CAST((SELECT 1 AS x) AS date)")),
                Some(8),
            ),
            (cast_to("date", &found("SELECT 1 AS date")), None),
            (
                target_at(1, &found("INSERT INTO d.t (a, b) SELECT 1")),
                Some(21),
            ),
            (target_at(0, &found("INSERT INTO d.t SELECT (1)")), None),
            (
                expression_at(1, &found("INSERT INTO t VALUES (f(1, 2), -3)")),
                Some(32),
            ),
            (
                expression_at(1, &found("INSERT INTO t SELECT 1 FROM a, b")),
                None,
            ),
            (compared_with_any(&found("SELECT 1, x = ANY (2)")), Some(13)),
            (type_named("odd", &found("SELECT odd, 1::odd")), Some(16)),
        ] {
            assert_eq!(column(place), expected);
        }
    }
}
