//! Regular expressions of patterns of `SIMILAR TO` that are not constants.

use arrow::datatypes::DataType;
use datafusion::error::Result;
use lakegate_error::{Code, Error};

use crate::postgres::similar_pattern::{of_part, one_character, regular};
use crate::postgres::{Cell, PgFunction};

/// Makes the expression that matches a whole text, of a pattern and its escape string.
pub(in crate::postgres) const SIMILAR_PATTERN: &str = "$similar_pattern";

/// Makes the expression that finds the marked part of a text, of a pattern and its escape string.
pub(in crate::postgres) const SIMILAR_PART: &str = "$similar_part";

pub(super) fn functions() -> Vec<PgFunction> {
    let made = |name: &str, make: fn(&str, &str) -> std::result::Result<String, Error>| {
        PgFunction::new(name, 2..=2, DataType::Utf8, move |args| {
            let (pattern, escape) = (text(args, 0)?, text(args, 1)?);
            Ok(Cell::text(make(pattern, escape)?))
        })
        .immutable()
    };
    vec![
        made(SIMILAR_PATTERN, |pattern, escape| {
            Ok(regular(pattern, one_character(escape)?))
        }),
        made(SIMILAR_PART, of_part),
    ]
}

/// Returns the text of an argument.
fn text<'a>(args: &'a [Cell<'static>], place: usize) -> Result<&'a str> {
    let text = args.get(place).and_then(Cell::as_str);
    text.ok_or_else(|| {
        Error::new(Code::TypeMismatch, "a pattern of SIMILAR is a text")
            .with_hint("cast it: x SIMILAR TO p::text")
            .into()
    })
}
