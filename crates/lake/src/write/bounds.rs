//! What a table declares of the values of a column, and an array of its type does not know: texts
//! have at most `n` characters, and decimals at most `p` digits, also within lists, maps and structs.
//!
//! ```text
//! varchar(3)      'abc  ' is written as 'abc'; 'abcd' is an error
//! char(3)         'a  ' is written as 'a': spaces at the end belong to no text
//! decimal(4, 2)   100.00 is an error, also in an array of that type, as a client may send it
//! ```

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanBufferBuilder, ListArray, MapArray, StringArray,
    StringViewArray, StructArray,
};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::datatypes::{DataType, Decimal128Type};
use arrow::error::ArrowError;
use lakegate_catalog::hive_type::HiveType;
use lakegate_error::{Code, Error, Result};

use crate::type_name;

/// What the values of a column must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Bound {
    Text(TextBound),
    /// Decimals of at most so many digits.
    Digits(u8),
    /// The parts of a list, map or struct; `None`: any values.
    Inside(Vec<Option<Bound>>),
}

/// The longest text of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TextBound {
    /// In characters.
    most: u32,
    /// Spaces at the end of a text are left out, as those of a `char(n)` belong to none.
    is_char: bool,
}

impl Bound {
    /// `declared`: the type of the column. `None`: its values may be all that arrays of it have.
    pub(super) fn of(declared: &HiveType) -> Option<Self> {
        let text = |most: u32, is_char: bool| Some(Self::Text(TextBound { most, is_char }));
        let parts = match declared {
            HiveType::Varchar(most) => return text(*most, false),
            HiveType::Char(most) => return text(*most, true),
            HiveType::Decimal(precision, _) => return Some(Self::Digits(*precision)),
            other => other.parts(),
        };
        let parts: Vec<Option<Self>> = parts.into_iter().map(Self::of).collect();
        let is_bounded = parts.iter().any(Option::is_some);
        is_bounded.then_some(Self::Inside(parts))
    }

    /// The values as they are written: without the spaces at their ends that are too many. `column`:
    /// its name, for the error.
    ///
    /// # Errors
    /// A value that the type does not have.
    pub(super) fn fit(&self, column: &str, values: &ArrayRef) -> Result<ArrayRef> {
        self.fit_shown(column, values, None)
    }

    /// `shown`: which of the values are in a row; `None`: all. The others stay as they are.
    fn fit_shown(
        &self,
        column: &str,
        values: &ArrayRef,
        shown: Option<&NullBuffer>,
    ) -> Result<ArrayRef> {
        let nulls = values.nulls();
        match (self, values.data_type()) {
            (Self::Text(bound), DataType::Utf8) => {
                let texts = values.as_string::<i32>().iter();
                Ok(match bound.cut_all(column, texts, shown)? {
                    Some(cut) => Arc::new(StringArray::from_iter(cut)),
                    None => Arc::clone(values),
                })
            }
            (Self::Text(bound), DataType::Utf8View) => {
                let texts = values.as_string_view().iter();
                Ok(match bound.cut_all(column, texts, shown)? {
                    Some(cut) => Arc::new(StringViewArray::from_iter(cut)),
                    None => Arc::clone(values),
                })
            }
            (Self::Digits(precision), DataType::Decimal128(..)) => {
                let limit = 10_u128.saturating_pow(u32::from(*precision));
                let decimals = values.as_primitive::<Decimal128Type>();
                let mut decimals = decimals.iter().enumerate();
                let is_large = decimals.any(|(row, value)| {
                    value.is_some_and(|value| value.unsigned_abs() >= limit) && is_shown(shown, row)
                });
                match is_large {
                    true => Err(too_large(column, values.data_type(), *precision)),
                    false => Ok(Arc::clone(values)),
                }
            }
            (Self::Inside(parts), DataType::List(item)) => {
                let list = values.as_list::<i32>();
                let Some(part) = parts.first().and_then(Option::as_ref) else {
                    return Ok(Arc::clone(values));
                };
                let valid = NullBuffer::union(shown, nulls);
                let inner = shown_items(list.offsets(), valid.as_ref(), list.values().len());
                let items = part.fit_shown(column, list.values(), inner.as_ref())?;
                let offsets = list.offsets().clone();
                let made = ListArray::try_new(Arc::clone(item), offsets, items, nulls.cloned());
                Ok(Arc::new(made.map_err(|error| internal(&error))?))
            }
            (Self::Inside(_), DataType::Map(entries, sorted)) => {
                let map = values.as_map();
                let valid = NullBuffer::union(shown, nulls);
                let inner = shown_items(map.offsets(), valid.as_ref(), map.entries().len());
                let pairs: ArrayRef = Arc::new(map.entries().clone());
                let pairs = self.fit_shown(column, &pairs, inner.as_ref())?;
                let (entries, offsets) = (Arc::clone(entries), map.offsets().clone());
                let pairs = pairs.as_struct().clone();
                let made = MapArray::try_new(entries, offsets, pairs, nulls.cloned(), *sorted);
                Ok(Arc::new(made.map_err(|error| internal(&error))?))
            }
            (Self::Inside(parts), DataType::Struct(fields)) => {
                let valid = NullBuffer::union(shown, nulls);
                let columns = values.as_struct().columns().iter().zip(parts);
                let columns = columns.map(|(values, part)| match part {
                    Some(part) => part.fit_shown(column, values, valid.as_ref()),
                    None => Ok(Arc::clone(values)),
                });
                let columns = columns.collect::<Result<Vec<ArrayRef>>>()?;
                let made = StructArray::try_new(fields.clone(), columns, nulls.cloned());
                Ok(Arc::new(made.map_err(|error| internal(&error))?))
            }
            (_, other) => Err(Error::internal(format!(
                "column \"{column}\" has values of type {other}"
            ))),
        }
    }
}

impl TextBound {
    /// The texts as they are written; `None`: as they are.
    ///
    /// # Errors
    /// A text is too long.
    fn cut_all<'a>(
        self,
        column: &str,
        texts: impl Iterator<Item = Option<&'a str>> + Clone,
        shown: Option<&NullBuffer>,
    ) -> Result<Option<Vec<Option<&'a str>>>> {
        // Bytes are no fewer than characters.
        let may_change =
            |text: &str| text.len() > self.most as usize || (self.is_char && text.ends_with(' '));
        if !texts.clone().flatten().any(may_change) {
            return Ok(None);
        }
        let mut is_cut = false;
        let mut kept = Vec::new();
        for (row, text) in texts.enumerate() {
            let fitting = match text.filter(|_| is_shown(shown, row)) {
                Some(text) => Some(self.cut(text).ok_or_else(|| self.error(column, text))?),
                None => text,
            };
            is_cut |= fitting.map(str::len) != text.map(str::len);
            kept.push(fitting);
        }
        Ok(is_cut.then_some(kept))
    }

    /// A text without the spaces at its end that are too many; `None`: it is too long.
    fn cut(self, text: &str) -> Option<&str> {
        let most = self.most as usize;
        let end = match text.len() <= most {
            true => None,
            false => text.char_indices().nth(most).map(|(end, _)| end),
        };
        let (kept, rest) = text.split_at(end.unwrap_or(text.len()));
        let fits = rest.bytes().all(|byte| byte == b' ');
        fits.then(|| match self.is_char {
            true => kept.trim_end_matches(' '),
            false => kept,
        })
    }

    /// The error of a text that is too long, in PostgreSQL's words.
    fn error(self, column: &str, text: &str) -> Error {
        let (most, length) = (self.most, text.chars().count());
        let data_type = match self.is_char {
            true => "character",
            false => "character varying",
        };
        Error::new(
            Code::TextTooLong,
            format!(
                "value too long for type {data_type}({most}): a text of column \"{column}\" has {length} characters"
            ),
        )
    }
}

fn is_shown(shown: Option<&NullBuffer>, row: usize) -> bool {
    shown.is_none_or(|shown| shown.is_valid(row))
}

/// Which of `length` values are in lists that are shown; `None`: all.
fn shown_items(
    offsets: &OffsetBuffer<i32>,
    shown: Option<&NullBuffer>,
    length: usize,
) -> Option<NullBuffer> {
    let place = |offset: &i32| usize::try_from(*offset).unwrap_or_default();
    let (first, last) = (offsets.first().map(place), offsets.last().map(place));
    if shown.is_none() && first == Some(0) && last == Some(length) {
        return None;
    }
    let mut items = BooleanBufferBuilder::new(length);
    for (row, (start, end)) in offsets.iter().zip(offsets.iter().skip(1)).enumerate() {
        if is_shown(shown, row) {
            items.append_n(place(start).saturating_sub(items.len()), false);
            items.append_n(place(end).saturating_sub(items.len()), true);
        }
    }
    items.append_n(length.saturating_sub(items.len()), false);
    Some(NullBuffer::new(items.finish()))
}

fn too_large(column: &str, data_type: &DataType, precision: u8) -> Error {
    Error::new(
        Code::NumericOutOfRange,
        format!(
            "a value of column \"{column}\" is not of type {}: it has more than {precision} digits",
            type_name(data_type)
        ),
    )
}

fn internal(error: &ArrowError) -> Error {
    Error::internal(format!("bounded values do not form a column: {error}"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use arrow::array::{Decimal128Array, ListBuilder, MapBuilder, StringBuilder};
    use arrow::datatypes::Field;

    use super::*;

    fn bound(declared: &str) -> Bound {
        Bound::of(&declared.parse().unwrap()).unwrap()
    }

    fn texts(texts: &[Option<&str>]) -> ArrayRef {
        Arc::new(StringArray::from(texts.to_vec()))
    }

    #[test]
    fn types_without_a_bound_have_none() {
        for declared in ["string", "int", "array<string>", "map<int,struct<a:date>>"] {
            assert_eq!(Bound::of(&declared.parse().unwrap()), None, "{declared}");
        }
        assert_eq!(
            bound("struct<a:int,b:map<string,varchar(2)>>"),
            Bound::Inside(vec![
                None,
                Some(Bound::Inside(vec![
                    None,
                    Some(Bound::Text(TextBound {
                        most: 2,
                        is_char: false
                    }))
                ]))
            ])
        );
    }

    #[test]
    fn characters_are_counted_and_spaces_cut() {
        let given = texts(&[Some("äöü"), Some("äöü  "), Some("a "), Some(""), None]);
        let written = bound("varchar(3)").fit("c", &given).unwrap();
        let expected = texts(&[Some("äöü"), Some("äöü"), Some("a "), Some(""), None]);
        assert_eq!(&written, &expected);
        let written = bound("char(3)").fit("c", &given).unwrap();
        let expected = texts(&[Some("äöü"), Some("äöü"), Some("a"), Some(""), None]);
        assert_eq!(&written, &expected);
        // Views are cut, too.
        let views: ArrayRef = Arc::new(StringViewArray::from(vec![Some("ab    "), None]));
        let written = bound("varchar(2)").fit("c", &views).unwrap();
        let expected: ArrayRef = Arc::new(StringViewArray::from(vec![Some("ab"), None]));
        assert_eq!(&written, &expected);
        // What fits is not copied.
        let fitting = texts(&[Some("äöü"), None]);
        let written = bound("varchar(3)").fit("c", &fitting).unwrap();
        assert!(Arc::ptr_eq(&written, &fitting));
    }

    #[test]
    fn text_that_is_too_long_is_an_error_in_postgresql_words() {
        let given = texts(&[Some("a"), Some("äöüß")]);
        for (declared, named) in [
            ("varchar(3)", "character varying(3)"),
            ("char(3)", "character(3)"),
        ] {
            let error = bound(declared).fit("c", &given).unwrap_err();
            assert_eq!(error.code(), Code::TextTooLong);
            assert_eq!(
                error.message(),
                format!("value too long for type {named}: a text of column \"c\" has 4 characters")
            );
        }
        // A tab is no space.
        let error = bound("varchar(1)").fit("c", &texts(&[Some("a\t")]));
        assert!(error.is_err());
    }

    #[test]
    fn decimals_have_at_most_the_digits_of_their_type() {
        let of = |values: Vec<Option<i128>>| -> ArrayRef {
            let values = Decimal128Array::from(values);
            Arc::new(values.with_precision_and_scale(4, 2).unwrap())
        };
        let bound = bound("decimal(4,2)");
        let fitting = of(vec![Some(9_999), Some(-9_999), None]);
        assert!(bound.fit("c", &fitting).is_ok());
        for wrong in [10_000, -10_000, i128::MAX, i128::MIN] {
            let error = bound.fit("c", &of(vec![None, Some(wrong)])).unwrap_err();
            assert_eq!(error.code(), Code::NumericOutOfRange);
            assert_eq!(
                error.message(),
                "a value of column \"c\" is not of type decimal(4,2): it has more than 4 digits"
            );
        }
    }

    #[test]
    fn values_within_lists_and_maps_are_bounded() {
        let mut lists = ListBuilder::new(StringBuilder::new());
        lists.append_value([Some("ab "), None]);
        lists.append_null();
        lists.append_value([Some("abc")]);
        let lists: ArrayRef = Arc::new(lists.finish());
        let bound_of_lists = bound("array<varchar(2)>");
        assert!(bound_of_lists.fit("c", &lists).is_err());
        // A value of another row than these is no concern of theirs.
        let written = bound_of_lists.fit("c", &lists.slice(0, 2)).unwrap();
        let mut expected = ListBuilder::new(StringBuilder::new());
        expected.append_value([Some("ab"), None]);
        expected.append_null();
        assert_eq!(written.as_list::<i32>(), &expected.finish());

        let mut maps = MapBuilder::new(None, StringBuilder::new(), StringBuilder::new());
        maps.keys().append_value("a long key");
        maps.values().append_value("b   ");
        maps.append(true).unwrap();
        let maps: ArrayRef = Arc::new(maps.finish());
        let written = bound("map<string,varchar(2)>").fit("c", &maps).unwrap();
        let values = written.as_map().values();
        assert_eq!(values.as_string::<i32>().value(0), "b ");
        assert!(bound("map<varchar(2),string>").fit("c", &maps).is_err());
    }

    #[test]
    fn values_below_a_null_are_in_no_row() {
        let field = Arc::new(Field::new("a", DataType::Utf8, true));
        let of = |nulls: Vec<bool>| -> ArrayRef {
            let inner = texts(&[Some("long"), Some("b")]);
            let nulls = Some(NullBuffer::from(nulls));
            Arc::new(StructArray::new(
                vec![Arc::clone(&field)].into(),
                vec![inner],
                nulls,
            ))
        };
        let bound = bound("struct<a:varchar(1)>");
        assert!(bound.fit("c", &of(vec![false, true])).is_ok());
        assert!(bound.fit("c", &of(vec![true, true])).is_err());
    }
}
