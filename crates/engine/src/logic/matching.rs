//! Patterns of LIKE and regular expressions beside the texts that they are matched with, for `ANY`
//! and `ALL`.

use arrow::array::{Array, ArrayRef, BooleanArray};
use arrow::compute::kernels::comparison::{ilike, like};
use arrow::compute::{cast, not};
use arrow::datatypes::DataType;
use datafusion::error::Result;
use lakegate_error::{Code, Error};

use crate::{limits::stop, text::posix};

/// Texts between two checks whether the query is still wanted.
const PIECE: usize = 1000;

/// Returns whether each text matches the pattern beside it; `None` for an operator of something
/// else.
///
/// # Errors
///
/// Returns an error if the arrays are not of texts, for an invalid pattern, and if the work must
/// stop.
pub(super) fn matched(
    op: &str,
    texts: &ArrayRef,
    patterns: &ArrayRef,
) -> Result<Option<BooleanArray>> {
    let (rest, negated) = match op.strip_prefix('!') {
        Some(rest) => (rest, true),
        None => (op, false),
    };
    let (is_like, any_case) = match rest {
        "~~" => (true, false),
        "~~*" => (true, true),
        "~" => (false, false),
        "~*" => (false, true),
        _ => return Ok(None),
    };
    if !texts.data_type().is_string() || !patterns.data_type().is_string() {
        let message = format!("operator {op} takes texts before ANY or ALL");
        return Err(Error::new(Code::FunctionNotFound, message)
            .with_hint("cast both sides to text")
            .into());
    }
    let found = match is_like {
        true => liked(texts, patterns, any_case)?,
        false => posix::matched(texts, patterns, any_case)?,
    };
    Ok(Some(match negated {
        true => not(&found)?,
        false => found,
    }))
}

fn liked(texts: &ArrayRef, patterns: &ArrayRef, any_case: bool) -> Result<BooleanArray> {
    let texts = cast(texts, &DataType::Utf8)?;
    let patterns = cast(patterns, &DataType::Utf8)?;
    stop::check_patterns(&patterns)?;
    let mut found: Vec<Option<bool>> = Vec::with_capacity(texts.len());
    for start in (0..texts.len()).step_by(PIECE) {
        stop::check()?;
        let rows = PIECE.min(texts.len() - start);
        let (some, beside) = (texts.slice(start, rows), patterns.slice(start, rows));
        let of_these = match any_case {
            true => ilike(&some, &beside)?,
            false => like(&some, &beside)?,
        };
        found.extend(of_these.iter());
    }
    Ok(found.into())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::Arc;

    use arrow::array::{Int64Array, StringArray};

    use super::*;

    fn texts(values: &[Option<&str>]) -> ArrayRef {
        Arc::new(StringArray::from(values.to_vec()))
    }

    #[test]
    fn texts_are_matched_with_the_patterns_beside_them() {
        let values = texts(&[Some("one"), Some("One"), Some("two"), None, Some("x")]);
        let patterns = texts(&[Some("o%"), Some("o%"), Some("o%"), Some("o%"), None]);
        let (yes, no) = (Some(true), Some(false));
        for (op, expected) in [
            ("~~", [yes, no, no, None, None]),
            ("!~~", [no, yes, yes, None, None]),
            ("~~*", [yes, yes, no, None, None]),
            ("!~~*", [no, no, yes, None, None]),
        ] {
            let found = matched(op, &values, &patterns).unwrap().unwrap();
            assert_eq!(found.iter().collect::<Vec<_>>(), expected, "{op}");
        }
        let patterns = texts(&[Some("^o"), Some("^o"), Some("^o"), Some("^o"), None]);
        for (op, expected) in [
            ("~", [yes, no, no, None, None]),
            ("!~", [no, yes, yes, None, None]),
            ("~*", [yes, yes, no, None, None]),
            ("!~*", [no, no, yes, None, None]),
        ] {
            let found = matched(op, &values, &patterns).unwrap().unwrap();
            assert_eq!(found.iter().collect::<Vec<_>>(), expected, "{op}");
        }
        assert!(matched("=", &values, &patterns).unwrap().is_none());
        assert!(matched("!", &values, &patterns).unwrap().is_none());
    }

    #[test]
    fn what_is_no_pattern_is_refused() {
        let numbers: ArrayRef = Arc::new(Int64Array::from(vec![1]));
        let error = matched("~~", &numbers, &texts(&[Some("1")])).unwrap_err();
        assert!(error.to_string().contains("takes texts"), "{error}");
        assert!(matched("~", &texts(&[Some("a")]), &texts(&[Some("(")])).is_err());
        let many = "%".repeat(200);
        assert!(matched("~~", &texts(&[Some("a")]), &texts(&[Some(many.as_str())])).is_err());
    }
}
