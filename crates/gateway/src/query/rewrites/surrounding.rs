//! The WITH clauses around a part of a statement that is planned by itself.

use sqlparser::ast::{Query, SetExpr, With};

/// The tables of a WITH clause.
struct Tables {
    with: Option<With>,
    /// The table whose query is being visited, which sees only those before it.
    before: Option<usize>,
}

/// The WITH clauses of the surrounding queries, outermost first.
#[derive(Default)]
pub(super) struct Surrounding {
    withs: Vec<Tables>,
}

impl Surrounding {
    /// A visitor enters a query.
    pub(super) fn enter(&mut self, query: &Query) {
        if let Some(tables) = self.withs.last_mut() {
            let mut with = tables.with.iter().flat_map(|with| &with.cte_tables);
            tables.before = with.position(|table| *table.query == *query);
        }
        self.withs.push(Tables {
            with: query.with.clone(),
            before: None,
        });
    }

    /// A visitor leaves the query that it entered last.
    pub(super) fn leave(&mut self) {
        self.withs.pop();
        if let Some(tables) = self.withs.last_mut() {
            tables.before = None;
        }
    }

    /// Returns a body as a query, with the surrounding WITH clauses.
    pub(super) fn query(&self, body: SetExpr) -> Option<Query> {
        let mut query = lakegate_dialect::postgres::everything().ok()?;
        query.body = Box::new(body);
        for tables in &self.withs {
            let Some(mut with) = tables.with.clone() else {
                continue;
            };
            with.cte_tables
                .truncate(tables.before.unwrap_or(usize::MAX));
            match &mut query.with {
                _ if with.cte_tables.is_empty() => {}
                Some(known) => {
                    known.recursive |= with.recursive;
                    known.cte_tables.extend(with.cte_tables);
                }
                none => *none = Some(with),
            }
        }
        Some(query)
    }
}
