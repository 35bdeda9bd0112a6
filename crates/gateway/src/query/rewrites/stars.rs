//! SELECT lists with several `*`. The engine requires distinct columns, so each `*` after the first
//! is replaced by the names of its columns.
//!
//! ```text
//! SELECT *, t.* FROM t      SELECT *, t.a AS "a:1", t.b AS "b:1" FROM t
//! ```

use lakegate_sql::walk::walk_mut;
use std::ops::ControlFlow;

use datafusion::common::DFSchema;
use datafusion::execution::SessionState;
use lakegate_dialect::postgres::{apart, folded};
use sqlparser::ast::{
    self, Expr, Ident, Query, Select, SelectItem, SelectItemQualifiedWildcardKind, SetExpr,
    VisitorMut, WildcardAdditionalOptions, With,
};

use crate::query::logical_plan::plan_statement;

/// The maximum number of SELECTs that are expanded per statement.
const MAX_LISTS: usize = 20;

/// Replaces each `*` after the first of its list by column names. Returns `None` if there is none,
/// or if its columns depend on the surrounding query.
pub(crate) async fn expanded(
    state: &SessionState,
    statement: &ast::Statement,
) -> Option<ast::Statement> {
    let mut statement = statement.clone();
    let mut found = false;
    for _ in 0..MAX_LISTS {
        let mut search = Stars::default();
        let _ = walk_mut(&mut statement, &mut search);
        let Some(lookup) = search.lookup else {
            break;
        };
        let lookup = ast::Statement::Query(Box::new(lookup));
        let plan = plan_statement(state, lookup).await.ok()?;
        let mut replace = Stars {
            columns: Some(plan.schema().as_ref().clone()),
            ..Stars::default()
        };
        let _ = walk_mut(&mut statement, &mut replace);
        found = true;
    }
    found.then_some(statement)
}

/// Finds the first list with several `*`, and replaces them once their columns are known.
#[derive(Default)]
struct Stars {
    /// The WITH clauses of the surrounding queries.
    withs: Vec<Option<With>>,
    columns: Option<DFSchema>,
    lookup: Option<Query>,
}

impl VisitorMut for Stars {
    type Break = ();

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        self.withs.push(query.with.clone());
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &mut Query) -> ControlFlow<()> {
        self.withs.pop();
        ControlFlow::Continue(())
    }

    fn post_visit_select(&mut self, select: &mut Select) -> ControlFlow<()> {
        let stars = || select.projection.iter().filter(|item| is_star(item));
        // The columns of a `*` with EXCLUDE and the like are only known to the engine.
        if stars().count() < 2 || !stars().all(is_plain) {
            return ControlFlow::Continue(());
        }
        match self.columns.take() {
            Some(columns) => replace(select, &columns),
            None => self.lookup = self.lookup_of(select),
        }
        ControlFlow::Break(())
    }
}

impl Stars {
    /// Returns `SELECT * FROM …` with the tables of the SELECT and the surrounding WITH clauses.
    fn lookup_of(&self, select: &Select) -> Option<Query> {
        let mut query = lakegate_dialect::postgres::everything().ok()?;
        if let SetExpr::Select(all) = query.body.as_mut() {
            all.from.clone_from(&select.from);
        }
        for with in self.withs.iter().flatten() {
            match &mut query.with {
                Some(tables) => {
                    tables.recursive |= with.recursive;
                    tables.cte_tables.extend(with.cte_tables.iter().cloned());
                }
                none => *none = Some(with.clone()),
            }
        }
        Some(query)
    }
}

fn is_star(item: &SelectItem) -> bool {
    matches!(
        item,
        SelectItem::Wildcard(_) | SelectItem::QualifiedWildcard(..)
    )
}

fn is_plain(star: &SelectItem) -> bool {
    match star {
        SelectItem::Wildcard(options) | SelectItem::QualifiedWildcard(_, options) => {
            *options == WildcardAdditionalOptions::default()
        }
        _ => false,
    }
}

fn replace(select: &mut Select, columns: &DFSchema) {
    let mut items = Vec::new();
    let mut first = true;
    for item in std::mem::take(&mut select.projection) {
        if !is_star(&item) || std::mem::take(&mut first) {
            items.push(item);
            continue;
        }
        let of = match &item {
            SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(name), _) => {
                name.0.last().and_then(|part| part.as_ident()).map(folded)
            }
            _ => None,
        };
        for (relation, field) in columns.iter() {
            let Some(relation) = relation else {
                continue;
            };
            if of.as_deref().is_some_and(|of| of != relation.table()) {
                continue;
            }
            let quoted = |name: &str| Ident::with_quote('"', name);
            items.push(SelectItem::ExprWithAlias {
                expr: Expr::CompoundIdentifier(vec![
                    quoted(relation.table()),
                    quoted(field.name()),
                ]),
                alias: quoted(&apart(field.name(), items.len())),
            });
        }
    }
    select.projection = items;
}
