//! `=` of arrays, maps and rows as in Trino: a NULL within makes the answer unknown, unless another
//! item differs. The engine's `=` compares nested values as a whole, and NULL equals NULL.
//!
//! ```text
//! ARRAY[1, NULL] = ARRAY[1, NULL]      NULL
//! ARRAY[1, NULL] = ARRAY[2, NULL]      false
//! ARRAY[1, NULL] = ARRAY[1]            false
//! ```

use arrow::array::{Array, ArrayRef, AsArray, BooleanBuilder, DynComparator, make_comparator};
use arrow::buffer::OffsetBuffer;
use arrow::compute::{SortOptions, cast};
use arrow::datatypes::DataType;
use datafusion::error::Result;
use datafusion::logical_expr::TypeSignature;

use crate::arrays::types::{common, conformed};
use crate::docs::Page;
use crate::entry::Entry;
use crate::kernel::{Call, Kernel, Returns};
use crate::work::Work;

/// Whether two nested values are equal.
pub(crate) const NAME: &str = "$equal";

static EQUAL: Page = Page {
    name: NAME,
    section: "Conversion",
    syntax: "$equal(a, b)",
    sentence: "Compares arrays, maps or rows as the operator = does.",
    example: "ARRAY[1, NULL] = ARRAY[2, NULL]",
    result: "false",
};

pub(super) fn entries() -> Vec<Entry> {
    let returns = Returns::Type(DataType::Boolean);
    let kernel = Kernel::new(&EQUAL, vec![TypeSignature::Any(2)], returns, equal);
    vec![Entry::scalar(kernel).in_trino().unlisted()]
}

/// Returns whether values of a type have items.
pub(super) fn is_nested(data_type: &DataType) -> bool {
    matches!(
        data_type,
        DataType::List(_) | DataType::Map(..) | DataType::Struct(_)
    )
}

fn equal(call: &Call<'_>) -> Result<ArrayRef> {
    let (left, right) = (&call.columns[0], &call.columns[1]);
    let both = common("=", left.array.data_type(), right.array.data_type())?;
    let items = Items::of(
        &conformed(&left.array, &both)?,
        &conformed(&right.array, &both)?,
    )?;
    let mut equal = BooleanBuilder::with_capacity(call.rows);
    for row in 0..call.rows {
        equal.append_option(items.equal(left.at(row), right.at(row), &call.work)?);
    }
    Ok(std::sync::Arc::new(equal.finish()))
}

/// Two arrays of one type, whose values are compared by their indexes.
struct Items {
    left: ArrayRef,
    right: ArrayRef,
    kind: Kind,
}

enum Kind {
    Plain(DynComparator),
    /// Numbers of which 0 equals -0, and NaN nothing.
    Floats(ArrayRef, ArrayRef),
    Lists {
        left: OffsetBuffer<i32>,
        right: OffsetBuffer<i32>,
        items: Box<Items>,
    },
    Maps {
        left: OffsetBuffer<i32>,
        right: OffsetBuffer<i32>,
        keys: Box<Items>,
        values: Box<Items>,
    },
    Rows(Vec<Items>),
}

impl Items {
    fn of(left: &ArrayRef, right: &ArrayRef) -> Result<Self> {
        let kind = match left.data_type() {
            DataType::List(_) => {
                let (left, right) = (left.as_list::<i32>(), right.as_list::<i32>());
                Kind::Lists {
                    left: left.offsets().clone(),
                    right: right.offsets().clone(),
                    items: Box::new(Self::of(left.values(), right.values())?),
                }
            }
            DataType::Map(..) => {
                let (left, right) = (left.as_map(), right.as_map());
                Kind::Maps {
                    left: left.offsets().clone(),
                    right: right.offsets().clone(),
                    keys: Box::new(Self::of(left.keys(), right.keys())?),
                    values: Box::new(Self::of(left.values(), right.values())?),
                }
            }
            DataType::Struct(_) => {
                let (left, right) = (left.as_struct(), right.as_struct());
                let fields = left.columns().iter().zip(right.columns());
                Kind::Rows(
                    fields
                        .map(|(left, right)| Self::of(left, right))
                        .collect::<Result<_>>()?,
                )
            }
            DataType::Float32 | DataType::Float64 => Kind::Floats(
                cast(left, &DataType::Float64)?,
                cast(right, &DataType::Float64)?,
            ),
            _ => Kind::Plain(make_comparator(left, right, SortOptions::default())?),
        };
        Ok(Self {
            left: ArrayRef::clone(left),
            right: ArrayRef::clone(right),
            kind,
        })
    }

    /// Returns whether the value at `left` equals that at `right`; `None` if that is unknown.
    fn equal(&self, left: usize, right: usize, work: &Work) -> Result<Option<bool>> {
        work.step()?;
        if self.left.is_null(left) || self.right.is_null(right) {
            return Ok(None);
        }
        Ok(match &self.kind {
            Kind::Plain(compare) => Some(compare(left, right).is_eq()),
            Kind::Floats(lefts, rights) => {
                let lefts = lefts.as_primitive::<arrow::datatypes::Float64Type>();
                let rights = rights.as_primitive::<arrow::datatypes::Float64Type>();
                let (left, right) = (lefts.value(left), rights.value(right));
                Some(left == right)
            }
            Kind::Lists {
                left: lefts,
                right: rights,
                items,
            } => {
                let (left, right) = (range(lefts, left), range(rights, right));
                if left.len() != right.len() {
                    return Ok(Some(false));
                }
                all(left
                    .zip(right)
                    .map(|(left, right)| items.equal(left, right, work)))?
            }
            Kind::Maps {
                left: lefts,
                right: rights,
                keys,
                values,
            } => {
                let (left, right) = (range(lefts, left), range(rights, right));
                if left.len() != right.len() {
                    return Ok(Some(false));
                }
                all(left.map(|left| {
                    for right in right.clone() {
                        if keys.equal(left, right, work)? == Some(true) {
                            return values.equal(left, right, work);
                        }
                    }
                    Ok(Some(false))
                }))?
            }
            Kind::Rows(fields) => all(fields.iter().map(|field| field.equal(left, right, work)))?,
        })
    }
}

fn range(offsets: &OffsetBuffer<i32>, row: usize) -> std::ops::Range<usize> {
    let at = |index: usize| {
        let offset = offsets.get(index).copied().unwrap_or_default();
        usize::try_from(offset).unwrap_or_default()
    };
    at(row)..at(row + 1)
}

/// Returns false if one is false, else unknown if one is unknown.
fn all(of: impl Iterator<Item = Result<Option<bool>>>) -> Result<Option<bool>> {
    let mut known = true;
    for equal in of {
        match equal? {
            Some(true) => {}
            Some(false) => return Ok(Some(false)),
            None => known = false,
        }
    }
    Ok(known.then_some(true))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use crate::testing::trino::{rows, value};

    // Expected values: Trino 476.
    #[tokio::test]
    async fn nested_values_with_nulls_are_compared_as_in_trino() {
        for (expression, expected) in [
            ("ARRAY[1, NULL] = ARRAY[1, NULL]", "NULL"),
            ("ARRAY[1, NULL] = ARRAY[2, NULL]", "false"),
            ("ARRAY[1, NULL] <> ARRAY[2, NULL]", "true"),
            ("ARRAY[1, NULL] = ARRAY[1]", "false"),
            ("ARRAY[1, 2] = ARRAY[1, 2]", "true"),
            ("ARRAY[1, 2] = ARRAY[1.0, 2.0]", "true"),
            ("ARRAY[ARRAY[1], NULL] = ARRAY[ARRAY[2], NULL]", "false"),
            (
                "MAP(ARRAY[1, 2], ARRAY['a', 'b']) = MAP(ARRAY[2, 1], ARRAY['b', 'a'])",
                "true",
            ),
            (
                "MAP(ARRAY[1], ARRAY[2]) = MAP(ARRAY[1], ARRAY[NULL])",
                "NULL",
            ),
            (
                "MAP(ARRAY[1], ARRAY[2]) = MAP(ARRAY[3], ARRAY[NULL])",
                "false",
            ),
            ("ROW(1, NULL) = ROW(1, 2)", "NULL"),
            ("ROW(1, NULL) <> ROW(2, 2)", "true"),
            ("ROW(0e0) = ROW(-0e0)", "true"),
            ("ARRAY[1, NULL] IN (ARRAY[1, NULL], ARRAY[2])", "NULL"),
            ("ARRAY[1, NULL] NOT IN (ARRAY[2, 3], ARRAY[2])", "true"),
            (
                "MAP(ARRAY[1, 2], ARRAY[3, 4]) IN (MAP(ARRAY[2, 1], ARRAY[4, 3]), NULL)",
                "true",
            ),
            (
                "CASE ARRAY[1, NULL] WHEN ARRAY[1, NULL] THEN 1 ELSE 2 END",
                "2",
            ),
            (
                "CASE ROW(1, 2) WHEN ROW(2, 2) THEN 1 WHEN ROW(1, 2) THEN 2 END",
                "2",
            ),
            ("nullif(ARRAY[1, 2], ARRAY[1, 2])", "NULL"),
            ("nullif(ARRAY[1, NULL], ARRAY[1, NULL])", "[1, NULL]"),
            (
                "MAP(ARRAY[1, 2], ARRAY[3, 4]) IS DISTINCT FROM MAP(ARRAY[2, 1], ARRAY[4, 3])",
                "false",
            ),
        ] {
            assert_eq!(value(expression).await.unwrap(), expected, "{expression}");
        }
    }

    #[tokio::test]
    async fn columns_of_nested_values_are_compared_row_by_row() {
        let values = "(VALUES (1, ARRAY[1, 2], ARRAY[1, NULL]), (2, NULL, ARRAY[1]),
            (3, ARRAY[2], ARRAY[2]), (4, ARRAY[], ARRAY[])) AS t (i, x, y)";
        for (expression, expected) in [
            ("x = ARRAY[1, 2]", ["true", "NULL", "false", "false"]),
            ("x = y", ["NULL", "NULL", "true", "true"]),
            ("x <> y", ["NULL", "NULL", "false", "false"]),
        ] {
            let query = format!("SELECT {expression} FROM {values} ORDER BY i");
            assert_eq!(rows(&query).await.unwrap(), expected, "{expression}");
        }
    }
}
