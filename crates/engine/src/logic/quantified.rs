//! `x op ANY (array)` and `x op ALL (array)` with three-valued logic. DataFusion's own return false
//! if a NULL in the array leaves the result unknown.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, ListArray, UInt64Array};
use arrow::compute::kernels::cmp;
use arrow::compute::{cast, take};
use arrow::datatypes::{DataType, Field};
use datafusion::common::ScalarValue;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::{FunctionRegistry, SessionState};
use datafusion::logical_expr::simplify::{ExprSimplifyResult, SimplifyContext};
use datafusion::logical_expr::type_coercion::binary::comparison_coercion;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use lakegate_error::{Code, Error};

use super::matching::matched;
use crate::{arrays, limits::stop};

/// `op ANY`, called as `f('op', x, array)`.
pub const ANY: &str = "compare_any";
/// `op ALL`, called like [`ANY`].
pub const ALL: &str = "compare_all";

/// Items that are compared at once. For each, the value on the left is copied.
const PIECE: usize = 8192;

/// Registers [`ANY`] and [`ALL`].
///
/// # Errors
///
/// Returns an error if a function cannot be registered.
pub fn register(state: &mut SessionState) -> Result<()> {
    for (name, any) in [(ANY, true), (ALL, false)] {
        let function = Quantified {
            name,
            any,
            signature: Signature::user_defined(Volatility::Immutable),
        };
        state.register_udf(Arc::new(ScalarUDF::new_from_impl(function)))?;
    }
    Ok(())
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Quantified {
    name: &'static str,
    any: bool,
    signature: Signature,
}

impl ScalarUDFImpl for Quantified {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let [op, x, array] = types else {
            return Err(wrong(&format!("{} takes three arguments", self.name)));
        };
        let item = match array {
            DataType::List(item) | DataType::LargeList(item) | DataType::FixedSizeList(item, _) => {
                item.data_type().clone()
            }
            DataType::Null => DataType::Null,
            _ => {
                return Err(wrong(
                    "ANY and ALL need an array or a subquery on the right",
                ));
            }
        };
        let common = match (x, &item) {
            (DataType::Null, item) => item.clone(),
            (x, DataType::Null) => x.clone(),
            (x, item) if are_mixed(x, item) => DataType::Float64,
            (x, item) => comparison_coercion(x, item).ok_or_else(|| {
                wrong(&format!(
                    "{x} cannot be compared with the items of an array of {item}"
                ))
            })?,
        };
        let list = DataType::List(Arc::new(Field::new_list_field(common.clone(), true)));
        Ok(vec![op.clone(), common, list])
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Boolean)
    }

    /// Turns a list of constants, such as that of a parameter, into IN, which can rule out files
    /// and tables.
    fn simplify(&self, args: Vec<Expr>, _: &SimplifyContext) -> Result<ExprSimplifyResult> {
        let items = match args.as_slice() {
            [
                Expr::Literal(op, _),
                x,
                Expr::Literal(ScalarValue::List(list), _),
            ] => {
                let wanted = if self.any { "=" } else { "<>" };
                let is_in = op.try_as_str().flatten() == Some(wanted);
                let items = match is_in && list.len() == 1 && !list.is_null(0) {
                    true => list.value(0),
                    false => return Ok(ExprSimplifyResult::Original(args)),
                };
                let items = (0..items.len())
                    .map(|row| {
                        ScalarValue::try_from_array(&items, row)
                            .map(|item| Expr::Literal(item, None))
                    })
                    .collect::<Result<Vec<_>>>()?;
                let all_plain = items.iter().all(is_plain);
                (!items.is_empty() && all_plain).then(|| (x.clone(), items))
            }
            _ => None,
        };
        Ok(match items {
            Some((x, items)) => ExprSimplifyResult::Simplified(x.in_list(items, !self.any)),
            None => ExprSimplifyResult::Original(args),
        })
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let scalar = args
            .args
            .iter()
            .all(|arg| matches!(arg, ColumnarValue::Scalar(_)));
        let Some(ColumnarValue::Scalar(op)) = args.args.first() else {
            return Err(DataFusionError::Internal(
                "an operator that is no constant".to_owned(),
            ));
        };
        let op = op.try_as_str().flatten().unwrap_or_default().to_owned();
        let arrays = ColumnarValue::values_to_arrays(&args.args)?;
        let [_, x, lists] = arrays.as_slice() else {
            return Err(DataFusionError::Internal(
                "a comparison without sides".to_owned(),
            ));
        };
        let result = self.compare(&op, x, lists)?;
        match scalar {
            true => ScalarValue::try_from_array(&result, 0).map(ColumnarValue::Scalar),
            false => Ok(ColumnarValue::Array(Arc::new(result))),
        }
    }
}

/// Returns whether one side has floating-point numbers, and the other one decimals or integers. Such
/// numbers are compared as doubles; DataFusion rounds doubles to decimals, and integers to reals.
fn are_mixed(x: &DataType, item: &DataType) -> bool {
    let is_exact = |of: &DataType| of.is_decimal() || of.is_integer();
    x.is_floating() && is_exact(item) || is_exact(x) && item.is_floating()
}

impl Quantified {
    fn compare(&self, op: &str, x: &ArrayRef, lists: &ArrayRef) -> Result<BooleanArray> {
        if lists.data_type() == &DataType::Null || x.data_type() == &DataType::Null {
            let nothing = cast(lists, lists.data_type())?;
            let empty = |row: usize| match nothing.as_list_opt::<i32>() {
                Some(lists) if !lists.is_null(row) && lists.value_length(row) == 0 => {
                    Some(!self.any)
                }
                _ => None,
            };
            return Ok((0..lists.len()).map(empty).collect());
        }
        let lists = lists.as_list::<i32>();
        // Without items, ANY is false and ALL is true. Otherwise one item decides, or a NULL leaves
        // the result unknown.
        let mut results: Vec<Option<bool>> = (0..lists.len())
            .map(|row| (!lists.is_null(row)).then_some(!self.any))
            .collect();
        let mut pairs = pairs(lists);
        loop {
            stop::check()?;
            let (rows, places): (Vec<u64>, Vec<u64>) = pairs.by_ref().take(PIECE).unzip();
            let is_last = rows.len() < PIECE;
            let (rows, places) = (UInt64Array::from(rows), UInt64Array::from(places));
            let values = take(x, &rows, None)?;
            let items = take(lists.values(), &places, None)?;
            let found = match matched(op, &values, &items)? {
                Some(found) => found,
                None => compared(
                    op,
                    &arrays::comparable(&values)?,
                    &arrays::comparable(&items)?,
                )?,
            };
            for (row, item) in rows.values().iter().zip(found.iter()) {
                let row = usize::try_from(*row).unwrap_or(usize::MAX);
                let Some(result) = results.get_mut(row) else {
                    continue;
                };
                match item {
                    _ if *result == Some(self.any) => {}
                    Some(item) if item == self.any => *result = Some(self.any),
                    Some(_) => {}
                    None => *result = None,
                }
            }
            if is_last {
                break;
            }
        }
        Ok(results.into_iter().collect())
    }
}

/// Returns the row of each item of the lists, and the place of the item among those of all lists.
fn pairs(lists: &ListArray) -> impl Iterator<Item = (u64, u64)> {
    (0..lists.len())
        .filter(move |row| !lists.is_null(*row))
        .flat_map(move |row| {
            let start = u64::try_from(lists.value_offsets().get(row).copied().unwrap_or(0));
            let start = start.unwrap_or_default();
            let items = u64::try_from(lists.value_length(row)).unwrap_or_default();
            (start..start + items).map(move |place| (row as u64, place))
        })
}

/// Compares each value with the item beside it.
fn compared(op: &str, values: &ArrayRef, items: &ArrayRef) -> Result<BooleanArray> {
    Ok(match op {
        "=" => cmp::eq(values, items)?,
        "<>" | "!=" => cmp::neq(values, items)?,
        "<" => cmp::lt(values, items)?,
        "<=" => cmp::lt_eq(values, items)?,
        ">" => cmp::gt(values, items)?,
        ">=" => cmp::gt_eq(values, items)?,
        other => {
            return Err(Error::new(
                Code::NotSupported,
                format!("operator {other} is not supported before ANY or ALL"),
            )
            .into());
        }
    })
}

/// Returns whether DataFusion's IN compares a constant as `=` does. For some types, equal values
/// have different bytes.
fn is_plain(item: &Expr) -> bool {
    match item {
        Expr::Literal(ScalarValue::Float64(Some(number)), _) => *number != 0.0 && !number.is_nan(),
        Expr::Literal(ScalarValue::Float32(Some(number)), _) => *number != 0.0 && !number.is_nan(),
        Expr::Literal(value, _) => {
            let data_type = value.data_type();
            !data_type.is_nested() && !matches!(data_type, DataType::Interval(_))
        }
        _ => false,
    }
}

fn wrong(message: &str) -> DataFusionError {
    Error::new(Code::TypeMismatch, message.to_owned()).into()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use arrow::array::{Int64Array, StringArray};
    use arrow::datatypes::Int64Type;
    use datafusion::prelude::SessionContext;

    use super::*;

    #[test]
    fn items_are_compared_in_pieces() {
        let any = Quantified {
            name: ANY,
            any: true,
            signature: Signature::user_defined(Volatility::Immutable),
        };
        for count in [0, 1, PIECE - 1, PIECE, PIECE + 1, 2 * PIECE] {
            let last = i64::try_from(count).unwrap() - 1;
            let lists = [
                Some((0..=last).map(Some).collect::<Vec<_>>()),
                None,
                Some(vec![None, Some(last)]),
            ];
            let lists = ListArray::from_iter_primitive::<Int64Type, _, _>(lists);
            // Slices begin at another place.
            for from in [0, 1] {
                let x: ArrayRef = Arc::new(Int64Array::from(vec![last, 0, -2]));
                let lists: ArrayRef = Arc::new(lists.clone());
                let (x, lists) = (x.slice(from, 3 - from), lists.slice(from, 3 - from));
                let found = any.compare("=", &x, &lists).unwrap();
                let expected = [Some(count > 0), None, None];
                assert_eq!(
                    found.iter().collect::<Vec<_>>(),
                    expected[from..],
                    "{count}"
                );
            }
        }
        // An operator is refused without items, too.
        let x: ArrayRef = Arc::new(StringArray::from(vec!["a"]));
        let none = ListArray::new_null(Arc::new(Field::new_list_field(DataType::Utf8, true)), 1);
        let none: ArrayRef = Arc::new(none);
        assert!(any.compare("@@", &x, &none).is_err());
    }

    async fn value(sql: &str) -> Option<bool> {
        let mut state = SessionContext::new().state();
        register(&mut state).unwrap();
        let context = SessionContext::new_with_state(state);
        let batches = context.sql(sql).await.unwrap().collect().await.unwrap();
        let column = batches[0].column(0).as_boolean().clone();
        (!column.is_null(0)).then(|| column.value(0))
    }

    #[tokio::test]
    async fn a_null_leaves_open_what_no_item_decides() {
        for (call, expected) in [
            ("compare_any('=', 1, [1, NULL])", Some(true)),
            ("compare_any('=', 2, [1, NULL])", None),
            ("compare_any('=', 2, [1, 3])", Some(false)),
            ("compare_any('=', NULL, [1])", None),
            ("compare_any('=', NULL, [])", Some(false)),
            ("compare_any('=', 1, [])", Some(false)),
            ("compare_any('=', 1, NULL)", None),
            ("compare_any('>', 2, [NULL, 1])", Some(true)),
            ("compare_all('<>', 2, [1, NULL])", None),
            ("compare_all('<>', 1, [1, NULL])", Some(false)),
            ("compare_all('<>', 2, [1, 3])", Some(true)),
            ("compare_all('<>', 2, [])", Some(true)),
            ("compare_all('>', 2, NULL)", None),
            ("compare_all('>=', 2, [2.5, NULL])", Some(false)),
            ("compare_any('=', 'a', ['b', 'a'])", Some(true)),
            ("compare_any('~~', 'abc', ['b%', 'a_c'])", Some(true)),
            ("compare_any('~~', 'abc', ['b%', NULL])", None),
            ("compare_all('!~~*', 'abc', ['B%', 'c%'])", Some(true)),
            ("compare_all('~', 'abc', ['^a', 'd$'])", Some(false)),
            ("compare_any('~*', 'abc', ['^B', 'C$'])", Some(true)),
            ("compare_any('~~', 'abc', [])", Some(false)),
        ] {
            let sql = format!("SELECT {call}");
            assert_eq!(value(&sql).await, expected, "{sql}");
            // The same if not all arguments are constant.
            let rows = format!("{sql} FROM (VALUES (1), (2)) t(n) WHERE n + random() > 0");
            assert_eq!(value(&rows).await, expected, "{rows}");
        }
    }

    #[tokio::test]
    async fn every_row_has_an_array_of_its_own() {
        let sql = "SELECT count(*) = 2 FROM (VALUES (1, [1, 2]), (2, [3]), (3, [NULL, 3]), (4, NULL)) t(x, l) WHERE compare_any('=', x, l)";
        assert_eq!(value(sql).await, Some(true));
    }
}
