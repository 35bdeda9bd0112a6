//! A function of times as plain data, like a [`Kernel`](crate::kernel::Kernel): its types may
//! depend on the session's time zone and on constant arguments, and it takes times of any zone.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, FieldRef, IntervalUnit, TimeUnit};
use datafusion::common::ScalarValue;
use datafusion::config::ConfigOptions;
use datafusion::error::Result;
use datafusion::logical_expr::{
    ColumnarValue, Documentation, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl,
    Signature, Volatility,
};
use lakegate_engine::time::Clock;
use lakegate_error::{Code, Error};

use super::zones;
use crate::columns::Column;
use crate::docs::Page;
use crate::entry::{Entry, Function, Known};
use crate::kernel::Call;
use crate::work::Work;

pub(super) const TIMESTAMP: DataType = DataType::Timestamp(TimeUnit::Microsecond, None);
pub(super) const TIME: DataType = DataType::Time64(TimeUnit::Nanosecond);
pub(super) const INTERVAL: DataType = DataType::Interval(IntervalUnit::MonthDayNano);

/// Returns the types that a function takes for arguments of these types; `None` for an error.
pub(super) type Takes = fn(&[DataType]) -> Option<Vec<DataType>>;

/// Returns the type of a result.
pub(super) type Returns = fn(&Asked<'_>) -> Result<DataType>;

/// Evaluates a function over all rows of a call.
pub(super) type Body = fn(&Call<'_>, &Session<'_>) -> Result<ArrayRef>;

/// A call that is planned.
#[derive(Debug)]
pub(super) struct Asked<'a> {
    pub fields: &'a [FieldRef],
    /// The arguments that are constants.
    pub constants: &'a [Option<&'a ScalarValue>],
    pub zone: &'a Arc<str>,
}

impl Asked<'_> {
    /// A time with the session's zone.
    pub(super) fn zoned(&self) -> DataType {
        DataType::Timestamp(TimeUnit::Microsecond, Some(Arc::clone(self.zone)))
    }

    /// The type of an argument.
    pub(super) fn argument(&self, index: usize) -> DataType {
        let field = self.fields.get(index);
        field.map_or(DataType::Null, |field| field.data_type().clone())
    }
}

/// The session of a call.
#[derive(Debug)]
pub(super) struct Session<'a> {
    pub zone: &'a str,
}

impl Session<'_> {
    /// # Errors
    ///
    /// The session's zone is unknown.
    pub(super) fn clock(&self) -> Result<Clock> {
        zones::of_type(self.zone)
    }
}

/// A function of times.
#[derive(Clone)]
pub(super) struct Timed {
    page: &'static Page,
    aliases: Vec<String>,
    signature: Signature,
    takes: Takes,
    returns: Returns,
    body: Body,
    /// The session's time zone.
    zone: Arc<str>,
    documentation: Arc<Documentation>,
}

impl Timed {
    pub(super) fn new(page: &'static Page, takes: Takes, returns: Returns, body: Body) -> Self {
        Self {
            page,
            aliases: Vec::new(),
            signature: Signature::user_defined(Volatility::Immutable),
            takes,
            returns,
            body,
            zone: "UTC".into(),
            documentation: Arc::new(page.documentation()),
        }
    }

    /// Further names of the function.
    pub(super) fn also(mut self, names: &[&str]) -> Self {
        self.aliases = names.iter().map(|name| (*name).to_owned()).collect();
        self
    }

    /// The result depends on the session.
    pub(super) fn stable(mut self) -> Self {
        self.signature.volatility = Volatility::Stable;
        self
    }

    pub(super) fn entry(self) -> Entry {
        Entry {
            page: Some(self.page),
            function: Function::Scalar(Arc::new(ScalarUDF::new_from_impl(self))),
            known: Known::Everywhere,
        }
    }
}

impl fmt::Debug for Timed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Timed")
            .field("name", &self.page.name)
            .field("zone", &self.zone)
            .finish_non_exhaustive()
    }
}

// A page is a static of one function.
impl PartialEq for Timed {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self.page, other.page) && self.zone == other.zone
    }
}

impl Eq for Timed {}

impl Hash for Timed {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.page.name.hash(state);
        self.zone.hash(state);
    }
}

impl ScalarUDFImpl for Timed {
    fn name(&self) -> &str {
        self.page.name
    }

    fn aliases(&self) -> &[String] {
        &self.aliases
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        (self.takes)(types).ok_or_else(|| {
            let types: Vec<String> = types.iter().map(shown).collect();
            Error::new(
                Code::TypeMismatch,
                format!("{} does not take ({})", self.page.name, types.join(", ")),
            )
            .with_hint(format!(
                "call it as {}, with the types of its page, and cast text with CAST",
                self.page.syntax
            ))
            .into()
        })
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        let fields: Vec<FieldRef> = types
            .iter()
            .map(|data_type| Arc::new(Field::new("", data_type.clone(), true)))
            .collect();
        (self.returns)(&Asked {
            fields: &fields,
            constants: &[],
            zone: &self.zone,
        })
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let data_type = (self.returns)(&Asked {
            fields: args.arg_fields,
            constants: args.scalar_arguments,
            zone: &self.zone,
        })?;
        Ok(Arc::new(Field::new(self.page.name, data_type, true)))
    }

    fn with_updated_config(&self, config: &ConfigOptions) -> Option<ScalarUDF> {
        let zone = config.execution.time_zone.as_deref().unwrap_or("UTC");
        Some(ScalarUDF::new_from_impl(Self {
            zone: zone.into(),
            ..self.clone()
        }))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let constant = args
            .args
            .iter()
            .all(|arg| matches!(arg, ColumnarValue::Scalar(_)));
        let rows = if constant { 1 } else { args.number_rows };
        let columns = args
            .args
            .into_iter()
            .map(|value| plain(Column::of(value)?))
            .collect::<Result<Vec<_>>>()?;
        let call = Call {
            name: self.page.name,
            rows,
            columns,
            fields: &args.arg_fields,
            returns: args.return_field.data_type(),
            work: Work::new(self.page.name, constant),
        };
        let session = Session { zone: &self.zone };
        let array = (self.body)(&call, &session)?;
        Ok(match constant {
            true => ColumnarValue::Scalar(ScalarValue::try_from_array(&array, 0)?),
            false => ColumnarValue::Array(array),
        })
    }

    fn documentation(&self) -> Option<&Documentation> {
        Some(&self.documentation)
    }
}

/// The column with text as `Utf8` or a view: a constant keeps its type until here, so that a plan
/// sees it.
fn plain(column: Column) -> Result<Column> {
    Ok(match column.array.data_type() {
        DataType::LargeUtf8 => Column {
            array: cast(&column.array, &DataType::Utf8)?,
            constant: column.constant,
        },
        _ => column,
    })
}

/// A type as a user knows it.
fn shown(data_type: &DataType) -> String {
    match data_type {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => "varchar".to_owned(),
        DataType::Timestamp(_, None) => "timestamp".to_owned(),
        DataType::Timestamp(_, Some(_)) => "timestamp with time zone".to_owned(),
        DataType::Date32 | DataType::Date64 => "date".to_owned(),
        DataType::Time32(_) | DataType::Time64(_) => "time".to_owned(),
        DataType::Interval(_) | DataType::Duration(_) => "interval".to_owned(),
        DataType::Int64 => "bigint".to_owned(),
        DataType::Int32 => "integer".to_owned(),
        DataType::Float64 => "double".to_owned(),
        other => other.to_string(),
    }
}

/// Text, which stays as it is unless it is of a dictionary.
pub(super) fn text(data_type: &DataType) -> Option<DataType> {
    match data_type {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => Some(data_type.clone()),
        DataType::Null => Some(DataType::Utf8),
        DataType::Dictionary(_, values) => text(values).map(|_| DataType::Utf8),
        _ => None,
    }
}

/// A constant that a result's type depends on, which stays as it is.
pub(super) fn constant(data_type: &DataType) -> Option<DataType> {
    match data_type {
        DataType::Null => Some(DataType::Null),
        of if of.is_integer() => Some(of.clone()),
        of => text(of),
    }
}

/// A date, or a timestamp with a zone or without one.
pub(super) fn time(data_type: &DataType) -> Option<DataType> {
    match data_type {
        DataType::Date32 => Some(DataType::Date32),
        DataType::Date64 => Some(TIMESTAMP),
        DataType::Timestamp(_, zone) => {
            Some(DataType::Timestamp(TimeUnit::Microsecond, zone.clone()))
        }
        DataType::Null => Some(TIMESTAMP),
        _ => None,
    }
}

/// A timestamp with a zone or without one; a date becomes one.
pub(super) fn timestamp(data_type: &DataType) -> Option<DataType> {
    match data_type {
        DataType::Date32 => Some(TIMESTAMP),
        other => time(other),
    }
}

/// A time of day.
pub(super) fn time_of_day(data_type: &DataType) -> Option<DataType> {
    matches!(data_type, DataType::Time32(_) | DataType::Time64(_)).then_some(TIME)
}

/// An interval, or the difference of two times.
pub(super) fn interval(data_type: &DataType) -> Option<DataType> {
    match data_type {
        DataType::Interval(_) => Some(INTERVAL),
        DataType::Duration(_) => Some(DataType::Duration(TimeUnit::Microsecond)),
        _ => None,
    }
}

/// A number that becomes `to`.
pub(super) fn number(data_type: &DataType, to: DataType) -> Option<DataType> {
    let taken = match to {
        DataType::Int64 => data_type.is_integer(),
        _ => data_type.is_numeric(),
    };
    (taken || data_type.is_null()).then_some(to)
}

/// Returns whether the argument is a constant NULL, whose call has no value to check.
pub(super) fn is_null(asked: &Asked<'_>, index: usize) -> bool {
    let constant = asked.constants.get(index).copied().flatten();
    constant.is_some_and(ScalarValue::is_null) || asked.argument(index).is_null()
}
