//! Set operations with CORRESPONDING, which take the columns that both queries have, by their names.
//! The engine takes them by place.
//!
//! ```text
//! SELECT a, b FROM t UNION CORRESPONDING SELECT b, c FROM u
//! SELECT "b" AS "b" FROM (SELECT a, b FROM t) UNION SELECT "b" AS "b" FROM (SELECT b, c FROM u)
//! ```
//!
//! The parser writes CORRESPONDING as `BY NAME`, which its tree has.

use std::ops::ControlFlow;

use datafusion::execution::SessionState;
use lakegate_error::{Code, Error, Result};
use lakegate_sql::walk::{walk, walk_mut};
use sqlparser::ast::{
    Expr, Ident, Query, SelectItem, SetExpr, SetQuantifier, Statement, TableFactor, Visitor,
    VisitorMut,
};

use crate::query::logical_plan::plan_statement;
use crate::query::rewrites::surrounding::Surrounding;

/// The maximum number of operations that are rewritten per statement.
const MAX_OPERATIONS: usize = 50;

/// Rewrites each set operation with CORRESPONDING. Returns `None` if there is none.
///
/// # Errors
/// A query of an operation cannot be planned by itself; its columns have no names, or one of several
/// columns; both queries have no column in common; there are too many operations.
pub(crate) async fn by_place(
    state: &SessionState,
    statement: &Statement,
) -> Result<Option<Statement>> {
    if walk(statement, &mut Presence).is_continue() {
        return Ok(None);
    }
    let mut statement = statement.clone();
    for _ in 0..=MAX_OPERATIONS {
        let mut search = Operations::default();
        let _ = walk_mut(&mut statement, &mut search);
        let Some([left, right]) = search.found else {
            return Ok(Some(statement));
        };
        let (left, right) = (names(state, left).await?, names(state, right).await?);
        let mut replace = Operations {
            columns: Some(common(left, &right)?),
            ..Operations::default()
        };
        let _ = walk_mut(&mut statement, &mut replace);
    }
    Err(Error::new(
        Code::TooComplex,
        format!("the statement has CORRESPONDING more than {MAX_OPERATIONS} times"),
    ))
}

/// Looks for a set operation by names.
struct Presence;

impl Visitor for Presence {
    type Break = ();

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        match is_in(&query.body) {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    }
}

fn is_by_name(quantifier: SetQuantifier) -> bool {
    matches!(
        quantifier,
        SetQuantifier::ByName | SetQuantifier::AllByName | SetQuantifier::DistinctByName
    )
}

/// Returns whether there is a set operation by names in a body, apart from its subqueries.
fn is_in(mut body: &SetExpr) -> bool {
    // A chain of operations nests to the left, as deep as it is long.
    while let SetExpr::SetOperation {
        left,
        right,
        set_quantifier,
        ..
    } = body
    {
        if is_by_name(*set_quantifier) || is_in(right) {
            return true;
        }
        body = left;
    }
    false
}

/// Returns the first set operation by names whose own queries have none.
fn innermost(body: &mut SetExpr) -> Option<&mut SetExpr> {
    let (in_left, in_right) = match &*body {
        SetExpr::SetOperation { left, right, .. } => (is_in(left), is_in(right)),
        _ => return None,
    };
    if !in_left && !in_right {
        return is_in(body).then_some(body);
    }
    match body {
        SetExpr::SetOperation { left, right, .. } => match in_left {
            true => innermost(left),
            false => innermost(right),
        },
        _ => None,
    }
}

/// Finds the first operation, and replaces it once its columns are known.
#[derive(Default)]
struct Operations {
    around: Surrounding,
    /// The names of each column in both queries.
    columns: Option<Vec<[String; 2]>>,
    /// Both queries, with the surrounding WITH clauses.
    found: Option<[Query; 2]>,
}

impl VisitorMut for Operations {
    type Break = ();

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        self.around.enter(query);
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        let Some(operation) = innermost(&mut query.body) else {
            self.around.leave();
            return ControlFlow::Continue(());
        };
        match self.columns.take() {
            Some(columns) => replace(operation, &columns),
            None => self.found = self.queries(operation),
        }
        ControlFlow::Break(())
    }
}

impl Operations {
    fn queries(&self, operation: &SetExpr) -> Option<[Query; 2]> {
        let SetExpr::SetOperation { left, right, .. } = operation else {
            return None;
        };
        let query = |body: &SetExpr| self.around.query(body.clone());
        Some([query(left)?, query(right)?])
    }
}

/// Returns the names of a query's columns.
async fn names(state: &SessionState, query: Query) -> Result<Vec<String>> {
    check_named(&query.body)?;
    let plan = plan_statement(state, Statement::Query(Box::new(query))).await?;
    let fields = plan.schema().fields().iter();
    let names: Vec<String> = fields.map(|field| field.name().clone()).collect();
    for (place, name) in names.iter().enumerate() {
        if names
            .iter()
            .skip(place + 1)
            .any(|other| is_same(name, other))
        {
            return Err(Error::new(
                Code::AmbiguousColumn,
                format!("CORRESPONDING finds several columns {name} in one query"),
            ));
        }
    }
    Ok(names)
}

/// Fails if a column has no name.
fn check_named(body: &SetExpr) -> Result<()> {
    let mut body = body;
    let is_named = loop {
        body = match body {
            SetExpr::Query(query) => &query.body,
            SetExpr::SetOperation { left, .. } => left,
            SetExpr::Select(select) => break select.projection.iter().all(has_name),
            SetExpr::Values(_) => break false,
            _ => break true,
        };
    };
    match is_named {
        true => Ok(()),
        false => Err(Error::new(
            Code::InvalidQuery,
            "CORRESPONDING needs queries whose columns have names",
        )
        .with_hint("name expressions with AS")),
    }
}

fn has_name(item: &SelectItem) -> bool {
    !matches!(item, SelectItem::UnnamedExpr(expr)
        if !matches!(expr, Expr::Identifier(_) | Expr::CompoundIdentifier(_) | Expr::CompoundFieldAccess { .. }))
}

fn is_same(one: &str, other: &str) -> bool {
    one.to_lowercase() == other.to_lowercase()
}

/// Returns the columns of the left query that the right one has too, with their names there.
fn common(left: Vec<String>, right: &[String]) -> Result<Vec<[String; 2]>> {
    let columns = left.into_iter().filter_map(|name| {
        let other = right.iter().find(|other| is_same(&name, other))?.clone();
        Some([name, other])
    });
    let columns: Vec<[String; 2]> = columns.collect();
    match columns.is_empty() {
        true => Err(Error::new(
            Code::InvalidQuery,
            "CORRESPONDING finds no column that both queries have",
        )),
        false => Ok(columns),
    }
}

/// Gives both queries the columns in the same places.
fn replace(operation: &mut SetExpr, columns: &[[String; 2]]) {
    let SetExpr::SetOperation {
        left,
        right,
        set_quantifier,
        ..
    } = operation
    else {
        return;
    };
    *set_quantifier = match *set_quantifier {
        SetQuantifier::AllByName => SetQuantifier::All,
        SetQuantifier::DistinctByName => SetQuantifier::Distinct,
        _ => SetQuantifier::None,
    };
    for (query, place) in [(left, 0), (right, 1)] {
        let names = columns.iter().filter_map(|names| {
            let [shown, _] = names;
            Some((names.get(place)?, shown))
        });
        let items = names.map(|(own, shown)| SelectItem::ExprWithAlias {
            expr: Expr::Identifier(Ident::with_quote('"', own)),
            alias: Ident::with_quote('"', shown),
        });
        if let Some(of_columns) = selected(query, items.collect()) {
            **query = of_columns;
        }
    }
}

/// Returns a SELECT of columns of a query.
fn selected(query: &SetExpr, columns: Vec<SelectItem>) -> Option<SetExpr> {
    let mut parsed = lakegate_sql::parse("SELECT 1 FROM (SELECT 1) AS \"corresponding\"").ok()?;
    let lakegate_sql::Statement::Query(mut outer) = parsed.pop()?.statement else {
        return None;
    };
    let SetExpr::Select(select) = outer.body.as_mut() else {
        return None;
    };
    select.projection = columns;
    match &mut select.from.first_mut()?.relation {
        TableFactor::Derived { subquery, .. } => *subquery.body = query.clone(),
        _ => return None,
    }
    Some(*outer.body)
}
