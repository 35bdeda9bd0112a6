//! Names of the columns of a query or a relation in FROM, and names that tell columns apart which are called alike.
//!
//! The engine wants the names of a relation's columns to differ. So the second `a` of `SELECT 1 AS a, 2 AS a` is called
//! [`apart`] while a query is planned, which no statement writes, and shown as what it [`shown`] is.

use datafusion::sql::sqlparser::ast::Ident;

/// Stands between a name and what tells it apart. It has no width.
const APART: char = '\u{2063}';

/// The name of the column in this place of a list, where another has the name already.
pub fn apart(name: &str, place: usize) -> String {
    format!("{}{APART}:{place}", shown(name))
}

/// The same of a relation in FROM: a list above it may tell its own columns apart.
pub fn apart_in_relation(name: &str, place: usize) -> String {
    format!("{}{APART}::{place}", shown(name))
}

/// The name as PostgreSQL has it.
pub fn shown(name: &str) -> &str {
    match name.rsplit_once(APART) {
        Some((shown, told)) if told.starts_with(':') => shown,
        _ => name,
    }
}

/// Whether a relation in FROM has several columns of the name.
pub fn is_apart_in_relation(name: &str) -> bool {
    name.rsplit_once(APART)
        .is_some_and(|(_, told)| told.starts_with("::"))
}

/// Whether the name was told apart from another.
pub fn is_apart(name: &str) -> bool {
    shown(name).len() < name.len()
}

/// The names of a query's columns, as far as it says them: those of `*` are its tables'.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OutputNames {
    /// Of the first columns: up to the first `*`.
    pub first: Vec<String>,
    /// Of the last ones: from the last `*` on, if there is one.
    pub last: Option<Vec<String>>,
}

impl OutputNames {
    /// Whether a query of so many columns may have these names.
    pub fn fit(&self, count: usize) -> bool {
        match &self.last {
            None => self.first.len() == count,
            Some(last) => self.first.len() + last.len() <= count,
        }
    }

    /// How many columns have a name, of those that are known.
    pub fn count(&self, name: &str) -> usize {
        let names = self.first.iter().chain(self.last.iter().flatten());
        names.filter(|known| *known == name).count()
    }

    /// The name in a place of `count`; `None` of a column of `*`.
    pub fn get(&self, place: usize, count: usize) -> Option<&str> {
        let last = self.last.as_deref().unwrap_or_default();
        let name = match place.checked_sub(count.saturating_sub(last.len())) {
            Some(place) => last.get(place),
            None => self.first.get(place),
        };
        name.map(String::as_str)
    }
}

/// Marks in a list of aliases, where [`encoded`] stands.
const FIRST: &str = "\u{2063}first:";
const STAR: &str = "\u{2063}*";
const LAST: &str = "\u{2063}last:";

/// The names as aliases of a relation's columns behind those that are written, for the planner of relations.
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

/// Takes what was `encoded` out of a relation's aliases. Gives those that are written, and the others.
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
