//! The types of number literals that are columns of a result.

use datafusion::sql::sqlparser::ast::{
    Expr, GroupByExpr, Ident, Query, SelectItem, SetExpr, Values,
};

use super::super::slices::is_null;
use super::divisor::Divisor;
use super::{MAX_DEPTH, calculated, integer, to_integers};

/// The name of a column without one.
const UNNAMED: &str = "?column?";

/// Gives the number literals that are columns of a result PostgreSQL's types.
pub fn type_literals(query: &mut Query) {
    if matches!(query.body.as_ref(), SetExpr::SetOperation { .. }) {
        return type_parts(&mut query.body);
    }
    let select = match query.body.as_mut() {
        SetExpr::Select(select) => select,
        SetExpr::Values(values) => return type_columns(values),
        _ => return,
    };
    let is_grouped = match &select.group_by {
        GroupByExpr::Expressions(keys, modifiers) => !keys.is_empty() || !modifiers.is_empty(),
        GroupByExpr::All(_) => true,
    };
    // Keys are names or numbers of columns, or are compared with the expressions of other columns.
    let has_keys = is_grouped || select.distinct.is_some() || query.order_by.is_some();
    for item in &mut select.projection {
        if !has_keys || matches!(item, SelectItem::ExprWithAlias { .. }) {
            type_item(item, typed);
        }
    }
}

/// Gives a column its type. One without a name gets the name that it has without the type.
fn type_item(item: &mut SelectItem, typed: fn(&Expr) -> Option<Expr>) {
    match item {
        SelectItem::UnnamedExpr(expr) => {
            if let Some(typed) = typed(expr) {
                let name = Divisor::called(expr).map_or(UNNAMED, |(divisor, _)| divisor.name());
                let alias = Ident::with_quote('"', name);
                *item = SelectItem::ExprWithAlias { expr: typed, alias };
            }
        }
        SelectItem::ExprWithAlias { expr, .. } => {
            if let Some(typed) = typed(expr) {
                *expr = typed;
            }
        }
        _ => {}
    }
}

/// Makes the columns of a set operation integers that consist of literals of integers and NULLs in all
/// of its parts.
fn type_parts(body: &mut SetExpr) {
    let mut lists: Vec<&mut Vec<SelectItem>> = Vec::new();
    let mut bodies = vec![body];
    while let Some(body) = bodies.pop() {
        match body {
            SetExpr::Select(select) => lists.push(&mut select.projection),
            SetExpr::SetOperation { left, right, .. } => {
                bodies.push(left.as_mut());
                bodies.push(right.as_mut());
            }
            _ => return,
        }
    }
    let are_values = |list: &&mut Vec<SelectItem>| list.iter().all(|item| value_of(item).is_some());
    if !lists.iter().all(are_values) {
        return;
    }
    let width = lists.iter().map(|list| list.len()).min().unwrap_or(0);
    for column in 0..width {
        let items = lists.iter_mut().filter_map(|list| list.get_mut(column));
        let mut items: Vec<&mut SelectItem> = items.collect();
        let are_integers = items.iter().all(|item| {
            value_of(item).is_some_and(|value| is_null(value) || integer(value).is_some())
        });
        if are_integers {
            for item in &mut items {
                type_item(item, integer);
            }
        }
    }
}

/// Returns the expression that a column is; `None` for `*` and the like.
fn value_of(item: &SelectItem) -> Option<&Expr> {
    match item {
        SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } => Some(expr),
        _ => None,
    }
}

/// Makes the columns of VALUES integers that consist of literals of integers and NULLs only.
fn type_columns(values: &mut Values) {
    let width = values.rows.first().map_or(0, |row| row.content.len());
    for column in 0..width {
        let cells = values.rows.iter_mut();
        let cells = cells.filter_map(|row| row.content.get_mut(column));
        let mut cells: Vec<&mut Expr> = cells.collect();
        let mut all = cells.iter();
        let are_integers = all.all(|cell| is_null(cell) || integer(cell).is_some());
        if are_integers {
            to_integers(&mut cells);
        }
    }
}

/// Returns a column with PostgreSQL's type; `None` if it consists of more than literals.
fn typed(expr: &Expr) -> Option<Expr> {
    let number = calculated(expr, MAX_DEPTH)?;
    Some(match number.is_decimal {
        true => number.decimal(),
        false => number.integer(expr),
    })
}
