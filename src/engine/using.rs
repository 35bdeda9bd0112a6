//! The common column of `JOIN … USING`: that of the side which every row has, and of a FULL JOIN that of whichever side has one.
//!
//! The engine takes the left side's, also where there is none (apache/datafusion#22881). A rule, before all others, makes both
//! sides' names mean the common value above the join, and keeps each side's own under another name, for [`OWN_COLUMN`] to find:
//!
//! ```text
//! l FULL JOIN r USING (k)
//!   Projection: coalesce(l.k, r.k) AS l.k, l.x, coalesce(l.k, r.k) AS r.k, r.y, l.k AS l.__own_l_k, r.k AS r.__own_r_k
//!     Full Join: Using l.k = r.k
//! ```
//!
//! `pg/rewrite/using.rs` writes the calls. Delete both when the engine does this.

use std::sync::Arc;

use arrow::datatypes::{DataType, FieldRef};
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, DFSchema, ExprSchema, JoinConstraint, JoinType};
use datafusion::config::ConfigOptions;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::{FunctionRegistry, SessionState};
use datafusion::functions::core::expr_fn::coalesce;
use datafusion::logical_expr::expr::{Exists, InSubquery, ScalarFunction, SetComparison};
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{
    ColumnarValue, Expr, Join, LogicalPlan, Projection, ReturnFieldArgs, ScalarFunctionArgs,
    ScalarUDF, ScalarUDFImpl, Signature, Subquery, Volatility,
};
use datafusion::optimizer::AnalyzerRule;

use crate::error::Error;

/// Called with a column of a side of a USING join: that side's own value.
pub const OWN_COLUMN: &str = "own_column";

pub fn register(state: &mut SessionState) -> Result<()> {
    let function = OwnColumn {
        signature: Signature::any(1, Volatility::Immutable),
    };
    state.register_udf(Arc::new(ScalarUDF::new_from_impl(function)))?;
    Ok(())
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct OwnColumn {
    signature: Signature,
}

impl ScalarUDFImpl for OwnColumn {
    fn name(&self) -> &str {
        OWN_COLUMN
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
            .ok_or_else(|| DataFusionError::Internal("an own column of nothing".to_owned()))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let value = args.args.into_iter().next();
        value.ok_or_else(|| DataFusionError::Internal("an own column of nothing".to_owned()))
    }
}

/// The rule; it comes first.
#[derive(Debug)]
pub struct UsingColumns;

impl AnalyzerRule for UsingColumns {
    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        if !concerns(&plan)? {
            return Ok(plan);
        }
        let plan = plan.transform_up_with_subqueries(rewritten).data()?;
        // What is left asks for columns of joins that have no others.
        let hidden = owns_columns(&plan)?;
        plan.transform_up_with_subqueries(|node| stripped(node, &hidden))
            .data()
    }

    fn name(&self) -> &str {
        "using_columns"
    }
}

/// Whether rows of a USING join may be without its left side, whose columns the engine takes for the common ones.
fn lacks_left(join: &Join) -> bool {
    join.join_constraint == JoinConstraint::Using
        && matches!(join.join_type, JoinType::Right | JoinType::Full)
}

/// The argument of a call of [`OWN_COLUMN`].
fn own_column(expr: &Expr) -> Option<&Expr> {
    match expr {
        Expr::ScalarFunction(ScalarFunction { func, args }) if func.name() == OWN_COLUMN => {
            args.first()
        }
        _ => None,
    }
}

fn concerns(plan: &LogicalPlan) -> Result<bool> {
    let mut found = false;
    plan.apply_with_subqueries(|node| {
        if let LogicalPlan::Join(join) = node {
            found |= lacks_left(join);
        }
        node.apply_expressions(|expr| {
            found |= expr.exists(|expr| Ok(own_column(expr).is_some()))?;
            Ok(TreeNodeRecursion::Continue)
        })
    })?;
    Ok(found)
}

/// The column that keeps a side's own value.
fn kept(column: &Column) -> Column {
    let relation = column.relation.as_ref().map_or("", |name| name.table());
    let name = format!("{KEPT}{relation}_{}", column.name);
    Column::new(column.relation.clone(), name)
}

const KEPT: &str = "__own_";

/// Whether a column is one of [`kept`].
fn is_kept(name: &str) -> bool {
    name.starts_with(KEPT)
}

fn rewritten(node: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
    let node = with_sort_keys(node)?;
    let schema = merge_schema(&node.inputs());
    let names = NamePreserver::new(&node);
    let node = node
        .map_expressions(|expr| {
            let name = names.save(&expr);
            let expr = expr.transform_up(|expr| found(expr, &schema))?;
            Ok(expr.update_data(|expr| name.restore(expr)))
        })
        .data()?
        .recompute_schema()?;
    match node {
        LogicalPlan::Join(join) if lacks_left(&join) => with_common(join).map(Transformed::yes),
        node => Ok(Transformed::yes(node)),
    }
}

/// A sort by an own value that the SELECT list does not have, whose projection then passes it on; the planner drops what a sort
/// alone needs.
fn with_sort_keys(node: LogicalPlan) -> Result<LogicalPlan> {
    let LogicalPlan::Sort(mut sort) = node else {
        return Ok(node);
    };
    let LogicalPlan::Projection(projection) = sort.input.as_ref() else {
        return Ok(LogicalPlan::Sort(sort));
    };
    let mut missing: Vec<Column> = Vec::new();
    for key in &sort.expr {
        key.expr.apply(|expr| {
            if let Some(Expr::Column(column)) = own_column(expr) {
                let kept = kept(column);
                let (above, below) = (&projection.schema, projection.input.schema());
                if !above.has_column(&kept) && below.has_column(&kept) && !missing.contains(&kept) {
                    missing.push(kept);
                }
            }
            Ok(TreeNodeRecursion::Continue)
        })?;
    }
    if !missing.is_empty() {
        let mut exprs = projection.expr.clone();
        exprs.extend(missing.into_iter().map(Expr::Column));
        let input = Projection::try_new(exprs, Arc::clone(&projection.input))?;
        sort.input = Arc::new(LogicalPlan::Projection(input));
    }
    Ok(LogicalPlan::Sort(sort))
}

/// A column's own value, where the rows at hand have it, also as subqueries ask for it.
fn found(expr: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    if let Some(Expr::Column(column)) = own_column(&expr) {
        let kept = kept(column);
        return Ok(match schema.has_column(&kept) {
            true => Transformed::yes(Expr::Column(kept)),
            false => Transformed::no(expr),
        });
    }
    let inside = |subquery: Subquery| -> Result<Subquery> {
        let plan = Arc::unwrap_or_clone(subquery.subquery)
            .transform_up_with_subqueries(|node| {
                let names = NamePreserver::new(&node);
                node.map_expressions(|expr| {
                    let name = names.save(&expr);
                    let expr = expr.transform_up(|expr| found_outside(expr, schema))?;
                    Ok(expr.update_data(|expr| name.restore(expr)))
                })
            })
            .data()?;
        let outer_ref_columns = plan.all_out_ref_exprs();
        Ok(Subquery {
            subquery: Arc::new(plan),
            outer_ref_columns,
            spans: subquery.spans,
        })
    };
    let has_kept = schema.fields().iter().any(|field| is_kept(field.name()));
    Ok(match expr {
        expr if !has_kept => Transformed::no(expr),
        Expr::Exists(Exists { subquery, negated }) => Transformed::yes(Expr::Exists(Exists {
            subquery: inside(subquery)?,
            negated,
        })),
        Expr::ScalarSubquery(subquery) => Transformed::yes(Expr::ScalarSubquery(inside(subquery)?)),
        Expr::InSubquery(InSubquery {
            expr,
            subquery,
            negated,
        }) => Transformed::yes(Expr::InSubquery(InSubquery {
            expr,
            subquery: inside(subquery)?,
            negated,
        })),
        Expr::SetComparison(SetComparison {
            expr,
            subquery,
            op,
            quantifier,
        }) => Transformed::yes(Expr::SetComparison(SetComparison {
            expr,
            subquery: inside(subquery)?,
            op,
            quantifier,
        })),
        expr => Transformed::no(expr),
    })
}

fn found_outside(expr: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    if let Some(Expr::OuterReferenceColumn(_, column)) = own_column(&expr) {
        let kept = kept(column);
        if schema.has_column(&kept) {
            let field = Arc::clone(schema.field_from_column(&kept)?);
            return Ok(Transformed::yes(Expr::OuterReferenceColumn(field, kept)));
        }
    }
    Ok(Transformed::no(expr))
}

/// A join whose keys have the common value under both sides' names.
fn with_common(join: Join) -> Result<LogicalPlan> {
    let pairs: Vec<(Column, Column)> = join.on.iter().filter_map(columns).collect();
    let mut known = Vec::new();
    for side in [&join.left, &join.right] {
        pairs_below(side, &mut known);
    }
    let groups: Vec<(Vec<Column>, Expr)> = pairs
        .into_iter()
        .map(|(left, right)| {
            let common = match join.join_type {
                JoinType::Right => Expr::Column(right.clone()),
                _ => coalesce(vec![
                    Expr::Column(left.clone()),
                    Expr::Column(right.clone()),
                ]),
            };
            (group(vec![left, right], &known), common)
        })
        .collect();
    let schema = Arc::clone(&join.schema);
    let mut exprs = Vec::with_capacity(schema.fields().len());
    let mut own = Vec::new();
    for (relation, field) in schema.iter() {
        let column = Column::new(relation.cloned(), field.name());
        let common = groups
            .iter()
            .find(|(members, _)| members.contains(&column))
            .map(|(_, common)| common.clone());
        let Some(common) = common else {
            exprs.push(Expr::Column(column));
            continue;
        };
        let kept = kept(&column);
        if !schema.has_column(&kept) {
            let value = Expr::Column(column.clone());
            own.push(value.alias_qualified(kept.relation, kept.name));
        }
        exprs.push(match common {
            Expr::Column(common) if common == column => Expr::Column(column),
            common => common.alias_qualified(column.relation, column.name),
        });
    }
    exprs.extend(own);
    Projection::try_new(exprs, Arc::new(LogicalPlan::Join(join))).map(LogicalPlan::Projection)
}

fn columns(pair: &(Expr, Expr)) -> Option<(Column, Column)> {
    match pair {
        (Expr::Column(left), Expr::Column(right)) => Some((left.clone(), right.clone())),
        _ => None,
    }
}

/// The keys of USING joins of the same FROM.
fn pairs_below(plan: &LogicalPlan, pairs: &mut Vec<(Column, Column)>) {
    match plan {
        LogicalPlan::Join(join) => {
            if join.join_constraint == JoinConstraint::Using {
                pairs.extend(join.on.iter().filter_map(columns));
            }
            pairs_below(&join.left, pairs);
            pairs_below(&join.right, pairs);
        }
        LogicalPlan::Projection(projection)
            if projection
                .schema
                .fields()
                .iter()
                .any(|field| is_kept(field.name())) =>
        {
            pairs_below(&projection.input, pairs);
        }
        _ => {}
    }
}

/// All columns that are joined with one of `members`.
fn group(mut members: Vec<Column>, pairs: &[(Column, Column)]) -> Vec<Column> {
    loop {
        let more: Vec<Column> = pairs
            .iter()
            .flat_map(|(left, right)| {
                let (has_left, has_right) = (members.contains(left), members.contains(right));
                match (has_left, has_right) {
                    (true, false) => Some(right.clone()),
                    (false, true) => Some(left.clone()),
                    _ => None,
                }
            })
            .collect();
        if more.is_empty() {
            return members;
        }
        members.extend(more);
    }
}

/// The columns of a plan whose own values are kept somewhere.
fn owns_columns(plan: &LogicalPlan) -> Result<Vec<Column>> {
    let mut columns = Vec::new();
    plan.apply_with_subqueries(|node| {
        if let LogicalPlan::Projection(projection) = node {
            let kept = projection.schema.columns();
            columns.extend(kept.into_iter().filter(|column| is_kept(&column.name)));
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(columns)
}

fn stripped(node: LogicalPlan, hidden: &[Column]) -> Result<Transformed<LogicalPlan>> {
    let mut concerned = false;
    node.apply_expressions(|expr| {
        concerned |= expr.exists(|expr| Ok(own_column(expr).is_some()))?;
        Ok(TreeNodeRecursion::Continue)
    })?;
    if !concerned {
        return Ok(Transformed::no(node));
    }
    let names = NamePreserver::new(&node);
    let node = node.map_expressions(|expr| {
        let name = names.save(&expr);
        let expr = expr.transform_up(|expr| {
            let Some(column) = own_column(&expr) else {
                return Ok(Transformed::no(expr));
            };
            if let Expr::Column(name) | Expr::OuterReferenceColumn(_, name) = column
                && hidden.contains(&kept(name))
            {
                return Err(Error::not_supported(format!(
                    "column {} of a USING join is not supported here",
                    name.flat_name()
                ))
                .with_hint("select it under an alias, or join with ON")
                .into());
            }
            Ok(Transformed::yes(column.clone()))
        })?;
        Ok(expr.update_data(|expr| name.restore(expr)))
    })?;
    node.map_data(|node| node.recompute_schema())
}

#[cfg(test)]
mod tests;
