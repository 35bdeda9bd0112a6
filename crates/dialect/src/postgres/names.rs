//! What clients see of types that the engine lacks: names in the place of numbers of `regclass`,
//! `regtype` and similar types, also as items of arrays, and the types of values that are chosen or
//! gathered.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, DFSchema, Result, ScalarValue};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{Expr, ExprSchemable, LogicalPlan, LogicalPlanBuilder, ScalarUDF};
use lakegate_engine::{has_expression, marked, with_own_name};

use super::cell::{PG_TYPE, drops_marks, hinted_field};
use super::pg_catalog::tells_type;
use super::shown_objects::{self, Shown};

/// The functions that return the name for a number, by the number's Postgres type, and the names for a
/// list of numbers.
#[derive(Debug, Clone, Default)]
pub struct ShownAsNames {
    functions: HashMap<&'static str, Arc<ScalarUDF>>,
}

impl ShownAsNames {
    pub fn new(functions: HashMap<&'static str, Arc<ScalarUDF>>) -> Self {
        Self { functions }
    }

    /// Returns what a client sees of a column of a plan; `None` for the column itself.
    fn of_column(&self, plan: &LogicalPlan, place: usize, column: &Expr) -> Option<Expr> {
        match shown_objects::shown_column(plan, place)? {
            Shown::Names(pg_type) => {
                let names = self.functions.get(pg_type)?.call(vec![column.clone()]);
                Some(as_type(names, pg_type))
            }
            Shown::AsItIs(pg_type) => {
                let field = plan.schema().fields().get(place)?;
                let own = field.metadata().get(PG_TYPE);
                let is_marked = own.is_some_and(|mark| mark == pg_type);
                (!is_marked).then(|| as_type(column.clone(), pg_type))
            }
        }
    }

    /// Rewrites the plan of a whole query to show names wherever a client sees the numbers: in
    /// casts to text, and in the result.
    ///
    /// # Errors
    ///
    /// The engine rejects the rewritten plan.
    pub fn finish(&self, plan: LogicalPlan) -> Result<LogicalPlan> {
        let mapped = match has_expression(&plan, depends_on_marks)? {
            true => plan.transform_up_with_subqueries(|node| self.casts(node))?,
            false => Transformed::no(plan),
        };
        let plan = match mapped.transformed {
            // The node's output may now be shown differently, here and above.
            true => mapped
                .data
                .transform_up_with_subqueries(recomputed)
                .data()?,
            false => mapped.data,
        };
        let mut is_shown = false;
        let exprs: Vec<Expr> = plan
            .schema()
            .iter()
            .enumerate()
            .map(|(place, (qualifier, field))| {
                let column = Expr::Column(Column::new(qualifier.cloned(), field.name()));
                match self.of_column(&plan, place, &column) {
                    Some(shown) => {
                        is_shown = true;
                        shown.alias_qualified(qualifier.cloned(), field.name())
                    }
                    None => column,
                }
            })
            .collect();
        if !is_shown {
            return Ok(plan);
        }
        LogicalPlanBuilder::from(plan).project(exprs)?.build()
    }

    fn casts(&self, node: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
        let mut depends = false;
        node.apply_expressions(|expr| {
            depends = depends || expr.exists(|part| Ok(depends_on_marks(part)))?;
            Ok(TreeNodeRecursion::Continue)
        })?;
        if !depends {
            return Ok(Transformed::no(node));
        }
        let inputs: Vec<LogicalPlan> = node.inputs().into_iter().cloned().collect();
        let inputs: Vec<&LogicalPlan> = inputs.iter().collect();
        let schema = merge_schema(&inputs);
        let names = NamePreserver::new(&node);
        node.map_expressions(|expr| {
            let mapped = |part: Expr| match part {
                Expr::ScalarFunction(call) => Ok(typed(call, &inputs, &schema)),
                part => self.cast(part, &inputs, &schema),
            };
            with_own_name(expr, &names, &mapped)
        })
    }

    /// Casts such a number to text as its name. Any cast drops the type that its operand is shown
    /// as.
    fn cast(
        &self,
        expr: Expr,
        inputs: &[&LogicalPlan],
        schema: &DFSchema,
    ) -> Result<Transformed<Expr>> {
        let Expr::Cast(mut cast) = expr else {
            return Ok(Transformed::no(expr));
        };
        if is_text(cast.field.data_type())
            && let Some(pg_type) = shown_objects::type_of(&cast.expr, inputs, schema)
            && let Some(function) = self.functions.get(pg_type)
        {
            cast.expr = Box::new(function.call(vec![*cast.expr]));
            return Ok(Transformed::yes(Expr::Cast(cast)));
        }
        let Ok((_, field)) = cast.expr.to_field(schema) else {
            return Ok(Transformed::no(Expr::Cast(cast)));
        };
        if !field.metadata().contains_key(PG_TYPE) {
            return Ok(Transformed::no(Expr::Cast(cast)));
        }
        let changed = drops_marks(&mut cast.field);
        Ok(Transformed::new_transformed(Expr::Cast(cast), changed))
    }
}

/// Marks a value with the type that it is shown as.
fn as_type(value: Expr, pg_type: &str) -> Expr {
    marked(value, &hinted_field("marked", DataType::Null, pg_type))
}

/// Returns whether a type is one of texts or of lists of texts.
fn is_text(data_type: &DataType) -> bool {
    match data_type {
        DataType::List(item) => item.data_type().is_string(),
        other => other.is_string(),
    }
}

/// Returns whether the result of an expression depends on the mark of a value.
fn depends_on_marks(expr: &Expr) -> bool {
    match expr {
        Expr::Cast(_) => true,
        Expr::ScalarFunction(call) => tells_type(call.func.name()),
        _ => false,
    }
}

/// Marks the argument of a call that tells its type, if the engine has dropped the mark.
fn typed(
    mut call: ScalarFunction,
    inputs: &[&LogicalPlan],
    schema: &DFSchema,
) -> Transformed<Expr> {
    if tells_type(call.func.name())
        && let [value] = call.args.as_mut_slice()
        && let Some(pg_type) = shown_objects::marked_type_of(value, inputs, schema)
    {
        let inner = std::mem::replace(value, Expr::Literal(ScalarValue::Null, None));
        *value = as_type(inner, pg_type);
        return Transformed::yes(Expr::ScalarFunction(call));
    }
    Transformed::no(Expr::ScalarFunction(call))
}

fn recomputed(node: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
    Ok(match node {
        LogicalPlan::RecursiveQuery(_) | LogicalPlan::Explain(_) | LogicalPlan::Analyze(_) => {
            Transformed::no(node)
        }
        node => Transformed::yes(node.recompute_schema()?),
    })
}
