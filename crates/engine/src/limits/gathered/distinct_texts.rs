//! `count(DISTINCT x)` of texts.
//!
//! DataFusion's set of texts has room for 512 from the start, which its size leaves out
//! (`binary_view_map.rs` of `datafusion-physical-expr-common`, 55.2): 34 kB for each group, beside
//! the pool. Here a set without texts has no memory. Delete this when DataFusion counts that room.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, LargeStringArray, StringArray, StringViewArray};
use arrow::datatypes::DataType;
use datafusion::common::ScalarValue;
use datafusion::common::utils::SingleRowListArrayBuilder;
use datafusion::error::Result;
use datafusion::logical_expr::Accumulator;
use datafusion::logical_expr::function::AccumulatorArgs;

/// The distinct texts of a group.
#[derive(Debug)]
pub(super) struct DistinctTexts {
    texts: HashSet<Box<str>>,
    data_type: DataType,
    /// Bytes of the texts.
    bytes: usize,
}

impl DistinctTexts {
    /// Returns the accumulator of `count(DISTINCT x)` if `x` is a text.
    pub(super) fn of(function: &str, args: &AccumulatorArgs<'_>) -> Option<Self> {
        if function != "count" || !args.is_distinct {
            return None;
        }
        let [field] = args.expr_fields else {
            return None;
        };
        Self::of_type(field.data_type())
    }

    fn of_type(data_type: &DataType) -> Option<Self> {
        let is_text = matches!(
            data_type,
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View
        );
        is_text.then(|| Self {
            texts: HashSet::new(),
            data_type: data_type.clone(),
            bytes: 0,
        })
    }

    fn add(&mut self, array: &ArrayRef) {
        match array.data_type() {
            DataType::Utf8 => self.add_all(array.as_string::<i32>().iter()),
            DataType::LargeUtf8 => self.add_all(array.as_string::<i64>().iter()),
            _ => self.add_all(array.as_string_view().iter()),
        }
    }

    fn add_all<'a>(&mut self, texts: impl Iterator<Item = Option<&'a str>>) {
        for text in texts.flatten() {
            if !self.texts.contains(text) {
                self.bytes = self.bytes.saturating_add(text.len());
                self.texts.insert(text.into());
            }
        }
    }
}

impl Accumulator for DistinctTexts {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        if let Some(array) = values.first() {
            self.add(array);
        }
        Ok(())
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let count = i64::try_from(self.texts.len()).unwrap_or(i64::MAX);
        Ok(ScalarValue::Int64(Some(count)))
    }

    fn size(&self) -> usize {
        let places = self.texts.capacity() * (size_of::<Box<str>>() + 1);
        size_of_val(self) + places.saturating_add(self.bytes)
    }

    /// Returns a list of the texts, as the engine's accumulator does.
    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let texts = self.texts.iter();
        let array: ArrayRef = match self.data_type {
            DataType::Utf8 => Arc::new(StringArray::from_iter_values(texts)),
            DataType::LargeUtf8 => Arc::new(LargeStringArray::from_iter_values(texts)),
            _ => Arc::new(StringViewArray::from_iter_values(texts)),
        };
        let list = SingleRowListArrayBuilder::new(array);
        Ok(vec![list.build_list_scalar()])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let lists = states.first().and_then(|state| state.as_list_opt::<i32>());
        for list in lists.into_iter().flat_map(|lists| lists.iter()).flatten() {
            self.add(&list);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn arrays() -> [ArrayRef; 3] {
        let texts = vec![Some("a"), None, Some(""), Some("a"), Some("a longer text")];
        [
            Arc::new(StringArray::from(texts.clone())),
            Arc::new(LargeStringArray::from(texts.clone())),
            Arc::new(StringViewArray::from(texts)),
        ]
    }

    #[test]
    fn distinct_texts_are_counted_and_merged() {
        for array in arrays() {
            let new = || DistinctTexts::of_type(array.data_type()).unwrap();
            let (mut one, mut all) = (new(), new());
            one.update_batch(&[Arc::clone(&array)]).unwrap();
            assert_eq!(one.evaluate().unwrap(), ScalarValue::Int64(Some(3)));
            all.update_batch(&[array.slice(0, 2)]).unwrap();
            let state = one.state().unwrap();
            let state = state.first().unwrap().to_array_of_size(2).unwrap();
            all.merge_batch(&[state]).unwrap();
            assert_eq!(all.evaluate().unwrap(), ScalarValue::Int64(Some(3)));
        }
        assert!(DistinctTexts::of_type(&DataType::Int64).is_none());
    }

    #[test]
    fn a_group_without_texts_is_small() {
        let mut none = DistinctTexts::of_type(&DataType::Utf8View).unwrap();
        assert!(none.size() < 256);
        assert_eq!(none.evaluate().unwrap(), ScalarValue::Int64(Some(0)));
        let state = none.state().unwrap();
        let expected = DataType::new_list(DataType::Utf8View, true);
        assert_eq!(state.first().unwrap().data_type(), expected);
    }
}
