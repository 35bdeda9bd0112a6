//! The times that a statement runs at, as in PostgreSQL.
//!
//! ```text
//! now(), current_date, …     when the transaction block began; outside of one, when the statement did
//! statement_timestamp()      when the statement began
//! clock_timestamp()          when a row is evaluated
//! ```
//!
//! DataFusion keeps one time of a statement, which is what `now()` and `current_date` are. In a block
//! it is that of the block, and the statement's own is an extension of the state's options.

use std::sync::Arc;

use arrow::array::TimestampMicrosecondArray;
use arrow::datatypes::{DataType, TimeUnit};
use chrono::{DateTime, Utc};
use datafusion::common::ScalarValue;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::{FunctionRegistry, SessionState};
use datafusion::logical_expr::simplify::{ExprSimplifyResult, SimplifyContext};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use super::hidden_options::hidden_option;

/// The names of the functions.
pub(super) const STATEMENT_TIMESTAMP: &str = "statement_timestamp";
pub(super) const CLOCK_TIMESTAMP: &str = "clock_timestamp";

/// Begins a statement in a state.
///
/// `block_began`: when the transaction block began that the statement is in.
pub(crate) fn begin_statement(state: &mut SessionState, block_began: Option<DateTime<Utc>>) {
    let began = StatementBegan(Utc::now());
    // A state that was in a block has the time of an earlier statement.
    let has_own = state.config_options().extensions.get::<StatementBegan>();
    if block_began.is_some() || has_own.is_some() {
        let options = state.config_mut().options_mut();
        options.extensions.insert(began.clone());
    }
    state.mark_start_execution();
    let start = block_began.unwrap_or(began.0);
    state.execution_props_mut().query_execution_start_time = Some(start);
}

/// Registers `statement_timestamp` and `clock_timestamp` with the time zone of a state.
///
/// # Errors
///
/// Returns an error if a function cannot be registered.
pub(crate) fn register_instants(state: &mut SessionState) -> Result<()> {
    let zone = state.config_options().execution.time_zone.clone();
    let zone: Arc<str> = zone.as_deref().unwrap_or("UTC").into();
    let statement = StatementTimestamp {
        zone: Arc::clone(&zone),
        signature: Signature::nullary(Volatility::Stable),
    };
    let clock = ClockTimestamp {
        zone,
        signature: Signature::nullary(Volatility::Volatile),
    };
    state.register_udf(Arc::new(ScalarUDF::new_from_impl(statement)))?;
    state.register_udf(Arc::new(ScalarUDF::new_from_impl(clock)))?;
    Ok(())
}

/// When the statement began, where `now()` is another time.
#[derive(Debug, Clone)]
struct StatementBegan(DateTime<Utc>);

hidden_option!(StatementBegan, "statement");

#[derive(Debug, PartialEq, Eq, Hash)]
struct StatementTimestamp {
    /// The session's time zone.
    zone: Arc<str>,
    signature: Signature,
}

impl ScalarUDFImpl for StatementTimestamp {
    fn name(&self) -> &str {
        STATEMENT_TIMESTAMP
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(instant_in(&self.zone))
    }

    fn simplify(&self, args: Vec<Expr>, context: &SimplifyContext) -> Result<ExprSimplifyResult> {
        let own = context.config_options().extensions.get::<StatementBegan>();
        let began = own.map(|began| began.0);
        let Some(began) = began.or_else(|| context.query_execution_start_time()) else {
            return Ok(ExprSimplifyResult::Original(args));
        };
        let micros = began.timestamp_micros();
        let time = ScalarValue::TimestampMicrosecond(Some(micros), Some(Arc::clone(&self.zone)));
        Ok(ExprSimplifyResult::Simplified(Expr::Literal(time, None)))
    }

    fn invoke_with_args(&self, _: ScalarFunctionArgs) -> Result<ColumnarValue> {
        Err(DataFusionError::Internal(format!(
            "{STATEMENT_TIMESTAMP} is a constant before a query runs"
        )))
    }
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct ClockTimestamp {
    /// The session's time zone.
    zone: Arc<str>,
    signature: Signature,
}

impl ScalarUDFImpl for ClockTimestamp {
    fn name(&self) -> &str {
        CLOCK_TIMESTAMP
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(instant_in(&self.zone))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let times = (0..args.number_rows).map(|_| Utc::now().timestamp_micros());
        let times = TimestampMicrosecondArray::from_iter_values(times);
        let times = times.with_timezone(Arc::clone(&self.zone));
        Ok(ColumnarValue::Array(Arc::new(times)))
    }
}

fn instant_in(zone: &Arc<str>) -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some(Arc::clone(zone)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use datafusion::execution::SessionStateBuilder;

    use super::*;

    fn times(state: &SessionState) -> (DateTime<Utc>, Option<DateTime<Utc>>) {
        let own = state.config_options().extensions.get::<StatementBegan>();
        let start = state.execution_props().query_execution_start_time;
        (start.unwrap(), own.map(|began| began.0))
    }

    #[test]
    fn a_statement_of_a_block_has_the_time_of_the_block_and_its_own() {
        let mut state = SessionStateBuilder::new().with_default_features().build();
        begin_statement(&mut state, None);
        let (first, own) = times(&state);
        assert_eq!(own, None);
        begin_statement(&mut state, Some(first));
        let (second, own) = times(&state);
        assert_eq!(second, first);
        assert!(own.unwrap() >= first);
        // The state serves a statement after the block.
        begin_statement(&mut state, None);
        let (third, own) = times(&state);
        assert!(third >= first);
        assert_eq!(own, Some(third));
    }

    #[test]
    fn the_time_of_a_statement_is_a_constant() {
        let zone: Arc<str> = "Europe/Berlin".into();
        let function = StatementTimestamp {
            zone: Arc::clone(&zone),
            signature: Signature::nullary(Volatility::Stable),
        };
        let began = Utc::now();
        let context = SimplifyContext::builder()
            .with_query_execution_start_time(Some(began))
            .build();
        let expected = Expr::Literal(
            ScalarValue::TimestampMicrosecond(Some(began.timestamp_micros()), Some(zone)),
            None,
        );
        match function.simplify(Vec::new(), &context).unwrap() {
            ExprSimplifyResult::Simplified(expr) => assert_eq!(expr, expected),
            ExprSimplifyResult::Original(_) => unreachable!("there is a time"),
        }
    }
}
