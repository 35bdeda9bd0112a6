//! Parts of a union within another one keep their columns in order.
//!
//! DataFusion moves a projection over such a union to each of its parts (`optimize_unions` of
//! `datafusion-optimizer`, 55.2). The projection names the columns of the first part. Parts that are
//! no projections themselves, such as those with DISTINCT or LIMIT, have other names:
//!
//! ```text
//! SELECT a, b FROM t UNION ALL SELECT DISTINCT b, a FROM t UNION ALL SELECT 1.5, 2.5
//!     returns the columns of the second part in the order a, b
//! SELECT a FROM t UNION ALL SELECT DISTINCT b FROM t UNION ALL SELECT 1.5
//!     column "a" does not exist
//! ```
//!
//! Parts of a union that is a part itself keep their names, too, which a projection that moves through
//! the physical union does not find. So the parts get their names before. Delete this when DataFusion
//! does it.
//!
//! The rule looks up the columns of all parts of each union in turn to cast them to its types, and a chain
//! of UNION ALL is a union within another one for each part. A union whose parts have its types takes in
//! the parts of those within it here.

use std::sync::Arc;

use datafusion::common::DFSchema;
use datafusion::common::tree_node::Transformed;
use datafusion::error::Result;
use datafusion::logical_expr::{Distinct, Expr, LogicalPlan, Projection, Union};
use datafusion::optimizer::{OptimizerConfig, OptimizerRule};

/// Runs the rule on unions whose parts have the names of their columns.
pub(super) fn guard(
    rule: &dyn OptimizerRule,
    plan: LogicalPlan,
    config: &dyn OptimizerConfig,
) -> Result<Transformed<LogicalPlan>> {
    let plan = match plan {
        LogicalPlan::Union(union) => {
            let union = with_names(union, false)?;
            if let Some(parts) = merged(&union, false) {
                return Ok(with_parts(union, parts).update_data(LogicalPlan::Union));
            }
            LogicalPlan::Union(union)
        }
        LogicalPlan::Distinct(Distinct::All(input)) => match Arc::unwrap_or_clone(input) {
            LogicalPlan::Union(union) => {
                let union = with_names(union, true)?;
                if let Some(parts) = merged(&union, true) {
                    let union = with_parts(union, parts).update_data(LogicalPlan::Union);
                    return Ok(union.update_data(distinct));
                }
                distinct(LogicalPlan::Union(union))
            }
            input => distinct(input),
        },
        plan => plan,
    };
    rule.rewrite(plan, config)
}

fn distinct(input: LogicalPlan) -> LogicalPlan {
    LogicalPlan::Distinct(Distinct::All(Arc::new(input)))
}

/// Returns the parts of a union, with those of the unions within it. `None` if the rule has more to do:
/// one part only, casts, or a projection to move.
///
/// `is_distinct`: as of [`with_names`].
fn merged(union: &Union, is_distinct: bool) -> Option<Vec<Arc<LogicalPlan>>> {
    let mut parts = Vec::with_capacity(union.inputs.len());
    for part in &union.inputs {
        let part = match part.as_ref() {
            LogicalPlan::Distinct(Distinct::All(input)) if is_distinct => input,
            _ => part,
        };
        match part.as_ref() {
            LogicalPlan::Union(inner) => parts.extend(inner.inputs.iter().cloned()),
            LogicalPlan::Projection(list)
                if matches!(list.input.as_ref(), LogicalPlan::Union(_)) =>
            {
                return None;
            }
            _ => parts.push(Arc::clone(part)),
        }
    }
    let has_types = |part: &Arc<LogicalPlan>| {
        let fields = part.schema().fields().iter().map(|field| field.data_type());
        fields.eq(union.schema.fields().iter().map(|field| field.data_type()))
    };
    (union.inputs.len() > 1 && parts.iter().all(has_types)).then_some(parts)
}

fn with_parts(union: Union, parts: Vec<Arc<LogicalPlan>>) -> Transformed<Union> {
    let mut pairs = union.inputs.iter().zip(&parts);
    let is_same =
        union.inputs.len() == parts.len() && pairs.all(|(one, other)| Arc::ptr_eq(one, other));
    let union = Union {
        inputs: parts,
        schema: union.schema,
    };
    Transformed::new_transformed(union, !is_same)
}

/// `is_distinct`: whether the rule removes a DISTINCT of a part.
fn with_names(union: Union, is_distinct: bool) -> Result<Union> {
    let Union { inputs, schema } = union;
    let parts = inputs.into_iter();
    let parts = parts.map(|part| taken_apart(part, &schema, is_distinct));
    Ok(Union {
        inputs: parts.collect::<Result<_>>()?,
        schema,
    })
}

/// Returns a part of a union with names for the parts that the rule takes out of it.
///
/// `names`: those of the union's columns.
fn taken_apart(
    part: Arc<LogicalPlan>,
    names: &DFSchema,
    is_distinct: bool,
) -> Result<Arc<LogicalPlan>> {
    let named_part = match part.as_ref() {
        LogicalPlan::Union(inner) => named(inner, names)?.map(LogicalPlan::Union),
        LogicalPlan::Distinct(Distinct::All(input)) if is_distinct => {
            let input = taken_apart(Arc::clone(input), names, false)?;
            Some(LogicalPlan::Distinct(Distinct::All(input)))
        }
        LogicalPlan::Projection(projection) => match projection.input.as_ref() {
            LogicalPlan::Union(inner) => match named(inner, &inner.schema)? {
                Some(inner) => Some(LogicalPlan::Projection(Projection::try_new_with_schema(
                    projection.expr.clone(),
                    Arc::new(LogicalPlan::Union(inner)),
                    Arc::clone(&projection.schema),
                )?)),
                None => None,
            },
            _ => None,
        },
        _ => None,
    };
    Ok(named_part.map_or(part, Arc::new))
}

/// Returns a union whose parts have these names for their columns; `None` if they have.
fn named(union: &Union, names: &DFSchema) -> Result<Option<Union>> {
    if union.inputs.iter().all(|part| has_names(part, names)) {
        return Ok(None);
    }
    let parts = union.inputs.iter().map(|part| {
        if has_names(part, names) {
            return Ok(Arc::clone(part));
        }
        let columns = part.schema().columns().into_iter().zip(names.fields());
        let columns = columns.map(|(column, name)| Expr::Column(column).alias(name.name()));
        let columns = columns.collect();
        Projection::try_new(columns, Arc::clone(part))
            .map(|part| Arc::new(LogicalPlan::Projection(part)))
    });
    Ok(Some(Union {
        inputs: parts.collect::<Result<_>>()?,
        schema: Arc::clone(&union.schema),
    }))
}

fn has_names(part: &LogicalPlan, names: &DFSchema) -> bool {
    let (fields, names) = (part.schema().fields().iter(), names.fields().iter());
    fields
        .map(|field| field.name())
        .eq(names.map(|name| name.name()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use datafusion::common::tree_node::TreeNode;
    use datafusion::logical_expr::{LogicalPlanBuilder, col, lit};
    use datafusion::optimizer::OptimizerContext;
    use datafusion::optimizer::optimize_unions::OptimizeUnions;

    use super::*;

    fn row(number: Expr) -> LogicalPlan {
        let row = LogicalPlanBuilder::empty(true).project([number.alias("a"), lit("x").alias("b")]);
        row.unwrap().build().unwrap()
    }

    fn union(parts: Vec<LogicalPlan>) -> LogicalPlan {
        let parts = parts.into_iter().map(LogicalPlanBuilder::from);
        let all = parts.reduce(|all, part| all.union(part.build().unwrap()).unwrap());
        all.unwrap().build().unwrap()
    }

    fn distinct_rows(plan: LogicalPlan) -> LogicalPlan {
        let rows = LogicalPlanBuilder::from(plan).distinct();
        rows.unwrap().build().unwrap()
    }

    /// Returns a plan after the rule without and with the guard.
    fn both(plan: &LogicalPlan) -> [LogicalPlan; 2] {
        let (rule, config) = (OptimizeUnions::new(), OptimizerContext::new());
        let bare = plan
            .clone()
            .transform_up(|node| rule.rewrite(node, &config));
        let guarded = plan
            .clone()
            .transform_up(|node| guard(&rule, node, &config));
        [bare.unwrap().data, guarded.unwrap().data]
    }

    #[test]
    fn parts_of_unions_are_those_of_the_rule() {
        let (one, two, three) = (|| row(lit(1_i64)), || row(lit(2_i64)), || row(lit(3_i64)));
        let moved = |plan: LogicalPlan| {
            let rows = LogicalPlanBuilder::from(plan);
            let rows = rows.project([col("a"), col("b")]).unwrap();
            rows.build().unwrap()
        };
        for plan in [
            union(vec![one(), two()]),
            union(vec![one(), two(), three(), one()]),
            union(vec![one(), union(vec![two(), three()])]),
            union(vec![moved(union(vec![one(), two()])), three()]),
            union(vec![one(), row(lit(2_i32))]),
            distinct_rows(union(vec![one(), two(), three()])),
            distinct_rows(union(vec![
                distinct_rows(union(vec![one(), two()])),
                three(),
            ])),
        ] {
            let [bare, guarded] = both(&plan);
            assert_eq!(guarded, bare, "{}", plan.display_indent());
        }
    }

    #[test]
    fn unions_that_stay_as_they_are_are_no_change() {
        let plan = union(vec![row(lit(1_i64)), row(lit(2_i64))]);
        let made = guard(
            &OptimizeUnions::new(),
            plan.clone(),
            &OptimizerContext::new(),
        )
        .unwrap();
        assert!(!made.transformed);
        assert_eq!(made.data, plan);
    }
}
