//! Whether a decimal has the fractional digits that PostgreSQL shows for each of its values.

use arrow::datatypes::DataType;
use datafusion::common::TableReference;
use datafusion::logical_expr::expr::{AggregateFunction, WindowFunction};
use datafusion::logical_expr::{
    Cast, Expr, ExprSchemable, LogicalPlan, Operator, WindowFunctionDefinition,
};

use super::stated::is_stated;
use super::tree::{is_open, open_value, operation};
use crate::plans::expressions;
use crate::plans::origins::{Origin, origin};

/// How many parts of a value, and operators that compute its columns, are looked at.
const MAX_PARTS: usize = 256;

/// Returns whether all values of an expression over the columns of a plan have the fractional digits of
/// its type in PostgreSQL, too. False of what is neither an integer nor a decimal, and where it is not known.
pub(super) fn is_exact(value: &Expr, input: &LogicalPlan) -> bool {
    let mut search = Search {
        parts: MAX_PARTS,
        needs_digits: true,
        is_merged: false,
    };
    search.value(value, input)
}

/// Returns whether all values of an expression are those of PostgreSQL, with as many fractional digits or
/// more. False as of [`is_exact`].
pub(super) fn has_exact_values(value: &Expr, input: &LogicalPlan) -> bool {
    let mut search = Search {
        parts: MAX_PARTS,
        needs_digits: false,
        is_merged: false,
    };
    search.value(value, input)
}

/// Returns the fractional digits of a type; `None` if it is neither an integer nor a decimal.
pub(super) fn scale(data_type: &DataType) -> Option<i16> {
    match data_type {
        DataType::Decimal128(_, scale @ 0..) => Some(i16::from(*scale)),
        of if of.is_integer() => Some(0),
        _ => None,
    }
}

struct Search {
    /// How many parts are still looked at.
    parts: usize,
    /// Whether values have no more fractional digits than in PostgreSQL.
    needs_digits: bool,
    /// Whether the value is one of several that get a common type by casts of the engine's.
    is_merged: bool,
}

impl Search {
    fn value(&mut self, value: &Expr, input: &LogicalPlan) -> bool {
        let Some(left) = self.parts.checked_sub(1) else {
            return false;
        };
        self.parts = left;
        if matches!(value, Expr::Literal(literal, _) if literal.is_null()) {
            return true;
        }
        let of = value.get_type(input.schema()).ok();
        let places = match of.as_ref().and_then(scale) {
            None => return false,
            // There is no value with fewer.
            Some(0) => return true,
            Some(places) => places,
        };
        if open_value(value).is_some() {
            return false;
        }
        if let Some((op, left, right)) = operation(value) {
            return op != Operator::Divide
                && self.value(left, input)
                && self.value(right, input)
                && self.places(op, left, right, input) == Some(places);
        }
        match value {
            Expr::Alias(alias) => self.value(&alias.expr, input),
            Expr::Negative(operand) => self.value(operand, input),
            Expr::Literal(..) => true,
            Expr::Column(column) => {
                let place = input.schema().maybe_index_of_column(column);
                place.is_some_and(|place| self.column(input, place))
            }
            Expr::Cast(cast) => self.cast(cast, places, input),
            Expr::ScalarFunction(call) => match (call.func.name(), call.args.as_slice()) {
                // A cast of a floating-point number, which says its digits.
                ("nearest", [_]) => true,
                ("abs", [of]) | ("nullif", [of, _]) => self.value(of, input),
                ("coalesce" | "greatest" | "least", args) => {
                    !self.needs_digits && args.iter().all(|arg| self.value(arg, input))
                }
                _ => false,
            },
            Expr::Case(case) => {
                let mut results = case.when_then_expr.iter().map(|(_, result)| result);
                !self.needs_digits
                    && results.all(|result| self.value(result, input))
                    && case.else_expr.iter().all(|other| self.value(other, input))
            }
            Expr::AggregateFunction(call) => self.aggregate(call, input),
            Expr::WindowFunction(window) => self.window(window, input),
            Expr::ScalarSubquery(subquery) => self.column(&subquery.subquery, 0),
            _ => false,
        }
    }

    /// Returns the fractional digits of an operation's result in PostgreSQL.
    fn places(&self, op: Operator, left: &Expr, right: &Expr, input: &LogicalPlan) -> Option<i16> {
        let of = |operand: &Expr| scale(&operand.get_type(input.schema()).ok()?);
        let (left, right) = (of(left)?, of(right)?);
        Some(match op {
            Operator::Multiply => left + right,
            _ => left.max(right),
        })
    }

    fn cast(&mut self, cast: &Cast, places: i16, input: &LogicalPlan) -> bool {
        if is_open(&cast.field) {
            return false;
        }
        let Ok(from) = cast.expr.get_type(input.schema()) else {
            return false;
        };
        if from.is_string() || from.is_floating() {
            return true;
        }
        if from.is_null() || is_stated(&cast.field) {
            return true;
        }
        match scale(&from) {
            // Only the statement has casts to fewer digits.
            Some(of) if of > places => true,
            Some(_) if is_rounded(&cast.expr) => true,
            Some(of) if of == places => self.value(&cast.expr, input),
            Some(_) if !self.needs_digits => self.value(&cast.expr, input),
            // The engine casts integers to decimals without a fraction beside an operator.
            Some(_) => from.is_integer() && !self.is_merged,
            None => false,
        }
    }

    fn aggregate(&mut self, call: &AggregateFunction, input: &LogicalPlan) -> bool {
        let is_of_argument = matches!(
            call.func.name(),
            "sum" | "min" | "max" | "any_value" | "first_value" | "last_value"
        );
        match call.params.args.as_slice() {
            [of] => is_of_argument && self.value(of, input),
            _ => false,
        }
    }

    fn window(&mut self, window: &WindowFunction, input: &LogicalPlan) -> bool {
        let name = match &window.fun {
            WindowFunctionDefinition::AggregateUDF(function) => function.name(),
            WindowFunctionDefinition::WindowUDF(function) => function.name(),
        };
        let is_of_argument = matches!(
            name,
            "sum" | "min" | "max" | "first_value" | "last_value" | "lag" | "lead" | "nth_value"
        );
        match window.params.args.as_slice() {
            [of] | [of, _] => is_of_argument && self.value(of, input),
            _ => false,
        }
    }

    /// Does what [`is_exact`] does for the column at a place of a plan.
    fn column(&mut self, plan: &LogicalPlan, place: usize) -> bool {
        let Some(left) = self.parts.checked_sub(1) else {
            return false;
        };
        self.parts = left;
        match plan {
            LogicalPlan::TableScan(scan) => !is_series(&scan.table_name),
            LogicalPlan::Values(values) => {
                self.is_merged = true;
                let cells = values.values.iter().map(|row| row.get(place));
                let mut cells = cells.map(|cell| cell.is_some_and(|cell| self.value(cell, plan)));
                cells.all(|is_exact| is_exact)
            }
            plan => match origin(plan, place) {
                Some(Origin::Expression(value, input)) => self.value(value, input),
                Some(Origin::Columns(columns)) => {
                    self.is_merged |= columns.len() > 1;
                    let mut columns = columns.into_iter();
                    columns.all(|(plan, place)| self.column(plan, place))
                }
                None => false,
            },
        }
    }
}

/// Returns whether a value is rounded to the digits that the cast around it gives it.
pub(super) fn is_rounded(value: &Expr) -> bool {
    match expressions::without_alias(value) {
        // With the number of digits.
        Expr::ScalarFunction(call) => {
            matches!(call.func.name(), "round" | "trunc") && call.args.len() > 1
        }
        _ => false,
    }
}

/// Returns whether a table is a series, whose numbers have the digits of those that are added in
/// PostgreSQL.
fn is_series(table: &TableReference) -> bool {
    table.table().ends_with("()")
}
