//! `date_part(unit, time)` with a unit that is no constant of the statement, such as a parameter.
//! DataFusion needs the unit to know the type; here every part is a double, as in PostgreSQL.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float64Builder};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, IntervalUnit, TimeUnit};
use datafusion::common::ScalarValue;
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility,
};
use lakegate_error::{Code, Error};

use super::fields::{FieldName, fields};
use super::parts::{Part, parts};
use crate::expressions;

/// The function that `date_part` with such a unit is.
pub const DATE_PART: &str = "$date_part";

#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct NamedPart {
    signature: Signature,
}

impl NamedPart {
    pub(super) fn new() -> Self {
        Self {
            signature: Signature::user_defined(Volatility::Immutable),
        }
    }
}

impl ScalarUDFImpl for NamedPart {
    fn name(&self) -> &str {
        DATE_PART
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let [_, value] = types else {
            return Err(Error::invalid("date_part takes a unit and a time").into());
        };
        let value = match value {
            DataType::Timestamp(_, zone) => {
                DataType::Timestamp(TimeUnit::Microsecond, zone.clone())
            }
            DataType::Null => DataType::Timestamp(TimeUnit::Microsecond, None),
            DataType::Date32 | DataType::Date64 => DataType::Date32,
            DataType::Time32(_) | DataType::Time64(_) => DataType::Time64(TimeUnit::Microsecond),
            DataType::Interval(_) => DataType::Interval(IntervalUnit::MonthDayNano),
            DataType::Duration(_) => value.clone(),
            other => {
                let message = format!("function date_part(text, {other}) does not exist");
                return Err(Error::new(Code::FunctionNotFound, message).into());
            }
        };
        Ok(vec![DataType::Utf8, value])
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Float64)
    }

    fn is_strict(&self) -> bool {
        true
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        match args.args.as_slice() {
            [ColumnarValue::Scalar(name), value] => match name.try_as_str().flatten() {
                Some(name) => {
                    let unit = NamedUnit::of(name, &value.data_type())?;
                    expressions::applied(Some(value), |values| unit.of_all(values))
                }
                None => Ok(ColumnarValue::Scalar(ScalarValue::Float64(None))),
            },
            [ColumnarValue::Array(names), value] => {
                let values = value.to_array(names.len())?;
                by_row(names, &values).map(ColumnarValue::Array)
            }
            _ => Err(DataFusionError::Internal("a part of no time".to_owned())),
        }
    }
}

/// Returns the part of each value that the name beside it names.
fn by_row(names: &ArrayRef, values: &ArrayRef) -> Result<ArrayRef> {
    let names = cast(names, &DataType::Utf8)?;
    let names = names.as_string::<i32>();
    let mut known: HashMap<NamedUnit, ArrayRef> = HashMap::new();
    let mut found = Float64Builder::with_capacity(names.len());
    for (row, name) in names.iter().enumerate() {
        let Some(name) = name else {
            found.append_null();
            continue;
        };
        let unit = NamedUnit::of(name, values.data_type())?;
        let parts = match known.entry(unit) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => entry.insert(unit.of_all(values)?),
        };
        let parts = parts.as_primitive::<Float64Type>();
        found.append_option(parts.is_valid(row).then(|| parts.value(row)));
    }
    Ok(Arc::new(found.finish()))
}

/// A unit by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum NamedUnit {
    OfTime(FieldName),
    OfPeriod(Part),
}

impl NamedUnit {
    /// # Errors
    ///
    /// Values of the type have no such part.
    fn of(name: &str, of: &DataType) -> Result<Self, Error> {
        let unit = match of {
            DataType::Interval(_) | DataType::Duration(_) => Part::named(name).map(Self::OfPeriod),
            of => {
                let field = FieldName::named(name).filter(|field| field.suits(of));
                field.map(Self::OfTime)
            }
        };
        unit.ok_or_else(|| {
            let message = format!("unit \"{name}\" is not one of the values of date_part");
            Error::new(Code::InvalidParameter, message)
                .with_hint("units are names such as 'day', 'hour', 'dow' and 'epoch'")
        })
    }

    /// Returns the parts of all values, as doubles.
    fn of_all(self, values: &ArrayRef) -> Result<ArrayRef> {
        let parts = match self {
            Self::OfTime(field) => fields(field, values)?,
            Self::OfPeriod(part) => parts(part, values)?,
        };
        Ok(cast(&parts, &DataType::Float64)?)
    }
}
