//! `coalesce` of times and texts: a text takes the type of the times, as a literal does in
//! PostgreSQL. And of bytes, of which the engine has several types, as items of arrays also are.
//! DataFusion types a call while it plans, before any rule, and refuses these types.

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::error::Result;
use datafusion::execution::{FunctionRegistry, SessionState};
use lakegate_functions::{CommonType, of_one_type};

/// The name of the function.
pub(in crate::postgres) const COALESCE: &str = "coalesce";

/// The function that `ARRAY[…]` is written as where an item is not a constant.
pub(in crate::postgres) const ARRAY: &str = "make_array";

/// Puts `coalesce` around the session's.
///
/// # Errors
///
/// The session has no such function.
pub(in crate::postgres) fn register(state: &mut SessionState) -> Result<()> {
    let inner = state.udf(COALESCE)?;
    state.register_udf(Arc::new(of_one_type(inner, Values)))?;
    Ok(())
}

/// Puts `make_array` around the session's.
///
/// # Errors
///
/// The session has no such function.
pub(in crate::postgres) fn register_array(state: &mut SessionState) -> Result<()> {
    let inner = state.udf(ARRAY)?;
    state.register_udf(Arc::new(of_one_type(inner, Items)))?;
    Ok(())
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Values;

impl CommonType for Values {
    fn of(&self, types: &[DataType]) -> Option<DataType> {
        of_times(types).or_else(|| of_bytes(types))
    }
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Items;

impl CommonType for Items {
    fn of(&self, types: &[DataType]) -> Option<DataType> {
        of_bytes(types)
    }
}

/// Returns the type of bytes of different types, or beside NULL.
fn of_bytes(types: &[DataType]) -> Option<DataType> {
    let are_bytes = types.iter().all(|of| of.is_binary() || of.is_null());
    let first = types.iter().find(|of| of.is_binary())?;
    let is_one = types.iter().all(|of| of == first);
    (are_bytes && !is_one).then_some(DataType::Binary)
}

/// Returns the type of the times if all other values are texts or NULLs.
fn of_times(types: &[DataType]) -> Option<DataType> {
    let is_text = |data_type: &DataType| {
        matches!(
            data_type,
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View
        )
    };
    let mut others = types.iter().filter(|of| !is_text(of) && !of.is_null());
    let first = others.next()?;
    let is_time = matches!(
        first,
        DataType::Date32 | DataType::Timestamp(..) | DataType::Time64(_)
    );
    let has_text = types.iter().any(is_text);
    (is_time && has_text && others.all(|other| other == first)).then(|| first.clone())
}

#[cfg(test)]
mod tests {
    use arrow::datatypes::TimeUnit;

    use super::*;

    #[test]
    fn texts_take_the_one_type_of_times() {
        let time = DataType::Timestamp(TimeUnit::Microsecond, None);
        let (text, date, null) = (DataType::Utf8, DataType::Date32, DataType::Null);
        for (types, expected) in [
            (vec![&date, &text], Some(&date)),
            (vec![&null, &text, &time], Some(&time)),
            (vec![&date, &time, &text], None),
            (vec![&date, &null], None),
            (vec![&text, &null], None),
            (vec![&DataType::Int64, &text], None),
        ] {
            let types: Vec<DataType> = types.into_iter().cloned().collect();
            assert_eq!(of_times(&types), expected.cloned(), "{types:?}");
        }
    }

    #[test]
    fn bytes_of_all_types_are_bytes() {
        let (bytes, view, null) = (DataType::Binary, DataType::BinaryView, DataType::Null);
        for (types, expected) in [
            (vec![&view, &bytes], Some(&bytes)),
            (vec![&null, &view], Some(&bytes)),
            (vec![&view, &view], None),
            (vec![&view, &DataType::Utf8], None),
            (vec![&null, &null], None),
        ] {
            let types: Vec<DataType> = types.into_iter().cloned().collect();
            assert_eq!(of_bytes(&types), expected.cloned(), "{types:?}");
        }
    }
}
