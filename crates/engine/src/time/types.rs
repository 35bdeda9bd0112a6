//! Converts types with nanoseconds to microseconds.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef, TimeUnit};
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::planner::TypePlanner;
use datafusion::sql::sqlparser::ast::{
    ArrayElemTypeDef, DataType as SqlType, ExactNumberInfo, TimezoneInfo,
};
use lakegate_error::{Code, Error};

/// Plans `TIMESTAMP` of any precision, `TIME` of at least three digits, `FLOAT`, `MAP`, and `JSON`
/// and `VARBINARY` within other types.
#[derive(Debug)]
pub struct MicrosecondTypes {
    /// The session's time zone.
    pub time_zone: Option<String>,
}

impl TypePlanner for MicrosecondTypes {
    fn plan_type_field(&self, sql_type: &SqlType) -> Result<Option<FieldRef>> {
        let zoned = match sql_type {
            SqlType::Timestamp(_, zoned) => zoned,
            SqlType::Map(key, value) => return self.map_of(key, value).map(Some),
            SqlType::JSON => {
                let field = Field::new("", DataType::Utf8, true);
                return Ok(Some(Arc::new(field.with_metadata(json()))));
            }
            SqlType::Varbinary(_) => {
                return Ok(Some(Arc::new(Field::new("", DataType::Binary, true))));
            }
            // Times keep microseconds, whatever their precision is.
            SqlType::Time(Some(3..=12), TimezoneInfo::None | TimezoneInfo::WithoutTimeZone) => {
                let data_type = DataType::Time64(TimeUnit::Nanosecond);
                return Ok(Some(Arc::new(Field::new("", data_type, true))));
            }
            SqlType::Float(precision) => {
                return Ok(Some(Arc::new(Field::new("", float(precision), true))));
            }
            _ => return Ok(None),
        };
        let zone = match zoned {
            TimezoneInfo::Tz | TimezoneInfo::WithTimeZone => self.time_zone.as_deref(),
            TimezoneInfo::None | TimezoneInfo::WithoutTimeZone => None,
        };
        let data_type = DataType::Timestamp(TimeUnit::Microsecond, zone.map(Arc::from));
        Ok(Some(Arc::new(Field::new("", data_type, true))))
    }
}

impl MicrosecondTypes {
    /// Plans `MAP(K, V)`, which DataFusion does not.
    fn map_of(&self, key: &SqlType, value: &SqlType) -> Result<FieldRef> {
        let key = self.field("key", key, 0)?.with_nullable(false);
        let value = self.field("value", value, 0)?;
        Ok(Arc::new(Field::new("", map_type(key, value), true)))
    }

    /// Returns a nullable field of a map, or within one.
    fn field(&self, name: &str, sql_type: &SqlType, depth: usize) -> Result<Field> {
        let field = Field::new(name, self.data_type(sql_type, depth)?, true);
        Ok(match sql_type {
            SqlType::JSON => field.with_metadata(json()),
            _ => field,
        })
    }

    /// Returns the type of a map's keys or values.
    fn data_type(&self, sql_type: &SqlType, depth: usize) -> Result<DataType> {
        if depth > MAX_DEPTH {
            let message = "a type is nested too deeply";
            return Err(Error::new(Code::TooComplex, message).into());
        }
        let of = |name: &str, inner: &SqlType| self.field(name, inner, depth + 1);
        Ok(match sql_type {
            SqlType::Boolean | SqlType::Bool => DataType::Boolean,
            SqlType::TinyInt(_) => DataType::Int8,
            SqlType::SmallInt(_) | SqlType::Int2(_) => DataType::Int16,
            SqlType::Int(_) | SqlType::Integer(_) | SqlType::Int4(_) => DataType::Int32,
            SqlType::BigInt(_) | SqlType::Int8(_) => DataType::Int64,
            SqlType::Real | SqlType::Float4 => DataType::Float32,
            SqlType::Double(_) | SqlType::DoublePrecision | SqlType::Float8 => DataType::Float64,
            SqlType::Float(precision) => float(precision),
            SqlType::Varchar(_)
            | SqlType::Text
            | SqlType::String(_)
            | SqlType::Char(_)
            | SqlType::JSON => DataType::Utf8,
            SqlType::Varbinary(_) | SqlType::Binary(_) | SqlType::Bytea => DataType::Binary,
            SqlType::Date => DataType::Date32,
            SqlType::Decimal(info) | SqlType::Numeric(info) => {
                let (precision, scale) = match info {
                    ExactNumberInfo::None => (38, 0),
                    ExactNumberInfo::Precision(precision) => (*precision, 0),
                    ExactNumberInfo::PrecisionAndScale(precision, scale) => (*precision, *scale),
                };
                match (u8::try_from(precision), i8::try_from(scale)) {
                    (Ok(precision @ 1..=38), Ok(scale))
                        if i64::from(scale) <= i64::from(precision) =>
                    {
                        DataType::Decimal128(precision, scale)
                    }
                    _ => return Err(not_planned(sql_type)),
                }
            }
            SqlType::Array(ArrayElemTypeDef::AngleBracket(item)) => {
                DataType::List(Arc::new(of(Field::LIST_FIELD_DEFAULT_NAME, item)?))
            }
            SqlType::Map(key, value) => {
                map_type(of("key", key)?.with_nullable(false), of("value", value)?)
            }
            SqlType::Struct(fields, _) => {
                let fields = fields.iter().enumerate().map(|(place, field)| {
                    let name = match &field.field_name {
                        Some(name) if name.quote_style.is_some() => name.value.clone(),
                        Some(name) => name.value.to_lowercase(),
                        None => format!("c{place}"),
                    };
                    of(&name, &field.field_type)
                });
                DataType::Struct(fields.collect::<Result<Vec<_>>>()?.into())
            }
            SqlType::Timestamp(..) => match self.plan_type_field(sql_type)? {
                Some(field) => field.data_type().clone(),
                None => return Err(not_planned(sql_type)),
            },
            _ => return Err(not_planned(sql_type)),
        })
    }
}

/// How deeply the types of a map may be nested.
const MAX_DEPTH: usize = 32;

/// Marks a text as a JSON value, in a field's metadata.
fn json() -> HashMap<String, String> {
    HashMap::from([("ARROW:extension:name".to_owned(), "arrow.json".to_owned())])
}

fn map_type(key: Field, value: Field) -> DataType {
    let entries = DataType::Struct(vec![key, value].into());
    DataType::Map(Arc::new(Field::new("entries", entries, false)), false)
}

fn not_planned(sql_type: &SqlType) -> DataFusionError {
    Error::not_supported(format!("the type {sql_type} within a MAP is not supported")).into()
}

/// Returns the type with microseconds in place of nanoseconds; `None` if it has no nanoseconds.
pub(crate) fn in_microseconds(data_type: &DataType) -> Option<DataType> {
    mapped(data_type, &|data_type| match data_type {
        DataType::Timestamp(TimeUnit::Nanosecond, zone) => {
            Some(DataType::Timestamp(TimeUnit::Microsecond, zone.clone()))
        }
        _ => None,
    })
}

/// Returns the type of `FLOAT(p)`, which has at least `p` binary digits, as in PostgreSQL. `FLOAT`
/// is `DOUBLE`; single precision is `REAL`, in Trino too.
fn float(precision: &ExactNumberInfo) -> DataType {
    match precision {
        ExactNumberInfo::Precision(1..=24) => DataType::Float32,
        _ => DataType::Float64,
    }
}

/// Returns the type with all timestamps in microseconds; `None` if nothing changes.
pub(super) fn all_in_microseconds(data_type: &DataType) -> Option<DataType> {
    mapped(data_type, &|data_type| match data_type {
        DataType::Timestamp(TimeUnit::Microsecond, _) => None,
        DataType::Timestamp(_, zone) => {
            Some(DataType::Timestamp(TimeUnit::Microsecond, zone.clone()))
        }
        _ => None,
    })
}

/// Returns the type with text in place of timestamps; `None` if it has none.
pub(crate) fn with_texts(data_type: &DataType) -> Option<DataType> {
    mapped(data_type, &|data_type| {
        matches!(data_type, DataType::Timestamp(..)).then_some(DataType::Utf8)
    })
}

/// Applies `change` at every depth; `None` if nothing changes.
fn mapped(
    data_type: &DataType,
    change: &dyn Fn(&DataType) -> Option<DataType>,
) -> Option<DataType> {
    let field = |field: &FieldRef| {
        mapped(field.data_type(), change)
            .map(|changed| Arc::new(field.as_ref().clone().with_data_type(changed)))
    };
    if let Some(changed) = change(data_type) {
        return Some(changed);
    }
    match data_type {
        DataType::List(item) => field(item).map(DataType::List),
        DataType::LargeList(item) => field(item).map(DataType::LargeList),
        DataType::ListView(item) => field(item).map(DataType::ListView),
        DataType::FixedSizeList(item, length) => {
            field(item).map(|item| DataType::FixedSizeList(item, *length))
        }
        DataType::Map(entries, sorted) => {
            field(entries).map(|entries| DataType::Map(entries, *sorted))
        }
        DataType::Dictionary(key, value) => {
            mapped(value, change).map(|value| DataType::Dictionary(key.clone(), Box::new(value)))
        }
        DataType::Struct(fields) => {
            let changed: Vec<Option<FieldRef>> = fields.iter().map(field).collect();
            changed.iter().any(Option::is_some).then(|| {
                let fields = fields
                    .iter()
                    .zip(changed)
                    .map(|(old, new)| new.unwrap_or_else(|| Arc::clone(old)));
                DataType::Struct(fields.collect())
            })
        }
        _ => None,
    }
}
