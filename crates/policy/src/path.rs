//! The search path, which resolves names without a database.

use lakegate_catalog::model::names::RESERVED_DATABASES;
use lakegate_error::{Code, Error, Result};

use super::{View, Visible, database_not_found};

/// The databases in which unqualified names are looked up, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct SearchPath {
    /// The entries that exist for the principal, built-in schemas included, without duplicates.
    pub visible: Vec<String>,
    /// The first entry that the session names, whether or not it exists.
    first_named: Option<String>,
}

impl SearchPath {
    /// Returns the database in which new tables are created and which listings use.
    ///
    /// # Errors
    ///
    /// No database of the path exists, or none is visible to this principal.
    pub fn current(&self) -> Result<&str> {
        match (self.visible.first(), &self.first_named) {
            (Some(first), _) => Ok(first),
            (None, Some(named)) => Err(database_not_found(named)),
            (None, None) => Err(Error::new(
                Code::SchemaNotFound,
                "no database is selected: search_path is empty",
            )
            .with_hint("USE a database, or write its name before the table's")),
        }
    }

    /// Returns the current database, or the first named one if none exists, for the record of a
    /// query.
    pub fn shown(&self) -> String {
        let first = self.visible.first().or(self.first_named.as_ref());
        first.cloned().unwrap_or_default()
    }
}

impl View {
    /// Resolves the databases of a session's search path that exist for the principal.
    ///
    /// # Errors
    ///
    /// The metastore fails.
    pub async fn search_path(&self, names: &[String]) -> Result<SearchPath> {
        let mut visible: Vec<String> = Vec::new();
        for name in names {
            let exists =
                RESERVED_DATABASES.contains(&name.as_str()) || self.database(name).await?.is_some();
            if exists && !visible.contains(name) {
                visible.push(name.clone());
            }
        }
        Ok(SearchPath {
            visible,
            first_named: names.first().cloned(),
        })
    }

    /// Finds the table or view that an unqualified name refers to: a temporary one of the session,
    /// or that in the first database in which the principal sees one.
    ///
    /// # Errors
    ///
    /// The metastore fails.
    pub async fn on_path(&self, path: &SearchPath, name: &str) -> Result<Option<Visible>> {
        if let Some(temporary) = self.temporary.visible(name) {
            return Ok(Some(temporary));
        }
        for database in &path.visible {
            if let Some(visible) = self.table(database, name).await? {
                return Ok(Some(visible));
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn current_database_is_the_first_that_exists() {
        let path = |visible: &[&str], first_named: Option<&str>| SearchPath {
            visible: visible.iter().map(|name| (*name).to_owned()).collect(),
            first_named: first_named.map(str::to_owned),
        };
        for (path, current, shown) in [
            (path(&["b", "c"], Some("a")), Some("b"), "b"),
            (path(&[], Some("a")), None, "a"),
            (path(&[], None), None, ""),
        ] {
            assert_eq!(path.current().ok(), current);
            assert_eq!(path.shown(), shown);
        }
    }
}
