//! Evaluates SQL with the functions of the library, for tests.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, TimeUnit};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::{SessionState, SessionStateBuilder};
use datafusion::optimizer::Analyzer;
use datafusion::prelude::{SessionConfig, SessionContext};
use datafusion::sql::parser::Statement;

use lakegate_engine::Names;

use crate::{planners_of, register, rules, rules_of};

/// Returns the rows of a query of one column, each as Athena shows its value.
pub(crate) async fn rows(query: &str) -> Result<Vec<String>> {
    let mut rules = rules();
    rules.extend(Analyzer::new().rules);
    let state = SessionStateBuilder::new()
        .with_default_features()
        .with_analyzer_rules(rules)
        .build();
    rows_in(state, query).await
}

/// The same with the rules and the planners of Trino's dialects. `1.5` is a decimal.
pub(crate) mod trino {
    use super::*;

    pub(crate) async fn rows(query: &str) -> Result<Vec<String>> {
        let mut rules = [rules_of(Names::Trino), rules()].concat();
        rules.extend(Analyzer::new().rules);
        let mut config = SessionConfig::new();
        config.options_mut().sql_parser.parse_float_as_decimal = true;
        let state = SessionStateBuilder::new()
            .with_config(config)
            .with_expr_planners(planners_of(Names::Trino))
            .with_default_features()
            .with_analyzer_rules(rules)
            .build();
        rows_in(state, query).await
    }

    pub(crate) async fn value(expression: &str) -> Result<String> {
        Ok(rows(&format!("SELECT {expression}")).await?.join("; "))
    }

    pub(crate) async fn error(expression: &str) -> String {
        match value(expression).await {
            Ok(value) => format!("no error: {value}"),
            Err(error) => error.strip_backtrace(),
        }
    }
}

async fn rows_in(mut state: SessionState, query: &str) -> Result<Vec<String>> {
    register(&mut state, Names::Trino)?;
    let parsed = lakegate_sql::parse(query).map_err(|e| DataFusionError::External(Box::new(e)))?;
    let [parsed]: [_; 1] = parsed
        .try_into()
        .map_err(|_| DataFusionError::Plan("one statement expected".to_owned()))?;
    let lakegate_sql::Statement::Query(query) = parsed.statement else {
        return Err(DataFusionError::Plan("a query expected".to_owned()));
    };
    let statement = lakegate_sql::sqlparser::ast::Statement::Query(query);
    let plan = state
        .statement_to_plan(Statement::Statement(Box::new(statement)))
        .await?;
    let context = SessionContext::new_with_state(state);
    let batches = context.execute_logical_plan(plan).await?.collect().await?;
    let mut rows = Vec::new();
    for batch in &batches {
        let column = batch.column(0);
        rows.extend((0..column.len()).map(|row| shown(column, row)));
    }
    Ok(rows)
}

/// Returns the value of an expression, as Athena shows it.
pub(crate) async fn value(expression: &str) -> Result<String> {
    Ok(rows(&format!("SELECT {expression}")).await?.join("; "))
}

/// Returns the message of the error that an expression fails with.
pub(crate) async fn error(expression: &str) -> String {
    match value(expression).await {
        Ok(value) => format!("no error: {value}"),
        Err(error) => error.strip_backtrace(),
    }
}

/// A value as Athena shows it: `[1, 2]`, `{a=1}`, `68 65` for bytes.
fn shown(array: &ArrayRef, row: usize) -> String {
    if array.is_null(row) || array.data_type() == &DataType::Null {
        return "NULL".to_owned();
    }
    let all = |items: &ArrayRef| -> Vec<String> {
        (0..items.len()).map(|item| shown(items, item)).collect()
    };
    match array.data_type() {
        DataType::List(_) => format!("[{}]", all(&array.as_list::<i32>().value(row)).join(", ")),
        DataType::Map(..) => {
            let entries = array.as_map().value(row);
            let (keys, values) = (all(entries.column(0)), all(entries.column(1)));
            let pairs: Vec<String> = keys
                .iter()
                .zip(&values)
                .map(|(key, value)| format!("{key}={value}"))
                .collect();
            format!("{{{}}}", pairs.join(", "))
        }
        DataType::Struct(fields) => {
            let row_of = array.as_struct();
            let values: Vec<String> = fields
                .iter()
                .zip(row_of.columns())
                .map(|(field, column)| format!("{}={}", field.name(), shown(column, row)))
                .collect();
            format!("{{{}}}", values.join(", "))
        }
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView => {
            let bytes = cast(array, &DataType::Binary).map(|bytes| {
                let bytes = bytes.as_binary::<i32>().value(row).to_vec();
                bytes
                    .iter()
                    .map(|byte| format!("{byte:02x}"))
                    .collect::<Vec<_>>()
            });
            bytes.map_or_else(|e| e.to_string(), |bytes| bytes.join(" "))
        }
        DataType::Timestamp(_, zone) => {
            let micros = DataType::Timestamp(TimeUnit::Microsecond, zone.clone());
            let options = FormatOptions::default()
                .with_timestamp_format(Some("%Y-%m-%d %H:%M:%S%.3f"))
                .with_timestamp_tz_format(Some("%Y-%m-%d %H:%M:%S%.3f %Z"));
            formatted(
                &cast(array, &micros).unwrap_or_else(|_| Arc::clone(array)),
                row,
                &options,
            )
        }
        _ => formatted(array, row, &FormatOptions::default()),
    }
}

fn formatted(array: &ArrayRef, row: usize, options: &FormatOptions<'_>) -> String {
    ArrayFormatter::try_new(array, options).map_or_else(
        |e| e.to_string(),
        |formatter| formatter.value(row).to_string(),
    )
}
