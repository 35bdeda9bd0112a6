//! Plans the rows of a query first, and then the list of its columns, if these are columns of tables.
//!
//! ```text
//! SELECT * FROM t WHERE k = 1      SELECT true FROM t WHERE k = 1
//!                                    Projection: true                 Projection: t.k, t.c_1, …
//!                                      Filter: t.k = 1          ▶       Filter: t.k = 1
//! ```
//!
//! DataFusion compares the name of each column of a list with the names of all before it, and writes
//! both anew each time (`push_projection_dedupl` of `datafusion-sql`, 55.2): 2,000 columns take more
//! than a second. Delete this when it does not.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use arrow::datatypes::FieldRef;
use datafusion::common::{Column, DFSchema, ScalarValue, TableReference};
use datafusion::logical_expr::expr::Sort;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, Projection, UNNAMED_TABLE};
use datafusion::sql::sqlparser::ast::{
    self, GroupByExpr, Ident, OrderBy, OrderByKind, Query, Select, SelectFlavor, SelectItem,
    SetExpr, TableFactor, TableWithJoins, Value, WildcardAdditionalOptions,
};

/// A list of names is planned here if it has this many or more.
const MIN_NAMES: usize = 32;

/// The list of a query's columns.
#[derive(Debug)]
pub struct LongList {
    columns: Columns,
    is_ordered: bool,
}

#[derive(Debug)]
enum Columns {
    /// `*`
    All,
    Named(Vec<Named>),
}

/// A column as it is named in a list.
#[derive(Debug)]
struct Named {
    table: Option<String>,
    name: String,
    alias: Option<String>,
}

/// Takes the list of columns out of a statement. `None` if it has another form, or its list is short.
///
/// `folds`: whether names without quotes are in lower case.
///
/// Returns the statement for the rows, and the list.
pub fn taken(statement: &ast::Statement, folds: bool) -> Option<(ast::Statement, LongList)> {
    let ast::Statement::Query(query) = statement else {
        return None;
    };
    let (rows, list) = taken_of(query, folds)?;
    Some((ast::Statement::Query(Box::new(rows)), list))
}

/// Takes `*` out of a subquery without an order. Its rows cannot be planned for the same reasons as the
/// whole subquery.
pub(crate) fn star_taken(query: &Query) -> Option<(Query, LongList)> {
    let (rows, list) = taken_of(query, false)?;
    let is_star = matches!(list.columns, Columns::All) && !list.is_ordered;
    is_star.then_some((rows, list))
}

fn taken_of(query: &Query, folds: bool) -> Option<(Query, LongList)> {
    let SetExpr::Select(select) = query.body.as_ref() else {
        return None;
    };
    let is_plain = query.fetch.is_none()
        && query.settings.is_none()
        && query.pipe_operators.is_empty()
        && is_of_rows(select);
    let columns = is_plain.then(|| columns_of(&select.projection, folds));
    let columns = columns.flatten()?;
    let is_ordered = query.order_by.is_some();
    if let Some(order) = &query.order_by {
        // A key may be the name that a column has in the list only.
        let has_aliases = match &columns {
            Columns::All => false,
            Columns::Named(list) => list.iter().any(|column| column.alias.is_some()),
        };
        if has_aliases || !is_of_names(order) {
            return None;
        }
    }
    let rows = Query {
        body: Box::new(SetExpr::Select(Box::new(Select {
            projection: vec![SelectItem::UnnamedExpr(ast::Expr::value(Value::Boolean(
                true,
            )))],
            ..select.as_ref().clone()
        }))),
        ..query.clone()
    };
    let list = LongList {
        columns,
        is_ordered,
    };
    Some((rows, list))
}

/// Returns whether a SELECT has a row for each row of its tables that its condition is true for.
fn is_of_rows(select: &Select) -> bool {
    let groups_nothing = match &select.group_by {
        GroupByExpr::Expressions(keys, modifiers) => keys.is_empty() && modifiers.is_empty(),
        GroupByExpr::All(_) => false,
    };
    groups_nothing
        && !select.from.is_empty()
        && select.from.iter().all(has_names)
        && select.distinct.is_none()
        && select.select_modifiers.is_none()
        && select.top.is_none()
        && select.exclude.is_none()
        && select.into.is_none()
        && select.lateral_views.is_empty()
        && select.prewhere.is_none()
        && select.connect_by.is_empty()
        && select.cluster_by.is_empty()
        && select.distribute_by.is_empty()
        && select.sort_by.is_empty()
        && select.having.is_none()
        && select.named_window.is_empty()
        && select.qualify.is_none()
        && select.value_table_mode.is_none()
        && select.flavor == SelectFlavor::Standard
}

/// Returns whether all columns of a relation in FROM are those of a named table.
fn has_names(relation: &TableWithJoins) -> bool {
    let joined = relation.joins.iter().map(|join| &join.relation);
    let mut tables = joined.chain([&relation.relation]);
    tables.all(|table| match table {
        TableFactor::Table { args: None, .. } => true,
        TableFactor::Derived { alias, .. } => alias.is_some(),
        _ => false,
    })
}

/// Returns whether all keys are names of columns.
fn is_of_names(order: &OrderBy) -> bool {
    let OrderByKind::Expressions(keys) = &order.kind else {
        return false;
    };
    let is_name = |key: &ast::Expr| {
        matches!(
            key,
            ast::Expr::Identifier(_) | ast::Expr::CompoundIdentifier(_)
        )
    };
    order.interpolate.is_none()
        && keys
            .iter()
            .all(|key| key.with_fill.is_none() && is_name(&key.expr))
}

fn columns_of(list: &[SelectItem], folds: bool) -> Option<Columns> {
    match list {
        [SelectItem::Wildcard(options)] if has_no_options(options) => Some(Columns::All),
        list if list.len() >= MIN_NAMES => {
            let named = list.iter().map(|item| named(item, folds));
            named.collect::<Option<_>>().map(Columns::Named)
        }
        _ => None,
    }
}

fn has_no_options(options: &WildcardAdditionalOptions) -> bool {
    options.opt_ilike.is_none()
        && options.opt_exclude.is_none()
        && options.opt_except.is_none()
        && options.opt_replace.is_none()
        && options.opt_rename.is_none()
        && options.opt_alias.is_none()
}

/// Returns the name of a column; `None` for other expressions.
fn named(item: &SelectItem, folds: bool) -> Option<Named> {
    let (expr, alias) = match item {
        SelectItem::UnnamedExpr(expr) => (expr, None),
        SelectItem::ExprWithAlias { expr, alias } => (expr, Some(folded(alias, folds))),
        _ => return None,
    };
    let (table, name) = match expr {
        ast::Expr::Identifier(name) => (None, name),
        ast::Expr::CompoundIdentifier(parts) => match parts.as_slice() {
            [table, name] => (Some(table), name),
            _ => return None,
        },
        _ => return None,
    };
    let is_variable = |name: &Ident| name.quote_style.is_none() && name.value.starts_with('@');
    if is_variable(name) || table.is_some_and(is_variable) {
        return None;
    }
    Some(Named {
        table: table.map(|table| folded(table, folds)),
        name: folded(name, folds),
        alias,
    })
}

/// Returns a name as the planner reads it.
fn folded(name: &Ident, folds: bool) -> String {
    match name.quote_style.is_none() && folds {
        true => name.value.to_ascii_lowercase(),
        false => name.value.clone(),
    }
}

impl LongList {
    /// Puts the list into the plan of the rows. `None` if the whole statement has to be planned: a name
    /// is ambiguous or unknown, or the plan has another form.
    pub fn put_back(&self, rows: LogicalPlan) -> Option<LogicalPlan> {
        match rows {
            LogicalPlan::Limit(mut limit) => {
                limit.input = Arc::new(self.put_below(Arc::unwrap_or_clone(limit.input))?);
                Some(LogicalPlan::Limit(limit))
            }
            other => self.put_below(other),
        }
    }

    /// Puts the list into the plan of rows without LIMIT.
    fn put_below(&self, rows: LogicalPlan) -> Option<LogicalPlan> {
        let LogicalPlan::Projection(top) = rows else {
            return None;
        };
        if !self.is_ordered {
            return match top.expr.as_slice() {
                [column] if is_taken(column) => self.over(top.input),
                _ => None,
            };
        }
        // The keys are columns that the list of one constant does not have.
        let LogicalPlan::Sort(sort) = Arc::unwrap_or_clone(top.input) else {
            return None;
        };
        let LogicalPlan::Projection(list) = Arc::unwrap_or_clone(sort.input) else {
            return None;
        };
        let has_keys = sort.fetch.is_none() && are_of(&sort.expr, list.input.schema());
        if !has_keys || !list.expr.first().is_some_and(is_taken) {
            return None;
        }
        let list = self.over(list.input)?;
        let sorted = LogicalPlanBuilder::from(list).sort(sort.expr).ok()?;
        sorted.build().ok()
    }

    /// Returns the columns of the rows.
    fn over(&self, rows: Arc<LogicalPlan>) -> Option<LogicalPlan> {
        let schema = Arc::clone(rows.schema());
        let mut tables = schema.iter().map(|(table, _)| table);
        let is_plain = !matches!(rows.as_ref(), LogicalPlan::EmptyRelation(_))
            && tables.all(|table| table.is_some_and(|table| table.table() != UNNAMED_TABLE))
            && schema.functional_dependencies().is_empty()
            && rows.using_columns().ok()?.is_empty();
        if !is_plain {
            return None;
        }
        let projection = match &self.columns {
            Columns::All => Projection::new_from_schema(rows, Arc::clone(&schema)),
            Columns::Named(list) => {
                let (columns, fields) = of_names(list, &schema)?;
                let named = DFSchema::new_with_metadata(fields, schema.metadata().clone());
                let named = Arc::new(named.ok()?);
                Projection::try_new_with_schema(columns, rows, named).ok()?
            }
        };
        Some(LogicalPlan::Projection(projection))
    }
}

/// Whether a column is the constant in place of the list.
fn is_taken(column: &Expr) -> bool {
    matches!(
        column,
        Expr::Literal(ScalarValue::Boolean(Some(true)), None)
    )
}

/// Whether all keys are columns of these rows.
fn are_of(keys: &[Sort], rows: &DFSchema) -> bool {
    keys.iter().all(|key| match &key.expr {
        Expr::Column(column) => column.relation.is_some() && rows.has_column(column),
        _ => false,
    })
}

/// A field with the table that it is of.
type Field = (Option<TableReference>, FieldRef);

/// Returns the columns that a list names, and their fields; `None` if a name is ambiguous or unknown, or
/// two columns of the list have the same name.
fn of_names(list: &[Named], schema: &DFSchema) -> Option<(Vec<Expr>, Vec<Field>)> {
    let mut by_name: HashMap<&str, Vec<(&TableReference, &FieldRef)>> = HashMap::new();
    for (table, field) in schema.iter() {
        let of_name = by_name.entry(field.name().as_str()).or_default();
        of_name.extend(table.map(|table| (table, field)));
    }
    let mut shown = HashSet::new();
    let mut columns = Vec::with_capacity(list.len());
    let mut fields = Vec::with_capacity(list.len());
    for named in list {
        let known = by_name.get(named.name.as_str())?;
        let asked = named.table.as_deref();
        let mut found = known
            .iter()
            .copied()
            .filter(|(table, _)| asked.is_none_or(|asked| asked == table.table()));
        let (Some((table, field)), None) = (found.next(), found.next()) else {
            return None;
        };
        let column = Expr::Column(Column::new(Some(table.clone()), named.name.as_str()));
        let alias = named.alias.as_ref().filter(|alias| **alias != named.name);
        let (column, field) = match alias {
            Some(alias) => {
                let renamed = field.as_ref().clone().with_name(alias.as_str());
                (column.alias(alias.as_str()), (None, Arc::new(renamed)))
            }
            None => (column, (Some(table.clone()), Arc::clone(field))),
        };
        if !shown.insert(column.schema_name().to_string()) {
            return None;
        }
        columns.push(column);
        fields.push(field);
    }
    Some((columns, fields))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use datafusion::config::Dialect;
    use datafusion::execution::{SessionState, SessionStateBuilder};
    use datafusion::logical_expr::planner::RelationPlanner;
    use datafusion::prelude::SessionContext;
    use datafusion::sql::parser;

    use super::super::relations::NamedRelations;
    use super::*;
    use crate::optimize::IndependentRelations;

    fn parsed(state: &SessionState, sql: &str) -> ast::Statement {
        match state.sql_to_statement(sql, &Dialect::Generic).unwrap() {
            parser::Statement::Statement(statement) => *statement,
            other => panic!("{other} is a query"),
        }
    }

    async fn planned(state: &SessionState, statement: ast::Statement) -> LogicalPlan {
        let statement = parser::Statement::Statement(Box::new(statement));
        state.statement_to_plan(statement).await.unwrap()
    }

    /// Returns the plan by way of the rows; `None` if the whole statement has to be planned.
    async fn by_rows(state: &SessionState, sql: &str) -> Option<LogicalPlan> {
        let (rows, list) = taken(&parsed(state, sql), true)?;
        list.put_back(planned(state, rows).await)
    }

    /// `t` has the columns `c0` to `c39`, and `u` has `c0` and `x`.
    fn tables(sql: &str) -> String {
        let names: Vec<String> = (0..40).map(|place| format!("c{place}")).collect();
        let values: Vec<String> = (0..40).map(|place| place.to_string()).collect();
        let (names, values) = (names.join(", "), values.join(", "));
        format!(
            "WITH t AS (SELECT * FROM (VALUES ({values})) v({names})), \
                  u AS (SELECT * FROM (VALUES (1, 2)) v(c0, x)) {sql}"
        )
    }

    /// The columns of `t` that begin at `first`, each written by `of`.
    fn list(first: usize, of: impl Fn(usize) -> String) -> String {
        (first..40).map(of).collect::<Vec<_>>().join(", ")
    }

    #[tokio::test]
    async fn plans_are_those_of_the_whole_statement() {
        let state = SessionContext::new().state();
        let bare = list(0, |place| format!("c{place}"));
        let qualified = list(0, |place| format!("t.c{place}"));
        let renamed = list(0, |place| format!("C{place} AS \"C {place}\""));
        let same_name = list(0, |place| format!("t.c{place} AS c{place}"));
        let later = list(5, |place| format!("c{place}"));
        for sql in [
            "SELECT * FROM t".to_owned(),
            "SELECT * FROM t WHERE c1 = 1".to_owned(),
            "SELECT * FROM t WHERE c1 = 1 LIMIT 3 OFFSET 1".to_owned(),
            "SELECT * FROM t ORDER BY c3 DESC, t.c1 NULLS FIRST".to_owned(),
            "SELECT * FROM t ORDER BY c3 LIMIT 3".to_owned(),
            "SELECT * FROM t JOIN u ON t.c1 = u.x".to_owned(),
            "SELECT * FROM t, u WHERE t.c0 = u.c0 ORDER BY x".to_owned(),
            "SELECT * FROM t LEFT JOIN u ON t.c0 = u.c0".to_owned(),
            "SELECT * FROM (SELECT c1, c2 + 1 AS y FROM t) s".to_owned(),
            "SELECT * FROM (SELECT * FROM t WHERE c1 = 1) s WHERE c2 = 2".to_owned(),
            format!("SELECT {bare} FROM t"),
            format!("SELECT {qualified} FROM t WHERE c2 = 2"),
            format!("SELECT {renamed} FROM t LIMIT 1"),
            format!("SELECT {same_name} FROM t"),
            format!("SELECT {later} FROM t ORDER BY c1, c7"),
            format!("SELECT {later} FROM t, u WHERE x = 1"),
            format!("SELECT x, {qualified}, u.c0 AS other FROM t, u"),
        ] {
            let sql = tables(&sql);
            let whole = planned(&state, parsed(&state, &sql)).await;
            let by_rows = by_rows(&state, &sql).await;
            let by_rows = by_rows.unwrap_or_else(|| panic!("{sql} is planned here"));
            let shown = by_rows.display_indent_schema().to_string();
            assert_eq!(shown, whole.display_indent_schema().to_string(), "{sql}");
            assert_eq!(by_rows, whole, "{sql}");
        }
    }

    #[tokio::test]
    async fn other_statements_are_planned_as_a_whole() {
        let state = SessionContext::new().state();
        let bare = list(0, |place| format!("c{place}"));
        let renamed = list(0, |place| format!("c{place} AS d{place}"));
        for sql in [
            "SELECT c1, c2 FROM t".to_owned(),
            "SELECT t.* FROM t".to_owned(),
            "SELECT *, 1 FROM t".to_owned(),
            "SELECT DISTINCT * FROM t".to_owned(),
            "SELECT * FROM t ORDER BY 1".to_owned(),
            "SELECT * FROM t ORDER BY c1 + 1".to_owned(),
            "SELECT * FROM t JOIN u USING (c0)".to_owned(),
            "SELECT * FROM t UNION ALL SELECT * FROM t".to_owned(),
            "SELECT * FROM t, generate_series(1, 2)".to_owned(),
            format!("SELECT {bare}, c1 + 1 FROM t"),
            format!("SELECT {bare}, c1 FROM t"),
            format!("SELECT {bare} FROM t, u"),
            format!("SELECT {bare}, missing FROM t"),
            format!("SELECT {bare} FROM t GROUP BY c0"),
            format!("SELECT {renamed} FROM t ORDER BY d1"),
        ] {
            let sql = tables(&sql);
            assert!(by_rows(&state, &sql).await.is_none(), "{sql}");
        }
    }

    #[tokio::test]
    async fn subqueries_in_from_have_the_same_plans() {
        let bare = SessionContext::new().state();
        let planners: Vec<Arc<dyn RelationPlanner>> =
            vec![Arc::new(IndependentRelations), Arc::new(NamedRelations)];
        let state = SessionStateBuilder::new()
            .with_default_features()
            .with_relation_planners(planners)
            .build();
        for sql in [
            "SELECT s.c1 FROM (SELECT * FROM t) s WHERE s.c2 = 1",
            "SELECT * FROM (SELECT * FROM t WHERE c1 = 1 LIMIT 2) s",
            "SELECT s.x FROM (SELECT * FROM (SELECT * FROM u) r) s JOIN t ON s.c0 = t.c0",
            "SELECT s.c1 FROM (SELECT * FROM t ORDER BY c2 LIMIT 1) s",
        ] {
            let sql = tables(sql);
            let expected = planned(&bare, parsed(&bare, &sql)).await;
            let plan = planned(&state, parsed(&state, &sql)).await;
            let shown = plan.display_indent_schema().to_string();
            assert_eq!(shown, expected.display_indent_schema().to_string(), "{sql}");
        }
        let missing = tables("SELECT s.c1 FROM (SELECT * FROM t WHERE missing = 1) s");
        let statement = state.sql_to_statement(&missing, &Dialect::Generic).unwrap();
        let error = state.statement_to_plan(statement).await.unwrap_err();
        assert!(error.to_string().contains("missing"), "{error}");
    }
}
