//! Converts types with nanoseconds to microseconds.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef, TimeUnit};
use datafusion::error::Result;
use datafusion::logical_expr::planner::TypePlanner;
use datafusion::sql::sqlparser::ast::{DataType as SqlType, TimezoneInfo};

/// Plans `TIMESTAMP` of any precision.
#[derive(Debug)]
pub struct MicrosecondTypes {
    /// The session's time zone.
    pub time_zone: Option<String>,
}

impl TypePlanner for MicrosecondTypes {
    fn plan_type_field(&self, sql_type: &SqlType) -> Result<Option<FieldRef>> {
        let SqlType::Timestamp(_, zoned) = sql_type else {
            return Ok(None);
        };
        let zone = match zoned {
            TimezoneInfo::Tz | TimezoneInfo::WithTimeZone => self.time_zone.as_deref(),
            TimezoneInfo::None | TimezoneInfo::WithoutTimeZone => None,
        };
        let data_type = DataType::Timestamp(TimeUnit::Microsecond, zone.map(Arc::from));
        Ok(Some(Arc::new(Field::new("", data_type, true))))
    }
}

/// Returns the type with microseconds in place of nanoseconds; `None` if it has no nanoseconds.
pub(super) fn in_microseconds(data_type: &DataType) -> Option<DataType> {
    mapped(data_type, &|data_type| match data_type {
        DataType::Timestamp(TimeUnit::Nanosecond, zone) => {
            Some(DataType::Timestamp(TimeUnit::Microsecond, zone.clone()))
        }
        _ => None,
    })
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
