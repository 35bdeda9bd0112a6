//! `concat` and `concat_ws`: in Trino the first is NULL if an argument is, and both take arrays.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BinaryBuilder, ListArray, StringBuilder};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::compute::nullif;
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::error::Result;
use datafusion::functions_nested::concat::array_concat_udf;
use datafusion::logical_expr::{
    ColumnarValue, Documentation, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl,
    Signature, TypeSignature, Volatility,
};

use super::SECTION;
use super::arguments::{Bytes, Texts, argument, invalid};
use super::characters::{is_bytes, is_text};
use super::positions::write;
use crate::arrays::types::{items, list_type};
use crate::columns::Column;
use crate::docs::Page;
use crate::entry::{Entry, Function, Known};
use crate::kernel::{Call, Kernel, Returns};

static CONCAT: Page = Page {
    name: "concat",
    section: SECTION,
    syntax: "concat(value, value[, …])",
    sentence: "Joins texts, varbinaries, arrays, or an array and an item; NULL if one of them is NULL.",
    example: "concat('a', 'b', 'c')",
    result: "abc",
};

static CONCAT_WS: Page = Page {
    name: "concat_ws",
    section: SECTION,
    syntax: "concat_ws(separator, text[, …])",
    sentence: "Joins texts, or the items of one array, with a separator, without those that are NULL.",
    example: "concat_ws('-', 'a', NULL, 'b')",
    result: "a-b",
};

pub(super) fn entries() -> Vec<Entry> {
    let concat = Concat {
        signature: Signature::user_defined(Volatility::Immutable),
        lists: array_concat_udf(),
        others: Kernel::new(
            &CONCAT,
            vec![TypeSignature::VariadicAny],
            Returns::From(joined_type),
            concat,
        ),
    };
    vec![
        Entry {
            function: Function::Scalar(Arc::new(ScalarUDF::new_from_impl(concat))),
            known: Known::Trino,
            page: Some(&CONCAT),
        },
        Entry::scalar(Kernel::new(
            &CONCAT_WS,
            vec![TypeSignature::VariadicAny],
            Returns::From(separated_type),
            concat_ws,
        ))
        .in_trino(),
    ]
}

fn is_list(data_type: &DataType) -> bool {
    matches!(
        data_type,
        DataType::List(_) | DataType::LargeList(_) | DataType::FixedSizeList(..)
    )
}

fn joined_type(types: &[DataType]) -> Result<DataType> {
    if types.iter().all(is_text) {
        return Ok(DataType::Utf8);
    }
    let bytes = |data_type: &DataType| is_bytes(data_type) || data_type.is_null();
    match types.iter().all(bytes) {
        true => Ok(DataType::Binary),
        false => Err(invalid(
            "concat takes only texts, only varbinaries or only arrays; CAST others to varchar",
        )),
    }
}

#[derive(Debug)]
struct Concat {
    signature: Signature,
    lists: Arc<ScalarUDF>,
    /// Texts and bytes.
    others: Kernel,
}

impl PartialEq for Concat {
    fn eq(&self, other: &Self) -> bool {
        self.others == other.others
    }
}

impl Eq for Concat {}

impl Hash for Concat {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.others.hash(state);
    }
}

impl ScalarUDFImpl for Concat {
    fn name(&self) -> &str {
        CONCAT.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        if types.iter().any(is_list) {
            let lists: Vec<DataType> = as_lists(types)
                .into_iter()
                .filter(|ty| !ty.is_null())
                .collect();
            let mut coerced = self.lists.coerce_types(&lists)?.into_iter();
            let of_null = self.lists.return_type(&lists)?;
            let all = types.iter().map(|data_type| {
                if data_type.is_null() {
                    return of_null.clone();
                }
                let list = coerced.next().unwrap_or_else(|| of_null.clone());
                match items(&list) {
                    Some(item) if !is_list(data_type) => item.clone(),
                    _ => list,
                }
            });
            return Ok(all.collect());
        }
        joined_type(types)?;
        Ok(types.to_vec())
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        match types.iter().any(is_list) {
            true => self.lists.return_type(&as_lists(types)),
            false => joined_type(types),
        }
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let types: Vec<DataType> = args
            .arg_fields
            .iter()
            .map(|field| field.data_type().clone())
            .collect();
        let field = Field::new(CONCAT.name, self.return_type(&types)?, true);
        Ok(Arc::new(field))
    }

    fn invoke_with_args(&self, mut args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        if !is_list(args.return_field.data_type()) {
            return self.others.invoke_with_args(args);
        }
        let rows = args.number_rows;
        let nulls = nulls(&args.args, rows)?;
        for (value, field) in args.args.iter_mut().zip(&mut args.arg_fields) {
            let data_type = value.data_type();
            if !is_list(&data_type) && !data_type.is_null() {
                *field = Arc::new(Field::new(field.name(), list_type(data_type), true));
                *value = ColumnarValue::Array(Arc::new(of_one_item(value, rows)?));
            }
        }
        let joined = self.lists.invoke_with_args(args)?;
        let Some(nulls) = nulls else {
            return Ok(joined);
        };
        let joined = joined.into_array(rows)?;
        let hidden = arrow::array::BooleanArray::new(!nulls.inner(), None);
        Ok(ColumnarValue::Array(nullif(&joined, &hidden)?))
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.others.documentation()
    }
}

/// Returns the types of two arguments with that of an item as one of arrays: `concat(ARRAY[1], 2)`.
fn as_lists(types: &[DataType]) -> Vec<DataType> {
    let is_item = |ty: &DataType| types.len() == 2 && !is_list(ty) && !ty.is_null();
    let lists = types.iter().map(|ty| match is_item(ty) {
        true => list_type(ty.clone()),
        false => ty.clone(),
    });
    lists.collect()
}

/// Returns an array of each value.
fn of_one_item(value: &ColumnarValue, rows: usize) -> Result<ListArray> {
    let items = value.to_array(rows)?;
    let item = Arc::new(Field::new_list_field(items.data_type().clone(), true));
    let offsets = OffsetBuffer::from_lengths(std::iter::repeat_n(1, rows));
    Ok(ListArray::try_new(item, offsets, items, None)?)
}

/// The rows in which an argument is NULL.
///
/// # Errors
///
/// A constant cannot be made an array.
pub(super) fn nulls(args: &[ColumnarValue], rows: usize) -> Result<Option<NullBuffer>> {
    let mut all: Option<NullBuffer> = None;
    for arg in args {
        let nulls = match arg {
            ColumnarValue::Array(array) => array.logical_nulls(),
            ColumnarValue::Scalar(scalar) if scalar.is_null() => Some(NullBuffer::new_null(rows)),
            ColumnarValue::Scalar(_) => None,
        };
        all = NullBuffer::union(all.as_ref(), nulls.as_ref());
    }
    Ok(all.filter(|nulls| nulls.null_count() > 0))
}

fn concat(call: &Call<'_>) -> Result<ArrayRef> {
    let arguments = 0..call.columns.len();
    if call.returns == &DataType::Binary {
        let columns = arguments.map(|index| Bytes::of(call, index));
        let columns = columns.collect::<Result<Vec<_>>>()?;
        let mut joined = BinaryBuilder::new();
        let mut buffer = Vec::new();
        for row in 0..call.rows {
            call.work.step()?;
            buffer.clear();
            let mut is_null = false;
            for column in &columns {
                match column.get(row) {
                    Some(value) => {
                        call.work.builds(value.len())?;
                        buffer.extend_from_slice(value);
                    }
                    None => is_null = true,
                }
            }
            joined.append_option((!is_null).then_some(&buffer));
        }
        return Ok(Arc::new(joined.finish()));
    }
    let columns = arguments.map(|index| Texts::of(call, index));
    let columns = columns.collect::<Result<Vec<_>>>()?;
    let constants: Vec<Option<&str>> = columns.iter().map(Texts::only).collect();
    let reserved: usize = columns.iter().map(Texts::reserve).sum();
    let mut joined = StringBuilder::with_capacity(call.rows, reserved);
    let mut pieces: Vec<&str> = Vec::with_capacity(columns.len());
    for row in 0..call.rows {
        pieces.clear();
        let mut bytes = 0usize;
        for (column, constant) in columns.iter().zip(&constants) {
            let Some(text) = constant.or_else(|| column.get(row)) else {
                break;
            };
            bytes = bytes.saturating_add(text.len());
            pieces.push(text);
        }
        if pieces.len() < columns.len() {
            call.work.step()?;
            joined.append_null();
            continue;
        }
        call.work.builds(bytes)?;
        // The last piece ends the value.
        let last = pieces.pop().unwrap_or_default();
        for piece in &pieces {
            write(&mut joined, piece)?;
        }
        joined.append_value(last);
    }
    Ok(Arc::new(joined.finish()))
}

fn separated_type(types: &[DataType]) -> Result<DataType> {
    let item_is_text = |list: &DataType| match list {
        DataType::List(item) | DataType::LargeList(item) | DataType::FixedSizeList(item, _) => {
            is_text(item.data_type())
        }
        _ => false,
    };
    match types {
        [separator, list] if is_text(separator) && item_is_text(list) => Ok(DataType::Utf8),
        [_, _, ..] if types.iter().all(is_text) => Ok(DataType::Utf8),
        _ => Err(invalid(
            "concat_ws takes a separator and texts, or a separator and one array of texts; CAST others to varchar",
        )),
    }
}

fn concat_ws(call: &Call<'_>) -> Result<ArrayRef> {
    let separators = Texts::of(call, 0)?;
    let mut joined = StringBuilder::new();
    if is_list(argument(call, 1)?.array.data_type()) {
        return concat_items(call, &separators, joined);
    }
    let columns = (1..call.columns.len()).map(|index| Texts::of(call, index));
    let columns = columns.collect::<Result<Vec<_>>>()?;
    for row in 0..call.rows {
        match separators.get(row) {
            None => {
                call.work.step()?;
                joined.append_null();
            }
            Some(separator) => {
                let texts = columns.iter().map(|column| column.get(row));
                join(call, separator, texts, &mut joined)?;
            }
        }
    }
    Ok(Arc::new(joined.finish()))
}

/// Joins the items of each row's array.
fn concat_items(
    call: &Call<'_>,
    separators: &Texts,
    mut joined: StringBuilder,
) -> Result<ArrayRef> {
    let column = argument(call, 1)?;
    let lists = super::arguments::as_type(&column.array, &strings())?;
    let lists = lists.as_list::<i32>();
    let items = Texts::from(&Column {
        array: Arc::clone(lists.values()),
        constant: false,
    })?;
    let offsets = lists.value_offsets();
    let place = |index: usize| {
        let offset = offsets.get(index).copied().unwrap_or_default();
        usize::try_from(offset).unwrap_or_default()
    };
    for row in 0..call.rows {
        let index = column.at(row);
        match separators.get(row).filter(|_| lists.is_valid(index)) {
            None => {
                call.work.step()?;
                joined.append_null();
            }
            Some(separator) => {
                let texts = (place(index)..place(index + 1)).map(|item| items.get(item));
                join(call, separator, texts, &mut joined)?;
            }
        }
    }
    Ok(Arc::new(joined.finish()))
}

fn strings() -> DataType {
    DataType::new_list(DataType::Utf8, true)
}

fn join<'a>(
    call: &Call<'_>,
    separator: &str,
    texts: impl Iterator<Item = Option<&'a str>>,
    joined: &mut StringBuilder,
) -> Result<()> {
    for (place, text) in texts.flatten().enumerate() {
        call.work
            .builds(separator.len().saturating_add(text.len()))?;
        if place > 0 {
            write(joined, separator)?;
        }
        write(joined, text)?;
    }
    call.work.step()?;
    joined.append_value("");
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use crate::testing::{error, rows, value};

    #[tokio::test]
    async fn joined_texts_are_null_if_one_is() {
        let query = "SELECT concat(x, '-', y) FROM (VALUES ('a', 'b'), ('', 'é'), (NULL, 'b'), ('a', NULL)) t(x, y)";
        assert_eq!(rows(query).await.unwrap(), ["a-b", "-é", "NULL", "NULL"]);
        assert_eq!(value("concat('a', NULL)").await.unwrap(), "NULL");
        assert_eq!(value("concat(NULL, NULL)").await.unwrap(), "NULL");
        assert_eq!(
            value("concat(to_utf8('a'), to_utf8('b'))").await.unwrap(),
            "61 62"
        );
        let query = "SELECT concat(to_utf8(x), to_utf8('b')) FROM (VALUES ('a'), (NULL)) t(x)";
        assert_eq!(rows(query).await.unwrap(), ["61 62", "NULL"]);
        assert!(error("concat('a', 1)").await.contains("CAST"));
        assert!(error("concat('a', to_utf8('b'))").await.contains("concat"));
    }

    #[tokio::test]
    async fn arrays_are_joined() {
        assert_eq!(
            value("concat(ARRAY[1], ARRAY[2, NULL], ARRAY[])")
                .await
                .unwrap(),
            "[1, 2, NULL]"
        );
        let query = "SELECT concat(x, ARRAY[9]) FROM (VALUES (ARRAY[1, 2]), (NULL)) t(x)";
        assert_eq!(rows(query).await.unwrap(), ["[1, 2, 9]", "NULL"]);
        assert_eq!(
            value("concat(ARRAY['a'], ARRAY['b'])").await.unwrap(),
            "[a, b]"
        );
        assert_eq!(value("concat(ARRAY['a'], NULL)").await.unwrap(), "NULL");
    }

    #[tokio::test]
    async fn separators_are_between_texts_that_are_there() {
        let query = "SELECT concat_ws(s, x, y) FROM (VALUES (',', 'a', 'b'), (',', NULL, 'b'), (',', '', 'b'), (',', NULL, NULL), (NULL, 'a', 'b')) t(s, x, y)";
        assert_eq!(rows(query).await.unwrap(), ["a,b", "b", ",b", "", "NULL"]);
        assert_eq!(
            value("concat_ws('é', ARRAY['a', NULL, 'b'])")
                .await
                .unwrap(),
            "aéb"
        );
        let query =
            "SELECT concat_ws(',', x) FROM (VALUES (ARRAY['a', 'b']), (ARRAY[]), (NULL)) t(x)";
        assert_eq!(rows(query).await.unwrap(), ["a,b", "", "NULL"]);
        assert!(error("concat_ws(',', 1)").await.contains("CAST"));
    }
}
