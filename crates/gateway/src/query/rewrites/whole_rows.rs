//! Names of tables in place of columns, which stand for whole rows in PostgreSQL.
//!
//! ```text
//! SELECT t, (t).a FROM d.t       SELECT named_struct('a', d.t.a, …) AS t, get_field(named_struct(…), 'a') …
//! ```

use std::ops::ControlFlow;

use datafusion::execution::SessionState;
use lakegate_dialect::postgres::folded;
use lakegate_sql::trino::call;
use lakegate_sql::walk::{Tree, walk_mut};
use sqlparser::ast::{
    self, Expr, GroupByExpr, Ident, JoinOperator, ObjectName, Query, Select, SelectItem,
    SelectItemQualifiedWildcardKind, SetExpr, TableFactor, Value, VisitorMut,
    WildcardAdditionalOptions,
};

use crate::query::logical_plan::plan_statement;
use crate::query::rewrites::row_fields::bare;
use crate::query::rewrites::surrounding::Surrounding;

/// Returns the statement with a row in place of a name that is no column, where it is the name of a
/// table in FROM. `None` if it is not, or if the row may be missing, as in an outer join, or is
/// compared with NULL, which PostgreSQL does by the fields.
pub(crate) async fn expanded(
    state: &SessionState,
    statement: &ast::Statement,
    missing: &str,
) -> Option<ast::Statement> {
    let mut statement = statement.clone();
    let mut search = Rows::of(missing);
    let _ = walk_mut(&mut statement, &mut search);
    let (qualifier, query) = search.found?;
    let query = ast::Statement::Query(Box::new(query));
    let plan = plan_statement(state, query).await.ok()?;
    let columns = plan.schema().fields().iter();
    let columns: Vec<&str> = columns.map(|column| column.name().as_str()).collect();
    // Hidden columns are no part of a row.
    if columns.is_empty() || columns.iter().any(|column| column.starts_with('$')) {
        return None;
    }
    let mut replace = Rows {
        row: Some(row(&qualifier, &columns)),
        ..Rows::of(missing)
    };
    let _ = walk_mut(&mut statement, &mut replace);
    Some(statement)
}

fn row(qualifier: &[Ident], columns: &[&str]) -> Expr {
    let fields = columns.iter().flat_map(|column| {
        let name = Value::SingleQuotedString((*column).to_owned());
        let mut parts = qualifier.to_vec();
        parts.push(Ident::with_quote('"', *column));
        [Expr::Value(name.into()), Expr::CompoundIdentifier(parts)]
    });
    call("named_struct", fields.collect())
}

/// Finds the first SELECT that has the name of one of its tables among its expressions, and puts
/// the row there once it is known.
struct Rows<'a> {
    missing: &'a str,
    around: Surrounding,
    row: Option<Expr>,
    /// The table's name as columns have it, and a query of its columns.
    found: Option<(Vec<Ident>, Query)>,
}

impl<'a> Rows<'a> {
    fn of(missing: &'a str) -> Self {
        Self {
            missing,
            around: Surrounding::default(),
            row: None,
            found: None,
        }
    }
}

impl VisitorMut for Rows<'_> {
    type Break = ();

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        self.around.enter(query);
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &mut Query) -> ControlFlow<()> {
        self.around.leave();
        ControlFlow::Continue(())
    }

    fn post_visit_select(&mut self, select: &mut Select) -> ControlFlow<()> {
        let Some(qualifier) = table(select, self.missing) else {
            return ControlFlow::Continue(());
        };
        let mut names = Names::of(self.missing, None);
        names.select(select);
        if !names.found || names.compared {
            return ControlFlow::Continue(());
        }
        match &self.row {
            Some(row) => Names::of(self.missing, Some(row)).select(select),
            None => {
                let mut columns = bare(select);
                let name = ObjectName::from(qualifier.clone());
                columns.projection = vec![SelectItem::QualifiedWildcard(
                    SelectItemQualifiedWildcardKind::ObjectName(name),
                    WildcardAdditionalOptions::default(),
                )];
                let query = self.around.query(SetExpr::Select(Box::new(columns)));
                self.found = query.map(|query| (qualifier, query));
            }
        }
        ControlFlow::Break(())
    }
}

/// Returns the name of the only table in FROM that is called so, in front of its columns. `None` if
/// there are joins in which its rows may be missing.
pub(super) fn table(select: &Select, wanted: &str) -> Option<Vec<Ident>> {
    let mut found = Vec::new();
    for table in &select.from {
        let inner = table.joins.iter().all(|join| {
            matches!(
                join.join_operator,
                JoinOperator::Join(_) | JoinOperator::Inner(_) | JoinOperator::CrossJoin(_)
            )
        });
        if !inner {
            return None;
        }
        let joined = table.joins.iter().map(|join| &join.relation);
        for factor in std::iter::once(&table.relation).chain(joined) {
            found.extend(
                qualifier(factor)
                    .filter(|parts| parts.last().is_some_and(|name| folded(name) == wanted)),
            );
        }
    }
    match found.len() {
        1 => found.pop(),
        _ => None,
    }
}

fn qualifier(factor: &TableFactor) -> Option<Vec<Ident>> {
    match factor {
        TableFactor::Table {
            alias: Some(alias), ..
        }
        | TableFactor::Derived {
            alias: Some(alias), ..
        } => Some(vec![alias.name.clone()]),
        TableFactor::Table { name, .. } => {
            let parts = name.0.iter().map(|part| part.as_ident().cloned());
            parts.collect()
        }
        _ => None,
    }
}

/// Visits the expressions of one SELECT.
struct Names<'a> {
    missing: &'a str,
    /// What takes the place of the name.
    row: Option<&'a Expr>,
    /// The number of queries around the visitor.
    queries: usize,
    found: bool,
    /// Whether the name is compared with NULL.
    compared: bool,
}

impl<'a> Names<'a> {
    fn of(missing: &'a str, row: Option<&'a Expr>) -> Self {
        Self {
            missing,
            row,
            queries: 0,
            found: false,
            compared: false,
        }
    }

    fn select(&mut self, select: &mut Select) {
        for item in &mut select.projection {
            let own = match &*item {
                SelectItem::UnnamedExpr(Expr::Identifier(name)) => Some(name.clone()),
                _ => None,
            };
            self.visit(item);
            // A column keeps its name.
            if let SelectItem::UnnamedExpr(expr) = &*item
                && let Some(alias) = own.filter(|name| self.row.is_some() && self.means(name))
            {
                *item = SelectItem::ExprWithAlias {
                    expr: expr.clone(),
                    alias,
                };
            }
        }
        let conditions = [&mut select.selection, &mut select.having];
        for condition in conditions.into_iter().flatten() {
            self.visit(condition);
        }
        if let GroupByExpr::Expressions(keys, _) = &mut select.group_by {
            keys.iter_mut().for_each(|key| self.visit(key));
        }
    }

    fn visit(&mut self, part: &mut impl Tree) {
        // The visitor never breaks.
        let _ = walk_mut(part, self);
    }

    fn means(&self, name: &Ident) -> bool {
        folded(name) == self.missing
    }

    fn is_row(&self, expr: &Expr) -> bool {
        match expr {
            Expr::Nested(inner) => self.is_row(inner),
            Expr::Identifier(name) => self.means(name),
            _ => false,
        }
    }
}

impl VisitorMut for Names<'_> {
    type Break = ();

    fn pre_visit_query(&mut self, _: &mut Query) -> ControlFlow<()> {
        self.queries += 1;
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &mut Query) -> ControlFlow<()> {
        self.queries -= 1;
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if self.queries == 0
            && let Expr::IsNull(operand) | Expr::IsNotNull(operand) = expr
            && self.is_row(operand)
        {
            self.compared = true;
        }
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if self.queries == 0
            && let Expr::Identifier(name) = expr
            && self.means(name)
        {
            self.found = true;
            if let Some(row) = self.row {
                *expr = row.clone();
            }
        }
        ControlFlow::Continue(())
    }
}
