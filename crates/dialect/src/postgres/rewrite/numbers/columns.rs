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
    let select = match query.body.as_mut() {
        SetExpr::Select(select) => select,
        SetExpr::Values(values) => return type_columns(values),
        _ => return,
    };
    let is_grouped = match &select.group_by {
        GroupByExpr::Expressions(keys, modifiers) => !keys.is_empty() || !modifiers.is_empty(),
        GroupByExpr::All(_) => true,
    };
    // The columns are keys too, which are numbers of columns or compared with other expressions.
    if is_grouped || select.distinct.is_some() || query.order_by.is_some() {
        return;
    }
    for item in &mut select.projection {
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
