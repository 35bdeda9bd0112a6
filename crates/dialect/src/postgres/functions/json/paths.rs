//! Functions and operators that evaluate a `jsonpath`: jsonb_path_query, jsonb_path_exists, @?, @@.
//! Those whose names end with `_tz` compare times with and without a zone by the session's clock.

use lakegate_error::{Code, Error, from_engine};
use lakegate_functions::{JsonMisfit, JsonPath, JsonPathItems};

use super::{Cell, Form, Job, JsonFunction, Returns, document};

type Answer = Result<Cell<'static>, Error>;

/// Returns the items of a call's path; `None` if the value does not fit the path and the call says
/// that this is not an error.
fn items(job: Job, args: &[Cell<'static>], silent: bool) -> Result<Option<Vec<String>>, Error> {
    let text = |place: usize| args.get(place).and_then(Cell::to_text).unwrap_or_default();
    let path = JsonPath::parse(&text(1)).map_err(from_engine)?;
    let silent = silent || args.get(3).and_then(Cell::as_bool) == Some(true);
    let found = path.find(&document(args), &text(2), job.clock);
    match found.map_err(from_engine)? {
        JsonPathItems::Found(items) => Ok(Some(items)),
        JsonPathItems::Misfit(..) if silent => Ok(None),
        JsonPathItems::Misfit(kind, why) => Err(misfit(kind, why)),
    }
}

fn misfit(kind: JsonMisfit, why: String) -> Error {
    let code = match kind {
        JsonMisfit::Member => Code::JsonMember,
        JsonMisfit::Subscript => Code::JsonSubscript,
        JsonMisfit::Array => Code::JsonArray,
        JsonMisfit::Object => Code::JsonObject,
        JsonMisfit::Argument => Code::JsonArgument,
        JsonMisfit::Datetime => {
            return Error::new(Code::JsonDatetime, why).with_hint(
                "write it as \"2024-02-29\", \"12:34:56\" or \"2024-02-29T12:34:56+01\"",
            );
        }
        JsonMisfit::DatetimeForm => {
            return Error::new(Code::InvalidDatetime, why)
                .with_hint("the text must have the form of the template");
        }
        JsonMisfit::DatetimeRange => return Error::new(Code::DatetimeOutOfRange, why),
        JsonMisfit::Operand => Code::JsonOperand,
        JsonMisfit::Single => Code::JsonSingle,
        JsonMisfit::DivisionByZero => return Error::new(Code::DivisionByZero, why),
        JsonMisfit::Other => {
            return Error::invalid(format!("the value does not fit the JSON path: {why}"));
        }
    };
    Error::new(code, why).with_hint("a path without \"strict\" leaves out what is missing")
}

fn query(job: Job, args: &[Cell<'static>]) -> Answer {
    let items = items(job, args, false)?.unwrap_or_default().into_iter();
    let items = items.map(|item| job.shown(item).map(Cell::text));
    items.collect::<Result<Vec<_>, _>>().map(Cell::List)
}

fn query_array(job: Job, args: &[Cell<'static>]) -> Answer {
    let items = items(job, args, false)?.unwrap_or_default();
    job.shown(format!("[{}]", items.join(","))).map(Cell::text)
}

fn query_first(job: Job, args: &[Cell<'static>]) -> Answer {
    let first = items(job, args, false)?.and_then(|items| items.into_iter().next());
    match first {
        Some(first) => job.shown(first).map(Cell::text),
        None => Ok(Cell::Null),
    }
}

fn exists_unless(job: Job, args: &[Cell<'static>], silent: bool) -> Answer {
    let found = items(job, args, silent)?;
    Ok(found.map_or(Cell::Null, |items| Cell::Bool(!items.is_empty())))
}

fn exists(job: Job, args: &[Cell<'static>]) -> Answer {
    exists_unless(job, args, false)
}

fn exists_silently(job: Job, args: &[Cell<'static>]) -> Answer {
    exists_unless(job, args, true)
}

fn matches_unless(job: Job, args: &[Cell<'static>], silent: bool) -> Answer {
    let silent = silent || args.get(3).and_then(Cell::as_bool) == Some(true);
    let Some(items) = items(job, args, silent)? else {
        return Ok(Cell::Null);
    };
    match items.as_slice() {
        [one] if one == "true" => Ok(Cell::Bool(true)),
        [one] if one == "false" => Ok(Cell::Bool(false)),
        [one] if one == "null" => Ok(Cell::Null),
        _ if silent => Ok(Cell::Null),
        _ => Err(
            Error::new(Code::JsonSingle, "single boolean result is expected")
                .with_hint("the path must be a predicate, such as $.a > 1"),
        ),
    }
}

fn matches(job: Job, args: &[Cell<'static>]) -> Answer {
    matches_unless(job, args, false)
}

fn matches_silently(job: Job, args: &[Cell<'static>]) -> Answer {
    matches_unless(job, args, true)
}

pub(super) fn functions() -> Vec<JsonFunction> {
    let of = |name: &'static str, returns: Returns, body: super::Body| {
        JsonFunction::new(name, 2..=4, Form::Binary, returns, body)
    };
    let operator = |name: &'static str, body: super::Body| {
        JsonFunction::new(name, 2..=2, Form::Binary, Returns::Boolean, body)
    };
    vec![
        of("jsonb_path_query", Returns::Texts, query),
        of("jsonb_path_query_array", Returns::Json, query_array),
        of("jsonb_path_query_first", Returns::Json, query_first),
        of("jsonb_path_exists", Returns::Boolean, exists),
        of("jsonb_path_match", Returns::Boolean, matches),
        of("jsonb_path_query_tz", Returns::Texts, query).in_zone(),
        of("jsonb_path_query_array_tz", Returns::Json, query_array).in_zone(),
        of("jsonb_path_query_first_tz", Returns::Json, query_first).in_zone(),
        of("jsonb_path_exists_tz", Returns::Boolean, exists).in_zone(),
        of("jsonb_path_match_tz", Returns::Boolean, matches).in_zone(),
        operator("jsonb_path_exists_opr", exists_silently),
        operator("jsonb_path_match_opr", matches_silently),
    ]
}
