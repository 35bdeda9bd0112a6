//! Functions that return rows.

use datafusion::sql::sqlparser::ast::{AccessExpr, Expr, Ident, SelectItem};
use lakegate_sql::trino::fields_of;

use crate::postgres::rewrite::{build, last_part};

/// Functions that return a row for each part of a value, with the mark of their rows.
pub(in crate::postgres::rewrite) const SETS: &[(&str, Option<&str>)] = &[
    ("json_array_elements", Some("$json_kept")),
    ("json_array_elements_text", None),
    ("json_object_keys", None),
    ("jsonb_array_elements", Some("$jsonb_kept")),
    ("jsonb_array_elements_text", None),
    ("jsonb_object_keys", None),
];

/// Functions that return a row of a key and a value for each member of an object, and the functions of
/// the lists of these.
const ENTRIES: &[(&str, &str)] = &[
    ("json_each", "$json_entries"),
    ("json_each_text", "$json_entries_text"),
    ("jsonb_each", "$jsonb_entries"),
    ("jsonb_each_text", "$jsonb_entries_text"),
];

/// Returns the function of the rows that `json_each` and its like return.
pub(super) fn entries_of(name: &str) -> Option<&'static str> {
    let mut known = ENTRIES.iter();
    known.find_map(|(each, entries)| (*each == name).then_some(*entries))
}

/// Returns the function whose rows are those of such a list.
pub(in crate::postgres::rewrite) fn each_of(name: &str) -> Option<&'static str> {
    let mut known = ENTRIES.iter();
    known.find_map(|(each, entries)| (*entries == name).then_some(*each))
}

/// Returns the columns of `(json_each(x)).*`.
pub(super) fn columns_of_rows(item: &SelectItem) -> Option<[SelectItem; 2]> {
    let SelectItem::UnnamedExpr(expr) = item else {
        return None;
    };
    let [row] = fields_of(expr)? else {
        return None;
    };
    let row = build::argument(row)?;
    let mut called = &row;
    while let Expr::Nested(inner) = called {
        called = inner;
    }
    match called {
        Expr::Function(function) => entries_of(&last_part(&function.name)?)?,
        _ => return None,
    };
    Some(["key", "value"].map(|name| {
        let field = Expr::CompoundFieldAccess {
            root: Box::new(build::nested(called.clone())),
            access_chain: vec![AccessExpr::Dot(Expr::Identifier(Ident::new(name)))],
        };
        build::aliased(field, Ident::new(name))
    }))
}
