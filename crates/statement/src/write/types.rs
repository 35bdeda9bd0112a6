//! Which columns of a query may be written to which columns of a table.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef, Schema};
use lakegate_catalog::hive_type::HiveType;
use lakegate_error::{Code, Error, Misfit, Result};
use lakegate_lake::write::assignable::{is_stored, is_whole};
use lakegate_lake::{decimal_scale, type_name};

/// Checks that every value of the query's columns is stored as it is, or is an error when it comes.
///
/// `table`: its name, for messages. `targets`: a column of the table for each of the query's.
///
/// # Errors
/// Another number of columns; a column whose values would change, which is named with the two types
/// and the remedy.
pub(crate) fn check_columns(table: &str, targets: &[&Field], query: &Schema) -> Result<()> {
    let sources = query.fields();
    if sources.len() != targets.len() {
        let names: Vec<&str> = targets.iter().map(|field| field.name().as_str()).collect();
        let what = match targets.get(sources.len()) {
            Some(missing) => format!("column \"{}\" gets no value", missing.name()),
            None => "the last ones have no column".to_owned(),
        };
        return Err(Error::new(
            Code::TypeMismatch,
            format!(
                "the query has {}, and {} of table {table} are written: {what}",
                counted(sources.len()),
                counted(targets.len()),
            ),
        )
        .with_hint(format!(
            "the columns are written in this order: {}; name those that the query has in INSERT INTO {table} (..)",
            names.join(", ")
        ))
        .with_misfit(Misfit::Count {
            given: sources.len(),
            written: targets.len(),
        }));
    }
    for (place, (target, source)) in targets.iter().zip(sources).enumerate() {
        if !keeps_values(source.data_type(), target.data_type()) {
            return Err(mismatch(table, place, target, source));
        }
    }
    Ok(())
}

fn counted(columns: usize) -> String {
    match columns {
        1 => "1 column".to_owned(),
        many => format!("{many} columns"),
    }
}

/// `place`: the number of the columns, from 0.
fn mismatch(table: &str, place: usize, target: &Field, source: &FieldRef) -> Error {
    let (name, wanted) = (target.name(), type_name(target.data_type()));
    let cast = cast_to(target.data_type());
    Error::new(
        Code::TypeMismatch,
        format!(
            "column \"{name}\" of table {table} is of type {wanted}, and the query gives {}",
            shown(source.data_type())
        ),
    )
    .with_hint(format!("write CAST(.. AS {cast}) in the query"))
    .with_misfit(Misfit::Type {
        place,
        target: Arc::new(target.clone()),
        given: Arc::clone(source),
    })
}

/// The name of a type, with its zone; of types that no column of a table has, SQL's.
pub(super) fn shown(data_type: &DataType) -> String {
    match data_type {
        DataType::Timestamp(_, Some(_)) => "timestamp with time zone".to_owned(),
        DataType::Time32(_) | DataType::Time64(_) => "time".to_owned(),
        DataType::Interval(_) | DataType::Duration(_) => "interval".to_owned(),
        DataType::Null => "unknown".to_owned(),
        DataType::List(item) => format!("array<{}>", shown(item.data_type())),
        DataType::Map(pairs, _) => {
            let pair = parts(pairs.data_type(), |part| shown(part.data_type()));
            format!("map<{}>", pair.join(","))
        }
        DataType::Struct(_) => {
            let field = |part: &Field| format!("{}:{}", part.name(), shown(part.data_type()));
            format!("struct<{}>", parts(data_type, field).join(","))
        }
        other => type_name(other),
    }
}

/// The type of a column of a table that values of a type can be cast to, as a query writes it.
pub(super) fn cast_to(data_type: &DataType) -> String {
    match data_type {
        DataType::Timestamp(..) => "timestamp".to_owned(),
        DataType::List(item) => format!("array({})", cast_to(item.data_type())),
        DataType::Map(pairs, _) => {
            let pair = parts(pairs.data_type(), |part| cast_to(part.data_type()));
            format!("map({})", pair.join(", "))
        }
        DataType::Struct(_) => {
            let field = |part: &Field| format!("{} {}", part.name(), cast_to(part.data_type()));
            format!("row({})", parts(data_type, field).join(", "))
        }
        other => match HiveType::from_arrow(other) {
            Ok(hive) => hive.to_trino(),
            Err(_) => "varchar".to_owned(),
        },
    }
}

/// The fields of a struct, each as a text.
fn parts(of: &DataType, shown: impl Fn(&Field) -> String) -> Vec<String> {
    match of {
        DataType::Struct(fields) => fields.iter().map(|field| shown(field.as_ref())).collect(),
        _ => Vec::new(),
    }
}

/// Whether values of a type have times with a zone, which tables do not have.
pub(super) fn has_zone(data_type: &DataType) -> bool {
    match data_type {
        DataType::Timestamp(_, zone) => zone.is_some(),
        DataType::List(item)
        | DataType::LargeList(item)
        | DataType::FixedSizeList(item, _)
        | DataType::ListView(item)
        | DataType::LargeListView(item)
        | DataType::Map(item, _) => has_zone(item.data_type()),
        DataType::Struct(fields) => fields.iter().any(|field| has_zone(field.data_type())),
        DataType::Dictionary(_, values) => has_zone(values),
        DataType::RunEndEncoded(_, values) => has_zone(values.data_type()),
        _ => false,
    }
}

/// Whether each value of one type is a value of the other, or an error: as Trino's INSERT coerces,
/// and integers and decimals without fractional digits to narrower integers, whose range is checked.
fn keeps_values(from: &DataType, to: &DataType) -> bool {
    use DataType as T;
    is_stored(from, to, &|from, to| match (from, to) {
        (T::Date32 | T::Date64 | T::Timestamp(_, None), T::Timestamp(_, None)) => true,
        _ => match (decimal_scale(from), decimal_scale(to)) {
            (Some(from), Some(to)) => to >= from,
            (Some(_), None) => to.is_floating() || is_whole(from, to),
            (None, _) => from.is_floating() && to.is_floating() && bits(to) >= bits(from),
        },
    })
}

fn bits(floating: &DataType) -> u8 {
    match floating {
        DataType::Float16 => 16,
        DataType::Float32 => 32,
        _ => 64,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use arrow::datatypes::TimeUnit;

    use super::*;

    #[test]
    fn values_are_kept_or_refused() {
        use DataType as T;
        let time = |zone: Option<&str>| T::Timestamp(TimeUnit::Microsecond, zone.map(Into::into));
        for (from, to, kept) in [
            (T::Int32, T::Int64, true),
            (T::Int64, T::Int16, true),
            (T::Int64, T::Decimal128(10, 2), true),
            (T::Int64, T::Float64, true),
            (T::Decimal128(5, 2), T::Decimal128(10, 2), true),
            (T::Decimal128(5, 3), T::Decimal128(10, 2), false),
            (T::Decimal128(5, 3), T::Float64, true),
            (T::Decimal128(38, 0), T::Int64, true),
            (T::Decimal128(5, 3), T::Int64, false),
            (T::Float64, T::Decimal128(10, 2), false),
            (T::Float32, T::Float64, true),
            (T::Float64, T::Float32, false),
            (T::Float64, T::Int64, false),
            (T::Utf8View, T::Utf8, true),
            (T::Utf8, T::Int32, false),
            (T::Utf8, T::Date32, false),
            (T::Int32, T::Utf8, false),
            (T::Date32, time(None), true),
            (time(None), T::Date32, false),
            (time(Some("UTC")), time(None), false),
            (T::Null, T::Date32, true),
            (
                T::new_list(T::Int32, true),
                T::new_list(T::Int64, true),
                true,
            ),
            (
                T::new_list(T::Utf8, true),
                T::new_list(T::Int64, true),
                false,
            ),
        ] {
            assert_eq!(keeps_values(&from, &to), kept, "{from} to {to}");
        }
    }

    #[test]
    fn types_are_named_as_tables_and_queries_have_them() {
        use DataType as T;
        let zoned = T::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
        let row = T::Struct(
            vec![
                Field::new("a", T::Null, true),
                Field::new("b", T::Float32, true),
            ]
            .into(),
        );
        let map = Field::new_map(
            "m",
            "entries",
            Field::new("key", T::Int32, false),
            Field::new("value", zoned.clone(), true),
            false,
            true,
        );
        for (data_type, name, cast) in [
            (T::Null, "unknown", "varchar"),
            (zoned, "timestamp with time zone", "timestamp"),
            (
                T::new_list(T::Null, true),
                "array<unknown>",
                "array(varchar)",
            ),
            (row, "struct<a:unknown,b:float>", "row(a varchar, b real)"),
            (
                map.data_type().clone(),
                "map<int,timestamp with time zone>",
                "map(integer, timestamp)",
            ),
            (T::Decimal128(5, 2), "decimal(5,2)", "decimal(5,2)"),
        ] {
            assert_eq!(shown(&data_type), name);
            assert_eq!(cast_to(&data_type), cast);
        }
    }

    #[test]
    fn mismatches_name_the_column_the_types_and_the_remedy() {
        let (id, name) = (
            Field::new("id", DataType::Int32, true),
            Field::new("name", DataType::Utf8, true),
        );
        let query = |types: &[DataType]| {
            let fields = types
                .iter()
                .map(|data_type| Field::new("x", data_type.clone(), true));
            Schema::new(fields.collect::<Vec<_>>())
        };
        let check = |types: &[DataType]| check_columns("sales.t", &[&id, &name], &query(types));
        check(&[DataType::Int64, DataType::Utf8]).unwrap();
        let error = check(&[DataType::Int64, DataType::Date32]).unwrap_err();
        assert_eq!(error.code(), Code::TypeMismatch);
        assert_eq!(
            error.message(),
            "column \"name\" of table sales.t is of type string, and the query gives date"
        );
        assert_eq!(
            error.misfit(),
            Some(&Misfit::Type {
                place: 1,
                target: Arc::new(name.clone()),
                given: Arc::new(Field::new("x", DataType::Date32, true)),
            })
        );
        assert!(
            error.hint().unwrap().contains("CAST(.. AS varchar)"),
            "{error}"
        );
        let error = check(&[DataType::Int64]).unwrap_err();
        assert_eq!(
            error.message(),
            "the query has 1 column, and 2 columns of table sales.t are written: column \"name\" gets no value"
        );
        let (given, written) = (1, 2);
        assert_eq!(error.misfit(), Some(&Misfit::Count { given, written }));
        let error = check(&[DataType::Int64, DataType::Utf8, DataType::Utf8]).unwrap_err();
        assert!(
            error.message().contains("the query has 3 columns"),
            "{error}"
        );
    }
}
