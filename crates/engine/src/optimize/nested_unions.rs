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
        LogicalPlan::Union(union) => LogicalPlan::Union(with_names(union, false)?),
        LogicalPlan::Distinct(Distinct::All(input)) => {
            let input = match Arc::unwrap_or_clone(input) {
                LogicalPlan::Union(union) => LogicalPlan::Union(with_names(union, true)?),
                input => input,
            };
            LogicalPlan::Distinct(Distinct::All(Arc::new(input)))
        }
        plan => plan,
    };
    rule.rewrite(plan, config)
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
