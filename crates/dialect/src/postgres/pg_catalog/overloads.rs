//! The operators of `pg_operator` by their names, and the casts that PostgreSQL makes by itself.

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use super::data::{PG_CAST, PG_OPERATOR};

/// The numbers of the types of each operator's operands, 0 for the left one of a prefix operator.
pub(crate) static OPERATORS: LazyLock<HashMap<&'static str, Vec<(i64, i64)>>> =
    LazyLock::new(|| {
        let mut found: HashMap<&'static str, Vec<(i64, i64)>> = HashMap::new();
        for row in &PG_OPERATOR.rows {
            let takes = ["oprleft", "oprright"].map(|column| PG_OPERATOR.int(row, column));
            let name = PG_OPERATOR.text(row, "oprname");
            found.entry(name).or_default().push(takes.into());
        }
        found
    });

/// The numbers of types, and of types that their values become without a cast.
pub(crate) static IMPLICIT_CASTS: LazyLock<HashSet<(i64, i64)>> = LazyLock::new(|| {
    let is_implicit = |row: &&Vec<&'static str>| PG_CAST.text(row, "castcontext") == "i";
    let rows = PG_CAST.rows.iter().filter(is_implicit);
    rows.map(|row| {
        let types = ["castsource", "casttarget"].map(|column| PG_CAST.int(row, column));
        types.into()
    })
    .collect()
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operators_and_casts_are_those_of_the_catalog() {
        let has = |name: &str, takes: (i64, i64)| {
            OPERATORS
                .get(name)
                .is_some_and(|known| known.contains(&takes))
        };
        assert!(has("=", (23, 23)) && has("+", (1082, 23)) && has("-", (0, 23)));
        assert!(!has("=", (23, 25)));
        assert!(IMPLICIT_CASTS.contains(&(23, 20)) && !IMPLICIT_CASTS.contains(&(20, 23)));
    }
}
