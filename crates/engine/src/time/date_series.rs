//! `generate_series` of dates in PostgreSQL's dialect: a date is the instant at which it begins by
//! the clock of the session's zone, and so the items have a zone. DataFusion makes them dates.

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
use crate::plans::expressions;

const NAME: &str = "generate_series";

/// Replaces `generate_series` by one that takes dates as instants, in the time zone of a state.
///
/// # Errors
///
/// Returns an error if the function cannot be registered.
pub(crate) fn register_date_series(state: &mut SessionState) -> Result<()> {
    let zone = state.config_options().execution.time_zone.clone();
    let zone: Arc<str> = zone.as_deref().unwrap_or("UTC").into();
    if let Some(inner) = state.scalar_functions().get(NAME).cloned() {
        let function = DateSeries {
            inner,
            instants: DataType::Timestamp(TimeUnit::Microsecond, Some(zone)),
        };
        state.register_udf(Arc::new(ScalarUDF::new_from_impl(function)))?;
    }
    Ok(())
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct DateSeries {
    /// The function of all other arguments.
    inner: Arc<ScalarUDF>,
    /// Timestamps with the session's zone.
    instants: DataType,
}

/// Returns whether arguments of these types are two dates and a step.
fn are_dates<'a>(types: impl IntoIterator<Item = &'a DataType>) -> bool {
    let is_date = |data_type: &DataType| matches!(data_type, DataType::Date32 | DataType::Date64);
    let mut types = types.into_iter();
    types.next().is_some_and(is_date) && types.next().is_some_and(is_date)
}

impl ScalarUDFImpl for DateSeries {
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
        match are_dates(types) {
            true => Ok(DataType::new_list(self.instants.clone(), true)),
            false => self.inner.return_type(types),
        }
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        match are_dates(args.arg_fields.iter().map(|field| field.data_type())) {
            true => {
                let items = DataType::new_list(self.instants.clone(), true);
                Ok(Arc::new(Field::new(NAME, items, true)))
            }
            false => self.inner.return_field_from_args(args),
        }
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        self.inner.coerce_types(types)
    }

    fn simplify(&self, args: Vec<Expr>, context: &SimplifyContext) -> Result<ExprSimplifyResult> {
        self.inner.simplify(args, context)
    }

    fn invoke_with_args(&self, mut args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        if are_dates(args.arg_fields.iter().map(|field| field.data_type())) {
            let bounds = args.args.iter_mut().zip(&mut args.arg_fields).take(2);
            for (value, field) in bounds {
                *value = expressions::applied(Some(&*value), |dates| self.instants_of(dates))?;
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

impl DateSeries {
    fn instants_of(&self, dates: &ArrayRef) -> Result<ArrayRef> {
        let days = cast(dates, &DataType::Date32)?;
        moved(&days, &self.instants)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use arrow::util::display::array_value_to_string;
    use datafusion::execution::SessionStateBuilder;
    use datafusion::prelude::{SessionConfig, SessionContext};

    use super::super::{MicrosecondTypes, Microseconds, register};
    use super::*;

    /// Returns the values of the only column.
    async fn column(zone: &str, sql: &str) -> Result<Vec<String>> {
        let mut config = SessionConfig::new();
        config.options_mut().execution.time_zone = Some(zone.to_owned());
        let mut rules = datafusion::optimizer::Analyzer::new().rules;
        rules.push(Arc::new(Microseconds));
        let mut state = SessionStateBuilder::new()
            .with_config(config)
            .with_default_features()
            .with_analyzer_rules(rules)
            .with_type_planner(Arc::new(MicrosecondTypes {
                time_zone: Some(zone.to_owned()),
            }))
            .build();
        register(&mut state)?;
        register_date_series(&mut state)?;
        let context = SessionContext::new_with_state(state);
        let mut values = Vec::new();
        for batch in context.sql(sql).await?.collect().await? {
            for row in 0..batch.num_rows() {
                values.push(array_value_to_string(batch.column(0), row)?);
            }
        }
        Ok(values)
    }

    #[tokio::test]
    async fn dates_are_instants_of_the_clock() {
        let series = "SELECT unnest(generate_series(DATE '2024-03-30', DATE '2024-04-01', INTERVAL '1 day'))";
        let expected = [
            "2024-03-30T00:00:00+01:00",
            "2024-03-31T00:00:00+01:00",
            "2024-04-01T00:00:00+02:00",
        ];
        assert_eq!(column("Europe/Berlin", series).await.unwrap(), expected);
        let series = "SELECT unnest(generate_series(d, e, INTERVAL '12 hours')) AS x \
             FROM (VALUES (DATE '2024-01-01', DATE '2024-01-02'), (NULL, DATE '2024-01-02')) t(d, e) ORDER BY x";
        let expected = [
            "2024-01-01T00:00:00Z",
            "2024-01-01T12:00:00Z",
            "2024-01-02T00:00:00Z",
        ];
        assert_eq!(column("UTC", series).await.unwrap(), expected);
    }

    #[tokio::test]
    async fn other_series_stay() {
        let sql = "SELECT unnest(generate_series(1, 5, 2))";
        assert_eq!(column("UTC", sql).await.unwrap(), ["1", "3", "5"]);
        let sql = "SELECT unnest(generate_series(TIMESTAMP '2024-01-01', TIMESTAMP '2024-01-01 01:00:00', INTERVAL '1 hour'))";
        let expected = ["2024-01-01T00:00:00", "2024-01-01T01:00:00"];
        assert_eq!(column("Asia/Tokyo", sql).await.unwrap(), expected);
    }
}
