//! The casts from and to json, which rewrites of `CAST` and `TRY_CAST` call.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanBuilder, StringBuilder};
use arrow::compute::nullif;
use arrow::datatypes::{DataType, FieldRef};
use datafusion::error::Result;
use datafusion::logical_expr::TypeSignature;
use lakegate_error::Error;

use super::canonical::Writer;
use super::convert::{Failure, cast_error};
use super::scan::{Scanner, too_deep};
use super::sink::{Context, Sink};
use super::source::{self, Source};
use super::types;
use crate::docs::Page;
use crate::entry::Entry;
use crate::kernel::{Body, Call, Kernel, Returns};

static CAST: Page = Page {
    name: "$json_cast",
    section: "Conversion",
    syntax: "$json_cast(json, type)",
    sentence: "Casts a JSON value to the type of the second argument.",
    example: "\"$json_cast\"(json_parse('[1, 2]'), CAST(NULL AS ARRAY(BIGINT)))",
    result: "[1, 2]",
};

static TRY_CAST: Page = Page {
    name: "$try_json_cast",
    section: "Conversion",
    syntax: "$try_json_cast(json, type)",
    sentence: "Casts a JSON value to the type of the second argument, or to NULL if it does not fit.",
    example: "\"$try_json_cast\"(json_parse('\"x\"'), CAST(NULL AS BIGINT))",
    result: "NULL",
};

/// Makes a JSON value of any value.
pub(crate) const OF_NAME: &str = "$json_of";

static OF: Page = Page {
    name: OF_NAME,
    section: "Conversion",
    syntax: "$json_of(value)",
    sentence: "Casts a value to json.",
    example: "\"$json_of\"(ARRAY[1, NULL])",
    result: "[1,null]",
};

pub(super) fn entries() -> Vec<Entry> {
    let cast = |page, body: Body| {
        let returns = Returns::Field(target);
        Kernel::new(page, vec![TypeSignature::Any(2)], returns, body)
    };
    vec![
        Entry::scalar(cast(&CAST, |call| from_json(call, false))).unlisted(),
        Entry::scalar(cast(&TRY_CAST, |call| from_json(call, true))).unlisted(),
        Entry::scalar(Kernel::new(
            &OF,
            vec![TypeSignature::Any(1)],
            Returns::Field(|fields| match fields {
                [field] => {
                    source::check(field)?;
                    Ok(types::json_field())
                }
                _ => Err(Error::invalid("a cast to json takes a value").into()),
            }),
            to_json,
        ))
        .unlisted(),
    ]
}

/// The field of a cast's result.
fn target(fields: &[FieldRef]) -> Result<FieldRef> {
    match fields {
        [json, target] => {
            let json = json.data_type();
            if !types::is_text(json) && json != &DataType::Null {
                return Err(Error::invalid("a cast from json takes a JSON value").into());
            }
            Sink::of(target)?;
            Ok(Arc::new(target.as_ref().clone().with_nullable(true)))
        }
        _ => Err(Error::invalid("a cast from json takes a JSON value and a type").into()),
    }
}

/// `attempt`: what cannot be cast becomes NULL.
fn from_json(call: &Call<'_>, attempt: bool) -> Result<ArrayRef> {
    let json = types::as_texts(&call.columns[0])?;
    let (texts, target) = (json.texts(), &call.fields[1]);
    let mut sink = Sink::of(target)?;
    let mut failed: Option<BooleanBuilder> = None;
    let mut context = Context {
        work: &call.work,
        scratch: String::new(),
        writer: Writer::default(),
    };
    for row in 0..call.rows {
        call.work.builds(sink.width)?;
        let Some(text) = texts.get(row) else {
            sink.append_null();
            continue;
        };
        let mut scanner = Scanner::new(text);
        scanner.space();
        let cast = sink.append(&mut scanner, &mut context);
        match cast.and_then(|()| Ok(scanner.end()?)) {
            Ok(()) => (),
            Err(Failure::Fault(fault)) => return Err(fault.error(too_deep)),
            Err(Failure::Value(_)) if attempt => {
                sink.fill(row + 1);
                let failed = failed.get_or_insert_default();
                failed.append_n(row.saturating_sub(len(failed)), false);
                failed.append_value(true);
            }
            Err(Failure::Value(why)) => return Err(cast_error(text, target, why.as_deref())),
        }
    }
    let array = sink.finish()?;
    Ok(match failed {
        None => array,
        Some(mut failed) => {
            failed.append_n(call.rows.saturating_sub(len(&failed)), false);
            nullif(&array, &failed.finish())?
        }
    })
}

fn len(builder: &BooleanBuilder) -> usize {
    use arrow::array::ArrayBuilder;
    builder.len()
}

fn to_json(call: &Call<'_>) -> Result<ArrayRef> {
    let column = &call.columns[0];
    let source = Source::of(&column.array, &call.fields[0])?;
    let mut json = String::new();
    let mut texts = StringBuilder::new();
    for row in 0..call.rows {
        let index = column.at(row);
        if source.is_null(index) {
            call.work.builds(0)?;
            texts.append_null();
            continue;
        }
        json.clear();
        source.write(index, &mut json, &call.work)?;
        texts.append_value(&json);
    }
    Ok(Arc::new(texts.finish()))
}
