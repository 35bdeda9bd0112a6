//! JSON: the type, its casts, and Trino's functions of it.
//!
//! ```text
//! scan.rs       finds and validates values in a text, without building them
//! strings.rs    escapes, and the order of names
//! numbers.rs    numbers as Java writes and reads them
//! canonical.rs  the text of the type json
//! extract.rs    the paths of json_extract
//! sink.rs       JSON to columns of any type      cast.rs  the casts
//! convert.rs    scalars of it
//! source.rs     columns of any type to JSON
//! path/         SQL/JSON paths                   sql/     json_value and its like
//! pg_path.rs    PostgreSQL's paths
//! ```
//!
//! A value of the type json is its canonical text in a column of `Utf8`.

mod arrays;
mod canonical;
mod cast;
mod convert;
mod extract;
pub(crate) mod numbers;
mod path;
mod pg_path;
mod scan;
mod sink;
mod source;
mod sql;
mod strings;
#[cfg(test)]
mod tests;
mod types;

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Int64Array, StringBuilder};
use arrow::datatypes::DataType;
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::TypeSignature;
use lakegate_error::Error;

pub(crate) use self::cast::OF_NAME;
pub(crate) use self::numbers::push_double;
pub use self::path::JsonMisfit;
pub use self::pg_path::{JsonPath, JsonPathItems};
pub(crate) use self::types::{has_json, is_json, is_text, name as type_name};

use self::arrays::{array_contains, array_get, array_length};
use self::canonical::{Members, Writer};
use self::extract::Path;
use self::scan::{Scalar, Scan, Scanner, or_null};
use crate::docs::Page;
use crate::entry::Entry;
use crate::kernel::{Body, Call, Kernel, Returns};
use crate::text::arguments::{Texts, takes, text as varchar};
use crate::work::Work;

const SECTION: &str = "JSON";

static PARSE: Page = Page {
    name: "json_parse",
    section: SECTION,
    syntax: "json_parse(text)",
    sentence: "Returns the JSON value that a text is.",
    example: "json_parse('{ \"b\": [1, 2.50], \"a\": null }')",
    result: "{\"a\":null,\"b\":[1,2.5]}",
};

static FORMAT: Page = Page {
    name: "json_format",
    section: SECTION,
    syntax: "json_format(json)",
    sentence: "Returns the text of a JSON value.",
    example: "json_format(json_parse('[\"a\", 1]'))",
    result: "[\"a\",1]",
};

static EXTRACT: Page = Page {
    name: "json_extract",
    section: SECTION,
    syntax: "json_extract(json, path)",
    sentence: "Returns the JSON value at a path, or NULL if there is none.",
    example: "json_extract('{\"store\": {\"book\": [\"a\", \"b\"]}}', '$.store.book')",
    result: "[\"a\",\"b\"]",
};

static EXTRACT_SCALAR: Page = Page {
    name: "json_extract_scalar",
    section: SECTION,
    syntax: "json_extract_scalar(json, path)",
    sentence: "Returns the boolean, number or string at a path as varchar, or NULL if there is none.",
    example: "json_extract_scalar('{\"store\": {\"book\": [\"a\", \"b\"]}}', '$.store.book[1]')",
    result: "b",
};

static SIZE: Page = Page {
    name: "json_size",
    section: SECTION,
    syntax: "json_size(json, path)",
    sentence: "Counts the members of the object or the elements of the array at a path; a scalar has none.",
    example: "json_size('{\"x\": {\"a\": 1, \"b\": 2}}', '$.x')",
    result: "2",
};

static ARRAY_LENGTH: Page = Page {
    name: "json_array_length",
    section: SECTION,
    syntax: "json_array_length(json)",
    sentence: "Counts the elements of a JSON array; the result is NULL if the value is not an array.",
    example: "json_array_length('[1, 2, 3]')",
    result: "3",
};

static ARRAY_GET: Page = Page {
    name: "json_array_get",
    section: SECTION,
    syntax: "json_array_get(json, index)",
    sentence: "Returns the element of a JSON array at an index from zero, or from the end if it is negative; a string loses its quotes.",
    example: "json_array_get('[\"a\", [3, 9], \"c\"]', 1)",
    result: "[3,9]",
};

static ARRAY_CONTAINS: Page = Page {
    name: "json_array_contains",
    section: SECTION,
    syntax: "json_array_contains(json, value)",
    sentence: "Returns whether a JSON array has a boolean, number or string as an element.",
    example: "json_array_contains('[1, 2, 3]', 2)",
    result: "true",
};

static IS_SCALAR: Page = Page {
    name: "is_json_scalar",
    section: SECTION,
    syntax: "is_json_scalar(json)",
    sentence: "Returns whether a JSON value is a number, a string, true, false or null.",
    example: "is_json_scalar('[1, 2, 3]')",
    result: "false",
};

pub(crate) fn entries() -> Vec<Entry> {
    let text = || vec![TypeSignature::Exact(vec![DataType::Utf8])];
    let with = |types: &[DataType]| -> Vec<TypeSignature> {
        let exact = |second: &DataType| TypeSignature::Exact(vec![DataType::Utf8, second.clone()]);
        types.iter().map(exact).collect()
    };
    // Texts that are read as they are, views too; others become texts first.
    let any_text = || [vec![takes([varchar()])], text()].concat();
    let any_path = || [vec![takes([varchar(), varchar()])], with(&[DataType::Utf8])].concat();
    let json = || Returns::Field(|_| Ok(types::json_field()));
    let returns = |data_type: DataType| Returns::Type(data_type);
    let scalar =
        |page, takes, returns, body: Body| Entry::scalar(Kernel::new(page, takes, returns, body));
    let index = || with(&[DataType::Int64]);
    let values = || {
        with(&[
            DataType::Boolean,
            DataType::Int64,
            DataType::Float64,
            DataType::Utf8,
        ])
    };
    let mut entries = vec![
        scalar(&PARSE, any_text(), json(), parse),
        scalar(&FORMAT, text(), returns(DataType::Utf8), |call| {
            Ok(Arc::clone(&call.columns[0].array))
        }),
        scalar(&EXTRACT, any_path(), json(), extract),
        scalar(
            &EXTRACT_SCALAR,
            any_path(),
            returns(DataType::Utf8),
            extract_scalar,
        ),
        scalar(&SIZE, any_path(), returns(DataType::Int64), size),
        // PostgreSQL's fails for what is not an array.
        scalar(
            &ARRAY_LENGTH,
            text(),
            returns(DataType::Int64),
            array_length,
        )
        .in_trino(),
        scalar(&ARRAY_GET, index(), json(), array_get),
        scalar(
            &ARRAY_CONTAINS,
            values(),
            returns(DataType::Boolean),
            array_contains,
        ),
        scalar(
            &IS_SCALAR,
            any_text(),
            returns(DataType::Boolean),
            is_scalar,
        ),
    ];
    entries.extend(cast::entries());
    entries.extend(sql::entries());
    entries
}

/// The error of a text that is not JSON, where a function does not return NULL for it.
fn not_json(text: &str) -> DataFusionError {
    const SHOWN: usize = 200;
    let mut shown: String = text.chars().take(SHOWN).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    Error::invalid(format!("cannot convert value to JSON: '{shown}'"))
        .with_hint("TRY(...) gives NULL for such texts")
        .into()
}

fn parse(call: &Call<'_>) -> Result<ArrayRef> {
    let texts = Texts::of(call, 0)?;
    let mut writer = Writer::default();
    let mut json = String::new();
    let mut parsed = StringBuilder::new();
    for row in 0..call.rows {
        let Some(text) = texts.get(row) else {
            call.work.builds(0)?;
            parsed.append_null();
            continue;
        };
        call.work.builds(text.len())?;
        json.clear();
        let mut scanner = Scanner::new(text);
        scanner.space();
        writer
            .write(&mut scanner, Members::Sorted, &mut json, &call.work)
            .and_then(|()| scanner.end())
            .map_err(|fault| fault.error(|| not_json(text)))?;
        parsed.append_value(&json);
    }
    Ok(Arc::new(parsed.finish()))
}

/// The paths of a call; the last one is kept.
#[derive(Debug)]
struct Paths {
    texts: Texts,
    last: Option<(String, Path)>,
}

impl Paths {
    fn of(call: &Call<'_>) -> Result<Self> {
        Ok(Self {
            texts: Texts::of(call, 1)?,
            last: None,
        })
    }

    /// Returns a row's path; `None` if it is NULL.
    ///
    /// # Errors
    ///
    /// It is not a path.
    fn get(&mut self, row: usize) -> Result<Option<&Path>> {
        if self.texts.constant && self.last.is_some() {
            return Ok(self.last.as_ref().map(|(_, path)| path));
        }
        let Some(text) = self.texts.get(row) else {
            return Ok(None);
        };
        if self.last.as_ref().is_none_or(|(last, _)| last != text) {
            self.last = Some((text.to_owned(), Path::parse(text)?));
        }
        Ok(self.last.as_ref().map(|(_, path)| path))
    }
}

fn extract(call: &Call<'_>) -> Result<ArrayRef> {
    let (texts, mut paths) = (Texts::of(call, 0)?, Paths::of(call)?);
    let mut writer = Writer::default();
    let mut json = String::new();
    let mut extracted = StringBuilder::new();
    for row in 0..call.rows {
        call.work.builds(0)?;
        let path = paths.get(row)?;
        let (Some(text), Some(path)) = (texts.get(row), path) else {
            extracted.append_null();
            continue;
        };
        json.clear();
        let mut scanner = Scanner::new(text);
        let found = extract::find(&mut scanner, path, &call.work).and_then(|found| {
            if !found {
                return Ok(None);
            }
            let from = scanner.at;
            writer.write(&mut scanner, Members::AsWritten, &mut json, &call.work)?;
            call.work.builds(scanner.at - from)?;
            Ok(Some(()))
        });
        extracted.append_option(or_null(found)?.map(|()| &json));
    }
    Ok(Arc::new(extracted.finish()))
}

fn extract_scalar(call: &Call<'_>) -> Result<ArrayRef> {
    let (texts, mut paths) = (Texts::of(call, 0)?, Paths::of(call)?);
    let mut decoded = String::new();
    let mut extracted = StringBuilder::with_capacity(call.rows, call.rows);
    texts.each(call.rows, |row, text| {
        let (Some(text), Some(path)) = (text, paths.get(row)?) else {
            call.work.step()?;
            extracted.append_null();
            return Ok(());
        };
        let mut scanner = Scanner::new(text);
        let found = extract::find(&mut scanner, path, &call.work);
        let scalar = found.and_then(|found| match found {
            true => scalar_text(&mut scanner, &mut decoded),
            false => Ok(None),
        });
        let scalar = or_null(scalar)?;
        call.work.builds(scalar.map_or(0, str::len))?;
        extracted.append_option(scalar);
        Ok(())
    })?;
    Ok(Arc::new(extracted.finish()))
}

/// Returns the text of the scalar at a place, without quotes; `None` for null and for what is no
/// scalar.
fn scalar_text<'a>(scanner: &mut Scanner<'a>, decoded: &'a mut String) -> Scan<Option<&'a str>> {
    if matches!(scanner.peek(), Some(b'{' | b'[')) {
        return Ok(None);
    }
    Ok(match scanner.scalar()? {
        Scalar::Null => None,
        Scalar::Boolean(true) => Some("true"),
        Scalar::Boolean(false) => Some("false"),
        Scalar::Number(number) => Some(number.text),
        Scalar::String(raw) if !raw.escaped => Some(raw.text),
        Scalar::String(raw) => {
            decoded.clear();
            strings::decode(raw, decoded);
            Some(decoded)
        }
    })
}

fn size(call: &Call<'_>) -> Result<ArrayRef> {
    let (texts, mut paths) = (Texts::of(call, 0)?, Paths::of(call)?);
    let sizes = (0..call.rows).map(|row| -> Result<Option<i64>> {
        call.work.builds(8)?;
        let path = paths.get(row)?;
        let (Some(text), Some(path)) = (texts.get(row), path) else {
            return Ok(None);
        };
        let mut scanner = Scanner::new(text);
        let found = extract::find(&mut scanner, path, &call.work);
        or_null(found.and_then(|found| match found {
            true => sized(&mut scanner, &call.work).map(Some),
            false => Ok(None),
        }))
    });
    Ok(Arc::new(sizes.collect::<Result<Int64Array>>()?))
}

/// Counts the items of the value at a place.
fn sized(scanner: &mut Scanner<'_>, work: &Work) -> Scan<i64> {
    match extract::count(scanner, work)? {
        Some(items) => Ok(i64::try_from(items).unwrap_or(i64::MAX)),
        None => scanner.scalar().map(|_| 0),
    }
}

fn is_scalar(call: &Call<'_>) -> Result<ArrayRef> {
    let texts = Texts::of(call, 0)?;
    let scalars = (0..call.rows).map(|row| -> Result<Option<bool>> {
        call.work.builds(1)?;
        let Some(text) = texts.get(row) else {
            return Ok(None);
        };
        let mut scanner = Scanner::new(text);
        scanner.space();
        let scalar = !matches!(scanner.peek(), Some(b'{' | b'['));
        let valid = scanner.skip(&call.work).and_then(|()| scanner.end());
        valid.map_err(|fault| fault.error(|| not_json(text)))?;
        Ok(Some(scalar))
    });
    Ok(Arc::new(scalars.collect::<Result<BooleanArray>>()?))
}
