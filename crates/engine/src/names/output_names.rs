//! Names of the columns of a query or a relation in FROM, and marks that make duplicate names
//! unique.
//!
//! DataFusion requires the columns of a relation to have different names. So the second `a` of
//! `SELECT 1 AS a, 2 AS a` gets a name that no statement contains while a query is planned
//! ([`apart`]), and is [`shown`] under its own name.

use datafusion::sql::sqlparser::ast::Ident;

/// Separates a name from the mark that makes it unique. It has no width.
const APART: char = '\u{2063}';

/// Returns a unique name for the column at `place`, if another column has the name already.
pub fn apart(name: &str, place: usize) -> String {
    format!("{}{APART}:{place}", shown(name))
}

/// Returns the same for a relation in FROM. A select list above it may add marks to its own
/// columns.
pub fn apart_in_relation(name: &str, place: usize) -> String {
    format!("{}{APART}::{place}", shown(name))
}

/// Returns the name without its mark.
pub fn shown(name: &str) -> &str {
    match name.rsplit_once(APART) {
        Some((shown, mark)) if mark.starts_with(':') => shown,
        _ => name,
    }
}

/// Returns the name that a column of a subquery has in a relation of FROM: that of an alias with a period
/// keeps the mark by which the statement names it.
pub(super) fn shown_in_relation(name: &str) -> &str {
    match name.rsplit_once(APART) {
        Some((shown, ":0")) if shown.contains('.') => name,
        _ => shown(name),
    }
}

/// Returns whether the name is marked as one of several equal names in a relation of FROM.
pub fn is_apart_in_relation(name: &str) -> bool {
    name.rsplit_once(APART)
        .is_some_and(|(_, mark)| mark.starts_with("::"))
}

/// Returns whether the name has a mark.
pub fn is_apart(name: &str) -> bool {
    shown(name).len() < name.len()
}

/// Stands for a name that Trino makes of the column's place.
pub const NUMBERED: &str = "\u{2063}_col";

/// The names of a query's columns, as far as the query states them: `*` has those of its tables.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OutputNames {
    /// The first columns, up to the first `*`.
    pub first: Vec<String>,
    /// The last columns, after the last `*`; `None` if there is no `*`.
    pub last: Option<Vec<String>>,
}

impl OutputNames {
    /// Returns whether a query with `count` columns may have these names.
    pub fn fit(&self, count: usize) -> bool {
        match &self.last {
            None => self.first.len() == count,
            Some(last) => self.first.len() + last.len() <= count,
        }
    }

    /// Returns how many of the known columns have the name.
    pub fn count(&self, name: &str) -> usize {
        let names = self.first.iter().chain(self.last.iter().flatten());
        names.filter(|known| *known == name).count()
    }

    /// Collects the names of a select list; `None` stands for a `*`.
    pub fn of(names: &[Option<String>]) -> Self {
        let first: Vec<String> = names.iter().map_while(Clone::clone).collect();
        let has_star = first.len() < names.len();
        let last = names.iter().rev().map_while(Clone::clone);
        let last = has_star.then(|| last.collect::<Vec<_>>().into_iter().rev().collect());
        Self { first, last }
    }

    /// Returns the name at `place` of `count` columns; `None` for a column of `*`.
    pub fn get(&self, place: usize, count: usize) -> Option<String> {
        let last = self.last.as_deref().unwrap_or_default();
        let name = match place.checked_sub(count.saturating_sub(last.len())) {
            Some(place) => last.get(place),
            None => self.first.get(place),
        };
        name.map(|name| match name.as_str() {
            NUMBERED => format!("_col{place}"),
            name => name.to_owned(),
        })
    }
}

/// Marks in a list of aliases that contains [`encoded`] names.
const FIRST: &str = "\u{2063}first:";
const STAR: &str = "\u{2063}*";
const LAST: &str = "\u{2063}last:";

/// Encodes the names as aliases of a relation, after the written ones, for the relation planner.
pub fn encoded(names: &OutputNames) -> Vec<Ident> {
    let quoted = |mark: &str, name: &str| Ident::with_quote('"', format!("{mark}{name}"));
    let first = names.first.iter().map(|name| quoted(FIRST, name));
    let star = names.last.iter().map(|_| quoted(STAR, ""));
    let last = names.last.iter().flatten();
    first
        .chain(star)
        .chain(last.map(|name| quoted(LAST, name)))
        .collect()
}

/// Splits a relation's aliases into the written ones and the names that [`encoded`] added.
pub fn decoded(aliases: Vec<Ident>) -> (Vec<Ident>, OutputNames) {
    let mut names = OutputNames::default();
    let mut written = Vec::new();
    for alias in aliases {
        if let Some(name) = alias.value.strip_prefix(FIRST) {
            names.first.push(name.to_owned());
        } else if let Some(name) = alias.value.strip_prefix(LAST) {
            names.last.get_or_insert_default().push(name.to_owned());
        } else if alias.value == STAR {
            names.last.get_or_insert_default();
        } else {
            written.push(alias);
        }
    }
    (written, names)
}
