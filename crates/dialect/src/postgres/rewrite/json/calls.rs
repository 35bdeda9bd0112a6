//! What operators and functions of JSON become.

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Ident,
    ObjectName,
};

use super::marks::is_list;
use super::sets::{SETS, entries_of};
use crate::postgres::rewrite::build;
use crate::postgres::rewrite::functions::strip_schema;

/// Returns the function that an operator calls.
pub(super) fn function_of(op: &BinaryOperator) -> Option<&'static str> {
    Some(match op {
        BinaryOperator::Arrow => "$json_get",
        BinaryOperator::LongArrow => "$json_get_text",
        BinaryOperator::HashArrow => "$json_get_path",
        BinaryOperator::HashLongArrow => "$json_get_path_text",
        BinaryOperator::HashMinus => "jsonb_delete_path",
        BinaryOperator::Question => "jsonb_exists",
        BinaryOperator::QuestionPipe => "jsonb_exists_any",
        BinaryOperator::QuestionAnd => "jsonb_exists_all",
        BinaryOperator::AtQuestion => "jsonb_path_exists_opr",
        BinaryOperator::AtAt => "jsonb_path_match_opr",
        _ => return None,
    })
}

/// Returns `array_agg` of one argument of an aggregate, which a function may make an item of.
fn gathered(function: &Function, place: usize, item: Option<&str>) -> Option<Expr> {
    let mut call = function.clone();
    call.name = ObjectName::from(vec![Ident::new("array_agg")]);
    let FunctionArguments::List(list) = &mut call.args else {
        return None;
    };
    let argument = build::argument(list.args.get(place)?)?;
    let argument = match item {
        Some(item) => build::call(item, vec![argument]),
        None => argument,
    };
    list.args = vec![FunctionArg::Unnamed(FunctionArgExpr::Expr(argument))];
    Some(Expr::Function(call))
}

/// Returns whether the argument is an array of JSON values, whose items the engine takes for texts.
fn lists_json(function: &Function) -> bool {
    let arguments = build::arguments(&function.args).unwrap_or_default();
    matches!(arguments.as_slice(), [list] if is_list(list))
}

fn arguments_of(function: &Function) -> usize {
    match &function.args {
        FunctionArguments::List(list) => list.args.len(),
        _ => 0,
    }
}

/// Returns the replacement of a call, or `None` if it stays unchanged.
pub(super) fn called(function: &mut Function) -> Option<Expr> {
    let name = strip_schema(&mut function.name)?;
    let lists = |helper: &str, lists: Vec<Option<Expr>>| {
        let lists: Option<Vec<Expr>> = lists.into_iter().collect();
        Some(build::call(helper, lists?))
    };
    match (name.as_str(), arguments_of(function)) {
        ("json_agg", 1) => lists("$json_agg", vec![gathered(function, 0, Some("$json_item"))]),
        ("jsonb_agg", 1) => lists(
            "$jsonb_agg",
            vec![gathered(function, 0, Some("$jsonb_item"))],
        ),
        ("json_object_agg", 2) => lists(
            "$json_object_agg",
            vec![
                gathered(function, 0, None),
                gathered(function, 1, Some("$json_item")),
            ],
        ),
        ("jsonb_object_agg", 2) => lists(
            "$jsonb_object_agg",
            vec![
                gathered(function, 0, None),
                gathered(function, 1, Some("$jsonb_item")),
            ],
        ),
        ("array_to_json" | "to_json" | "to_jsonb", 1) if lists_json(function) => {
            let of_list = match name.as_str() {
                "to_jsonb" => "$jsonb_agg",
                _ => "$json_list",
            };
            let list = build::arguments(&function.args)?;
            Some(build::call(of_list, list))
        }
        (each, 1) if let Some(entries) = entries_of(each) => {
            function.name = ObjectName::from(vec![Ident::with_quote('"', entries)]);
            Some(build::call(
                "unnest",
                vec![Expr::Function(function.clone())],
            ))
        }
        ("jsonb_path_query" | "jsonb_path_query_tz", 2..=4) => {
            let rows = build::call("unnest", vec![Expr::Function(function.clone())]);
            Some(build::call("$jsonb_kept", vec![rows]))
        }
        (set, 1) => {
            let (_, mark) = SETS.iter().find(|(known, _)| *known == set)?;
            let rows = build::call("unnest", vec![Expr::Function(function.clone())]);
            Some(match mark {
                Some(mark) => build::call(mark, vec![rows]),
                None => rows,
            })
        }
        _ => None,
    }
}
