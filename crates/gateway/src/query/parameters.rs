//! The parameters of a statement: their numbers, types and values.

use lakegate_sql::walk::{Tree, walk_expressions};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::ControlFlow;

use arrow::datatypes::{DataType, TimeUnit};
use datafusion::common::ScalarValue;
use lakegate_engine::exact_decimal;
use lakegate_error::{Code, Error, Result, from_engine};
use sqlparser::ast::{self, Expr, Value};

pub(crate) use super::declared_parameters::declare_types;
pub(crate) use super::plan_parameters::inferred_types;

/// The highest parameter number, as in PostgreSQL.
pub(super) const MAX_PARAMETERS: usize = 65_535;

/// Returns the number of a placeholder: 1 for `$1`.
pub(crate) fn number(placeholder: &str) -> Option<usize> {
    placeholder.strip_prefix('$')?.parse().ok()
}

/// Returns the name of a parameter, such as `$1`. It may be in parentheses.
pub(crate) fn placeholder(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Nested(inner) => placeholder(inner),
        Expr::Value(value) => match &value.value {
            Value::Placeholder(name) => Some(name),
            _ => None,
        },
        _ => None,
    }
}

/// Returns the number of a parameter without a declared type, from 1.
pub(super) fn open_number(expr: &Expr, declared: &[Option<DataType>]) -> Option<usize> {
    let number = placeholder(expr).and_then(number)?;
    let index = number.checked_sub(1)?;
    declared
        .get(index)
        .is_none_or(Option::is_none)
        .then_some(number)
}

/// Returns the type of a list of these items.
pub(crate) fn list_of(item: &DataType) -> DataType {
    let item = match item {
        DataType::LargeUtf8 | DataType::Utf8View => DataType::Utf8,
        item => item.clone(),
    };
    DataType::new_list(item, true)
}

/// Checks that all parameters of the statement are among the first `given`.
///
/// # Errors
/// The statement has another parameter.
pub(crate) fn check_parameters(statement: &impl Tree, given: usize) -> Result<()> {
    let found = walk_expressions(statement, |expr| match placeholder(expr) {
        Some(name) if number(name).is_none_or(|n| n == 0 || n > given) => {
            ControlFlow::Break(no_parameter(name))
        }
        _ => ControlFlow::Continue(()),
    });
    match found {
        ControlFlow::Break(error) => Err(error),
        ControlFlow::Continue(()) => Ok(()),
    }
}

pub(crate) fn no_parameter(name: &str) -> Error {
    Error::new(
        Code::UndefinedParameter,
        format!("there is no parameter {name}"),
    )
    .with_hint(format!(
        "parameters are $1 to ${MAX_PARAMETERS}; their values come with the driver's protocol, or with EXECUTE"
    ))
}

/// Returns the SQL type that a parameter is cast to; `None` leaves it to inference.
pub(crate) fn sql_type(data_type: &DataType) -> Option<ast::DataType> {
    use ast::DataType as T;
    Some(match data_type {
        DataType::Boolean => T::Boolean,
        DataType::Int8 => T::TinyInt(None),
        DataType::Int16 => T::SmallInt(None),
        DataType::Int32 => T::Int(None),
        DataType::Int64 => T::BigInt(None),
        DataType::Float32 => T::Real,
        DataType::Float64 => T::Double(ast::ExactNumberInfo::None),
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => T::Varchar(None),
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView => T::Bytea,
        DataType::Date32 => T::Date,
        DataType::Timestamp(TimeUnit::Microsecond, None) => {
            T::Timestamp(Some(6), ast::TimezoneInfo::None)
        }
        DataType::Timestamp(TimeUnit::Microsecond, Some(_)) => {
            T::Timestamp(Some(6), ast::TimezoneInfo::WithTimeZone)
        }
        DataType::Time64(TimeUnit::Microsecond) => T::Time(None, ast::TimezoneInfo::None),
        DataType::Interval(_) => T::Interval {
            fields: None,
            precision: None,
        },
        DataType::List(item) | DataType::LargeList(item) => T::Array(
            ast::ArrayElemTypeDef::SquareBracket(Box::new(sql_type(item.data_type())?), None),
        ),
        DataType::Decimal128(precision, scale) => T::Decimal(
            ast::ExactNumberInfo::PrecisionAndScale(u64::from(*precision), i64::from(*scale)),
        ),
        _ => return None,
    })
}

/// Returns all parameters that a query names. A plan would miss those of an unused WITH.
pub(crate) fn named_parameters(query: &ast::Query) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let _: ControlFlow<()> = walk_expressions(query, |expr| {
        names.extend(placeholder(expr).map(str::to_owned));
        ControlFlow::Continue(())
    });
    names
}

/// Returns the types of all parameters: declared, else inferred, else text.
///
/// # Errors
/// A number is out of bounds, such as `$0`.
pub(crate) fn parameter_types(
    inferred: impl IntoIterator<Item = (String, Option<DataType>)>,
    declared: &[Option<DataType>],
) -> Result<Vec<DataType>> {
    let mut types: BTreeMap<usize, Option<DataType>> = BTreeMap::new();
    for (name, data_type) in inferred {
        let number = number(&name)
            .filter(|n| (1..=MAX_PARAMETERS).contains(n))
            .ok_or_else(|| no_parameter(&name))?;
        types.insert(number, data_type);
    }
    let count = types
        .keys()
        .next_back()
        .copied()
        .unwrap_or(0)
        .max(declared.len());
    Ok((1..=count)
        .map(|number| {
            let declared = declared.get(number - 1).cloned().flatten();
            declared
                .or_else(|| types.get(&number).cloned().flatten())
                .filter(|data_type| *data_type != DataType::Null)
                .unwrap_or(DataType::Utf8)
        })
        .collect())
}

/// Returns the indices of those of `count` parameters that are neither inferred nor declared.
pub(crate) fn untyped_parameters(
    inferred: &HashMap<String, Option<DataType>>,
    declared: &[Option<DataType>],
    count: usize,
) -> Vec<usize> {
    let known = |index: usize| {
        declared.get(index).is_some_and(Option::is_some)
            || inferred
                .get(&format!("${}", index + 1))
                .is_some_and(Option::is_some)
    };
    (0..count).filter(|index| !known(*index)).collect()
}

/// Converts a parameter's value to its type, or returns a value of another type if the conversion
/// would change it: `0.005` does not fit into a decimal with two digits.
///
/// # Errors
/// The value cannot be converted to the type.
pub(crate) fn fitted(value: ScalarValue, data_type: &DataType) -> Result<ScalarValue> {
    // A large value is not copied.
    if value.data_type() == *data_type {
        return Ok(value);
    }
    let exact = match &value {
        ScalarValue::Utf8(Some(text)) if data_type.is_decimal() => exact_decimal(text),
        ScalarValue::Float64(Some(number)) if data_type.is_decimal() => {
            exact_decimal(&number.to_string())
        }
        ScalarValue::Decimal128(Some(_), ..) if data_type.is_decimal() => Some(value.clone()),
        ScalarValue::Float64(Some(number)) if data_type.is_integer() && number.fract() != 0.0 => {
            return Ok(value);
        }
        _ => None,
    };
    let Some(exact) = exact else {
        return value.cast_to(data_type).map_err(from_engine);
    };
    let fitted = exact.cast_to(data_type);
    let back = |fitted: &ScalarValue| fitted.cast_to(&exact.data_type());
    match &fitted {
        Ok(same) if back(same).is_ok_and(|back| back == exact) => Ok(same.clone()),
        _ => Ok(exact),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::query::testing::query;

    #[test]
    fn parameters_are_named_wherever_they_are() {
        let query = query("WITH q AS (SELECT $2::int) SELECT ($1) FROM t WHERE EXISTS (SELECT $4)");
        let names = ["$1", "$2", "$4"].map(str::to_owned);
        assert_eq!(named_parameters(&query), names.into());
    }

    #[test]
    fn parameters_without_a_value_are_named() {
        for (sql, given, missing) in [
            ("SELECT $1", 0, "$1"),
            ("SELECT a FROM t WHERE b = $1 LIMIT $2", 1, "$2"),
            ("SELECT (SELECT $3 + $1)", 2, "$3"),
            ("SELECT $0", 5, "$0"),
        ] {
            let statement = ast::Statement::Query(Box::new(query(sql)));
            let error = check_parameters(&statement, given).unwrap_err();
            assert_eq!(error.code(), Code::UndefinedParameter);
            assert_eq!(error.message(), format!("there is no parameter {missing}"));
            assert_eq!(check_parameters(&statement, 5).is_ok(), missing != "$0");
        }
    }

    #[test]
    fn value_is_not_changed_to_fit() {
        let decimal = DataType::Decimal128(10, 2);
        let of = |value| fitted(value, &decimal).unwrap();
        let text = |text: &str| ScalarValue::from(text);
        assert_eq!(of(text("0.5")), ScalarValue::Decimal128(Some(50), 10, 2));
        assert_eq!(of(text("0.005")), ScalarValue::Decimal128(Some(5), 3, 3));
        assert_eq!(
            of(ScalarValue::from(0.005)),
            ScalarValue::Decimal128(Some(5), 3, 3)
        );
        assert_eq!(
            of(text("123456789012")),
            ScalarValue::Decimal128(Some(123_456_789_012), 12, 0)
        );
        let same = ScalarValue::Decimal128(Some(7), 10, 2);
        assert_eq!(of(same.clone()), same);
        assert!(fitted(text("x"), &decimal).is_err());
        assert_eq!(
            fitted(ScalarValue::from(2.7), &DataType::Int32).unwrap(),
            ScalarValue::from(2.7)
        );
        assert_eq!(
            fitted(ScalarValue::from(2.0), &DataType::Int32).unwrap(),
            ScalarValue::from(2)
        );
    }

    #[test]
    fn types_that_nothing_settles_are_text() {
        let types = parameter_types(
            [
                ("$1".to_owned(), Some(DataType::Null)),
                ("$3".to_owned(), Some(DataType::Int64)),
            ],
            &[],
        );
        assert_eq!(
            types.unwrap(),
            [DataType::Utf8, DataType::Utf8, DataType::Int64]
        );
    }
}
