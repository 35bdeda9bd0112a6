//! The sum of a `bigint` is a `numeric` in PostgreSQL, and a `bigint` to the engine. A quotient of it
//! would have another value, and it may be larger than a `bigint`.
//!
//! ```text
//! sum(b), b a BIGINT        a DECIMAL(38,0)
//! sum(i), i an INT          stays a BIGINT, as in PostgreSQL
//! sum(b) / count(*)         the quotient of decimals
//! 100.0 * sum(b)            '100.0' is a decimal, as beside other decimals
//! 100.0 * count(*) / sum(b) so it is here
//! round(sum(b), 2)          CAST(sum(b) AS DECIMAL(38,2)), rounded
//! sum(sum(i)) OVER ()       a DECIMAL(38,0)
//! ```
//!
//! A constant such as `1` is an `integer` in PostgreSQL, and a `bigint` here. So the type alone does
//! not tell what is summed: `sum(CASE WHEN a THEN 1 ELSE 0 END)` is a `bigint`. A value is a `bigint`
//! here if it is calculated from a column of a table that is, from a cast, or from a function that
//! returns one. The sum of anything else stays a `bigint`, and so do sums within the parts of a
//! recursive query.
//!
//! An analyzer rule that runs before all others, because the types of the columns above change.

mod first_types;

use std::sync::Arc;

use arrow::datatypes::{DECIMAL128_MAX_PRECISION, DataType};
use datafusion::common::tree_node::Transformed;
use datafusion::common::{DFSchema, ScalarValue, TableReference};
use datafusion::config::ConfigOptions;
use datafusion::error::Result;
use datafusion::logical_expr::expr::{ScalarFunction, WindowFunction};
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{
    AggregateUDF, Cast, Expr, ExprSchemable, LogicalPlan, Operator, WindowFunctionDefinition, cast,
};
use datafusion::optimizer::AnalyzerRule;

use crate::aggregation::sum::{is_numeric_sum, numeric_sum};
use crate::names::named_cast::NAMED_CAST;
use crate::numbers::open_numerics::OPEN_NUMERIC;
use crate::plans::origins::{Origin, origin};
use crate::{plans::expressions, types::operand_types};

/// How many parts of a value, and operators that compute its columns, are looked at.
const MAX_PARTS: usize = 256;

/// How the name of a `sum` over frames without some of their rows begins.
const SUM_EXCLUDING: &str = "sum excluding ";

/// Digits after the point that a rounded sum gets at most: 32 are left before it, which no sum of a
/// `bigint` has.
const MAX_PLACES: i8 = 6;

/// The type of the sums.
const SUM: DataType = DataType::Decimal128(DECIMAL128_MAX_PRECISION, 0);

/// Gives sums PostgreSQL's type. Not for Trino's dialects.
#[derive(Debug)]
pub(crate) struct NumericSums;

impl AnalyzerRule for NumericSums {
    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        if !expressions::has_operator(&plan, has_sums)? {
            return Ok(plan);
        }
        let keep = &|expr: Expr, _: &DFSchema| Ok(Transformed::no(expr));
        expressions::retyped_except(plan, is_recursive, keep, &with_numerics)
    }

    fn name(&self) -> &str {
        "numeric_sums"
    }
}

/// The types of a recursive query's columns are those that its parts have.
fn is_recursive(node: &LogicalPlan) -> bool {
    matches!(node, LogicalPlan::RecursiveQuery(_))
}

/// Returns whether an operator may sum a `bigint`.
fn has_sums(node: &LogicalPlan) -> Result<bool> {
    if !expressions::reads(node, |expr| summed(expr).is_some())? {
        return Ok(false);
    }
    let inputs = node.inputs();
    let schema = merge_schema(&inputs);
    expressions::reads(node, |expr| {
        // The type of a CASE or a UNION may become a wider one.
        summed(expr).is_some_and(|argument| {
            let is_integer = argument.get_type(&schema).is_ok_and(|of| of.is_integer());
            is_integer && Search::for_any(Wanted::Bigint).finds(argument, &inputs)
        })
    })
}

/// Returns what a call of `sum` is of; `None` for other expressions.
fn summed(expr: &Expr) -> Option<&Expr> {
    let (name, args) = match expr {
        Expr::AggregateFunction(call) => (call.func.name(), &call.params.args),
        Expr::WindowFunction(window) => (window.fun.name(), &window.params.args),
        _ => return None,
    };
    match args.as_slice() {
        [argument] if name == "sum" || name.starts_with(SUM_EXCLUDING) => Some(argument),
        _ => None,
    }
}

/// Returns the operator with decimals as its sums, and with what follows from those below it; `None`
/// if nothing changes.
fn with_numerics(node: &LogicalPlan) -> Result<Option<LogicalPlan>> {
    if let LogicalPlan::Union(union) = node {
        return first_types::united(union);
    }
    let inputs = node.inputs();
    let concerns = |expr: &Expr| {
        matches!(
            expr,
            Expr::BinaryExpr(_) | Expr::Case(_) | Expr::ScalarFunction(_)
        ) || summed(expr).is_some()
    };
    if inputs.is_empty() || !expressions::reads(node, concerns)? {
        return Ok(None);
    }
    let schema = merge_schema(&inputs);
    let names = NamePreserver::new(node);
    let change = |expr: Expr| Ok(changed(expr, &schema, &inputs));
    let changed = node
        .clone()
        .map_expressions(|expr| expressions::named(expr, &names, &change))?;
    match changed.transformed {
        true => changed.data.recompute_schema().map(Some),
        false => Ok(None),
    }
}

fn changed(expr: Expr, schema: &DFSchema, inputs: &[&LogicalPlan]) -> Transformed<Expr> {
    let planned = match &expr {
        Expr::BinaryExpr(binary) if derives_from_sums(&expr, inputs) => {
            operand_types::of_decimals(binary, schema)
        }
        Expr::Case(case) => {
            let common = match derives_from_sums(&expr, inputs) {
                true => first_types::decimal_of,
                false => first_types::widest_of,
            };
            first_types::with_common_type(case, schema, common).map(Expr::Case)
        }
        Expr::ScalarFunction(call) => rounded(call, schema, inputs).map(Expr::ScalarFunction),
        _ => None,
    };
    if let Some(planned) = planned {
        return Transformed::yes(planned);
    }
    let is_of_bigint = summed(&expr).is_some_and(|of| is_bigint(of, schema, inputs));
    if !is_of_bigint {
        return Transformed::no(expr);
    }
    match expr {
        Expr::AggregateFunction(mut call) => {
            let is_changed = retype(Some(&mut call.func), &mut call.params.args);
            Transformed::new_transformed(Expr::AggregateFunction(call), is_changed)
        }
        Expr::WindowFunction(mut window) => {
            let WindowFunction { fun, params } = &mut *window;
            let function = match fun {
                WindowFunctionDefinition::AggregateUDF(function) => Some(function),
                WindowFunctionDefinition::WindowUDF(_) => None,
            };
            let is_changed = retype(function, &mut params.args);
            Transformed::new_transformed(Expr::WindowFunction(window), is_changed)
        }
        other => Transformed::no(other),
    }
}

/// Gives a sum its type. Returns whether that changed it.
fn retype(function: Option<&mut Arc<AggregateUDF>>, args: &mut [Expr]) -> bool {
    match (function, args) {
        (Some(function), _) => match numeric_sum(function) {
            Some(numeric) => {
                *function = numeric;
                true
            }
            None => false,
        },
        (_, [argument]) => {
            let of = std::mem::take(argument);
            *argument = cast(of, SUM);
            true
        }
        _ => false,
    }
}

/// Returns a call of `round` or `trunc` for a sum, which gets room for the digits after the point.
fn rounded(
    call: &ScalarFunction,
    schema: &DFSchema,
    inputs: &[&LogicalPlan],
) -> Option<ScalarFunction> {
    if !matches!(call.func.name(), "round" | "trunc") {
        return None;
    }
    let [value, Expr::Literal(ScalarValue::Int64(Some(places)), _)] = call.args.as_slice() else {
        return None;
    };
    let places = i8::try_from(*places).ok()?;
    let has_room = (1..=MAX_PLACES).contains(&places);
    if !has_room || value.get_type(schema).ok()? != SUM || !is_of_sums(value, schema, inputs) {
        return None;
    }
    let mut call = call.clone();
    let target = DataType::Decimal128(DECIMAL128_MAX_PRECISION, places);
    if let Some(value) = call.args.first_mut() {
        let of = std::mem::take(value);
        *value = cast(of, target);
    }
    Some(call)
}

/// Returns whether a value is a `bigint` in PostgreSQL, too.
fn is_bigint(value: &Expr, schema: &DFSchema, inputs: &[&LogicalPlan]) -> bool {
    let mut search = Search::for_any(Wanted::Bigint);
    matches!(value.get_type(schema), Ok(DataType::Int64)) && search.finds(value, inputs)
}

/// Returns whether a value is a decimal that is calculated from the sum of a `bigint`.
fn is_of_sums(value: &Expr, schema: &DFSchema, inputs: &[&LogicalPlan]) -> bool {
    matches!(value.get_type(schema), Ok(DataType::Decimal128(..)))
        && derives_from_sums(value, inputs)
}

fn derives_from_sums(value: &Expr, inputs: &[&LogicalPlan]) -> bool {
    Search::for_any(Wanted::NumericSum).finds(value, inputs)
}

/// What values are calculated from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wanted {
    Bigint,
    /// The sum of a `bigint`.
    NumericSum,
}

impl Wanted {
    /// Returns the arguments of a function whose type its result has.
    fn parts_of(self, call: &ScalarFunction) -> &[Expr] {
        match call.func.name() {
            "abs" | "coalesce" | "gcd" | "greatest" | "lcm" | "least" | "mod" => {
                call.args.as_slice()
            }
            // The operators are those of decimals, which `numbers/quotients.rs` plans.
            "ceil" | "exp" | "floor" | "ln" | "log" | "log10" | "power" | "round" | "signum"
            | "sqrt" | "trunc" | "/" | "*" | OPEN_NUMERIC
                if self == Self::NumericSum =>
            {
                call.args.as_slice()
            }
            "nullif" | NAMED_CAST => call.args.get(..1).unwrap_or_default(),
            _ => &[],
        }
    }
}

/// A search through the parts of a value that have its type.
struct Search {
    wanted: Wanted,
    /// How many parts are still looked at.
    parts: usize,
}

impl Search {
    fn for_any(wanted: Wanted) -> Self {
        Self {
            wanted,
            parts: MAX_PARTS,
        }
    }

    fn spend(&mut self) -> bool {
        let left = self.parts.checked_sub(1);
        self.parts = left.unwrap_or(0);
        left.is_some()
    }

    /// `inputs`: the plans that columns of the value are looked up in.
    fn finds(&mut self, value: &Expr, inputs: &[&LogicalPlan]) -> bool {
        if !self.spend() {
            return false;
        }
        let is_bigint = self.wanted == Wanted::Bigint;
        match value {
            Expr::Alias(alias) => self.finds(&alias.expr, inputs),
            Expr::Negative(operand) => self.finds(operand, inputs),
            Expr::Column(column) => {
                let mut found = inputs.iter().filter_map(|input| {
                    let place = input.schema().maybe_index_of_column(column)?;
                    Some((*input, place))
                });
                let found = found.next();
                found.is_some_and(|(input, place)| self.finds_column(input, place))
            }
            Expr::ScalarSubquery(subquery) => self.finds_column(&subquery.subquery, 0),
            // Nothing below it tells what computes it.
            Expr::OuterReferenceColumn(field, _) => {
                !is_bigint && matches!(field.data_type(), DataType::Decimal128(..))
            }
            Expr::Literal(ScalarValue::Int64(Some(number)), _) => {
                is_bigint && i32::try_from(*number).is_err()
            }
            Expr::Cast(Cast { expr, field }) if !is_bigint && has_room(field.data_type()) => {
                self.finds(expr, inputs)
            }
            Expr::Cast(_) | Expr::TryCast(_) => {
                is_bigint && expressions::cast_type(value) == Some(&DataType::Int64)
            }
            Expr::BinaryExpr(binary) => match binary.op {
                Operator::BitwiseShiftLeft | Operator::BitwiseShiftRight => {
                    self.finds(&binary.left, inputs)
                }
                op if has_type_of_operands(op) => {
                    self.finds(&binary.left, inputs) || self.finds(&binary.right, inputs)
                }
                _ => false,
            },
            Expr::Case(case) => {
                let results = case.when_then_expr.iter().map(|(_, result)| &**result);
                self.finds_any(results.chain(case.else_expr.as_deref()), inputs)
            }
            Expr::ScalarFunction(call) => self.finds_any(self.wanted.parts_of(call), inputs),
            Expr::AggregateFunction(call) => {
                self.finds_result(&call.func, &call.params.args, inputs)
            }
            Expr::WindowFunction(window) => self.finds_window(window, inputs),
            _ => false,
        }
    }

    fn finds_any<'a>(
        &mut self,
        values: impl IntoIterator<Item = &'a Expr>,
        inputs: &[&LogicalPlan],
    ) -> bool {
        values.into_iter().any(|value| self.finds(value, inputs))
    }

    /// Searches for what an aggregate function returns.
    fn finds_result(
        &mut self,
        function: &Arc<AggregateUDF>,
        args: &[Expr],
        inputs: &[&LogicalPlan],
    ) -> bool {
        match function.name() {
            "count" | "regr_count" => self.wanted == Wanted::Bigint,
            "sum" => match self.wanted {
                Wanted::Bigint => !is_numeric_sum(function),
                Wanted::NumericSum => is_numeric_sum(function) || self.finds_any(args, inputs),
            },
            "min" | "max" | "bit_and" | "bit_or" | "bit_xor" => self.finds_any(args, inputs),
            _ => false,
        }
    }

    fn finds_window(&mut self, window: &WindowFunction, inputs: &[&LogicalPlan]) -> bool {
        let args = &window.params.args;
        let function = match &window.fun {
            WindowFunctionDefinition::AggregateUDF(function) => {
                return self.finds_result(function, args, inputs);
            }
            WindowFunctionDefinition::WindowUDF(function) => function,
        };
        match function.name() {
            "row_number" | "rank" | "dense_rank" => self.wanted == Wanted::Bigint,
            "lag" | "lead" | "first_value" | "last_value" | "nth_value" => {
                self.finds_any(args.first(), inputs)
            }
            name => name.starts_with(SUM_EXCLUDING) && self.wanted == Wanted::NumericSum,
        }
    }

    /// Searches for what computes the column at a place of a plan.
    fn finds_column(&mut self, plan: &LogicalPlan, place: usize) -> bool {
        if !self.spend() {
            return false;
        }
        match plan {
            LogicalPlan::TableScan(scan) => {
                let field = plan.schema().fields().get(place);
                let is_bigint = field.is_some_and(|field| field.data_type() == &DataType::Int64);
                is_bigint && self.wanted == Wanted::Bigint && !is_series(&scan.table_name)
            }
            LogicalPlan::Values(values) => {
                let cells = values.values.iter().filter_map(|row| row.get(place));
                self.finds_any(cells.map(as_written), &[])
            }
            plan => match origin(plan, place) {
                Some(Origin::Expression(value, input)) => self.finds(value, &[input]),
                Some(Origin::Columns(columns)) => {
                    let mut columns = columns.into_iter();
                    columns.any(|(plan, place)| self.finds_column(plan, place))
                }
                None => false,
            },
        }
    }
}

/// Returns whether a table is a series of constants, whose numbers have 64 bits here.
fn is_series(table: &TableReference) -> bool {
    match table {
        TableReference::Bare { table } => {
            matches!(table.as_ref(), "generate_series()" | "range()")
        }
        _ => false,
    }
}

/// Returns whether a type is one that a rounded sum gets.
fn has_room(data_type: &DataType) -> bool {
    matches!(
        data_type,
        DataType::Decimal128(DECIMAL128_MAX_PRECISION, 1..=MAX_PLACES)
    )
}

/// Returns a cell of VALUES without the cast that the engine puts around a cast to a narrower type, if
/// the column has a wider one.
fn as_written(cell: &Expr) -> &Expr {
    match cell {
        Expr::Cast(Cast { expr, .. }) if matches!(expr.as_ref(), Expr::Cast(_)) => expr.as_ref(),
        cell => cell,
    }
}

/// Returns whether the result has the wider type of the two operands.
fn has_type_of_operands(op: Operator) -> bool {
    expressions::is_arithmetic(op)
        || matches!(
            op,
            Operator::BitwiseAnd | Operator::BitwiseOr | Operator::BitwiseXor
        )
}

#[cfg(test)]
mod tests;
