//! The builders of JSON for an array of their arguments, which calls with `VARIADIC` are rewritten
//! into.
//!
//! ```text
//! json_build_array(VARIADIC a)     "$json_build_array_of"(a)
//! jsonb_build_object(VARIADIC a)   "$jsonb_build_object_of"(a)
//! ```

use lakegate_error::{Code, Error};

use super::made::{build_array, build_object, twins};
use super::value::{Json, Node, parse};
use super::{Arguments, Cell, Job, JsonFunction, document};

type Answer = Result<Cell<'static>, Error>;

impl Job {
    /// Returns the job of the builder that is called with `VARIADIC`.
    fn of_builder(self) -> Self {
        let name = self.name.trim_start_matches('$').trim_end_matches("_of");
        Self { name, ..self }
    }
}

/// Calls a function with the items of an array, which is a JSON text.
///
/// # Errors
///
/// The argument is not an array, or one of arrays; the function fails.
fn with_items(args: &[Cell<'static>], build: impl FnOnce(&[Node<'_>]) -> Answer) -> Answer {
    let text = document(args);
    let node = parse(&text)?;
    let Json::Array(items) = &node.value else {
        return Err(Error::new(
            Code::TypeMismatch,
            "VARIADIC argument must be an array",
        ));
    };
    // PostgreSQL takes the items of the inner arrays, but not those of values of jsonb.
    if items
        .iter()
        .any(|item| matches!(item.value, Json::Array(_)))
    {
        return Err(Error::not_supported(
            "VARIADIC of an array of arrays is not supported",
        ));
    }
    build(items)
}

fn value(item: &Node<'_>) -> Cell<'static> {
    Cell::text(item.raw.to_owned())
}

/// Returns an item as a key. A list stands for what no key can be.
fn key(item: &Node<'_>) -> Cell<'static> {
    match &item.value {
        Json::Null => Cell::Null,
        Json::String(text) => Cell::text(text.clone()),
        Json::Bool(_) | Json::Number(_) => value(item),
        Json::Array(_) | Json::Object(_) => Cell::List(Vec::new()),
    }
}

fn array_of(job: Job, args: &[Cell<'static>]) -> Answer {
    with_items(args, |items| {
        let values: Vec<Cell<'static>> = items.iter().map(value).collect();
        build_array(job.of_builder(), &values)
    })
}

fn object_of(job: Job, args: &[Cell<'static>]) -> Answer {
    with_items(args, |items| {
        let items = items.iter().enumerate();
        let pairs: Vec<Cell<'static>> = items
            .map(|(place, item)| match place % 2 {
                0 => key(item),
                _ => value(item),
            })
            .collect();
        build_object(job.of_builder(), &pairs)
    })
}

pub(super) fn functions() -> Vec<JsonFunction> {
    let all = [
        twins(
            ["$json_build_array_of", "$jsonb_build_array_of"],
            1..=1,
            Arguments::Values,
            array_of,
        ),
        twins(
            ["$json_build_object_of", "$jsonb_build_object_of"],
            1..=1,
            Arguments::Values,
            object_of,
        ),
    ];
    all.into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn job(binary: bool) -> Job {
        Job {
            name: "$json_build_object_of",
            binary,
            nested: false,
            clock: None,
        }
    }

    #[test]
    fn items_are_arguments() {
        let array = |text: &'static str| [Cell::text(text)];
        for (text, expected) in [
            ("[]", "[]"),
            ("[1,null,\"a\"]", "[1, null, \"a\"]"),
            ("[{\"a\":1}]", "[{\"a\":1}]"),
        ] {
            let made = array_of(job(false), &array(text)).unwrap();
            assert_eq!(made, Cell::text(expected));
        }
        let empty = object_of(job(true), &array("[]")).unwrap();
        assert_eq!(empty, Cell::text("{}"));
        let made = object_of(job(false), &array("[\"b\",1.50,2,\"x\"]")).unwrap();
        assert_eq!(made, Cell::text("{\"b\" : 1.50, \"2\" : \"x\"}"));
    }

    #[test]
    fn what_is_no_list_of_arguments_is_refused() {
        for (text, message) in [
            ("\"{a,b}\"", "VARIADIC argument must be an array"),
            (
                "[[1],[2]]",
                "VARIADIC of an array of arrays is not supported",
            ),
            ("[1]", "argument list must have even number of elements"),
            ("[null,1]", "argument 1 cannot be null"),
            (
                "[{},1]",
                "key value must be scalar, not array, composite, or json",
            ),
        ] {
            let error = object_of(job(false), &[Cell::text(text)]).unwrap_err();
            assert_eq!(error.message(), message);
        }
    }
}
