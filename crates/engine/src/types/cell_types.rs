//! Gives the cells of VALUES the types of its columns.
//!
//! DataFusion finds the types of the columns when it plans VALUES. Other rules then change the types of
//! cells, and a cell that differs is an error when it is evaluated:
//!
//! ```text
//! VALUES (coalesce(2.5::numeric(3, 1), -0.5))     numeric(30, 15), as of a double precision
//!                                                 numeric(3, 1) once the constant is a numeric
//! ```
//!
//! The last one of the analyzer's rules.

use arrow::datatypes::DataType;
use datafusion::common::DFSchema;
use datafusion::common::tree_node::{Transformed, TransformedResult};
use datafusion::config::ConfigOptions;
use datafusion::error::Result;
use datafusion::logical_expr::{Expr, ExprSchemable, LogicalPlan, Values, cast};
use datafusion::optimizer::AnalyzerRule;

use crate::plans::expressions::has_operator;

/// Casts cells of VALUES to the types of its columns.
#[derive(Debug)]
pub(crate) struct CellTypes;

impl AnalyzerRule for CellTypes {
    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        if !has_operator(&plan, |node| Ok(differ(node)))? {
            return Ok(plan);
        }
        let typed = |node| match node {
            LogicalPlan::Values(values) => Transformed::yes(LogicalPlan::Values(typed(values))),
            node => Transformed::no(node),
        };
        plan.transform_up_with_subqueries(|node| Ok(typed(node)))
            .data()
    }

    fn name(&self) -> &str {
        "cell_types"
    }
}

/// Returns whether an operator is VALUES with a cell of another type than its column.
fn differ(node: &LogicalPlan) -> bool {
    let LogicalPlan::Values(values) = node else {
        return false;
    };
    let mut rows = values.values.iter();
    rows.any(|row| {
        let mut cells = row.iter().zip(values.schema.fields());
        cells.any(|(cell, column)| is_other(cell, column.data_type()))
    })
}

fn is_other(cell: &Expr, of: &DataType) -> bool {
    cell.get_type(&DFSchema::empty())
        .is_ok_and(|type_of_cell| type_of_cell != *of)
}

fn typed(mut values: Values) -> Values {
    for row in &mut values.values {
        for (cell, column) in row.iter_mut().zip(values.schema.fields()) {
            if is_other(cell, column.data_type()) {
                *cell = cast(std::mem::take(cell), column.data_type().clone());
            }
        }
    }
    values
}
