//! The types of number literals that nothing else gives a type: those that are columns of queries,
//! cells of VALUES, and arguments whose type a function returns.
//!
//! ```text
//! SELECT 1, -2 AS x, 1.50       SELECT NULL $integer 1, NULL $integer -2 AS x, '1.50'::numeric(3,2)
//! FROM (VALUES (1), (x)) t      FROM (VALUES (NULL $integer 1), (x)) t
//! max(1), lag(x, 1, 0) OVER w   max(NULL $integer 1), lag(x, 1, NULL $integer 0) OVER w
//! SELECT 1 + 1, x = 1, f(1)     the same
//! ```
//!
//! The planner reads the operators as `integer`. It gives the literals of integers beside operators
//! and in arrays their types by itself.
//!
//! The columns of a recursive query have the types of its first part, so that a number there would
//! lose the digits of later ones: its literals with a point stay floating-point numbers.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Query, Select, SelectItem,
    SetExpr, Statement, Values, VisitorMut, With,
};
use lakegate_engine::untyped_texts::TYPED_TEXT;
use lakegate_sql::walk::walk_mut;

use super::super::last_part;
use super::super::slices::is_null;
use super::{integer, literal, to_integers};

/// Functions that return the type of their arguments, with the places of these arguments; all of them
/// if there are none.
const OF_ARGUMENTS: [(&str, &[usize]); 24] = [
    ("abs", &[]),
    ("any_value", &[]),
    ("array_agg", &[]),
    ("array_append", &[]),
    ("array_fill", &[0]),
    ("array_prepend", &[]),
    ("array_remove", &[]),
    ("array_replace", &[]),
    ("bit_and", &[]),
    ("bit_or", &[]),
    ("bit_xor", &[]),
    ("first_value", &[]),
    ("lag", &[0, 2]),
    ("last_value", &[]),
    ("lead", &[0, 2]),
    ("list_append", &[]),
    ("list_prepend", &[]),
    ("list_remove", &[]),
    ("list_replace", &[]),
    ("max", &[]),
    ("min", &[]),
    ("nth_value", &[0]),
    ("pg_typeof", &[]),
    (TYPED_TEXT, &[]),
];

/// Gives the literals of a statement their types. It comes after all rewrites that look at numbers.
///
/// VALUES that are the whole statement keep theirs: they may be inserted, where each takes the type of
/// the table's column.
pub(in crate::postgres::rewrite) fn type_columns(statement: &mut Statement) {
    // The visitor never breaks.
    let _ = walk_mut(statement, &mut Columns::default());
}

#[derive(Default)]
struct Columns {
    /// For each query around the current node, its WITH clause while it is taken out.
    taken: Vec<Option<With>>,
    /// Whether the query is one of WITH RECURSIVE.
    is_recursive: bool,
}

impl Columns {
    /// Returns a literal with its type; `None` for other expressions.
    fn typed(&self, expr: &Expr) -> Option<Expr> {
        let number = literal(expr)?;
        match number.is_decimal {
            true => (!self.is_recursive).then(|| number.decimal()),
            false => number.fits_integer().then(|| number.marked()),
        }
    }

    fn typed_in_place(&self, expr: &mut Expr) {
        if let Some(typed) = self.typed(expr) {
            *expr = typed;
        }
    }

    fn values_in(&self, body: &mut SetExpr) {
        let mut bodies = vec![body];
        while let Some(body) = bodies.pop() {
            match body {
                SetExpr::SetOperation { left, right, .. } => {
                    bodies.push(left.as_mut());
                    bodies.push(right.as_mut());
                }
                SetExpr::Values(values) => {
                    let cells = values.rows.iter_mut().flat_map(|row| &mut row.content);
                    cells.for_each(|cell| self.typed_in_place(cell));
                }
                _ => {}
            }
        }
    }

    fn arguments(&self, function: &mut Function) {
        let Some(name) = last_part(&function.name) else {
            return;
        };
        let mut known = OF_ARGUMENTS.iter();
        let Some((_, places)) = known.find(|(known, _)| *known == name) else {
            return;
        };
        let FunctionArguments::List(list) = &mut function.args else {
            return;
        };
        for (place, argument) in list.args.iter_mut().enumerate() {
            if let FunctionArg::Unnamed(FunctionArgExpr::Expr(value)) = argument
                && (places.is_empty() || places.contains(&place))
            {
                self.typed_in_place(value);
            }
        }
    }
}

impl VisitorMut for Columns {
    type Break = ();

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        let is_whole = self.taken.is_empty() && matches!(query.body.as_ref(), SetExpr::Values(_));
        if !is_whole {
            self.values_in(&mut query.body);
        }
        let mut with = query.with.take_if(|with| with.recursive);
        if let Some(with) = &mut with {
            let mut parts = Self {
                // It is part of this query.
                taken: vec![None],
                is_recursive: true,
            };
            for table in &mut with.cte_tables {
                let _ = walk_mut(&mut table.query, &mut parts);
            }
        }
        self.taken.push(with);
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        if let Some(with) = self.taken.pop().flatten() {
            query.with = Some(with);
        }
        ControlFlow::Continue(())
    }

    fn post_visit_select(&mut self, select: &mut Select) -> ControlFlow<()> {
        for item in &mut select.projection {
            if let SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } = item {
                self.typed_in_place(expr);
            }
        }
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if let Expr::Function(function) = expr {
            self.arguments(function);
        }
        ControlFlow::Continue(())
    }
}

/// Gives the literals of integers in VALUES that are a query by themselves their types.
pub fn type_literals(query: &mut Query) {
    if let SetExpr::Values(values) = query.body.as_mut() {
        type_cells(values);
    }
}

/// Makes the columns of VALUES integers that consist of literals of integers and NULLs only.
fn type_cells(values: &mut Values) {
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
