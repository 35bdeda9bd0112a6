//! Catalog metadata visible to a session's principal, for protocols with metadata calls.

use futures::FutureExt;
use futures::future::BoxFuture;
use std::sync::{Arc, OnceLock};

use lakegate_dialect::visible::{
    Columns, Needs, Pins, TableKind, Texts, VisibleCatalog, VisibleColumn, is_like,
};
use lakegate_error::Result;

use crate::session::Session;
use crate::session::catalog_source::SessionCatalog;

/// Selects tables and views. Patterns are those of SQL's LIKE: `%`, `_`, and `\` as the escape
/// character.
#[derive(Debug, Clone, Default)]
pub struct RelationFilter {
    pub database: Option<String>,
    pub name: Option<String>,
    /// Whether to return the columns too.
    pub columns: bool,
}

/// What a relation is in the lists that drivers ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RelationKind {
    Table,
    View,
    /// A built-in table.
    System,
}

/// A table or view that is visible to the principal.
#[derive(Debug, Clone)]
pub struct Relation {
    pub database: String,
    pub name: String,
    pub kind: RelationKind,
    /// The visible columns, partition keys last; empty unless requested.
    pub columns: Vec<VisibleColumn>,
}

impl Session {
    /// Returns the names of the databases that match the LIKE pattern.
    ///
    /// # Errors
    /// The session is over; the catalog cannot be read.
    pub fn databases<'a>(&'a self, pattern: Option<&'a str>) -> BoxFuture<'a, Result<Vec<String>>> {
        async move {
            let needs = Needs {
                tables: Pins::none(),
                ..Needs::default()
            };
            let catalog = self.catalog(&needs).await?;
            Ok(catalog
                .databases
                .iter()
                .map(|database| database.name.clone())
                .filter(|name| pattern.is_none_or(|pattern| is_like(pattern, name)))
                .collect())
        }
        .boxed()
    }

    /// Returns the tables and views that match the filter.
    ///
    /// # Errors
    /// The session is over; the catalog cannot be read.
    pub fn relations<'a>(
        &'a self,
        filter: &'a RelationFilter,
    ) -> BoxFuture<'a, Result<Vec<Relation>>> {
        async move {
            let like = |pattern: &Option<String>| -> Vec<Texts> {
                let pattern = pattern.clone().map(Texts::Like);
                pattern.into_iter().collect()
            };
            let tables = Pins {
                tables: like(&filter.name),
                databases: like(&filter.database),
                ..Pins::default()
            };
            // Columns are expensive, so they are read only for the selected tables.
            let columns = match filter.columns {
                true => Columns::Of(tables.clone()),
                false => Columns::None,
            };
            let needs = Needs {
                tables,
                columns,
                ..Needs::default()
            };
            let catalog = self.catalog(&needs).await?;
            Ok(wanted(&catalog, filter)
                .map(|(database, table)| Relation {
                    database: database.name.clone(),
                    name: table.name.clone(),
                    kind: match table.kind {
                        _ if database.id < 0 && !database.temporary => RelationKind::System,
                        TableKind::Table => RelationKind::Table,
                        TableKind::View => RelationKind::View,
                    },
                    columns: table.columns.clone(),
                })
                .collect())
        }
        .boxed()
    }

    async fn catalog(&self, needs: &Needs) -> Result<Arc<VisibleCatalog>> {
        let source = SessionCatalog {
            session: self.me.clone(),
            gateway: Arc::clone(&self.gateway),
            moment: self.current_moment().await?,
            names: OnceLock::new(),
        };
        source.collect(needs).await.map(Arc::new)
    }
}

fn wanted<'a>(
    catalog: &'a VisibleCatalog,
    filter: &'a RelationFilter,
) -> impl Iterator<
    Item = (
        &'a lakegate_dialect::visible::VisibleDatabase,
        &'a lakegate_dialect::visible::VisibleTable,
    ),
> {
    let fits = |pattern: &Option<String>, name: &str| {
        pattern
            .as_ref()
            .is_none_or(|pattern| is_like(pattern, name))
    };
    catalog
        .databases
        .iter()
        .filter(move |database| fits(&filter.database, &database.name))
        .flat_map(move |database| {
            database
                .tables
                .iter()
                .filter(move |table| fits(&filter.name, &table.name))
                .map(move |table| (database, table))
        })
}
