//! Carries the order of an operator's input through set-returning functions: the rows of each input
//! row stay together, in the order of its lists.
//!
//! ```text
//! SELECT unnest(a) FROM (SELECT a FROM t ORDER BY k) s
//!
//!   Projection: s.a
//!     Sort: __order_1, __order_2
//!       Unnest: s.a, __order_2
//!         Projection: s.a, __order_1, set_places(s.a) AS __order_2
//!           WindowAggr: row_number() ORDER BY k AS __order_1
//!             the ordered subquery
//! ```
//!
//! Aggregates and windows above get these keys as those of any ordered subquery. Where rows of sets are
//! the result, or those that a limit counts, they are sorted by them.

use std::sync::Arc;

use arrow::array::{AsArray, Int64Builder, ListBuilder};
use arrow::compute::{cast, kernels::length::length};
use arrow::datatypes::{DataType, Int64Type};
use datafusion::common::Column;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::error::Result;
use datafusion::functions_window::row_number::row_number;
use datafusion::logical_expr::{
    ColumnarValue, Expr, LogicalPlan, LogicalPlanBuilder, ScalarFunctionArgs, ScalarUDFImpl,
    Signature, SortExpr, Unnest, Volatility,
};

use super::origin::{self, HiddenNames, Ordered};
use super::with_order;
use crate::limits::stop::check;
use crate::plans::expressions::{self, has_operator};

/// Sorts rows of sets that are the result or that a limit counts, if their input has an order.
///
/// # Errors
///
/// Returns an error if the plan cannot get the hidden columns.
pub(super) fn in_order(plan: LogicalPlan, names: &mut HiddenNames) -> Result<LogicalPlan> {
    if !has_operator(&plan, |node| Ok(matches!(node, LogicalPlan::Unnest(_))))? {
        return Ok(plan);
    }
    let plan = plan.transform_up(|node| match node {
        LogicalPlan::Limit(mut limit) if are_of_sets(&limit.input) => {
            let input = Arc::unwrap_or_clone(limit.input);
            limit.input = Arc::new(sorted(input, names)?);
            Ok(Transformed::yes(LogicalPlan::Limit(limit)))
        }
        node => Ok(Transformed::no(node)),
    });
    let plan = plan.data()?;
    match are_of_sets(&plan) {
        true => sorted(plan, names),
        false => Ok(plan),
    }
}

/// Returns whether the rows of a plan are those of sets.
fn are_of_sets(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::Unnest(_) => true,
        LogicalPlan::Projection(list) => are_of_sets(&list.input),
        LogicalPlan::SubqueryAlias(alias) => are_of_sets(&alias.input),
        LogicalPlan::Filter(filter) => are_of_sets(&filter.input),
        _ => false,
    }
}

/// Returns the plan with its rows in their order, if one is known.
fn sorted(plan: LogicalPlan, names: &mut HiddenNames) -> Result<LogicalPlan> {
    let Some(ordered) = origin::of(&plan, names)? else {
        return Ok(plan);
    };
    let columns: Vec<Expr> = plan.schema().iter().map(Expr::from).collect();
    LogicalPlanBuilder::from(ordered.plan)
        .sort(ordered.keys)?
        .project(columns)?
        .build()
}

/// Returns the rows of sets with their order; `None` if that of the input is not known.
///
/// # Errors
///
/// Returns an error if the plan cannot get the hidden columns.
pub(super) fn of(unnest: &Unnest, names: &mut HiddenNames) -> Result<Option<Ordered>> {
    let lists = &unnest.list_type_columns;
    // Lists within lists have no place in their row that one number tells.
    let is_flat = !lists.is_empty() && lists.iter().all(|(_, list)| list.depth == 1);
    if !is_flat || reads_outer_columns(&unnest.input)? {
        return Ok(None);
    }
    let Some(below) = origin::of(&unnest.input, names)? else {
        return Ok(None);
    };
    let (row, place) = (names.next(), names.next());
    // Hidden columns come after those of the input.
    let schema = below.plan.schema();
    let lists = lists
        .iter()
        .map(|(list, _)| Expr::from(schema.qualified_field(*list)));
    let places = Places {
        signature: Signature::variadic_any(Volatility::Immutable),
    };
    let places = expressions::call(places, lists.collect()).alias(&place);
    let number = with_order(row_number().alias(&row), &below.keys)?;
    let numbered = LogicalPlanBuilder::from(below.plan)
        .window([number])?
        .build()?;
    let columns = numbered.schema().iter().map(Expr::from);
    let columns: Vec<Expr> = columns.chain([places]).collect();
    let input = LogicalPlanBuilder::from(numbered)
        .project(columns)?
        .build()?;
    let mut unnested = unnest.exec_columns.clone();
    unnested.push(Column::new_unqualified(&place));
    let unnest = Unnest::try_new(Arc::new(input), unnested, unnest.options.clone())?;
    let key = |name: String| {
        let column = Expr::Column(Column::new_unqualified(name));
        SortExpr::new(column, true, false)
    };
    Ok(Some(Ordered {
        plan: LogicalPlan::Unnest(unnest),
        keys: vec![key(row), key(place)],
    }))
}

/// Returns whether a plan is part of a subquery that reads columns around it.
fn reads_outer_columns(plan: &LogicalPlan) -> Result<bool> {
    has_operator(plan, |node| {
        Ok(node.expressions().iter().any(Expr::contains_outer))
    })
}

/// `set_places(list, …)`: the list of the places of the items of the longest list, from 1.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Places {
    signature: Signature,
}

impl ScalarUDFImpl for Places {
    fn name(&self) -> &str {
        "set_places"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::new_list(DataType::Int64, true))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let constant = expressions::are_constants(&args.args);
        let rows = if constant { 1 } else { args.number_rows };
        let mut longest = vec![0_i64; rows];
        for list in &args.args {
            let lengths = cast(&length(&list.to_array(rows)?)?, &DataType::Int64)?;
            for (most, length) in longest.iter_mut().zip(lengths.as_primitive::<Int64Type>()) {
                *most = (*most).max(length.unwrap_or_default());
            }
        }
        let mut places = ListBuilder::new(Int64Builder::new());
        for most in longest {
            check()?;
            places.append_value((1..=most).map(Some));
        }
        expressions::made(Arc::new(places.finish()), constant)
    }
}
