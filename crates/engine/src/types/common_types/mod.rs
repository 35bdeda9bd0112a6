//! Common types of mixed values, where the engine's choice differs from that of PostgreSQL and
//! Athena.
//!
//! A decimal and a floating-point number become floating-point numbers. The engine makes both of
//! them decimals with 15 digits after the point, which loses small numbers and cannot hold large
//! ones (`get_common_decimal_type` of `datafusion-expr-common`, 55.2):
//!
//! ```text
//! 0::numeric IN (SELECT 1e-20::double)         the engine: true
//! coalesce(1e16::double, price)                the engine: an error, too large
//! SELECT price UNION SELECT 1e-20::double      the engine: 0
//! ```
//!
//! A number literal has no type of its own: next to decimals, it is a decimal with the digits that
//! are written. `coalesce(price, 0.0)` has the type of `price`.
//!
//! An analyzer rule that runs before type coercion. [`decimals`] handles comparisons with
//! decimals, and [`reals`] handles those of `real` and integers. The rule also sets the type of a
//! UNION, which has the type of its first part until the engine coerces it, so that the rules in
//! between see the final types.

mod reals;
mod set_operations;

use arrow::datatypes::DataType;
use datafusion::common::tree_node::Transformed;
use datafusion::common::{DFSchema, ScalarValue};
use datafusion::config::ConfigOptions;
use datafusion::error::Result;
use datafusion::logical_expr::expr::InSubquery;
use datafusion::logical_expr::{Case, Expr, ExprSchemable, LogicalPlan, Subquery, cast};
use datafusion::optimizer::AnalyzerRule;

use crate::numbers::decimals;
use crate::plans::expressions::without_alias;

/// Functions whose arguments or results have one common type.
const OF_ONE_TYPE: [&str; 8] = [
    "coalesce",
    "greatest",
    "least",
    "make_array",
    "nullif",
    "nvl",
    "nvl2",
    "array_append",
];

/// Functions of arrays and items of one type.
const OF_ITEMS: [&str; 14] = [
    "array_concat",
    "array_except",
    "array_has",
    "array_has_all",
    "array_has_any",
    "array_intersect",
    "array_position",
    "array_positions",
    "array_prepend",
    "array_remove",
    "array_remove_all",
    "array_replace",
    "array_replace_all",
    "array_union",
];

/// Gives mixed decimals, floating-point numbers and number literals a common type.
#[derive(Debug)]
pub(crate) struct CommonTypes;

impl AnalyzerRule for CommonTypes {
    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        set_operations::of_one_type(plan)
    }

    fn name(&self) -> &str {
        "common_types"
    }
}

fn concerns(expr: &Expr) -> bool {
    match expr {
        Expr::Case(_) | Expr::InSubquery(_) | Expr::SetComparison(_) => true,
        Expr::ScalarFunction(call) => {
            let name = call.func.name();
            OF_ONE_TYPE.contains(&name) || OF_ITEMS.contains(&name)
        }
        Expr::Between(between) => !is_literal(&between.low) || !is_literal(&between.high),
        Expr::InList(list) => !list.list.iter().all(is_literal),
        Expr::BinaryExpr(binary) => {
            binary.op.supports_propagation()
                && (is_subquery(&binary.left) || is_subquery(&binary.right))
        }
        _ => false,
    }
}

/// Returns whether an expression is a scalar subquery, in which the engine hides the cast of a
/// comparison from [`decimals`].
fn is_subquery(expr: &Expr) -> bool {
    matches!(expr, Expr::ScalarSubquery(_))
}

fn met(expr: Expr, schema: &DFSchema) -> Transformed<Expr> {
    match expr {
        Expr::Case(Case {
            mut expr,
            mut when_then_expr,
            mut else_expr,
        }) => {
            let whens = when_then_expr.iter_mut().map(|(when, _)| when.as_mut());
            let compared = expr.as_deref_mut().is_some_and(|operand| {
                let operands: Vec<&mut Expr> = std::iter::once(operand).chain(whens).collect();
                compare_and_meet(operands, schema)
            });
            let thens = when_then_expr.iter_mut().map(|(_, then)| then.as_mut());
            let results = meet(thens.chain(else_expr.as_deref_mut()).collect(), schema);
            let case = Case::new(expr, when_then_expr, else_expr);
            Transformed::new_transformed(Expr::Case(case), compared || results)
        }
        Expr::ScalarFunction(mut call) if OF_ONE_TYPE.contains(&call.func.name()) => {
            let condition = usize::from(call.func.name() == "nvl2");
            let changed = meet(call.args.iter_mut().skip(condition).collect(), schema);
            Transformed::new_transformed(Expr::ScalarFunction(call), changed)
        }
        Expr::ScalarFunction(mut call) if OF_ITEMS.contains(&call.func.name()) => {
            let changed = meet_items(&mut call.args, schema);
            Transformed::new_transformed(Expr::ScalarFunction(call), changed)
        }
        Expr::InSubquery(InSubquery {
            mut expr,
            subquery,
            negated,
        }) => {
            let plan = set_operations::compared(expr.as_mut(), &subquery.subquery, schema);
            let changed = plan.is_some();
            let subquery = Subquery {
                subquery: plan.unwrap_or(subquery.subquery),
                ..subquery
            };
            let expr = Expr::InSubquery(InSubquery::new(expr, subquery, negated));
            Transformed::new_transformed(expr, changed)
        }
        Expr::SetComparison(mut comparison) => {
            let subquery = &mut comparison.subquery.subquery;
            let plan = set_operations::compared(comparison.expr.as_mut(), subquery, schema);
            let changed = plan.is_some();
            if let Some(plan) = plan {
                *subquery = plan;
            }
            Transformed::new_transformed(Expr::SetComparison(comparison), changed)
        }
        Expr::BinaryExpr(mut binary) if binary.op.supports_propagation() => {
            let operands = [binary.left.as_mut(), binary.right.as_mut()];
            let changed = match operands.iter().any(|operand| is_subquery(operand)) {
                true => compare(operands.into(), schema),
                false => reals::compare(operands, schema),
            };
            Transformed::new_transformed(Expr::BinaryExpr(binary), changed)
        }
        Expr::Between(mut between) => {
            let bounds = [between.low.as_mut(), between.high.as_mut()];
            let operands = std::iter::once(between.expr.as_mut()).chain(bounds);
            let changed = compare(operands.collect(), schema);
            Transformed::new_transformed(Expr::Between(between), changed)
        }
        Expr::InList(mut list) => {
            let operands = std::iter::once(list.expr.as_mut()).chain(&mut list.list);
            let changed = compare(operands.collect(), schema);
            Transformed::new_transformed(Expr::InList(list), changed)
        }
        expr => Transformed::no(expr),
    }
}

fn is_literal(expr: &Expr) -> bool {
    matches!(expr, Expr::Literal(..))
}

/// Gives operands that are compared one type. Returns whether anything changed.
fn compare_and_meet(mut operands: Vec<&mut Expr>, schema: &DFSchema) -> bool {
    let compared = reals::compare(operands.iter_mut().map(|operand| &mut **operand), schema);
    meet(operands, schema) || compared
}

/// Gives the operands of BETWEEN and IN one type where decimals meet floating-point numbers: with
/// an integer among them, the engine casts it to a decimal that may be too small for it. Returns
/// whether anything changed.
///
/// [`decimals`] handles literals, after type coercion.
fn compare(mut operands: Vec<&mut Expr>, schema: &DFSchema) -> bool {
    let compared = reals::compare(operands.iter_mut().map(|operand| &mut **operand), schema);
    let kinds = kinds(&operands, schema);
    match Meeting::of(&kinds) {
        Some(meeting @ Meeting::Floats) => convert(operands, kinds, meeting) || compared,
        _ => compared,
    }
}

/// Gives operands one type where decimals meet floating-point numbers or number literals. Returns
/// whether anything changed.
fn meet(operands: Vec<&mut Expr>, schema: &DFSchema) -> bool {
    let kinds = kinds(&operands, schema);
    match Meeting::of(&kinds) {
        Some(meeting) => convert(operands, kinds, meeting),
        None => false,
    }
}

/// Casts arrays of decimals, and decimals, to floating-point numbers if there are some among the
/// other items. Returns whether anything changed.
fn meet_items(args: &mut [Expr], schema: &DFSchema) -> bool {
    let item_of = |expr: &Expr| match expr.get_type(schema) {
        Ok(DataType::List(item)) if item.data_type().is_decimal() => Kind::Decimal,
        Ok(DataType::List(item)) if item.data_type().is_floating() => Kind::Float,
        _ => Kind::of(expr, schema),
    };
    let kinds: Vec<Kind> = args.iter().map(item_of).collect();
    if Meeting::of(&kinds) != Some(Meeting::Floats) {
        return false;
    }
    for (arg, kind) in args.iter_mut().zip(kinds) {
        if kind != Kind::Decimal {
            continue;
        }
        let target = match arg.get_type(schema) {
            Ok(DataType::List(_)) => DataType::new_list(DataType::Float64, true),
            _ => DataType::Float64,
        };
        *arg = cast(std::mem::take(arg), target);
    }
    true
}

fn kinds(operands: &[&mut Expr], schema: &DFSchema) -> Vec<Kind> {
    let operands = operands.iter();
    operands.map(|expr| Kind::of(expr, schema)).collect()
}

/// Converts operands of these kinds. Returns whether anything changed.
fn convert(operands: Vec<&mut Expr>, kinds: Vec<Kind>, meeting: Meeting) -> bool {
    let mut changed = false;
    for (operand, kind) in operands.into_iter().zip(kinds) {
        if let Some(expr) = meeting.of_operand(operand, &kind) {
            *operand = expr;
            changed = true;
        }
    }
    changed
}

/// The kind of a value, which decides the common type.
#[derive(Debug, Clone, PartialEq)]
enum Kind {
    Decimal,
    Float,
    /// A number literal, as a decimal.
    Written(ScalarValue),
    Other,
}

impl Kind {
    fn of(expr: &Expr, schema: &DFSchema) -> Self {
        if let Some(number) = written(expr) {
            return Self::Written(number);
        }
        if let Expr::Case(case) = without_alias(expr) {
            // A CASE has the type of its first branch until the engine coerces it.
            let branches = case.when_then_expr.iter().map(|(_, then)| then);
            let kinds = branches.chain(&case.else_expr);
            let kinds: Vec<Self> = kinds.map(|branch| Self::of(branch, schema)).collect();
            let wanted = [Self::Float, Self::Decimal].into_iter();
            let mut found = wanted.filter(|kind| kinds.contains(kind));
            return found.next().unwrap_or(Self::Other);
        }
        match expr.get_type(schema) {
            Ok(data_type) if data_type.is_decimal() => Self::Decimal,
            Ok(data_type) if data_type.is_floating() && !is_written(expr) => Self::Float,
            _ => Self::Other,
        }
    }
}

/// Returns a number literal as a decimal. The parser reads it as a floating-point number.
pub(crate) fn written(expr: &Expr) -> Option<ScalarValue> {
    match without_alias(expr) {
        Expr::Negative(number) => written(number)?.arithmetic_negate().ok(),
        Expr::Literal(ScalarValue::Float64(Some(value)), _) => decimals::of_literal(*value),
        _ => None,
    }
}

/// Returns whether an expression consists of literals and operators only.
fn is_written(expr: &Expr) -> bool {
    match without_alias(expr) {
        Expr::Negative(expr) => is_written(expr),
        Expr::BinaryExpr(binary) => is_written(&binary.left) && is_written(&binary.right),
        Expr::Literal(..) => true,
        _ => false,
    }
}

/// The conversion that gives values of several kinds one type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Meeting {
    /// Decimals become floating-point numbers.
    Floats,
    /// Number literals become decimals.
    Decimals,
}

impl Meeting {
    fn of(kinds: &[Kind]) -> Option<Self> {
        let has = |is: fn(&Kind) -> bool| kinds.iter().any(is);
        if !has(|kind| *kind == Kind::Decimal) {
            return None;
        }
        if has(|kind| *kind == Kind::Float) {
            return Some(Self::Floats);
        }
        has(|kind| matches!(kind, Kind::Written(_))).then_some(Self::Decimals)
    }

    /// Returns what an operand becomes; `None` if it does not change.
    fn of_operand(self, operand: &Expr, kind: &Kind) -> Option<Expr> {
        match (self, kind) {
            (Self::Floats, Kind::Decimal) => Some(cast(operand.clone(), DataType::Float64)),
            (Self::Decimals, Kind::Written(number)) => Some(Expr::Literal(number.clone(), None)),
            _ => None,
        }
    }
}
