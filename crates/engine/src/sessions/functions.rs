//! The functions that queries may call, as SHOW FUNCTIONS reports them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::execution::SessionState;
use datafusion::logical_expr::function::WindowUDFFieldArgs;
use datafusion::logical_expr::{
    Documentation, ReturnFieldArgs, Signature, TypeSignature, Volatility,
};
use lakegate_catalog::hive_type::HiveType;

use crate::logic::quantified::{ALL, ANY};
use crate::names::named_cast::NAMED_CAST;
use crate::time::PRECISION_FUNCTION;
use crate::types::untyped_texts::TYPED_TEXT;

/// A function with one list of argument types. A name has as many entries as it has lists.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct FunctionInfo {
    /// Lower case; an alias is a separate function.
    pub name: String,
    /// `scalar`, `aggregate`, `window` or `table`.
    pub kind: &'static str,
    /// Athena's names of the types, or the names of the arguments if the function takes any type.
    pub arguments: String,
    /// Athena's name of the type; `None` if it depends on the arguments.
    pub returns: Option<String>,
    /// Whether the same arguments return the same value.
    pub deterministic: bool,
    pub description: Option<String>,
}

/// Functions that PostgreSQL's syntax is rewritten into and that users do not call by name, beside
/// those whose names begin with `$`.
const INTERNAL: [&str; 5] = [ANY, ALL, PRECISION_FUNCTION, NAMED_CAST, TYPED_TEXT];

/// Returns whether a function, by its name in lower case, is only for rewritten queries: a query that a
/// user writes may not call it.
pub fn is_internal_function(name: &str) -> bool {
    name.starts_with('$') || INTERNAL.contains(&name)
}

/// Returns every function of a session state, by name.
pub(crate) fn functions(state: &SessionState) -> Vec<FunctionInfo> {
    let mut all = BTreeSet::new();
    for (name, function) in state.scalar_functions() {
        if is_internal_function(name) {
            continue;
        }
        let returns = |fields: &[FieldRef]| {
            let field = function.return_field_from_args(ReturnFieldArgs {
                arg_fields: fields,
                scalar_arguments: &vec![None; fields.len()],
            });
            field.ok()
        };
        let (signature, documentation) = (function.signature(), function.documentation());
        all.extend(variants(name, "scalar", signature, documentation, returns));
    }
    for (name, function) in state.aggregate_functions() {
        if is_internal_function(name) {
            continue;
        }
        let returns = |fields: &[FieldRef]| function.return_field(fields).ok();
        let (signature, documentation) = (function.signature(), function.documentation());
        all.extend(variants(
            name,
            "aggregate",
            signature,
            documentation,
            returns,
        ));
    }
    for (name, function) in state.window_functions() {
        if is_internal_function(name) {
            continue;
        }
        let returns =
            |fields: &[FieldRef]| function.field(WindowUDFFieldArgs::new(fields, name)).ok();
        let (signature, documentation) = (function.signature(), function.documentation());
        all.extend(variants(name, "window", signature, documentation, returns));
    }
    for (name, function) in state.higher_order_functions() {
        if is_internal_function(name) {
            continue;
        }
        let documentation = function.documentation();
        all.insert(FunctionInfo {
            name: name.clone(),
            kind: "scalar",
            arguments: argument_names(documentation),
            returns: None,
            deterministic: function.signature().volatility != Volatility::Volatile,
            description: documentation.map(|documentation| one_line(&documentation.description)),
        });
    }
    let tables = state.table_functions().keys();
    let tables = tables.filter(|name| !is_internal_function(name));
    all.extend(tables.map(|name| FunctionInfo {
        name: name.clone(),
        kind: "table",
        arguments: String::new(),
        returns: None,
        deterministic: true,
        description: None,
    }));
    all.into_iter().collect()
}

/// Returns one entry for each list of argument types that the engine reports for a function.
fn variants(
    name: &str,
    kind: &'static str,
    signature: &Signature,
    documentation: Option<&Documentation>,
    returns: impl Fn(&[FieldRef]) -> Option<FieldRef>,
) -> BTreeSet<FunctionInfo> {
    let entry = |arguments: String, returns: Option<String>| FunctionInfo {
        name: name.to_owned(),
        kind,
        arguments,
        returns,
        deterministic: signature.volatility != Volatility::Volatile,
        description: documentation.map(|documentation| one_line(&documentation.description)),
    };
    let returned = |types: &[DataType]| {
        let fields: Vec<FieldRef> = types
            .iter()
            .enumerate()
            .map(|(index, data_type)| {
                Arc::new(Field::new(format!("arg_{index}"), data_type.clone(), true))
            })
            .collect();
        returns(&fields).map(|field| type_name(field.data_type()))
    };
    let examples = signature.type_signature.get_example_types();
    if examples.is_empty() {
        // Without argument types, the result type is only known if there are no arguments.
        let returns = match signature.type_signature {
            TypeSignature::Nullary => returned(&[]),
            _ => None,
        };
        return [entry(argument_names(documentation), returns)].into();
    }
    let and_more = match signature.type_signature {
        TypeSignature::Variadic(_) => ", ...",
        _ => "",
    };
    // The engine's several text types are one type to a user: the first of them is kept.
    let mut signatures = BTreeMap::new();
    for types in &examples {
        let names: Vec<String> = types.iter().map(type_name).collect();
        signatures
            .entry(names.join(", ") + and_more)
            .or_insert_with(|| returned(types));
    }
    signatures
        .into_iter()
        .map(|(arguments, returns)| entry(arguments, returns))
        .collect()
}

fn argument_names(documentation: Option<&Documentation>) -> String {
    let arguments = documentation.and_then(|documentation| documentation.arguments.as_ref());
    let names = arguments
        .into_iter()
        .flatten()
        .map(|(name, _)| name.as_str());
    names.collect::<Vec<_>>().join(", ")
}

/// Returns a description without its line breaks.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Returns a type as Athena's queries write it, without precisions, because a function takes all of
/// them.
pub(crate) fn type_name(data_type: &DataType) -> String {
    match data_type {
        DataType::UInt64 => "bigint".to_owned(),
        DataType::Decimal32(..)
        | DataType::Decimal64(..)
        | DataType::Decimal128(..)
        | DataType::Decimal256(..) => "decimal".to_owned(),
        DataType::Timestamp(_, None) => "timestamp".to_owned(),
        DataType::Timestamp(_, Some(_)) => "timestamp with time zone".to_owned(),
        DataType::Time32(_) | DataType::Time64(_) => "time".to_owned(),
        DataType::Interval(_) | DataType::Duration(_) => "interval".to_owned(),
        DataType::Null => "unknown".to_owned(),
        other => HiveType::from_arrow(other)
            .map_or_else(|_| other.to_string().to_lowercase(), |hive| hive.to_trino()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use datafusion::prelude::SessionContext;

    use super::*;

    #[test]
    fn functions_of_every_kind_are_told_with_their_types() {
        let all = functions(&SessionContext::new().state());
        assert!(all.is_sorted());
        let named = |name: &str| -> Vec<&FunctionInfo> {
            all.iter()
                .filter(|function| function.name == name)
                .collect()
        };
        let ascii = named("ascii");
        assert!(ascii.iter().any(|function| {
            function.arguments == "varchar"
                && function.returns.as_deref() == Some("integer")
                && function.kind == "scalar"
                && function.deterministic
        }));
        assert!(
            named("random")
                .iter()
                .all(|function| !function.deterministic)
        );
        assert_eq!(named("now")[0].kind, "scalar");
        assert!(named("now")[0].deterministic);
        assert!(named("sum").iter().all(|one| one.kind == "aggregate"));
        assert_eq!(named("row_number")[0].kind, "window");
        assert_eq!(named("row_number")[0].returns.as_deref(), Some("bigint"));
        assert!(
            named("generate_series")
                .iter()
                .any(|one| one.kind == "table")
        );
        assert!(all.iter().all(|one| {
            !one.description
                .as_deref()
                .unwrap_or_default()
                .contains('\n')
        }));
    }

    #[test]
    fn functions_that_only_rewriting_calls_are_not_told() {
        let mut state = SessionContext::new().state();
        crate::logic::quantified::register(&mut state).unwrap();
        crate::time::register(&mut state).unwrap();
        crate::names::named_cast::register(&mut state).unwrap();
        crate::types::untyped_texts::register(&mut state).unwrap();
        for name in INTERNAL {
            assert!(state.scalar_functions().contains_key(name), "{name}");
        }
        assert!(
            functions(&state)
                .iter()
                .all(|one| !INTERNAL.contains(&one.name.as_str()))
        );
    }

    #[test]
    fn arguments_of_any_type_are_told_by_name() {
        let all = functions(&SessionContext::new().state());
        let append = all.iter().find(|one| one.name == "array_append").unwrap();
        assert_eq!(append.arguments, "array, element");
    }
}
