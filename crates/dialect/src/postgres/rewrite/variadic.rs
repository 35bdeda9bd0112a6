//! Calls with `VARIADIC`, whose last argument is an array of arguments.
//!
//! ```text
//! concat(VARIADIC a)             array_to_string(a, '')
//! concat_ws(s, VARIADIC a)       array_to_string(a, s)
//! format(t, VARIADIC a)          "$format_of"(t, a)
//! num_nulls(VARIADIC a)          "$num_nulls_of"(a)
//! json_build_array(VARIADIC a)   "$json_build_array_of"(a)
//! jsonb_extract_path(j, VARIADIC a)   "$json_get_path"(j, a), as j #> a
//! ```

use datafusion::sql::sqlparser::ast::{Expr, FunctionArg, FunctionArgExpr, FunctionArguments};
use lakegate_error::Error;
use lakegate_sql::VARIADIC;

use super::{build, calls};

/// Returns the replacement of a call with `VARIADIC`; `None` for any other call.
///
/// # Errors
///
/// The function is none of those that take it.
pub(super) fn rewrite(name: &str, args: &FunctionArguments) -> Result<Option<Expr>, Error> {
    let FunctionArguments::List(list) = args else {
        return Ok(None);
    };
    let Some(array) = list.args.last().and_then(array_of) else {
        return Ok(None);
    };
    let before = list.args.iter().rev().skip(1).rev();
    let before: Option<Vec<Expr>> = before.map(build::argument).collect();
    let (function, args) = match (name, before.as_deref()) {
        ("concat", Some([])) => ("array_to_string", vec![array, build::text("")]),
        ("concat_ws", Some([separator])) => ("array_to_string", vec![array, separator.clone()]),
        ("num_nulls", Some([])) => ("$num_nulls_of", vec![array]),
        ("num_nonnulls", Some([])) => ("$num_nonnulls_of", vec![array]),
        ("json_build_array", Some([])) => ("$json_build_array_of", vec![array]),
        ("json_build_object", Some([])) => ("$json_build_object_of", vec![array]),
        ("jsonb_build_array", Some([])) => ("$jsonb_build_array_of", vec![array]),
        ("jsonb_build_object", Some([])) => ("$jsonb_build_object_of", vec![array]),
        ("format", Some([template])) => ("$format_of", vec![template.clone(), array]),
        ("json_extract_path", Some([json])) => {
            ("$json_get_path", vec![typed(json, "$json_in"), array])
        }
        ("jsonb_extract_path", Some([json])) => {
            ("$json_get_path", vec![typed(json, "$jsonb_in"), array])
        }
        ("json_extract_path_text", Some([json])) => {
            ("$json_get_path_text", vec![typed(json, "$json_in"), array])
        }
        ("jsonb_extract_path_text", Some([json])) => {
            ("$json_get_path_text", vec![typed(json, "$jsonb_in"), array])
        }
        _ => {
            let message = format!("VARIADIC is not supported in this call of {name}");
            return Err(Error::not_supported(message).with_hint("write the arguments one by one"));
        }
    };
    Ok(Some(build::call(function, args)))
}

/// Returns a text literal as what a function reads of it.
fn typed(json: &Expr, read: &str) -> Expr {
    match calls::text_of(json) {
        Some(_) => build::call(read, vec![json.clone()]),
        None => json.clone(),
    }
}

/// Returns the array of an argument with `VARIADIC`.
fn array_of(argument: &FunctionArg) -> Option<Expr> {
    let FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Function(function))) = argument else {
        return None;
    };
    let [name] = function.name.0.as_slice() else {
        return None;
    };
    if name.as_ident()?.value != VARIADIC {
        return None;
    }
    build::arguments(&function.args)?.pop()
}
