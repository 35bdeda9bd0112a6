//! Catalog metadata visible to a session's principal, for protocols with metadata calls.

use futures::FutureExt;
use futures::future::BoxFuture;
use std::sync::Arc;

use lakegate_dialect::visible::{Columns, Needs, Pins, TableKind, VisibleCatalog, VisibleColumn};
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
            let catalog = self.catalog(&Needs::default()).await?;
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
            let mut catalog = self.catalog(&Needs::default()).await?;
            if filter.columns {
                // Columns are expensive, so they are read only for the selected tables.
                let ids = wanted(&catalog, filter)
                    .map(|(_, table)| table.id)
                    .collect();
                let tables = Pins {
                    table_ids: Some(ids),
                    ..Pins::default()
                };
                let needs = Needs {
                    columns: Columns::Of(tables.clone()),
                    tables,
                    ..Needs::default()
                };
                catalog = self.catalog(&needs).await?;
            }
            Ok(wanted(&catalog, filter)
                .map(|(database, table)| Relation {
                    database: database.name.clone(),
                    name: table.name.clone(),
                    kind: match table.kind {
                        _ if database.id < 0 => RelationKind::System,
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

/// One character of a LIKE pattern.
#[derive(Clone, Copy, PartialEq)]
enum Part {
    Any,
    One,
    Exactly(char),
}

/// Matches SQL's LIKE with `\` as the escape character. Backtracks only to the last `%`, so the
/// time is bounded by the product of the lengths.
fn is_like(pattern: &str, name: &str) -> bool {
    let mut parts = Vec::new();
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        parts.push(match c {
            '%' => Part::Any,
            '_' => Part::One,
            // A trailing `\` stands for itself.
            '\\' => Part::Exactly(chars.next().unwrap_or('\\')),
            c => Part::Exactly(c),
        });
    }
    let name: Vec<char> = name.chars().collect();
    let (mut at, mut in_name) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    while let Some(c) = name.get(in_name) {
        match parts.get(at) {
            Some(Part::Any) => {
                retry = Some((at + 1, in_name));
                at += 1;
            }
            Some(part) if *part == Part::One || *part == Part::Exactly(*c) => {
                at += 1;
                in_name += 1;
            }
            _ => match retry {
                None => return false,
                Some((after, taken)) => {
                    retry = Some((after, taken + 1));
                    (at, in_name) = (after, taken + 1);
                }
            },
        }
    }
    parts
        .get(at..)
        .unwrap_or_default()
        .iter()
        .all(|part| *part == Part::Any)
}

#[cfg(test)]
mod tests {
    use super::is_like;

    #[test]
    fn patterns_match_as_likes_do() {
        assert!(is_like("%", "") && is_like("%", "orders") && is_like("orders", "orders"));
        assert!(
            is_like("o%s", "orders") && is_like("_rders", "orders") && is_like("%d%r%", "orders")
        );
        assert!(!is_like("order", "orders") && !is_like("", "orders") && !is_like("o_s", "orders"));
        assert!(is_like(r"sales\_fact", "sales_fact") && !is_like(r"sales\_fact", "sales-fact"));
        assert!(is_like(r"100\%", "100%") && !is_like(r"100\%", "1000"));
        assert!(is_like(r"a\\b", r"a\b") && is_like("a\\", "a\\"));
        assert!(
            !is_like("Orders", "orders"),
            "names are lower case, patterns are not changed"
        );
    }

    #[test]
    fn many_percents_end_soon() {
        let pattern = "%a".repeat(2_000) + "b";
        assert!(!is_like(&pattern, &"a".repeat(255)));
    }
}
