//! SELECT lists with `row.*`, which stands for the fields of a row. The engine's planner needs
//! their names, which it looks up in the row's type.
//!
//! ```text
//! SELECT "$fields"(r) FROM t               SELECT get_field(r, 'a') AS "a", get_field(r, 'b') AS "b" FROM t
//! SELECT "$fields"(t, 'x', 'y') FROM t     SELECT "t"."a" AS "x", "t"."b" AS "y" FROM t
//! SELECT r.* FROM t                        as "$fields"(r), if no table is called r
//! ```

use std::ops::ControlFlow;

use arrow::datatypes::{DataType, FieldRef};
use datafusion::execution::SessionState;
use datafusion::logical_expr::LogicalPlan;
use lakegate_dialect::postgres::{apart, folded};
use lakegate_error::{Code, Error, Result};
use lakegate_sql::trino::{FIELDS, call, fields_of};
use lakegate_sql::walk::{walk_expressions, walk_mut};
use sqlparser::ast::{
    self, Expr, FunctionArg, FunctionArgExpr, Ident, ObjectName, Query, Select, SelectItem,
    SelectItemQualifiedWildcardKind, SetExpr, TableFactor, TableWithJoins, Value, VisitorMut,
    WildcardAdditionalOptions,
};

use crate::query::logical_plan::plan_statement;
use crate::query::rewrites::surrounding::Surrounding;
use crate::query::rewrites::whole_rows;

/// The maximum number of rows that are expanded per statement.
const MAX_ROWS: usize = 50;

/// The name of the row in the query that looks up its type. No name is like it.
const ROW: &str = "\u{1}row";

/// Replaces each `row.*` by the fields of the row. Returns `None` if there is none.
///
/// # Errors
/// A row cannot be planned; a value is not a row; there are more or fewer names than fields, or too
/// many rows.
pub(crate) async fn expanded(
    state: &SessionState,
    statement: &ast::Statement,
) -> Result<Option<ast::Statement>> {
    let has_rows = walk_expressions(statement, |expr| match fields_of(expr) {
        Some(_) => ControlFlow::Break(()),
        None => ControlFlow::Continue(()),
    });
    if has_rows.is_continue() {
        return Ok(None);
    }
    let mut statement = statement.clone();
    for count in 0..=MAX_ROWS {
        let mut search = Rows::default();
        let _ = walk_mut(&mut statement, &mut search);
        let Some(found) = search.found else {
            return Ok((count > 0).then_some(statement));
        };
        let mut replace = Rows {
            fields: Some(Box::pin(fields(state, found)).await?),
            ..Rows::default()
        };
        let _ = walk_mut(&mut statement, &mut replace);
    }
    Err(Error::new(
        Code::TooComplex,
        format!("the statement has row.* more than {MAX_ROWS} times"),
    ))
}

/// Returns the statement with `row.*` in place of the `*` of a table that does not exist. `None` if
/// there is none.
///
/// `error`: why the statement could not be planned.
pub(crate) fn without_table(statement: &ast::Statement, error: &Error) -> Option<ast::Statement> {
    let missing = error.message().strip_prefix("invalid qualifier ")?;
    let mut statement = statement.clone();
    let mut stars = Stars {
        missing,
        found: false,
    };
    let _: ControlFlow<()> = walk_mut(&mut statement, &mut stars);
    stars.found.then_some(statement)
}

/// Makes calls of each `*` after a name that is not a table.
struct Stars<'a> {
    missing: &'a str,
    found: bool,
}

impl VisitorMut for Stars<'_> {
    type Break = ();

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<()> {
        for item in &mut select.projection {
            let SelectItem::QualifiedWildcard(
                SelectItemQualifiedWildcardKind::ObjectName(name),
                options,
            ) = &*item
            else {
                continue;
            };
            let parts = name.0.iter().map(|part| part.as_ident().cloned());
            let Some(parts) = parts.collect::<Option<Vec<Ident>>>() else {
                continue;
            };
            let spelled: Vec<String> = parts.iter().map(folded).collect();
            if *options == WildcardAdditionalOptions::default() && spelled.join(".") == self.missing
            {
                let row = match parts.as_slice() {
                    [name] => Expr::Identifier(name.clone()),
                    names => Expr::CompoundIdentifier(names.to_vec()),
                };
                *item = SelectItem::UnnamedExpr(call(FIELDS, vec![row]));
                self.found = true;
            }
        }
        ControlFlow::Continue(())
    }
}

/// A row whose fields are looked up.
struct Found {
    row: Expr,
    names: Vec<String>,
    /// `SELECT row.* FROM …`, if the row may be a table.
    of_table: Option<Query>,
    /// `SELECT …, row AS "row", … FROM …`.
    of_row: Query,
    /// The same with the tables around it, if the row is one of theirs.
    of_outer: Option<Query>,
    /// `SELECT row.* FROM …` of the tables of each SELECT around it, innermost first, if the row may
    /// be one of these tables.
    of_outer_tables: Vec<Query>,
}

/// Finds the first `row.*`, and replaces it once its fields are known.
#[derive(Default)]
struct Rows {
    around: Surrounding,
    /// The tables of the surrounding SELECTs and of this one, outermost first.
    tables: Vec<Vec<TableWithJoins>>,
    fields: Option<Vec<(Expr, String)>>,
    found: Option<Found>,
}

impl VisitorMut for Rows {
    type Break = ();

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        self.around.enter(query);
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &mut Query) -> ControlFlow<()> {
        self.around.leave();
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<()> {
        self.tables.push(without_rows(&select.from));
        ControlFlow::Continue(())
    }

    fn post_visit_select(&mut self, select: &mut Select) -> ControlFlow<()> {
        self.tables.pop();
        let mut items = select.projection.iter();
        let Some(place) = items.position(|item| called(item).is_some()) else {
            return ControlFlow::Continue(());
        };
        match self.fields.take() {
            Some(fields) => replace(select, place, fields),
            None => self.found = self.lookup(select, place),
        }
        ControlFlow::Break(())
    }
}

fn null() -> Expr {
    Expr::Value(Value::Null.into())
}

/// Returns the arguments of `row.*`.
fn called(item: &SelectItem) -> Option<&[FunctionArg]> {
    match item {
        SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } => fields_of(expr),
        _ => None,
    }
}

impl Rows {
    fn lookup(&self, select: &Select, place: usize) -> Option<Found> {
        let (row, names) = called(select.projection.get(place)?)?.split_first()?;
        let FunctionArg::Unnamed(FunctionArgExpr::Expr(row)) = row else {
            return None;
        };
        let names = names.iter().filter_map(|name| match name {
            FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Value(value))) => match &value.value {
                Value::SingleQuotedString(name) => Some(name.clone()),
                _ => None,
            },
            _ => None,
        });
        let table = match enclosed(row) {
            // The name of a table in FROM, as its columns have it.
            Expr::Identifier(name) => {
                Some(whole_rows::table(select, &folded(name)).unwrap_or_else(|| vec![name.clone()]))
            }
            Expr::CompoundIdentifier(parts) => Some(parts.clone()),
            _ => None,
        };
        let star = table.map(|parts| {
            SelectItem::QualifiedWildcard(
                SelectItemQualifiedWildcardKind::ObjectName(ObjectName::from(parts)),
                WildcardAdditionalOptions::default(),
            )
        });
        let of_tables = |from: &Vec<TableWithJoins>| {
            let mut of_table = bare(select);
            of_table.from.clone_from(from);
            of_table.projection = vec![star.clone()?];
            self.query(of_table)
        };
        let of_table = of_tables(&select.from);
        let of_outer_tables = self.tables.iter().rev().filter_map(of_tables).collect();
        // The other columns stay, because GROUP BY may name them by their places.
        let mut of_row = select.clone();
        for (index, item) in of_row.projection.iter_mut().enumerate() {
            let (expr, alias) = match &*item {
                _ if index == place => (row.clone(), ROW.to_owned()),
                item if called(item).is_some() => (null(), format!("{ROW}{index}")),
                SelectItem::ExprWithAlias { .. } => continue,
                SelectItem::UnnamedExpr(expr) => (expr.clone(), format!("{ROW}{index}")),
                _ => (null(), format!("{ROW}{index}")),
            };
            let alias = Ident::with_quote('"', alias);
            *item = SelectItem::ExprWithAlias { expr, alias };
        }
        let mut outer = self.tables.concat();
        let of_outer = match outer.is_empty() {
            true => None,
            false => {
                let mut of_outer = of_row.clone();
                outer.append(&mut of_outer.from);
                of_outer.from = outer;
                self.query(of_outer)
            }
        };
        Some(Found {
            row: row.clone(),
            names: names.collect(),
            of_table,
            of_row: self.query(of_row)?,
            of_outer,
            of_outer_tables,
        })
    }

    /// Returns a SELECT as a query, with the surrounding WITH clauses.
    fn query(&self, select: Select) -> Option<Query> {
        self.around.query(SetExpr::Select(Box::new(select)))
    }
}

/// Returns the expression in parentheses.
fn enclosed(expr: &Expr) -> &Expr {
    match expr {
        Expr::Nested(inner) => enclosed(inner),
        other => other,
    }
}

/// Returns the tables before the first one that has `row.*`.
fn without_rows(from: &[TableWithJoins]) -> Vec<TableWithJoins> {
    let has_rows = |factor: &TableFactor| match factor {
        TableFactor::Derived { subquery, .. } => {
            let found = walk_expressions(subquery.as_ref(), |expr| match fields_of(expr) {
                Some(_) => ControlFlow::Break(()),
                None => ControlFlow::Continue(()),
            });
            found.is_break()
        }
        _ => false,
    };
    let mut tables = Vec::with_capacity(from.len());
    for item in from {
        if has_rows(&item.relation) {
            break;
        }
        let joins = item.joins.iter();
        let joins = joins.take_while(|join| !has_rows(&join.relation)).cloned();
        let table = TableWithJoins {
            relation: item.relation.clone(),
            joins: joins.collect(),
        };
        let is_whole = table.joins.len() == item.joins.len();
        tables.push(table);
        if !is_whole {
            break;
        }
    }
    tables
}

/// Returns a SELECT of the same tables without other clauses.
pub(super) fn bare(select: &Select) -> Select {
    let empty = lakegate_dialect::postgres::everything();
    let mut bare = match empty.map(|query| *query.body) {
        Ok(SetExpr::Select(bare)) => *bare,
        _ => select.clone(),
    };
    bare.from.clone_from(&select.from);
    bare
}

async fn planned(state: &SessionState, query: Query) -> Result<LogicalPlan> {
    let statement = ast::Statement::Query(Box::new(query));
    plan_statement(state, statement).await
}

/// Returns the fields of a row or the columns of a table, with their names. Fields without names
/// have empty ones.
async fn fields(state: &SessionState, found: Found) -> Result<Vec<(Expr, String)>> {
    let of_table = match found.of_table {
        Some(query) => planned(state, query).await.ok(),
        None => None,
    };
    let of_row = match of_table {
        Some(plan) => return named(columns(&plan), &found.row, found.names),
        None => match (planned(state, found.of_row).await, found.of_outer) {
            (Err(error), Some(query)) => planned(state, query).await.map_err(|_| error),
            (plan, _) => plan,
        },
    };
    let fields: Vec<(Expr, String)> = match of_row {
        Err(error) => {
            let of_outer_table = first_planned(state, found.of_outer_tables).await;
            columns(&of_outer_table.ok_or(error)?)
        }
        Ok(plan) => {
            let mut columns = plan.schema().fields().iter();
            let row = columns.find(|field| field.name() == ROW);
            let Some(DataType::Struct(fields)) = row.map(|row| row.data_type()) else {
                return Err(Error::new(
                    Code::TypeMismatch,
                    format!("{}.* needs a row", found.row),
                ));
            };
            let numbered =
                |(index, field): (usize, &FieldRef)| *field.name() == format!("c{index}");
            let unnamed = fields.iter().enumerate().all(numbered);
            let named = fields.iter().map(|field| {
                let name = Value::SingleQuotedString(field.name().clone());
                let name = Expr::Value(name.into());
                let value = call("get_field", vec![found.row.clone(), name]);
                let shown = match unnamed {
                    true => String::new(),
                    false => field.name().clone(),
                };
                (value, shown)
            });
            named.collect()
        }
    };
    named(fields, &found.row, found.names)
}

/// Returns the plan of the first query that has one.
async fn first_planned(state: &SessionState, queries: Vec<Query>) -> Option<LogicalPlan> {
    for query in queries {
        if let Ok(plan) = planned(state, query).await {
            return Some(plan);
        }
    }
    None
}

/// Returns the columns of a plan as those of their tables, with their names.
fn columns(plan: &LogicalPlan) -> Vec<(Expr, String)> {
    let columns = plan.schema().iter();
    let columns = columns.map(|(table, field)| {
        let quoted = |name: &str| Ident::with_quote('"', name);
        let table = table.map(|table| quoted(table.table()));
        let parts = table.into_iter().chain([quoted(field.name())]);
        (
            Expr::CompoundIdentifier(parts.collect()),
            field.name().clone(),
        )
    });
    columns.collect()
}

/// Gives the fields of a row names, unless there are none.
///
/// # Errors
/// The row has another number of fields.
fn named(
    fields: Vec<(Expr, String)>,
    row: &Expr,
    names: Vec<String>,
) -> Result<Vec<(Expr, String)>> {
    if names.is_empty() {
        return Ok(fields);
    }
    if names.len() != fields.len() {
        return Err(Error::new(
            Code::InvalidQuery,
            format!(
                "{row}.* has {} columns, and {} names",
                fields.len(),
                names.len()
            ),
        ));
    }
    let exprs = fields.into_iter().map(|(expr, _)| expr);
    Ok(exprs.zip(names).collect())
}

/// Puts fields in the place of `row.*`.
fn replace(select: &mut Select, place: usize, fields: Vec<(Expr, String)>) {
    let has_star = select.projection.iter().take(place).any(|item| {
        matches!(
            item,
            SelectItem::Wildcard(_) | SelectItem::QualifiedWildcard(..)
        )
    });
    let mut used: Vec<String> = select.projection.iter().filter_map(name_of).collect();
    let mut items = Vec::with_capacity(fields.len());
    for (index, (expr, name)) in fields.into_iter().enumerate() {
        // Fields without names are numbered, as other columns without names are.
        let name = match (name.is_empty(), has_star) {
            (true, false) => format!("_col{}", place + index),
            (true, true) => format!("_col{index}"),
            (false, _) => name,
        };
        let alias = match used.contains(&name) {
            true => apart(&name, place + index),
            false => name.clone(),
        };
        used.push(name);
        items.push(SelectItem::ExprWithAlias {
            expr,
            alias: Ident::with_quote('"', alias),
        });
    }
    drop(select.projection.splice(place..=place, items));
}

/// Returns the name of a column that has one.
fn name_of(item: &SelectItem) -> Option<String> {
    match item {
        SelectItem::ExprWithAlias { alias, .. } => Some(folded(alias)),
        SelectItem::UnnamedExpr(Expr::Identifier(name)) => Some(folded(name)),
        SelectItem::UnnamedExpr(Expr::CompoundIdentifier(parts)) => parts.last().map(folded),
        _ => None,
    }
}
