//! Hides DataFusion's functional dependencies, which are sometimes wrong.
//!
//! DataFusion derives from a GROUP BY that its keys determine the other columns, and keeps the
//! dependency where it no longer holds (`functional_dependencies.rs` of `datafusion-common`, 55.2):
//!
//! | above it | wrongly treated as determined |
//! |---|---|
//! | another GROUP BY | all keys, if some determine one (`aggregate_functional_dependencies`) |
//! | ROLLUP, CUBE | keys that a set leaves out |
//! | `unnest` | its items, by the keys of the row that contains the array |
//!
//! Columns that are treated as determined are dropped from ORDER BY and GROUP BY, or added to GROUP
//! BY. DISTINCT over unique columns is dropped, and so is a join whose other side has at most one
//! row. A window over unique columns gets frames of rows:
//!
//! ```text
//! WITH q AS (SELECT k, unnest(a) AS u
//!            FROM (SELECT k, array_agg(v) AS a FROM t GROUP BY k) g)
//! SELECT k, u FROM q ORDER BY k, u                      is sorted by k
//! SELECT DISTINCT k FROM q                              has k as often as u
//! SELECT x FROM b LEFT JOIN q ON x = k                  has x once
//! SELECT sum(u) OVER (ORDER BY k) FROM q                sums row by row
//! ```
//!
//! The SQL planner gets relations without dependencies, whose columns are wrapped in
//! [`Independent`] ([`IndependentRelations`]). The first analyzer rule unwraps them
//! ([`PlainColumns`]). The guards in this file keep dependencies from the optimizer rules that use
//! them. Delete all of this when DataFusion derives dependencies correctly.

use std::cell::Cell;
use std::collections::HashSet;
use std::sync::Arc;

use arrow::datatypes::{DataType, FieldRef};
use datafusion::common::get_required_group_by_exprs_indices;
use datafusion::common::tree_node::{Transformed, TransformedResult};
use datafusion::config::ConfigOptions;
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::planner::{
    PlannedRelation, RelationPlanner, RelationPlannerContext, RelationPlanning,
};
use datafusion::logical_expr::{
    Aggregate, ColumnarValue, Distinct, Expr, LogicalPlan, LogicalPlanBuilder, ReturnFieldArgs,
    ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility,
};
use datafusion::optimizer::{AnalyzerRule, OptimizerConfig, OptimizerRule};
use datafusion::sql::sqlparser::ast::TableFactor;

use crate::names::long_lists::{self, LongList};
use crate::names::named_columns::narrowed;
use crate::plans::expressions::{self, until};

/// Plans the relations of FROM so that no column is known to be determined by others, and tables with
/// the columns that may be named ([`narrowed`]).
#[derive(Debug)]
pub(crate) struct IndependentRelations;

thread_local! {
    /// Whether the next relation on this thread is left to DataFusion: this planner is asking for
    /// it.
    static INNER: Cell<bool> = const { Cell::new(false) };
}

impl RelationPlanner for IndependentRelations {
    fn plan_relation(
        &self,
        relation: TableFactor,
        context: &mut dyn RelationPlannerContext,
    ) -> Result<RelationPlanning> {
        // A lateral relation is planned in terms of its siblings, and joined to them as a whole.
        let lateral = matches!(
            relation,
            TableFactor::Derived { lateral: true, .. }
                | TableFactor::Function { lateral: true, .. }
        );
        if INNER.replace(false) || lateral {
            return Ok(RelationPlanning::Original(Box::new(relation)));
        }
        let is_table = matches!(relation, TableFactor::Table { args: None, .. });
        let listed = match starred(&relation) {
            Some((rows, list)) => list.put_back(planned(rows, context)?),
            None => None,
        };
        let plan = match listed {
            Some(plan) => plan,
            None => planned(relation, context)?,
        };
        let plan = match is_table {
            true => narrowed(plan)?,
            false => plan,
        };
        let plan = independent(plan)?;
        Ok(RelationPlanning::Planned(Box::new(PlannedRelation::new(
            plan, None,
        ))))
    }
}

/// Leaves a relation to DataFusion.
fn planned(relation: TableFactor, context: &mut dyn RelationPlannerContext) -> Result<LogicalPlan> {
    INNER.set(true);
    let plan = context.plan(relation);
    INNER.set(false);
    plan
}

/// Takes `*` out of a subquery that has it as its list: see [`long_lists`].
fn starred(relation: &TableFactor) -> Option<(TableFactor, LongList)> {
    let TableFactor::Derived {
        lateral: false,
        subquery,
        alias: None,
        sample: None,
    } = relation
    else {
        return None;
    };
    let (rows, list) = long_lists::star_taken(subquery)?;
    let rows = TableFactor::Derived {
        lateral: false,
        subquery: Box::new(rows),
        alias: None,
        sample: None,
    };
    Some((rows, list))
}

/// Returns the same rows without known dependencies.
fn independent(plan: LogicalPlan) -> Result<LogicalPlan> {
    let schema = Arc::clone(plan.schema());
    let dependencies = schema.functional_dependencies();
    if dependencies.is_empty() {
        return Ok(plan);
    }
    let sources = dependencies.iter().flat_map(|known| &known.source_indices);
    let sources: HashSet<usize> = sources.copied().collect();
    let columns = schema.iter().enumerate().map(|(place, field)| {
        let column = Expr::from(field);
        match sources.contains(&place) {
            true => {
                let function = Independent {
                    signature: Signature::any(1, Volatility::Immutable),
                };
                let hidden = expressions::call(function, vec![column]);
                hidden.alias_qualified(field.0.cloned(), field.1.name())
            }
            false => column,
        }
    });
    LogicalPlanBuilder::from(plan).project(columns)?.build()
}

/// Unwraps the columns inside [`Independent`].
///
/// # Errors
///
/// Returns an error if the rewritten plan is invalid.
pub(crate) fn with_plain_columns(plan: LogicalPlan) -> Result<LogicalPlan> {
    expressions::rewritten(plan, is_independent, |mut expr, _| match &mut expr {
        Expr::ScalarFunction(call) if is_call(call) => match call.args.pop() {
            Some(column) => Transformed::yes(column),
            None => Transformed::no(expr),
        },
        _ => Transformed::no(expr),
    })
}

/// The analyzer rule that runs first.
#[derive(Debug)]
pub(crate) struct PlainColumns;

impl AnalyzerRule for PlainColumns {
    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        with_plain_columns(plan)
    }

    fn name(&self) -> &str {
        "plain_columns"
    }
}

fn is_independent(expr: &Expr) -> bool {
    matches!(expr, Expr::ScalarFunction(call) if is_call(call))
}

fn is_call(call: &ScalarFunction) -> bool {
    call.func.inner().is::<Independent>()
}

/// Returns whether DataFusion treats some of the columns as determined by others.
fn has_dependencies(plan: &LogicalPlan) -> bool {
    !plan.schema().functional_dependencies().is_empty()
}

/// Keeps all keys of ORDER BY.
///
/// # Errors
///
/// Returns the rule's errors.
pub(super) fn of_sorts(
    rule: &dyn OptimizerRule,
    plan: LogicalPlan,
    config: &dyn OptimizerConfig,
) -> Result<Transformed<LogicalPlan>> {
    match &plan {
        LogicalPlan::Sort(sort) if has_dependencies(&sort.input) => Ok(Transformed::no(plan)),
        _ => rule.rewrite(plan, config),
    }
}

/// Keeps DISTINCT.
///
/// # Errors
///
/// Returns the errors of the rule and of building the aggregate.
pub(super) fn of_distinct(
    rule: &dyn OptimizerRule,
    plan: LogicalPlan,
    config: &dyn OptimizerConfig,
) -> Result<Transformed<LogicalPlan>> {
    match plan {
        LogicalPlan::Distinct(Distinct::All(input))
            if has_dependencies(&input) && !input.schema().fields().is_empty() =>
        {
            let keys = input.schema().iter().map(Expr::from).collect();
            let aggregate = Aggregate::try_new(input, keys, Vec::new())?;
            Ok(Transformed::yes(LogicalPlan::Aggregate(aggregate)))
        }
        plan => rule.rewrite(plan, config),
    }
}

/// Keeps joins.
///
/// # Errors
///
/// Returns the rule's errors.
pub(super) fn of_joins(
    rule: &dyn OptimizerRule,
    plan: LogicalPlan,
    config: &dyn OptimizerConfig,
) -> Result<Transformed<LogicalPlan>> {
    let mut found = false;
    plan.apply_with_subqueries(|node| {
        if let LogicalPlan::Join(join) = node {
            found = has_dependencies(&join.left) || has_dependencies(&join.right);
        }
        Ok(until(found))
    })?;
    match found {
        true => Ok(Transformed::no(plan)),
        false => rule.rewrite(plan, config),
    }
}

/// Keeps all keys of GROUP BY.
///
/// # Errors
///
/// Returns the rule's errors, or an error if the rewritten plan is invalid.
pub(super) fn of_groups(
    rule: &dyn OptimizerRule,
    plan: LogicalPlan,
    config: &dyn OptimizerConfig,
) -> Result<Transformed<LogicalPlan>> {
    let mut found = false;
    plan.apply_with_subqueries(|node| {
        found = matches!(node, LogicalPlan::Aggregate(groups) if loses_keys(groups));
        Ok(until(found))
    })?;
    if !found {
        return rule.rewrite(plan, config);
    }
    let kept = plan.transform_down_with_subqueries(|node| match node {
        LogicalPlan::Aggregate(groups) if loses_keys(&groups) => {
            let input = independent(Arc::unwrap_or_clone(groups.input))?;
            let (keys, values) = (groups.group_expr, groups.aggr_expr);
            let groups =
                Aggregate::try_new_with_schema(Arc::new(input), keys, values, groups.schema)?;
            Ok(Transformed::yes(LogicalPlan::Aggregate(groups)))
        }
        node => Ok(Transformed::no(node)),
    });
    let optimized = rule.rewrite(kept.data()?, config)?;
    Ok(Transformed::yes(optimized.data))
}

/// Returns whether DataFusion would drop keys.
fn loses_keys(groups: &Aggregate) -> bool {
    if !has_dependencies(&groups.input) {
        return false;
    }
    let names = groups.group_expr.iter();
    let names: Vec<String> = names.map(|key| key.schema_name().to_string()).collect();
    let kept = get_required_group_by_exprs_indices(groups.input.schema(), &names);
    kept.is_some_and(|kept| kept.len() < names.len())
}

/// Returns its argument. DataFusion does not see that it is a column.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Independent {
    signature: Signature,
}

impl ScalarUDFImpl for Independent {
    fn name(&self) -> &str {
        "independent"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        Ok(types.first().cloned().unwrap_or(DataType::Null))
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        args.arg_fields
            .first()
            .cloned()
            .ok_or_else(|| DataFusionError::Internal("a column without its argument".to_owned()))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        args.args
            .into_iter()
            .next()
            .ok_or_else(|| DataFusionError::Internal("a column without its argument".to_owned()))
    }
}
