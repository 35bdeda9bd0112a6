//! `date_trunc` of dates in PostgreSQL's dialect: a date is the instant at which it begins by the
//! clock of the session's zone, and so the result has a zone. DataFusion makes it a timestamp.

use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, FieldRef, TimeUnit};
use datafusion::common::types::{logical_date, logical_string};
use datafusion::error::Result;
use datafusion::execution::{FunctionRegistry, SessionState};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::simplify::{ExprSimplifyResult, SimplifyContext};
use datafusion::logical_expr::sort_properties::{ExprProperties, SortProperties};
use datafusion::logical_expr::{
    Coercion, ColumnarValue, Documentation, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF,
    ScalarUDFImpl, Signature, TypeSignature, TypeSignatureClass,
};

use super::units::Unit;
use super::zones::moved;
use crate::plans::expressions;

/// The function's name.
pub(super) const NAME: &str = "date_trunc";

/// Replaces `date_trunc` by one that takes dates as instants, in the time zone of a state.
///
/// # Errors
///
/// Returns an error if the function cannot be registered.
pub(crate) fn register_truncated_dates(state: &mut SessionState) -> Result<()> {
    let zone = state.config_options().execution.time_zone.clone();
    let zone: Arc<str> = zone.as_deref().unwrap_or("UTC").into();
    if let Some(inner) = state.scalar_functions().get(NAME).cloned() {
        let function = TruncatedDates::new(inner, zone);
        state.register_udf(Arc::new(ScalarUDF::new_from_impl(function)))?;
    }
    Ok(())
}

/// Returns the unit and the date of such a call, and its type; `None` for other calls, and if the
/// unit is not a constant.
pub(super) fn truncated(call: &ScalarFunction) -> Option<(Unit, &Expr, &DataType)> {
    let function = call.func.inner().downcast_ref::<TruncatedDates>()?;
    let [Expr::Literal(unit, _), date] = call.args.as_slice() else {
        return None;
    };
    let unit = Unit::named(unit.try_as_str().flatten()?)?;
    Some((unit, date, &function.instants))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct TruncatedDates {
    /// The function of all other arguments.
    inner: Arc<ScalarUDF>,
    /// Timestamps with the session's zone.
    instants: DataType,
    signature: Signature,
}

impl TruncatedDates {
    fn new(inner: Arc<ScalarUDF>, zone: Arc<str>) -> Self {
        let mut signature = inner.signature().clone();
        if let TypeSignature::OneOf(forms) = &mut signature.type_signature {
            let (text, date) = (logical_string(), logical_date());
            let exact = |of| Coercion::new_exact(TypeSignatureClass::Native(of));
            forms.push(TypeSignature::Coercible(vec![exact(text), exact(date)]));
        }
        Self {
            inner,
            instants: DataType::Timestamp(TimeUnit::Microsecond, Some(zone)),
            signature,
        }
    }

    fn instants(&self, dates: &ArrayRef) -> Result<ArrayRef> {
        let days = cast(dates, &DataType::Date32)?;
        moved(&days, &self.instants)
    }
}

fn is_date(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Date32 | DataType::Date64)
}

impl ScalarUDFImpl for TruncatedDates {
    fn name(&self) -> &str {
        NAME
    }

    fn aliases(&self) -> &[String] {
        self.inner.aliases()
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        self.inner.return_type(types)
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        match args.arg_fields.last() {
            Some(field) if is_date(field.data_type()) => {
                let nullable = args.arg_fields.iter().any(|field| field.is_nullable());
                Ok(Arc::new(Field::new(NAME, self.instants.clone(), nullable)))
            }
            _ => self.inner.return_field_from_args(args),
        }
    }

    fn simplify(&self, args: Vec<Expr>, context: &SimplifyContext) -> Result<ExprSimplifyResult> {
        self.inner.simplify(args, context)
    }

    fn invoke_with_args(&self, mut args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        if let (Some(value), Some(field)) = (args.args.last_mut(), args.arg_fields.last_mut())
            && is_date(&value.data_type())
        {
            *value = expressions::applied(Some(&*value), |dates| self.instants(dates))?;
            let instants = field.as_ref().clone().with_data_type(self.instants.clone());
            *field = Arc::new(instants);
        }
        self.inner.invoke_with_args(args)
    }

    fn output_ordering(&self, inputs: &[ExprProperties]) -> Result<SortProperties> {
        self.inner.output_ordering(inputs)
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

    use super::super::{MeetingZones, MicrosecondTypes, Microseconds, register};
    use super::*;

    /// Returns the values of the only column, and its type.
    async fn column(zone: &str, sql: &str) -> Result<(Vec<String>, DataType)> {
        let mut config = SessionConfig::new();
        config.options_mut().execution.time_zone = Some(zone.to_owned());
        let mut rules = datafusion::optimizer::Analyzer::new().rules;
        rules.insert(0, Arc::new(MeetingZones));
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
        register_truncated_dates(&mut state)?;
        let frame = SessionContext::new_with_state(state).sql(sql).await?;
        let data_type = frame.schema().field(0).data_type().clone();
        let mut values = Vec::new();
        for batch in frame.collect().await? {
            let column = batch.column(0);
            assert_eq!(*column.data_type(), data_type);
            for row in 0..batch.num_rows() {
                values.push(array_value_to_string(column, row)?);
            }
        }
        Ok((values, data_type))
    }

    #[tokio::test]
    async fn dates_are_instants_of_the_clock() {
        const DATES: &str =
            "(VALUES (1, DATE '2024-03-31'), (2, DATE '2024-07-15'), (3, NULL)) t(n, d)";
        for (zone, unit, expected) in [
            (
                "UTC",
                "month",
                ["2024-03-01T00:00:00Z", "2024-07-01T00:00:00Z", ""],
            ),
            (
                "UTC",
                "week",
                ["2024-03-25T00:00:00Z", "2024-07-15T00:00:00Z", ""],
            ),
            (
                "UTC",
                "century",
                ["2001-01-01T00:00:00Z", "2001-01-01T00:00:00Z", ""],
            ),
            (
                "Europe/Berlin",
                "month",
                ["2024-03-01T00:00:00+01:00", "2024-07-01T00:00:00+02:00", ""],
            ),
            (
                "Europe/Berlin",
                "hour",
                ["2024-03-31T00:00:00+01:00", "2024-07-15T00:00:00+02:00", ""],
            ),
        ] {
            let sql = format!("SELECT date_trunc('{unit}', d) FROM {DATES} ORDER BY n");
            let (values, data_type) = column(zone, &sql).await.unwrap();
            assert_eq!(values, expected, "{zone} {unit}");
            let instants = DataType::Timestamp(TimeUnit::Microsecond, Some(zone.into()));
            assert_eq!(data_type, instants);
        }
        // Other arguments have the results that they had.
        let (values, data_type) = column(
            "UTC",
            "SELECT date_trunc('hour', TIMESTAMP '2024-07-15 12:34:56')",
        )
        .await
        .unwrap();
        assert_eq!(values, ["2024-07-15T12:00:00"]);
        assert_eq!(data_type, DataType::Timestamp(TimeUnit::Microsecond, None));
        // They compare as instants.
        for zone in ["UTC", "Asia/Kolkata"] {
            let sql = format!(
                "SELECT count(*) FROM {DATES} WHERE date_trunc('month', d) = DATE '2024-07-01' AND date_trunc('month', d) < TIMESTAMP '2024-07-01 00:00:01'"
            );
            assert_eq!(column(zone, &sql).await.unwrap().0, ["1"], "{zone}");
        }
        assert!(
            column("UTC", "SELECT date_trunc('foo', DATE '2024-07-15')")
                .await
                .is_err()
        );
    }
}
