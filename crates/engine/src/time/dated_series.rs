//! `generate_series` of dates in PostgreSQL's dialect: a date is the instant at which it begins by the
//! clock of the session's zone, and so the series is of times with a zone. DataFusion's is of dates.

use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, FieldRef, TimeUnit};
use datafusion::error::Result;
use datafusion::execution::{FunctionRegistry, SessionState};
use datafusion::logical_expr::simplify::{ExprSimplifyResult, SimplifyContext};
use datafusion::logical_expr::{
    ColumnarValue, Documentation, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF,
    ScalarUDFImpl, Signature,
};

use super::zones::moved;
use crate::expressions;

/// The function's name.
pub(super) const NAME: &str = "generate_series";

/// Replaces `generate_series` by one that takes dates as instants, in the time zone of a state.
///
/// # Errors
///
/// Returns an error if the function cannot be registered.
pub(crate) fn register_dated_series(state: &mut SessionState) -> Result<()> {
    let zone = state.config_options().execution.time_zone.clone();
    let zone: Arc<str> = zone.as_deref().unwrap_or("UTC").into();
    if let Some(inner) = state.scalar_functions().get(NAME).cloned() {
        let function = DatedSeries {
            inner,
            instants: DataType::Timestamp(TimeUnit::Microsecond, Some(zone)),
        };
        state.register_udf(Arc::new(ScalarUDF::new_from_impl(function)))?;
    }
    Ok(())
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct DatedSeries {
    /// The function of all other arguments.
    inner: Arc<ScalarUDF>,
    /// Timestamps with the session's zone.
    instants: DataType,
}

impl DatedSeries {
    fn instants(&self, dates: &ArrayRef) -> Result<ArrayRef> {
        let days = cast(dates, &DataType::Date32)?;
        moved(&days, &self.instants)
    }
}

fn is_date(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Date32 | DataType::Date64)
}

/// Returns whether a series with these arguments is one of dates.
fn has_dates(fields: &[FieldRef]) -> bool {
    match fields {
        [first, last, _] => is_date(first.data_type()) && is_date(last.data_type()),
        _ => false,
    }
}

impl ScalarUDFImpl for DatedSeries {
    fn name(&self) -> &str {
        NAME
    }

    fn aliases(&self) -> &[String] {
        self.inner.aliases()
    }

    fn signature(&self) -> &Signature {
        self.inner.signature()
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        self.inner.return_type(types)
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        if !has_dates(args.arg_fields) {
            return self.inner.return_field_from_args(args);
        }
        let item = Field::new_list_field(self.instants.clone(), true);
        let list = DataType::List(Arc::new(item));
        Ok(Arc::new(Field::new(NAME, list, true)))
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        self.inner.coerce_types(types)
    }

    fn simplify(&self, args: Vec<Expr>, context: &SimplifyContext) -> Result<ExprSimplifyResult> {
        self.inner.simplify(args, context)
    }

    fn invoke_with_args(&self, mut args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        if has_dates(&args.arg_fields) {
            let ends = args.args.iter_mut().zip(&mut args.arg_fields).take(2);
            for (value, field) in ends {
                *value = expressions::applied(Some(&*value), |dates| self.instants(dates))?;
                let instants = field.as_ref().clone().with_data_type(self.instants.clone());
                *field = Arc::new(instants);
            }
        }
        self.inner.invoke_with_args(args)
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.inner.documentation()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use arrow::util::display::array_value_to_string;
    use datafusion::execution::SessionStateBuilder;
    use datafusion::prelude::{SessionConfig, SessionContext};

    use super::super::register;
    use super::*;

    /// Returns the values of the only column.
    async fn values(zone: &str, sql: &str) -> Result<Vec<String>> {
        let mut config = SessionConfig::new();
        config.options_mut().execution.time_zone = Some(zone.to_owned());
        let mut state = SessionStateBuilder::new()
            .with_config(config)
            .with_default_features()
            .build();
        register(&mut state)?;
        register_dated_series(&mut state)?;
        let frame = SessionContext::new_with_state(state).sql(sql).await?;
        let mut values = Vec::new();
        for batch in frame.collect().await? {
            let column = batch.column(0);
            for row in 0..column.len() {
                values.push(array_value_to_string(column, row)?);
            }
        }
        Ok(values)
    }

    #[tokio::test]
    async fn dates_are_instants_of_the_clock() {
        for (zone, call, expected) in [
            (
                "UTC",
                "DATE '2024-01-31', DATE '2024-02-14', INTERVAL '1 week'",
                vec![
                    "2024-01-31T00:00:00Z",
                    "2024-02-07T00:00:00Z",
                    "2024-02-14T00:00:00Z",
                ],
            ),
            (
                "UTC",
                "DATE '2024-01-01', DATE '2024-01-02', INTERVAL '12 hours'",
                vec![
                    "2024-01-01T00:00:00Z",
                    "2024-01-01T12:00:00Z",
                    "2024-01-02T00:00:00Z",
                ],
            ),
            // The day on which the clock goes forward has 23 hours.
            (
                "Europe/Berlin",
                "DATE '2024-03-31', DATE '2024-04-01', INTERVAL '1 day'",
                vec!["2024-03-31T00:00:00+01:00", "2024-04-01T00:00:00+02:00"],
            ),
            (
                "UTC",
                "CAST(NULL AS DATE), DATE '2024-04-01', INTERVAL '1 day'",
                vec![],
            ),
            ("UTC", "3, 1, -1", vec!["3", "2", "1"]),
        ] {
            let sql = format!("SELECT unnest(generate_series({call}))");
            assert_eq!(values(zone, &sql).await.unwrap(), expected, "{call}");
        }
    }
}
