//! The function that cuts the texts of a column to those that its type has.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, ByteView, ListArray, MapArray, StringArray, StringViewArray,
    StructArray, make_view,
};
use arrow::buffer::ScalarBuffer;
use arrow::datatypes::{DataType, Field, FieldRef};
use arrow::error::ArrowError;
use datafusion::common::ScalarValue;
use datafusion::error::Result;
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility,
};
use datafusion::physical_expr::ScalarFunctionExpr;
use datafusion::physical_plan::PhysicalExpr;
use lakegate_catalog::hive_type::HiveType;

/// What of the texts of a column belongs to them.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Fit {
    /// At most so many characters.
    Varchar(u32),
    /// At most so many characters, of which spaces at the end are left out.
    Char(u32),
    /// The parts of a list, map or struct; `None`: they stay as they are.
    Inside(Vec<Option<Fit>>),
}

impl Fit {
    /// `None`: the values of the type stay as they are.
    pub(super) fn of(declared: &HiveType) -> Option<Self> {
        match declared {
            HiveType::Varchar(most) => Some(Self::Varchar(*most)),
            HiveType::Char(most) => Some(Self::Char(*most)),
            other => Self::inside(other.parts().into_iter().map(Self::of)),
        }
    }

    /// `None`: all parts stay as they are.
    pub(crate) fn inside(parts: impl Iterator<Item = Option<Self>>) -> Option<Self> {
        let parts: Vec<Option<Self>> = parts.collect();
        let is_bounded = parts.iter().any(Option::is_some);
        is_bounded.then_some(Self::Inside(parts))
    }

    /// The values with their texts cut; the same array where none changes.
    ///
    /// # Errors
    /// The values are not of the declared type.
    pub(crate) fn fitted(&self, values: &ArrayRef) -> std::result::Result<ArrayRef, ArrowError> {
        let cut = self.cut(values)?;
        Ok(cut.unwrap_or_else(|| Arc::clone(values)))
    }

    /// `None`: the values stay as they are.
    fn cut(&self, values: &ArrayRef) -> std::result::Result<Option<ArrayRef>, ArrowError> {
        let nulls = values.nulls().cloned();
        match (self, values.data_type()) {
            (Self::Varchar(most), DataType::Utf8) => Ok(texts(values, *most as usize, false)),
            (Self::Char(most), DataType::Utf8) => Ok(texts(values, *most as usize, true)),
            (Self::Varchar(most), DataType::Utf8View) => views(values, *most as usize, false),
            (Self::Char(most), DataType::Utf8View) => views(values, *most as usize, true),
            (Self::Inside(parts), DataType::List(item)) => {
                let list = values.as_list::<i32>();
                let Some(part) = parts.first().and_then(Option::as_ref) else {
                    return Ok(None);
                };
                let Some(items) = part.cut(list.values())? else {
                    return Ok(None);
                };
                let offsets = list.offsets().clone();
                let list = ListArray::try_new(Arc::clone(item), offsets, items, nulls)?;
                Ok(Some(Arc::new(list)))
            }
            (Self::Inside(parts), DataType::Map(entries, sorted)) => {
                let map = values.as_map();
                let Some(columns) = cut_each(parts, map.entries().columns())? else {
                    return Ok(None);
                };
                let of = map.entries();
                let pairs =
                    StructArray::try_new(of.fields().clone(), columns, of.nulls().cloned())?;
                let (entries, offsets) = (Arc::clone(entries), map.offsets().clone());
                let map = MapArray::try_new(entries, offsets, pairs, nulls, *sorted)?;
                Ok(Some(Arc::new(map)))
            }
            (Self::Inside(parts), DataType::Struct(fields)) => {
                let Some(columns) = cut_each(parts, values.as_struct().columns())? else {
                    return Ok(None);
                };
                let row = StructArray::try_new(fields.clone(), columns, nulls)?;
                Ok(Some(Arc::new(row)))
            }
            (_, other) => Err(ArrowError::CastError(format!(
                "a column with texts of a greatest length holds {other}"
            ))),
        }
    }
}

/// The parts of nested values with their texts cut; `None`: none changes.
fn cut_each(
    parts: &[Option<Fit>],
    columns: &[ArrayRef],
) -> std::result::Result<Option<Vec<ArrayRef>>, ArrowError> {
    if parts.len() != columns.len() {
        return Err(ArrowError::CastError(format!(
            "a value of {} parts has {}",
            parts.len(),
            columns.len()
        )));
    }
    let mut changed = false;
    let mut kept = Vec::with_capacity(columns.len());
    for (part, column) in parts.iter().zip(columns) {
        let cut = match part {
            Some(part) => part.cut(column)?,
            None => None,
        };
        changed |= cut.is_some();
        kept.push(cut.unwrap_or_else(|| Arc::clone(column)));
    }
    Ok(changed.then_some(kept))
}

/// What a column has of a text. `most`: in characters.
fn kept(text: &str, most: usize, is_char: bool) -> &str {
    // Bytes are no fewer than characters.
    let kept = match text.len() <= most {
        true => text,
        false => {
            let end = text.char_indices().nth(most).map(|(end, _)| end);
            end.and_then(|end| text.get(..end)).unwrap_or(text)
        }
    };
    match is_char {
        true => kept.trim_end_matches(' '),
        false => kept,
    }
}

fn texts(values: &ArrayRef, most: usize, is_char: bool) -> Option<ArrayRef> {
    let texts = values.as_string::<i32>();
    let is_cut = |text: &str| kept(text, most, is_char).len() < text.len();
    if !texts.iter().flatten().any(is_cut) {
        return None;
    }
    let cut = texts.iter().map(|text| Some(kept(text?, most, is_char)));
    Some(Arc::new(cut.collect::<StringArray>()))
}

/// Views of the same bytes: rows that share a long text share it afterwards.
fn views(
    values: &ArrayRef,
    most: usize,
    is_char: bool,
) -> std::result::Result<Option<ArrayRef>, ArrowError> {
    let texts = values.as_string_view();
    let is_long = texts.lengths().any(|length| length as usize > most);
    let is_cut = |text: &str| kept(text, most, is_char).len() < text.len();
    if !(is_long || is_char) || !texts.iter().flatten().any(is_cut) {
        return Ok(None);
    }
    let views = texts.iter().zip(texts.views().iter()).map(|(text, view)| {
        let Some(text) = text else {
            return 0;
        };
        let kept = kept(text, most, is_char);
        if kept.len() == text.len() {
            return *view;
        }
        let of = ByteView::from(*view);
        make_view(kept.as_bytes(), of.buffer_index, of.offset)
    });
    let views: ScalarBuffer<u128> = views.collect();
    let (buffers, nulls) = (texts.data_buffers().to_vec(), texts.nulls().cloned());
    let cut = StringViewArray::try_new(views, buffers, nulls)?;
    Ok(Some(Arc::new(cut)))
}

/// The function of a column. It is put into plans only, and has no name to users.
pub(super) fn fitted(fit: Fit) -> Arc<ScalarUDF> {
    Arc::new(ScalarUDF::new_from_impl(Fitted {
        fit,
        signature: Signature::any(1, Volatility::Immutable),
    }))
}

/// What is left of texts and the texts, where an expression is a call of the function.
pub(super) fn fit_of(expr: &Arc<dyn PhysicalExpr>) -> Option<(&Fit, &Arc<dyn PhysicalExpr>)> {
    let call = expr.downcast_ref::<ScalarFunctionExpr>()?;
    let function = call.fun().inner().downcast_ref::<Fitted>()?;
    Some((&function.fit, call.args().first()?))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Fitted {
    fit: Fit,
    signature: Signature,
}

impl ScalarUDFImpl for Fitted {
    fn name(&self) -> &str {
        "fitted"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        Ok(types.first().cloned().unwrap_or(DataType::Null))
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let null = || Arc::new(Field::new("fitted", DataType::Null, true));
        Ok(args.arg_fields.first().map_or_else(null, Arc::clone))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        match args.args.into_iter().next() {
            Some(ColumnarValue::Array(values)) => {
                Ok(ColumnarValue::Array(self.fit.fitted(&values)?))
            }
            Some(ColumnarValue::Scalar(value)) => {
                let fitted = self.fit.fitted(&value.to_array()?)?;
                let value = ScalarValue::try_from_array(&fitted, 0)?;
                Ok(ColumnarValue::Scalar(value))
            }
            None => Ok(ColumnarValue::Scalar(ScalarValue::Null)),
        }
    }
}
