//! DataFusion functions that return times, with results in microseconds.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Date32Array, TimestampMicrosecondArray};
use arrow::compute::cast;
use arrow::datatypes::{
    DataType, Decimal128Type, Field, FieldRef, Float64Type, Int64Type, TimeUnit,
    TimestampMicrosecondType,
};
use datafusion::common::ScalarValue;
use datafusion::config::ConfigOptions;
use datafusion::error::Result;
use datafusion::execution::{FunctionRegistry, SessionState};
use datafusion::logical_expr::simplify::{ExprSimplifyResult, SimplifyContext};
use datafusion::logical_expr::sort_properties::{ExprProperties, SortProperties};
use datafusion::logical_expr::{
    ColumnarValue, Documentation, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF,
    ScalarUDFImpl, Signature, TypeSignature,
};

use super::SECOND;
use super::at_zone::AtTimeZone;
use super::bins;
use super::calendar::DAY;
use super::clock::Clock;
use super::cut;
use super::from_template;
use super::input::{MAX_DIGITS, out_of_range, timestamps};
use super::make_date::{self, MakeDate};
use super::series;
use super::to_char;
use super::trunc_at::DateTruncAt;
use super::types::all_in_microseconds;
use super::zoned::INTERVAL;
use super::zones::moved;
use crate::plans::scalars::named_as_the_inner;
use crate::{limits::stop, plans::expressions};

const NAMES: &[&str] = &[
    "date_bin",
    "date_trunc",
    "from_unixtime",
    "generate_series",
    "now",
    "range",
    "to_date",
    "to_timestamp",
    "to_timestamp_micros",
    "to_timestamp_millis",
    "to_timestamp_nanos",
    "to_timestamp_seconds",
];

pub(super) fn register(state: &mut SessionState) -> Result<()> {
    let zone = state.config_options().execution.time_zone.clone();
    let at_time_zone = AtTimeZone::new(zone.as_deref());
    state.register_udf(Arc::new(ScalarUDF::new_from_impl(at_time_zone)))?;
    let date_trunc_at = DateTruncAt::new(zone.as_deref());
    state.register_udf(Arc::new(ScalarUDF::new_from_impl(date_trunc_at)))?;
    for name in NAMES {
        if let Some(inner) = state.scalar_functions().get(*name).cloned() {
            let function = InMicroseconds::new(inner);
            state.register_udf(Arc::new(ScalarUDF::new_from_impl(function)))?;
        }
    }
    if let Some(inner) = state.scalar_functions().get(make_date::NAME).cloned() {
        let function = MakeDate { inner };
        state.register_udf(Arc::new(ScalarUDF::new_from_impl(function)))?;
    }
    Ok(())
}

/// Wraps a DataFusion function that returns timestamps in other units.
#[derive(Debug, PartialEq, Eq, Hash)]
struct InMicroseconds {
    inner: Arc<ScalarUDF>,
    signature: Signature,
}

impl InMicroseconds {
    fn new(inner: Arc<ScalarUDF>) -> Self {
        let mut signature = inner.signature().clone();
        if let TypeSignature::OneOf(forms) = &mut signature.type_signature {
            match inner.name() {
                "date_trunc" => forms.extend(cut::signatures()),
                "generate_series" | "range" => forms.extend(series::signatures()),
                _ => {}
            }
        }
        Self { inner, signature }
    }

    /// Returns whether a call is one of `date_trunc` on intervals.
    fn cuts_periods(&self, value: Option<&DataType>) -> bool {
        self.name() == "date_trunc" && value.is_some_and(cut::is_period)
    }

    /// Evaluates the call here if DataFusion would go through nanoseconds, which may not hold the
    /// value.
    fn own(&self, args: &ScalarFunctionArgs) -> Result<Option<ColumnarValue>> {
        match (self.name(), args.args.as_slice()) {
            ("date_trunc", [unit, periods]) if cut::is_period(&periods.data_type()) => {
                cut::date_trunc(unit, periods).map(Some)
            }
            ("date_trunc", [unit, times]) => bins::date_trunc(unit, times),
            ("date_bin", [stride, times, origin @ ..]) => {
                bins::date_bin(args.number_rows, stride, times, origin.first())
            }
            ("generate_series", [start, end, step]) => {
                series::of_times(self.name(), args, start, end, step, true)
            }
            ("range", [start, end, step]) => {
                series::of_times(self.name(), args, start, end, step, false)
            }
            ("to_timestamp" | "to_date", [texts, template])
                if texts.data_type().is_string() && !to_char::has_formats(template)? =>
            {
                by_template(args, texts, template).map(Some)
            }
            (name, [value]) if name.starts_with("to_timestamp") => {
                let DataType::Timestamp(_, zone) = args.return_field.data_type() else {
                    return Ok(None);
                };
                to_timestamp(name, value, zone.clone())
            }
            _ => Ok(None),
        }
    }
}

impl ScalarUDFImpl for InMicroseconds {
    named_as_the_inner!();

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        let data_type = self.inner.return_type(types)?;
        Ok(all_in_microseconds(&data_type).unwrap_or(data_type))
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let last = args.arg_fields.last();
        if self.cuts_periods(last.map(|field| field.data_type())) {
            return Ok(Arc::new(Field::new(self.name(), INTERVAL, true)));
        }
        // DataFusion looks at the times alone; a unit may be NULL, too.
        let any_null = args.arg_fields.iter().any(|field| field.is_nullable());
        let field = self.inner.return_field_from_args(args)?;
        let nullable = field.is_nullable() || any_null;
        let data_type = all_in_microseconds(field.data_type());
        if data_type.is_none() && nullable == field.is_nullable() {
            return Ok(field);
        }
        let data_type = data_type.unwrap_or_else(|| field.data_type().clone());
        let field = field.as_ref().clone().with_data_type(data_type);
        Ok(Arc::new(field.with_nullable(nullable)))
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        self.inner.coerce_types(types)
    }

    fn with_updated_config(&self, config: &ConfigOptions) -> Option<ScalarUDF> {
        let inner = Arc::new(self.inner.inner().with_updated_config(config)?);
        Some(ScalarUDF::new_from_impl(Self::new(inner)))
    }

    fn simplify(&self, args: Vec<Expr>, context: &SimplifyContext) -> Result<ExprSimplifyResult> {
        Ok(match self.inner.simplify(args, context)? {
            ExprSimplifyResult::Simplified(Expr::Literal(
                ScalarValue::TimestampNanosecond(time, zone),
                metadata,
            )) => {
                let time = time.map(|nanos| nanos.div_euclid(1000));
                ExprSimplifyResult::Simplified(Expr::Literal(
                    ScalarValue::TimestampMicrosecond(time, zone),
                    metadata,
                ))
            }
            other => other,
        })
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        if let Some(value) = self.own(&args)? {
            return Ok(value);
        }
        let target = Arc::clone(&args.return_field);
        let scalars: Vec<Option<&ScalarValue>> = args
            .args
            .iter()
            .map(|arg| match arg {
                ColumnarValue::Scalar(value) => Some(value),
                ColumnarValue::Array(_) => None,
            })
            .collect();
        let inner_field = self.inner.return_field_from_args(ReturnFieldArgs {
            arg_fields: &args.arg_fields,
            scalar_arguments: &scalars,
        })?;
        let value = self.inner.invoke_with_args(ScalarFunctionArgs {
            return_field: inner_field,
            ..args
        })?;
        match value.data_type() == *target.data_type() {
            true => Ok(value),
            false => value.cast_to(target.data_type(), None),
        }
    }

    fn output_ordering(&self, inputs: &[ExprProperties]) -> Result<SortProperties> {
        let last = inputs.last().map(|input| input.range.data_type());
        if self.cuts_periods(last.as_ref()) {
            return Ok(SortProperties::Unordered);
        }
        self.inner.output_ordering(inputs)
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.inner.documentation()
    }
}

/// Evaluates `to_timestamp(x)` and its variants; `None` if DataFusion's own is correct.
fn to_timestamp(
    name: &str,
    value: &ColumnarValue,
    zone: Option<Arc<str>>,
) -> Result<Option<ColumnarValue>> {
    let target = DataType::Timestamp(TimeUnit::Microsecond, zone.clone());
    let data_type = value.data_type();
    if data_type.is_string() {
        let scalar = matches!(value, ColumnarValue::Scalar(_));
        let texts = value.to_array(1)?;
        let times = timestamps(&texts, zone, MAX_DIGITS, true)?;
        return Ok(Some(match scalar {
            true => ColumnarValue::Scalar(ScalarValue::try_from_array(&times, 0)?),
            false => ColumnarValue::Array(times),
        }));
    }
    if matches!(data_type, DataType::Timestamp(..) | DataType::Date32) {
        return expressions::applied(Some(value), |times| moved(times, &target)).map(Some);
    }
    if name != "to_timestamp" {
        return Ok(None);
    }
    let micros = match &data_type {
        integer if integer.is_integer() => {
            let seconds = value.cast_to(&DataType::Decimal128(38, 6), None)?;
            decimal_micros(&seconds)?
        }
        float if float.is_floating() => {
            let seconds = value.cast_to(&DataType::Float64, None)?;
            float_micros(&seconds)?
        }
        decimal if decimal.is_decimal() => {
            let seconds = value.cast_to(&DataType::Decimal128(38, 6), None)?;
            decimal_micros(&seconds)?
        }
        _ => return Ok(None),
    };
    // Numbers count from 1970 in UTC, whatever the zone.
    expressions::applied(Some(&micros), |micros| {
        let micros = micros.as_primitive::<Int64Type>();
        let times = micros.reinterpret_cast::<TimestampMicrosecondType>();
        Ok(Arc::new(times.with_timezone_opt(zone.clone())))
    })
    .map(Some)
}

/// Parses texts by PostgreSQL's templates.
fn by_template(
    args: &ScalarFunctionArgs,
    texts: &ColumnarValue,
    template: &ColumnarValue,
) -> Result<ColumnarValue> {
    let to = args.return_field.data_type();
    let zone = match to {
        DataType::Timestamp(_, zone) => zone.clone(),
        _ => None,
    };
    let clock = Clock::of_type(zone.as_deref())?;
    let constant = expressions::are_constants(&args.args);
    let rows = if constant { 1 } else { args.number_rows };
    let texts = cast(&texts.to_array(rows)?, &DataType::Utf8)?;
    let templates = cast(&template.to_array(rows)?, &DataType::Utf8)?;
    let times = texts
        .as_string::<i32>()
        .iter()
        .zip(templates.as_string::<i32>())
        .map(|pair| -> Result<Option<i64>> {
            // Texts and templates can be long.
            stop::check()?;
            let (Some(text), Some(template)) = pair else {
                return Ok(None);
            };
            let said = match from_template::read(text, template) {
                Ok(said) => said,
                Err(fault) => {
                    // What is stopped reads no further.
                    stop::check()?;
                    return Err(from_template::error(text, template, &fault).into());
                }
            };
            let time = match said.offset {
                Some(offset) => said.time.checked_sub(offset * SECOND),
                None => clock.instant(said.time),
            };
            Ok(Some(time.ok_or_else(out_of_range)?))
        })
        .collect::<Result<TimestampMicrosecondArray>>()?;
    let times: ArrayRef = match to {
        // Arrow's cast ends with the year 262142. A day of 64 bits of microseconds has 28 bits.
        DataType::Date32 => {
            let days: Date32Array = times.unary(|time| time.div_euclid(DAY) as i32);
            Arc::new(days)
        }
        _ => Arc::new(times.with_timezone_opt(zone)),
    };
    expressions::made(times, constant)
}

fn float_micros(seconds: &ColumnarValue) -> Result<ColumnarValue> {
    let micros = |seconds: f64| {
        let micros = (seconds * SECOND as f64).round();
        // Both bounds are exact: 2^63 is not a value of the type.
        match micros >= -(2f64.powi(63)) && micros < 2f64.powi(63) {
            true => Ok(micros as i64),
            false => Err(out_of_range()),
        }
    };
    Ok(match seconds {
        ColumnarValue::Scalar(ScalarValue::Float64(value)) => {
            ColumnarValue::Scalar(ScalarValue::Int64(value.map(micros).transpose()?))
        }
        other => {
            let array = other.to_array(1)?;
            let array = array
                .as_primitive::<Float64Type>()
                .iter()
                .map(|value| value.map(micros).transpose())
                .collect::<Result<arrow::array::PrimitiveArray<Int64Type>, lakegate_error::Error>>(
                )?;
            ColumnarValue::Array(Arc::new(array))
        }
    })
}

fn decimal_micros(seconds: &ColumnarValue) -> Result<ColumnarValue> {
    let micros = |value: i128| i64::try_from(value).map_err(|_| out_of_range());
    Ok(match seconds {
        ColumnarValue::Scalar(ScalarValue::Decimal128(value, ..)) => {
            ColumnarValue::Scalar(ScalarValue::Int64(value.map(micros).transpose()?))
        }
        other => {
            let array = other.to_array(1)?;
            let array = array
                .as_primitive::<Decimal128Type>()
                .iter()
                .map(|value| value.map(micros).transpose())
                .collect::<Result<arrow::array::PrimitiveArray<Int64Type>, lakegate_error::Error>>(
                )?;
            ColumnarValue::Array(Arc::new(array))
        }
    })
}
