//! Functions of two texts whose time DataFusion makes the product of their lengths, hours for two long
//! ones: `strpos` compares the part at each place where its first character is
//! (`unicode/strpos.rs` of `datafusion-functions`, 55.2), and trims compare each character with all
//! of a set (`string/common.rs`). Here the time for long texts is the sum of the lengths.
//!
//! Delete this when DataFusion does the same.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Builder, StringBuilder};
use arrow::compute::cast;
use arrow::datatypes::{DataType, FieldRef};
use datafusion::error::Result;
use datafusion::logical_expr::{
    ColumnarValue, Documentation, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl,
    Signature,
};

use super::check;
use super::patterns::{as_texts, value};
use crate::limits::bounded::check_batch;
use crate::plans::expressions;
use crate::plans::scalars::as_the_inner;

/// The functions.
pub(super) const LINEAR: [&str; 4] = ["btrim", "ltrim", "rtrim", "strpos"];

/// Comparisons of one call that are left to DataFusion, some hundredths of a second.
const FEW: usize = 20_000_000;

/// Returns the function within its linear form, or another function as it is.
pub fn linear(inner: Arc<ScalarUDF>) -> Arc<ScalarUDF> {
    match Kind::of(inner.name()) {
        Some(kind) => Arc::new(ScalarUDF::new_from_impl(Linear { inner, kind })),
        None => inner,
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// `strpos(text, part)`
    Place,
    /// `btrim(text, set)` and its like
    Trim { start: bool, end: bool },
}

impl Kind {
    fn of(name: &str) -> Option<Self> {
        let trim = |start, end| Some(Self::Trim { start, end });
        match name {
            "strpos" => Some(Self::Place),
            "btrim" => trim(true, true),
            "ltrim" => trim(true, false),
            "rtrim" => trim(false, true),
            _ => None,
        }
    }
}

#[derive(Debug)]
struct Linear {
    inner: Arc<ScalarUDF>,
    kind: Kind,
}

impl PartialEq for Linear {
    fn eq(&self, other: &Self) -> bool {
        self.inner == other.inner
    }
}

impl Eq for Linear {}

impl Hash for Linear {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.inner.hash(state);
    }
}

impl ScalarUDFImpl for Linear {
    as_the_inner!();

    fn is_strict(&self) -> bool {
        self.inner.is_strict()
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        check()?;
        match self.long(&args)? {
            Some(made) => Ok(made),
            None => self.inner.invoke_with_args(args),
        }
    }
}

impl Linear {
    /// Evaluates a call; `None` if DataFusion does so fast enough.
    fn long(&self, args: &ScalarFunctionArgs) -> Result<Option<ColumnarValue>> {
        let [text, other] = args.args.as_slice() else {
            return Ok(None);
        };
        // It searches many texts for one part in linear time.
        let one_part = matches!(
            (text, other),
            (ColumnarValue::Array(_), ColumnarValue::Scalar(_))
        );
        if self.kind == Kind::Place && one_part {
            return Ok(None);
        }
        let (Some(texts), Some(others)) = (as_texts(text)?, as_texts(other)?) else {
            return Ok(None);
        };
        let constant = expressions::are_constants(&args.args);
        let rows = if constant { 1 } else { args.number_rows };
        let length = |array: &ArrayRef, row: usize| value(array, row).map_or(0, str::len);
        let comparisons = (0..rows).fold(0usize, |all, row| {
            let of_row = length(&texts, row).saturating_mul(length(&others, row));
            all.saturating_add(of_row)
        });
        if comparisons <= FEW {
            return Ok(None);
        }
        let made = match self.kind {
            Kind::Place => places(&texts, &others, rows)?,
            Kind::Trim { start, end } => self.trimmed(&texts, &others, rows, (start, end))?,
        };
        let made = cast(&made, args.return_field.data_type())?;
        expressions::made(made, constant).map(Some)
    }

    fn trimmed(
        &self,
        texts: &ArrayRef,
        sets: &ArrayRef,
        rows: usize,
        (start, end): (bool, bool),
    ) -> Result<ArrayRef> {
        let mut trimmed = StringBuilder::new();
        let mut bytes = 0usize;
        let mut set = Characters::default();
        let mut set_of = None;
        for row in 0..rows {
            check()?;
            let (Some(mut text), Some(characters)) = (value(texts, row), value(sets, row)) else {
                trimmed.append_null();
                continue;
            };
            if set_of != Some(characters) {
                set.take(characters);
                set_of = Some(characters);
            }
            if start {
                text = text.trim_start_matches(|letter: char| set.has(letter));
            }
            if end {
                text = text.trim_end_matches(|letter: char| set.has(letter));
            }
            bytes = bytes.saturating_add(text.len());
            check_batch(self.name(), bytes)?;
            trimmed.append_value(text);
        }
        Ok(Arc::new(trimmed.finish()))
    }
}

/// Returns the place of each part in the text beside it, in characters from 1; 0 for none.
fn places(texts: &ArrayRef, parts: &ArrayRef, rows: usize) -> Result<ArrayRef> {
    let mut places = Int64Builder::with_capacity(rows);
    for row in 0..rows {
        check()?;
        let pair = value(texts, row).zip(value(parts, row));
        places.append_option(pair.map(|(text, part)| {
            let before = text.find(part).and_then(|byte| text.get(..byte));
            let place = before.map_or(0, |before| before.chars().count() + 1);
            i64::try_from(place).unwrap_or(i64::MAX)
        }));
    }
    Ok(Arc::new(places.finish()))
}

/// A set of characters, one bit each.
#[derive(Default)]
struct Characters(Vec<u64>);

impl Characters {
    fn place(letter: char) -> (usize, u64) {
        let number = u32::from(letter);
        let word = usize::try_from(number / u64::BITS).unwrap_or(usize::MAX);
        (word, 1 << (number % u64::BITS))
    }

    /// Replaces the set.
    fn take(&mut self, characters: &str) {
        let (last, _) = Self::place(char::MAX);
        self.0.clear();
        self.0.resize(last + 1, 0);
        for letter in characters.chars() {
            let (word, bit) = Self::place(letter);
            if let Some(word) = self.0.get_mut(word) {
                *word |= bit;
            }
        }
    }

    fn has(&self, letter: char) -> bool {
        let (word, bit) = Self::place(letter);
        self.0.get(word).is_some_and(|word| word & bit != 0)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use datafusion::prelude::SessionContext;

    async fn shown(sql: &str, is_linear: bool) -> String {
        let mut state = SessionContext::new().state();
        if is_linear {
            super::super::stoppable_functions(&mut state).unwrap();
        }
        let context = SessionContext::new_with_state(state);
        let batches = context.sql(sql).await.unwrap().collect().await.unwrap();
        let shown = arrow::util::pretty::pretty_format_batches(&batches).unwrap();
        shown.to_string()
    }

    /// The texts are long enough for the linear form, and short enough for DataFusion.
    #[tokio::test]
    async fn results_are_datafusions() {
        for call in [
            "btrim(repeat('ab', 6000 + {}) || 'éx' || repeat('ba', 6000), repeat('zyé', 600) || 'ab')",
            "ltrim(repeat('aé', 6000 + {}) || 'x', repeat('zy', 1000) || 'éa')",
            "rtrim('x' || repeat('aé', 6000 + {}), repeat('zy', 1000) || 'éa')",
            "btrim(repeat('ab', 6000 + {}), repeat('ab', 1000))",
            "btrim('a' || repeat('b', 6000), CASE WHEN {} > 1 THEN repeat('cb', 2000) END)",
            "strpos(repeat('é', 6000 + {}) || 'ab', repeat('é', 3000) || 'ab')",
            "strpos(repeat('ab', 6000 + {}), repeat('ab', 1000) || 'c')",
            "strpos(repeat('a', 10000), repeat('a', 3000 * {}))",
            "strpos(CASE WHEN {} > 1 THEN repeat('a', 10000) END, repeat('a', 3000 * {}))",
        ] {
            let of_column = call.replace("{}", "CAST(value AS int)");
            for sql in [
                format!("SELECT {of_column} AS made FROM generate_series(1, 3) ORDER BY value"),
                format!("SELECT {} AS made", call.replace("{}", "1")),
            ] {
                assert_eq!(shown(&sql, true).await, shown(&sql, false).await, "{sql}");
            }
        }
    }

    /// It does not end if the time grows by the product of the lengths.
    #[tokio::test]
    async fn long_texts_take_no_hours() {
        for call in [
            "length(btrim(repeat('a', 5000000 + {}), repeat('b', 1000000) || 'a'))",
            "strpos(repeat('a', 5000000 + {}), repeat('a', 1000000 + {}) || 'b')",
            "strpos(repeat('a', 5000000), repeat('a', 1000000 + {}) || 'b')",
        ] {
            let of_column = call.replace("{}", "CAST(value AS int)");
            for sql in [
                format!("SELECT {of_column} AS made FROM generate_series(1, 1)"),
                format!("SELECT {} AS made", call.replace("{}", "1")),
            ] {
                assert!(shown(&sql, true).await.contains("| 0 "), "{sql}");
            }
        }
    }
}
