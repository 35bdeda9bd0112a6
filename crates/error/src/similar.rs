//! The columns that the name of a missing one may have meant, as PostgreSQL finds them.

use datafusion::common::Column;

/// The most characters that differ between two names of one meaning.
const MAX_DISTANCE: usize = 3;

/// The longest name that is compared with others, in bytes.
const MAX_NAME: usize = 255;

/// Returns PostgreSQL's hint about a missing column: the most similar ones, of which there are one or
/// two.
///
/// `columns`: those that the statement may name.
pub(crate) fn hint(missing: &Column, columns: &[Column]) -> Option<String> {
    let table_of = |column: &Column| column.relation.as_ref().map(|of| of.table().to_owned());
    let wanted_table = table_of(missing);
    let mut most = MAX_DISTANCE.min(missing.name.len() / 2);
    let mut found: Vec<(Option<String>, &str)> = Vec::new();
    for column in columns {
        let table = table_of(column);
        let is_other = wanted_table.is_some() && table != wanted_table;
        let is_inner =
            !is_written(&column.name) || table.as_deref().is_some_and(|t| !is_written(t));
        if is_other || is_inner {
            continue;
        }
        let Some(distance) = distance(&column.name, &missing.name, most) else {
            continue;
        };
        if distance < most {
            most = distance;
            found.clear();
        }
        let known = (table, column.name.as_str());
        if !found.contains(&known) {
            found.push(known);
        }
    }
    let shown = |(table, name): &(Option<String>, &str)| match table {
        Some(table) => format!("the column \"{table}.{name}\""),
        None => format!("the column \"{name}\""),
    };
    match found.as_slice() {
        [one] => Some(format!("Perhaps you meant to reference {}.", shown(one))),
        [one, other] => Some(format!(
            "Perhaps you meant to reference {} or {}.",
            shown(one),
            shown(other)
        )),
        _ => None,
    }
}

/// Returns whether a statement can name something so: the names that rewrites make do not count.
fn is_written(name: &str) -> bool {
    let is_plain = |character: char| character.is_alphanumeric() || character == '_';
    !name.starts_with("__") && name.chars().all(is_plain)
}

/// Returns the number of characters to insert, remove and replace in one name to get the other, if
/// there are at most so many.
fn distance(one: &str, other: &str, most: usize) -> Option<usize> {
    if one.len() > MAX_NAME || other.len() > MAX_NAME {
        return None;
    }
    let one: Vec<char> = one.chars().collect();
    let other: Vec<char> = other.chars().collect();
    if one.len().abs_diff(other.len()) > most {
        return None;
    }
    // Of the first characters of one name, and each number of first characters of the other.
    let mut distances: Vec<usize> = (0..=other.len()).collect();
    for (row, character) in one.iter().enumerate() {
        let mut next = Vec::with_capacity(distances.len());
        next.push(row + 1);
        for (pair, wanted) in distances.windows(2).zip(&other) {
            let [diagonal, above] = pair else { continue };
            let before = next.last().copied().unwrap_or_default();
            let replaced = diagonal + usize::from(character != wanted);
            next.push(replaced.min(above + 1).min(before + 1));
        }
        // No later row has less.
        if next.iter().all(|distance| *distance > most) {
            return None;
        }
        distances = next;
    }
    distances.last().copied().filter(|found| *found <= most)
}

#[cfg(test)]
mod tests {
    use datafusion::common::TableReference;

    use super::*;

    fn column(table: &str, name: &str) -> Column {
        let relation = (!table.is_empty()).then(|| TableReference::partial("d", table));
        Column::new(relation, name)
    }

    #[test]
    fn one_or_two_most_similar_columns_are_named() {
        let columns = [
            column("a", "id"),
            column("a", "name"),
            column("a", "n"),
            column("b", "name"),
            column("b", "names"),
            column("b", "name"),
            column("b", "__name"),
            column("", "total"),
            column("b", "$path"),
        ];
        for (missing, hinted) in [
            (column("", "idd"), Some("the column \"a.id\"")),
            (
                column("", "nam"),
                Some("the column \"a.name\" or the column \"b.name\""),
            ),
            (
                column("b", "nams"),
                Some("the column \"b.name\" or the column \"b.names\""),
            ),
            (column("b", "nam"), Some("the column \"b.name\"")),
            (column("", "totals"), Some("the column \"total\"")),
            (column("", "customer"), None),
            (column("", "x"), None),
            (column("", "path"), None),
            (column("c", "name"), None),
        ] {
            let expected = hinted.map(|hinted| format!("Perhaps you meant to reference {hinted}."));
            assert_eq!(hint(&missing, &columns), expected, "{missing}");
        }
    }

    #[test]
    fn distances_count_characters() {
        for (one, other, expected) in [
            ("", "", Some(0)),
            ("abc", "abc", Some(0)),
            ("abc", "acb", Some(2)),
            ("né", "ne", Some(1)),
            ("quantity", "quantty", Some(1)),
            ("abc", "xyz", Some(3)),
            ("abcd", "wxyz", None),
            ("a", "abcde", None),
        ] {
            assert_eq!(distance(one, other, 3), expected, "{one} {other}");
        }
        assert_eq!(distance(&"x".repeat(1_000_000), "x", 3), None);
    }
}
