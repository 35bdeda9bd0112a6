//! `typeof`: the name of a value's type in Trino.

use std::sync::Arc;

use arrow::array::{ArrayRef, StringArray};
use arrow::datatypes::{DataType, Field, IntervalUnit, TimeUnit};
use datafusion::error::Result;
use datafusion::logical_expr::TypeSignature;
use lakegate_error::{Code, Error};

use super::arguments::invalid;
use crate::docs::Page;
use crate::entry::Entry;
use crate::json::is_json;
use crate::kernel::{Kernel, Returns};

static TYPEOF: Page = Page {
    name: "typeof",
    section: "Conversion",
    syntax: "typeof(value)",
    sentence: "Returns the name of a value's type.",
    example: "typeof(ARRAY['a'])",
    result: "array(varchar)",
};

/// How deeply types may be nested.
const MAX_DEPTH: usize = 64;

pub(super) fn entries() -> Vec<Entry> {
    vec![Entry::scalar(Kernel::new(
        &TYPEOF,
        vec![TypeSignature::Any(1)],
        Returns::Type(DataType::Utf8),
        |call| {
            let Some(field) = call.fields.first() else {
                return Err(invalid("typeof takes one value"));
            };
            let name = type_name(field)?;
            call.work.builds(call.rows.saturating_mul(name.len()))?;
            let names = std::iter::repeat_n(name.as_str(), call.rows);
            Ok(Arc::new(StringArray::from_iter_values(names)) as ArrayRef)
        },
    ))]
}

/// Returns Trino's name of a field's type.
///
/// # Errors
///
/// The type is nested too deeply.
pub fn type_name(field: &Field) -> Result<String> {
    let mut name = String::new();
    write_field(field, &mut name, 0)?;
    Ok(name)
}

fn write_field(field: &Field, name: &mut String, depth: usize) -> Result<()> {
    if is_json(field) {
        name.push_str("json");
        return Ok(());
    }
    write(field.data_type(), name, depth)
}

fn write(data_type: &DataType, name: &mut String, depth: usize) -> Result<()> {
    if depth > MAX_DEPTH {
        return Err(Error::new(Code::TooComplex, "the type is nested too deeply").into());
    }
    let simple = match data_type {
        DataType::Null => "unknown",
        DataType::Boolean => "boolean",
        DataType::Int8 => "tinyint",
        DataType::Int16 | DataType::UInt8 => "smallint",
        DataType::Int32 | DataType::UInt16 => "integer",
        DataType::Int64 | DataType::UInt32 | DataType::UInt64 => "bigint",
        DataType::Float16 | DataType::Float32 => "real",
        DataType::Float64 => "double",
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => "varchar",
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView => "varbinary",
        DataType::FixedSizeBinary(_) => "varbinary",
        DataType::Date32 | DataType::Date64 => "date",
        // Athena's times have milliseconds.
        DataType::Time32(TimeUnit::Second) => "time(0)",
        DataType::Time32(_) | DataType::Time64(_) => "time(3)",
        DataType::Timestamp(TimeUnit::Second, None) => "timestamp(0)",
        DataType::Timestamp(_, None) => "timestamp(3)",
        DataType::Timestamp(TimeUnit::Second, Some(_)) => "timestamp(0) with time zone",
        DataType::Timestamp(_, Some(_)) => "timestamp(3) with time zone",
        DataType::Interval(IntervalUnit::YearMonth) => "interval year to month",
        DataType::Interval(_) | DataType::Duration(_) => "interval day to second",
        DataType::Decimal32(precision, scale)
        | DataType::Decimal64(precision, scale)
        | DataType::Decimal128(precision, scale)
        | DataType::Decimal256(precision, scale) => {
            name.push_str(&format!("decimal({precision},{scale})"));
            return Ok(());
        }
        DataType::List(item)
        | DataType::LargeList(item)
        | DataType::FixedSizeList(item, _)
        | DataType::ListView(item)
        | DataType::LargeListView(item) => {
            name.push_str("array(");
            write_field(item, name, depth + 1)?;
            name.push(')');
            return Ok(());
        }
        DataType::Map(entries, _) => {
            let DataType::Struct(fields) = entries.data_type() else {
                return Err(Error::internal("a map has no entries").into());
            };
            name.push_str("map(");
            for (place, field) in fields.iter().enumerate() {
                name.push_str(if place == 0 { "" } else { ", " });
                write_field(field, name, depth + 1)?;
            }
            name.push(')');
            return Ok(());
        }
        DataType::Struct(fields) => {
            name.push_str("row(");
            for (place, field) in fields.iter().enumerate() {
                name.push_str(if place == 0 { "" } else { ", " });
                // Fields without a name have the engine's: c0, c1 and so on.
                let is_named = field.name() != &format!("c{place}") && !field.name().is_empty();
                if is_named {
                    let is_word = field.name().chars().all(|character| {
                        character.is_ascii_lowercase()
                            || character.is_ascii_digit()
                            || character == '_'
                    });
                    match is_word
                        && !field
                            .name()
                            .starts_with(|first: char| first.is_ascii_digit())
                    {
                        true => name.push_str(field.name()),
                        false => {
                            name.push('"');
                            name.push_str(&field.name().replace('"', "\"\""));
                            name.push('"');
                        }
                    }
                    name.push(' ');
                }
                write_field(field, name, depth + 1)?;
            }
            name.push(')');
            return Ok(());
        }
        DataType::Dictionary(_, value) => return write(value, name, depth + 1),
        DataType::RunEndEncoded(_, values) => return write(values.data_type(), name, depth + 1),
        DataType::Union(..) => "union",
    };
    name.push_str(simple);
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use crate::testing::{rows, value};

    #[tokio::test]
    async fn types_have_the_names_that_trino_gives_them() {
        let types = [
            ("NULL", "unknown"),
            ("true", "boolean"),
            ("CAST(1 AS integer)", "integer"),
            ("CAST(1 AS bigint)", "bigint"),
            ("CAST(1 AS smallint)", "smallint"),
            ("CAST(1 AS tinyint)", "tinyint"),
            ("CAST(1 AS real)", "real"),
            ("1e0", "double"),
            ("CAST(1 AS decimal(10, 2))", "decimal(10,2)"),
            ("'a'", "varchar"),
            ("to_utf8('a')", "varbinary"),
            ("date '2020-01-01'", "date"),
            ("timestamp '2020-01-01 00:00:00'", "timestamp(3)"),
            ("ARRAY[CAST(1 AS integer)]", "array(integer)"),
            ("split_to_map('', ',', '=')", "map(varchar, varchar)"),
            (
                "CAST(ROW(1, 'a') AS ROW(x BIGINT, y VARCHAR))",
                "row(x bigint, y varchar)",
            ),
        ];
        for (expression, name) in types {
            let typed = value(&format!("typeof({expression})")).await.unwrap();
            assert_eq!(typed, name, "{expression}");
        }
        let query = "SELECT typeof(x) FROM (VALUES ('a'), (NULL)) t(x)";
        assert_eq!(rows(query).await.unwrap(), ["varchar", "varchar"]);
    }
}
