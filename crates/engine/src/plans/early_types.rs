//! The types of a plan's columns before it is analysed as a whole.

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::common::DFSchemaRef;
use datafusion::error::Result;
use datafusion::execution::SessionState;
use datafusion::logical_expr::LogicalPlan;

/// The rule after which expressions have their types.
const TYPE_COERCION: &str = "type_coercion";

/// Returns the columns of a plan that is not analysed, with their final types. `None` if only the
/// rules that prepare a plan to be run know them, such as those of times and of decimals.
///
/// # Errors
///
/// Returns an error if the types of expressions do not match, as the analysis would.
pub fn early_schema(state: &SessionState, mut plan: LogicalPlan) -> Result<Option<DFSchemaRef>> {
    let analyzer = state.analyzer();
    let mut rules = analyzer.rules.iter();
    let last = rules.position(|rule| rule.name() == TYPE_COERCION);
    // These come before all rules.
    let has_rewrites = !analyzer.function_rewrites().is_empty();
    let Some(last) = last.filter(|_| !has_rewrites) else {
        return Ok(None);
    };
    for rule in analyzer.rules.iter().take(last + 1) {
        plan = rule
            .analyze(plan, state.config_options())
            .map_err(|error| error.context(rule.name()))?;
    }
    let schema = plan.schema();
    let mut fields = schema.fields().iter();
    let are_final = fields.all(|field| is_final(field.data_type()));
    Ok(are_final.then(|| Arc::clone(schema)))
}

/// Returns whether no rule changes columns of a type to another type.
fn is_final(data_type: &DataType) -> bool {
    match data_type {
        DataType::List(item) => is_final(item.data_type()),
        DataType::Struct(fields) => fields.iter().all(|field| is_final(field.data_type())),
        other => other.is_integer() || other.is_string() || *other == DataType::Boolean,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use datafusion::catalog::MemoryCatalogProviderList;
    use datafusion::common::ScalarValue;
    use datafusion::logical_expr::{Expr, LogicalPlanBuilder, col, lit};

    use super::*;
    use crate::{Names, PlanSettings};

    #[test]
    fn types_are_those_of_the_whole_analysis_or_not_known() {
        let directory = tempfile::tempdir().unwrap();
        let engine = crate::testing::small_engine(directory.path());
        let settings = PlanSettings {
            time_zone: "UTC".to_owned(),
            search_path: Vec::new(),
            names: Names::Postgres,
        };
        let catalogs = Arc::new(MemoryCatalogProviderList::new());
        let state = engine.session(&settings, catalogs).unwrap();
        let nanoseconds = lit(ScalarValue::TimestampNanosecond(Some(1), None));
        let list = |item: ScalarValue| {
            let item_type = item.data_type();
            ScalarValue::List(ScalarValue::new_list_nullable(&[item], &item_type))
        };
        for (column, is_known) in [
            (lit(list(ScalarValue::from(1_i64))), true),
            (lit(list(ScalarValue::from(1.5_f64))), false),
            (col("column1"), true),
            (col("column2").gt(lit(0_i32)), true),
            (col("column2") + lit(1_i64), true),
            (nanoseconds, false),
            (lit(1.5_f64), false),
            (lit(ScalarValue::Null), false),
        ] {
            let row: Vec<Expr> = vec![lit("a"), lit(1_i64)];
            let rows = LogicalPlanBuilder::values(vec![row]).unwrap();
            let plan = rows.project([column]).unwrap().build().unwrap();
            let early = early_schema(&state, plan.clone()).unwrap();
            assert_eq!(early.is_some(), is_known, "{}", plan.display());
            let Some(early) = early else { continue };
            let analyzer = state.analyzer();
            let analyzed = analyzer.execute_and_check(plan, state.config_options(), |_, _| {});
            let analyzed = analyzed.unwrap();
            let types = |schema: &DFSchemaRef| -> Vec<DataType> {
                let fields = schema.fields().iter();
                fields.map(|field| field.data_type().clone()).collect()
            };
            assert_eq!(types(&early), types(analyzed.schema()));
        }
    }
}
