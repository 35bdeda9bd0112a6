//! Arguments with names, such as `silent => true`, in the places of their parameters.

use datafusion::sql::sqlparser::ast::{
    Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Value,
};

use crate::postgres::rewrite::{build, folded};

/// What a parameter is without an argument.
#[derive(Clone, Copy)]
enum Absent {
    Required,
    Text(&'static str),
    Boolean(bool),
}

type Parameters = [(&'static str, Absent)];

const OF_PATHS: &Parameters = &[
    ("target", Absent::Required),
    ("path", Absent::Required),
    ("vars", Absent::Text("{}")),
    ("silent", Absent::Boolean(false)),
];

fn parameters(function: &str) -> Option<&'static Parameters> {
    Some(match function {
        "jsonb_path_exists"
        | "jsonb_path_exists_tz"
        | "jsonb_path_match"
        | "jsonb_path_match_tz"
        | "jsonb_path_query"
        | "jsonb_path_query_array"
        | "jsonb_path_query_array_tz"
        | "jsonb_path_query_first"
        | "jsonb_path_query_first_tz"
        | "jsonb_path_query_tz" => OF_PATHS,
        "jsonb_set" => &[
            ("jsonb_in", Absent::Required),
            ("path", Absent::Required),
            ("replacement", Absent::Required),
            ("create_if_missing", Absent::Boolean(true)),
        ],
        "jsonb_insert" => &[
            ("jsonb_in", Absent::Required),
            ("path", Absent::Required),
            ("replacement", Absent::Required),
            ("insert_after", Absent::Boolean(false)),
        ],
        _ => return None,
    })
}

/// Puts the named arguments of a call into their places. A call that has others stays unchanged.
pub(super) fn place(function: &mut Function, name: &str) {
    let Some(parameters) = parameters(name) else {
        return;
    };
    let FunctionArguments::List(list) = &mut function.args else {
        return;
    };
    let is_named = |argument: &FunctionArg| !matches!(argument, FunctionArg::Unnamed(_));
    if !list.args.iter().any(is_named) {
        return;
    }
    if let Some(arguments) = in_places(&list.args, parameters) {
        let unnamed = |argument| FunctionArg::Unnamed(FunctionArgExpr::Expr(argument));
        list.args = arguments.into_iter().map(unnamed).collect();
    }
}

fn in_places(given: &[FunctionArg], parameters: &Parameters) -> Option<Vec<Expr>> {
    let mut places: Vec<Option<Expr>> = vec![None; parameters.len()];
    for (at, argument) in given.iter().enumerate() {
        let (at, value) = match argument {
            FunctionArg::Unnamed(FunctionArgExpr::Expr(value)) => (at, value),
            FunctionArg::Named {
                name,
                arg: FunctionArgExpr::Expr(value),
                ..
            } => {
                let name = folded(name);
                let at = parameters.iter().position(|(known, _)| *known == name)?;
                (at, value)
            }
            _ => return None,
        };
        let place = places.get_mut(at)?;
        if place.replace(value.clone()).is_some() {
            return None;
        }
    }
    let last = places.iter().rposition(Option::is_some)?;
    let filled = places.into_iter().zip(parameters).take(last + 1);
    filled
        .map(|(place, (_, absent))| {
            place.or_else(|| match absent {
                Absent::Required => None,
                Absent::Text(text) => Some(build::text(*text)),
                Absent::Boolean(value) => Some(Expr::Value(Value::Boolean(*value).into())),
            })
        })
        .collect()
}
