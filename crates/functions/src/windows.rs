//! `lag`, `lead` and `nth_value` with an offset and a default of each row. In Trino's dialects they
//! take no offset that turns the other way, or that is NULL. [`ntile`] is that of PostgreSQL's sessions.

mod by_row;
mod ntile;

use std::fmt::Display;
use std::sync::Arc;

use arrow::compute::SortOptions;
use arrow::datatypes::{DataType, FieldRef};
use datafusion::common::ScalarValue;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::{FunctionRegistry, SessionState};
use datafusion::logical_expr::function::{
    ExpressionArgs, PartitionEvaluatorArgs, WindowFunctionSimplification, WindowUDFFieldArgs,
};
use datafusion::logical_expr::{
    Documentation, LimitEffect, PartitionEvaluator, ReversedUDWF, Signature, WindowUDF,
    WindowUDFImpl,
};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::Literal;
use lakegate_engine::Names;
use lakegate_error::{Code, Error};

use crate::entry::Entry;

pub(crate) fn entries() -> Vec<Entry> {
    vec![
        Entry::of_session("lag", |state| register(state, Function::Lag, Names::Trino)).in_trino(),
        Entry::of_session("lead", |state| {
            register(state, Function::Lead, Names::Trino)
        })
        .in_trino(),
        Entry::of_session("nth_value", |state| {
            register(state, Function::NthValue, Names::Trino)
        })
        .in_trino(),
    ]
}

/// Registers the functions for PostgreSQL's dialect.
///
/// # Errors
///
/// The session lacks one of them.
pub(crate) fn register_in_postgres(state: &mut SessionState) -> Result<()> {
    for function in [Function::Lag, Function::Lead, Function::NthValue] {
        register(state, function, Names::Postgres)?;
    }
    ntile::register(state)
}

fn register(state: &mut SessionState, function: Function, names: Names) -> Result<()> {
    let inner = state.udwf(function.name())?;
    let turns = names == Names::Postgres;
    state.register_udwf(checked(inner, function, turns))?;
    Ok(())
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Function {
    Lag,
    Lead,
    NthValue,
}

impl Function {
    fn name(self) -> &'static str {
        match self {
            Self::Lag => "lag",
            Self::Lead => "lead",
            Self::NthValue => "nth_value",
        }
    }

    /// Returns the least offset.
    fn least(self) -> i64 {
        match self {
            Self::Lag | Self::Lead => 0,
            Self::NthValue => 1,
        }
    }
}

/// The error of a default whose fraction would be lost: its value, or its type.
fn no_integer(function: Function, default: impl Display) -> DataFusionError {
    let name = function.name();
    Error::new(
        Code::TypeMismatch,
        format!("the default of {name} must be an integer as its values are, not {default}"),
    )
    .into()
}

/// The error of a text as the default of arrays, which would become an array with the text in it.
fn no_array(function: Function) -> DataFusionError {
    let name = function.name();
    let message = format!("the default of {name} must be an array as its values are, not a text");
    Error::new(Code::TypeMismatch, message).into()
}

fn least_offset(function: Function, offset: i64) -> DataFusionError {
    let (name, least) = (function.name(), function.least());
    let code = match function {
        Function::NthValue => Code::InvalidNthValue,
        Function::Lag | Function::Lead => Code::InvalidParameter,
    };
    let message = format!("the offset of {name} must be at least {least}, not {offset}");
    Error::new(code, message).into()
}

fn checked(inner: Arc<WindowUDF>, function: Function, turns: bool) -> Arc<WindowUDF> {
    Arc::new(WindowUDF::new_from_impl(Checked {
        inner,
        function,
        turns,
    }))
}

/// A function whose second argument is at least a number.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Checked {
    inner: Arc<WindowUDF>,
    function: Function,
    /// Whether an offset of `lag` and `lead` may be NULL, or negative: then it counts the other way.
    turns: bool,
}

impl Checked {
    /// # Errors
    ///
    /// The offset is less than the least one.
    fn check(&self, arguments: &[Arc<dyn PhysicalExpr>]) -> Result<()> {
        if self.turns && self.function != Function::NthValue {
            return Ok(());
        }
        let offset = arguments.get(1);
        let Some(offset) = offset.and_then(|offset| offset.downcast_ref::<Literal>()) else {
            return Ok(());
        };
        match offset.value().cast_to(&DataType::Int64) {
            Ok(ScalarValue::Int64(Some(number))) if number < self.function.least() => {
                Err(least_offset(self.function, number))
            }
            _ => Ok(()),
        }
    }

    /// # Errors
    ///
    /// The default is a number with a fraction, which the integers that the function returns lose.
    /// In PostgreSQL, it would return numbers with fractions. Or it is a text, and the values are
    /// arrays.
    fn check_default(&self, args: &PartitionEvaluatorArgs<'_>) -> Result<()> {
        let values = args.input_fields().first();
        let default = args.input_exprs().get(2);
        let default = default.and_then(|default| default.downcast_ref::<Literal>());
        let (Some(values), Some(default)) = (values, default) else {
            return Ok(());
        };
        let (default, of) = (default.value(), default.value().data_type());
        let is_text = of.is_string() && !default.is_null();
        if is_text && matches!(values.data_type(), DataType::List(_)) {
            return Err(no_array(self.function));
        }
        if !self.turns || !values.data_type().is_integer() || !of.is_numeric() {
            return Ok(());
        }
        let whole = default.cast_to(&DataType::Int64)?.cast_to(&of)?;
        match whole == *default {
            true => Ok(()),
            false => Err(no_integer(self.function, default)),
        }
    }

    /// Returns whether the offset or the default is an expression of the row, or the offset is NULL
    /// where the engine's function would take it for 0.
    fn is_by_row(&self, arguments: &[Arc<dyn PhysicalExpr>]) -> bool {
        let by_row = |(index, argument): (usize, &Arc<dyn PhysicalExpr>)| match argument
            .downcast_ref::<Literal>()
        {
            Some(literal) => index == 1 && literal.value().is_null(),
            None => true,
        };
        arguments.iter().enumerate().skip(1).any(by_row)
    }
}

impl WindowUDFImpl for Checked {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn aliases(&self) -> &[String] {
        self.inner.aliases()
    }

    fn signature(&self) -> &Signature {
        self.inner.signature()
    }

    fn expressions(&self, args: ExpressionArgs<'_>) -> Vec<Arc<dyn PhysicalExpr>> {
        match self.is_by_row(args.input_exprs()) {
            true => args.input_exprs().to_vec(),
            false => self.inner.expressions(args),
        }
    }

    fn partition_evaluator(
        &self,
        args: PartitionEvaluatorArgs<'_>,
    ) -> Result<Box<dyn PartitionEvaluator>> {
        self.check(args.input_exprs())?;
        self.check_default(&args)?;
        match self.is_by_row(args.input_exprs()) {
            true => by_row::evaluator(self.function, self.turns, &args),
            false => self.inner.partition_evaluator_factory(args),
        }
    }

    fn simplify(&self) -> Option<WindowFunctionSimplification> {
        self.inner.simplify()
    }

    fn field(&self, args: WindowUDFFieldArgs<'_>) -> Result<FieldRef> {
        self.inner.field(args)
    }

    fn sort_options(&self) -> Option<SortOptions> {
        self.inner.sort_options()
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        self.inner.coerce_types(types)
    }

    fn reverse_expr(&self) -> ReversedUDWF {
        match self.inner.reverse_expr() {
            ReversedUDWF::Reversed(reversed) => {
                ReversedUDWF::Reversed(checked(reversed, self.function, self.turns))
            }
            other => other,
        }
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.inner.documentation()
    }

    fn limit_effect(&self, args: &[Arc<dyn PhysicalExpr>]) -> LimitEffect {
        self.inner.inner().limit_effect(args)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use crate::testing::{error, rows};

    #[tokio::test]
    async fn offsets_do_not_turn_the_other_way() {
        let over = "OVER (ORDER BY x) FROM (VALUES 1, 2, 3) t(x)";
        for (call, expected) in [
            ("lag(x)", ["NULL", "1", "2"]),
            ("lag(x, 0)", ["1", "2", "3"]),
            ("lead(x, 2, 9)", ["3", "9", "9"]),
            ("nth_value(x, 1)", ["1", "1", "1"]),
        ] {
            let query = format!("SELECT {call} {over}");
            assert_eq!(rows(&query).await.unwrap(), expected, "{call}");
        }
        for call in [
            "lag(x, -1)",
            "lag(x, 1 - 2)",
            "lead(x, -1)",
            "nth_value(x, 0)",
        ] {
            let found = error(&format!("{call} {over}")).await;
            assert!(found.contains("must be at least"), "{call}: {found}");
        }
        let reversed = "lag(x, -1) OVER (ORDER BY x), lead(x, 1) OVER (ORDER BY x DESC) FROM (VALUES 1, 2) t(x)";
        assert!(error(reversed).await.contains("must be at least"));
    }
}
