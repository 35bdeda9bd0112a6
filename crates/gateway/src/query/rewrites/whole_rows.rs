//! Names of tables in place of columns, which stand for whole rows in PostgreSQL.
//!
//! ```text
//! SELECT t, (t).a FROM d.t       SELECT named_struct('a', d.t.a, …) AS t, get_field(named_struct(…), 'a') …
//! … t IS NOT NULL                … d.t.a IS NOT NULL AND …
//! … ORDER BY t DESC              … ORDER BY d.t.a DESC NULLS FIRST, …
//! ```
//!
//! A row that is missing, as on the optional side of an outer join, is NULL, and a row of its columns would
//! not be. There the name may only be compared with NULL, and be in an aggregate whose FILTER says that it
//! is not NULL.

use std::ops::ControlFlow;

use datafusion::execution::SessionState;
use lakegate_dialect::postgres::folded;
use lakegate_sql::trino::call;
use lakegate_sql::walk::{Tree, walk_mut};
use sqlparser::ast::{
    self, BinaryOperator, Expr, GroupByExpr, Ident, JoinOperator, ObjectName, OrderByExpr,
    OrderByKind, OrderByOptions, Query, Select, SelectItem, SelectItemQualifiedWildcardKind,
    SetExpr, TableFactor, Value, VisitorMut, WildcardAdditionalOptions,
};

use crate::query::logical_plan::plan_statement;
use crate::query::rewrites::row_fields::bare;
use crate::query::rewrites::surrounding::Surrounding;

/// The maximum number of SELECTs of a statement with the name of the same table as a row.
const MAX_SELECTS: usize = 32;

/// Returns the statement with a row in place of a name that is not a column, wherever it is the name of a
/// table in FROM. `None` if it is nowhere, or if the row may be missing.
pub(crate) async fn expanded(
    state: &SessionState,
    statement: &ast::Statement,
    missing: &str,
) -> Option<ast::Statement> {
    let mut expanded = None;
    for _ in 0..MAX_SELECTS {
        let before = expanded.as_ref().unwrap_or(statement);
        match expanded_once(state, before, missing).await {
            Some(after) => expanded = Some(after),
            None => break,
        }
    }
    expanded
}

/// Does so in the first SELECT that has the name.
async fn expanded_once(
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

/// IS NULL or IS NOT NULL.
type Test = fn(Box<Expr>) -> Expr;

/// A row, as the columns of its table.
struct Row {
    columns: Vec<Expr>,
    /// The row as a value.
    value: Expr,
}

impl Row {
    /// Returns whether all columns are NULL, or whether none is, as PostgreSQL compares rows.
    fn compared(&self, test: Test) -> Option<Expr> {
        let tests = self
            .columns
            .iter()
            .map(|column| test(Box::new(column.clone())));
        let all = tests.reduce(|left, right| Expr::BinaryOp {
            left: Box::new(left),
            op: BinaryOperator::And,
            right: Box::new(right),
        })?;
        Some(Expr::Nested(Box::new(all)))
    }

    /// Returns the keys that rows are sorted by: the columns in turn, of which NULL is the greatest
    /// value. The row itself is never NULL.
    fn keys(&self, options: OrderByOptions) -> Vec<OrderByExpr> {
        let keys = self.columns.iter().map(|column| OrderByExpr {
            expr: column.clone(),
            options: OrderByOptions {
                asc: options.asc,
                nulls_first: Some(options.asc == Some(false)),
            },
            with_fill: None,
        });
        keys.collect()
    }
}

fn row(qualifier: &[Ident], columns: &[&str]) -> Row {
    let column = |name: &&str| {
        let mut parts = qualifier.to_vec();
        parts.push(Ident::with_quote('"', *name));
        Expr::CompoundIdentifier(parts)
    };
    let fields = columns.iter().flat_map(|name| {
        let text = Value::SingleQuotedString((*name).to_owned());
        [Expr::Value(text.into()), column(name)]
    });
    Row {
        value: call("named_struct", fields.collect()),
        columns: columns.iter().map(column).collect(),
    }
}

/// Finds the first SELECT that has the name of one of its tables among its expressions, and puts
/// the row there once it is known.
struct Rows<'a> {
    missing: &'a str,
    around: Surrounding,
    row: Option<Row>,
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

    /// Finds or replaces the name among the keys of a query of one SELECT, and in the SELECT. Returns
    /// whether it is there.
    fn sorted(&mut self, query: &mut Query) -> bool {
        let SetExpr::Select(select) = query.body.as_mut() else {
            return false;
        };
        let Some(OrderByKind::Expressions(keys)) =
            query.order_by.as_mut().map(|order| &mut order.kind)
        else {
            return false;
        };
        let is_row = |key: &OrderByExpr| match &key.expr {
            Expr::Identifier(name) => folded(name) == self.missing,
            _ => false,
        };
        if !keys.iter().any(is_row) || names_column(select, self.missing) || is_combined(select) {
            return false;
        }
        let Some(qualifier) = table(select, self.missing) else {
            return false;
        };
        match &self.row {
            Some(row) => {
                Names::of(self.missing, Some(row)).select(select);
                let own = std::mem::take(keys).into_iter();
                let own = own.flat_map(|key| match is_row(&key) {
                    true => row.keys(key.options),
                    false => vec![key],
                });
                *keys = own.collect();
            }
            None => self.finds(select, qualifier),
        }
        true
    }

    /// Notes a table of a SELECT whose name is a row.
    fn finds(&mut self, select: &Select, qualifier: Vec<Ident>) {
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

/// Returns whether a column of the result has a name, other than the row of this name.
fn names_column(select: &Select, wanted: &str) -> bool {
    select.projection.iter().any(|item| match item {
        SelectItem::ExprWithAlias { alias, .. } => folded(alias) == wanted,
        SelectItem::UnnamedExpr(Expr::CompoundIdentifier(parts)) => {
            parts.last().is_some_and(|name| folded(name) == wanted)
        }
        _ => false,
    })
}

/// Returns whether the rows of a result are made of several rows of its tables, so that they are not
/// sorted by columns of these.
fn is_combined(select: &Select) -> bool {
    let has_groups = match &select.group_by {
        GroupByExpr::Expressions(keys, _) => !keys.is_empty(),
        GroupByExpr::All(_) => true,
    };
    has_groups || select.distinct.is_some()
}

impl VisitorMut for Rows<'_> {
    type Break = ();

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        self.around.enter(query);
        match self.sorted(query) {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    }

    fn post_visit_query(&mut self, _: &mut Query) -> ControlFlow<()> {
        self.around.leave();
        ControlFlow::Continue(())
    }

    fn post_visit_select(&mut self, select: &mut Select) -> ControlFlow<()> {
        let Some(qualifier) = named(select, self.missing) else {
            return ControlFlow::Continue(());
        };
        let mut names = Names::of(self.missing, None);
        names.select(select);
        if !names.found || (names.is_value && may_be_missing(select, self.missing)) {
            return ControlFlow::Continue(());
        }
        match &self.row {
            Some(row) => Names::of(self.missing, Some(row)).select(select),
            None => self.finds(select, qualifier),
        }
        ControlFlow::Break(())
    }
}

/// Returns the name of the only table in FROM that is called so, in front of its columns. `None` if
/// its rows may be missing.
pub(super) fn table(select: &Select, wanted: &str) -> Option<Vec<Ident>> {
    match may_be_missing(select, wanted) {
        true => None,
        false => named(select, wanted),
    }
}

/// Returns whether there are joins in which the rows of a table may be missing.
fn may_be_missing(select: &Select, wanted: &str) -> bool {
    select.from.iter().any(|tables| {
        let mut is_here = is_called(&tables.relation, wanted);
        tables.joins.iter().any(|join| {
            let (before, joined) = optional_sides(&join.join_operator);
            let is_joined = is_called(&join.relation, wanted);
            let is_missing = (is_here && before) || (is_joined && joined);
            is_here |= is_joined;
            is_missing
        })
    })
}

/// Returns whether the rows before a join may be missing, and those that it joins.
fn optional_sides(join: &JoinOperator) -> (bool, bool) {
    match join {
        JoinOperator::Join(_) | JoinOperator::Inner(_) | JoinOperator::CrossJoin(_) => {
            (false, false)
        }
        JoinOperator::Left(_) | JoinOperator::LeftOuter(_) => (false, true),
        JoinOperator::Right(_) | JoinOperator::RightOuter(_) => (true, false),
        _ => (true, true),
    }
}

/// Returns the name of the only table in FROM that is called so, in front of its columns.
fn named(select: &Select, wanted: &str) -> Option<Vec<Ident>> {
    let mut found = Vec::new();
    for table in &select.from {
        let joined = table.joins.iter().map(|join| &join.relation);
        for factor in std::iter::once(&table.relation).chain(joined) {
            found.extend(qualifier(factor).filter(|parts| ends_in(parts, wanted)));
        }
    }
    match found.len() {
        1 => found.pop(),
        _ => None,
    }
}

fn is_called(factor: &TableFactor, wanted: &str) -> bool {
    qualifier(factor).is_some_and(|parts| ends_in(&parts, wanted))
}

fn ends_in(parts: &[Ident], wanted: &str) -> bool {
    parts.last().is_some_and(|name| folded(name) == wanted)
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
    row: Option<&'a Row>,
    /// The number of queries around the visitor.
    queries: usize,
    /// For each call around the visitor, whether its FILTER says that the row is not NULL.
    filters: Vec<bool>,
    /// Names to come that are compared with NULL.
    compared: usize,
    found: bool,
    /// Whether the name is a value where the row may be missing.
    is_value: bool,
}

impl<'a> Names<'a> {
    fn of(missing: &'a str, row: Option<&'a Row>) -> Self {
        Self {
            missing,
            row,
            queries: 0,
            filters: Vec::new(),
            compared: 0,
            found: false,
            is_value: false,
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

    /// Returns whether a condition does not hold for a row that is NULL.
    fn excludes(&self, condition: &Expr) -> bool {
        match condition {
            Expr::Nested(inner) => self.excludes(inner),
            Expr::IsNotNull(operand) => self.is_row(operand),
            Expr::BinaryOp {
                left,
                op: BinaryOperator::And,
                right,
            } => self.excludes(left) || self.excludes(right),
            _ => false,
        }
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
        if self.queries > 0 {
            return ControlFlow::Continue(());
        }
        let compared = match &*expr {
            Expr::Function(call) => {
                let filter = call.filter.as_deref();
                let excludes = filter.is_some_and(|filter| self.excludes(filter));
                self.filters.push(excludes);
                None
            }
            Expr::IsNull(operand) if self.is_row(operand) => Some(Expr::IsNull as Test),
            Expr::IsNotNull(operand) if self.is_row(operand) => Some(Expr::IsNotNull as Test),
            _ => None,
        };
        if let Some(test) = compared {
            self.found = true;
            match self.row.and_then(|row| row.compared(test)) {
                Some(of_columns) => *expr = of_columns,
                None => self.compared += 1,
            }
        }
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if self.queries > 0 {
            return ControlFlow::Continue(());
        }
        match expr {
            Expr::Function(_) => {
                self.filters.pop();
            }
            Expr::Identifier(name) if self.means(name) => {
                self.found = true;
                if self.compared > 0 {
                    self.compared -= 1;
                    return ControlFlow::Continue(());
                }
                self.is_value |= !self.filters.contains(&true);
                if let Some(row) = self.row {
                    *expr = row.value.clone();
                }
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }
}
