//! `to_char` of times, intervals and numbers by a template, as in PostgreSQL. DataFusion's function
//! takes times and `strftime` formats, and returns a PostgreSQL template unchanged. A template of a
//! time with a `%` is a `strftime` format.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, StringBuilder};
use arrow::compute::cast;
use arrow::datatypes::{DataType, TimeUnit, TimestampMicrosecondType};
use datafusion::common::types::{logical_date, logical_string};
use datafusion::config::ConfigOptions;
use datafusion::error::Result;
use datafusion::execution::{FunctionRegistry, SessionState};
use datafusion::logical_expr::{
    Coercion, ColumnarValue, Documentation, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl,
    Signature, TypeSignature, TypeSignatureClass,
};

use super::clock::Clock;
use super::input::out_of_range;
use super::period_template::write_period;
use super::template::{Shown, write};
use super::zoned::intervals;
use super::zones::each;
use super::{SECOND, day_times};
use crate::numbers::numerals;
use crate::plans::scalars::named_as_the_inner;
use crate::{limits::stop, plans::expressions};

/// Replaces DataFusion's function, and registers `to_number`.
///
/// # Errors
///
/// Returns an error if a function cannot be registered.
pub fn register(state: &mut SessionState) -> Result<()> {
    numerals::register(state)?;
    if let Some(inner) = state.scalar_functions().get("to_char").cloned() {
        let zone = state.config_options().execution.time_zone.clone();
        let function = ToChar::new(inner, zone.as_deref());
        state.register_udf(Arc::new(ScalarUDF::new_from_impl(function)))?;
    }
    Ok(())
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct ToChar {
    inner: Arc<ScalarUDF>,
    /// The session's time zone, by whose clock a date is midnight.
    zone: Option<Arc<str>>,
    /// Numbers, intervals and times, and what the inner function takes.
    signature: Signature,
}

impl ToChar {
    fn new(inner: Arc<ScalarUDF>, zone: Option<&str>) -> Self {
        let text = TypeSignatureClass::Native(logical_string());
        let of = |class: TypeSignatureClass| {
            TypeSignature::Coercible(vec![
                Coercion::new_exact(class),
                Coercion::new_exact(text.clone()),
            ])
        };
        let known = inner.signature();
        let signature = Signature::one_of(
            vec![
                of(TypeSignatureClass::Numeric),
                of(TypeSignatureClass::Interval),
                of(TypeSignatureClass::Duration),
                // The inner function takes texts of one form, and gives a time beside others a zone.
                of(TypeSignatureClass::Timestamp),
                of(TypeSignatureClass::Time),
                of(TypeSignatureClass::Native(logical_date())),
                known.type_signature.clone(),
            ],
            known.volatility,
        );
        Self {
            inner,
            zone: zone.map(Arc::from),
            signature,
        }
    }
}

impl ScalarUDFImpl for ToChar {
    named_as_the_inner!();

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        self.inner.coerce_types(types)
    }

    fn with_updated_config(&self, config: &ConfigOptions) -> Option<ScalarUDF> {
        let inner = match self.inner.inner().with_updated_config(config) {
            Some(inner) => Arc::new(inner),
            None => Arc::clone(&self.inner),
        };
        let zone = config.execution.time_zone.as_deref();
        Some(ScalarUDF::new_from_impl(Self::new(inner, zone)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [times, templates] = args.args.as_slice() else {
            return self.inner.invoke_with_args(args);
        };
        let data_type = times.data_type();
        let is_time = matches!(
            data_type,
            DataType::Timestamp(..)
                | DataType::Date32
                | DataType::Date64
                | DataType::Time64(_)
                | DataType::Time32(_)
        );
        let is_number = numerals::is_number(&data_type);
        // A time of day is the interval since midnight.
        let is_period = match data_type {
            DataType::Interval(_) | DataType::Duration(_) => true,
            DataType::Time32(_) | DataType::Time64(_) => !has_formats(templates)?,
            _ => false,
        };
        if !is_number && !is_period && (!is_time || has_formats(templates)?) {
            let formats = templates.cast_to(&DataType::Utf8, None)?;
            let given = vec![times.clone(), formats];
            return self.inner.invoke_with_args(ScalarFunctionArgs {
                args: given,
                ..args
            });
        }
        let constant = expressions::are_constants(&args.args);
        let rows = if constant { 1 } else { args.number_rows };
        let (times, templates) = (times.to_array(rows)?, templates.to_array(rows)?);
        let texts = if is_number {
            numerals::texts(&times, &templates)?
        } else if is_period {
            texts_of_periods(&times, &templates)?
        } else {
            texts(&times, &templates, self.zone.as_deref())?
        };
        let texts = cast(&texts, args.return_field.data_type())?;
        expressions::made(texts, constant)
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.inner.documentation()
    }
}

/// Returns whether any of the templates is a `strftime` format.
///
/// # Errors
///
/// Returns an error if the templates are not text.
pub(super) fn has_formats(templates: &ColumnarValue) -> Result<bool> {
    let templates = cast(&templates.to_array(1)?, &DataType::Utf8)?;
    let mut templates = templates.as_string::<i32>().iter().flatten();
    Ok(templates.any(|template| template.contains('%')))
}

fn texts_of_periods(periods: &ArrayRef, templates: &ArrayRef) -> Result<ArrayRef> {
    let periods = match periods.data_type() {
        DataType::Time32(_) | DataType::Time64(_) => intervals(&day_times::periods(periods)?)?,
        _ => intervals(periods)?,
    };
    let templates = cast(templates, &DataType::Utf8)?;
    let mut texts = StringBuilder::with_capacity(periods.len(), periods.len() * 16);
    let mut text = String::new();
    for (period, template) in periods.iter().zip(templates.as_string::<i32>()) {
        stop::check()?;
        let (Some(period), Some(template)) =
            (period, template.filter(|template| !template.is_empty()))
        else {
            texts.append_null();
            continue;
        };
        text.clear();
        write_period(&mut text, template, period)?;
        texts.append_value(&text);
    }
    Ok(Arc::new(texts.finish()))
}

/// `session`: the time zone by whose clock a date is midnight.
fn texts(times: &ArrayRef, templates: &ArrayRef, session: Option<&str>) -> Result<ArrayRef> {
    let zone = match times.data_type() {
        DataType::Timestamp(_, zone) => zone.clone(),
        DataType::Date32 | DataType::Date64 => session.map(Arc::from),
        _ => None,
    };
    let clock = zone.as_deref().map(Clock::of).transpose()?;
    let times: ArrayRef = match times.data_type() {
        DataType::Date32 | DataType::Date64 => {
            let clock = clock.unwrap_or(Clock::UTC);
            let shown = cast(times, &DataType::Timestamp(TimeUnit::Microsecond, None))?;
            Arc::new(each(&shown, |shown| clock.instant(shown))?)
        }
        _ => cast(times, &DataType::Timestamp(TimeUnit::Microsecond, zone))?,
    };
    let times = times.as_primitive::<TimestampMicrosecondType>();
    let templates = cast(templates, &DataType::Utf8)?;
    let mut texts = StringBuilder::with_capacity(times.len(), times.len() * 16);
    let mut text = String::new();
    for (time, template) in times.iter().zip(templates.as_string::<i32>()) {
        // An empty template writes nothing, which is NULL.
        let (Some(time), Some(template)) = (time, template.filter(|template| !template.is_empty()))
        else {
            texts.append_null();
            continue;
        };
        let offset = clock.map_or(0, |clock| clock.offset_at(time));
        let name = clock
            .map(|clock| clock.abbreviation_at(time))
            .unwrap_or_default();
        let shown = Shown {
            time: time
                .checked_add(i64::from(offset) * SECOND)
                .ok_or_else(out_of_range)?,
            offset,
            zone: &name,
        };
        text.clear();
        write(&mut text, template, &shown);
        texts.append_value(&text);
    }
    Ok(Arc::new(texts.finish()))
}
