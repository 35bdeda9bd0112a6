//! `age` of a transaction id, which is a number like any other once its type is rewritten.

use datafusion::sql::sqlparser::ast::{DataType, Expr, Ident, ObjectName};

use super::{build, folded, parts};
use crate::postgres::functions::TRANSACTION_AGE;

/// The columns of PostgreSQL's catalog with ids of transactions.
const COLUMNS: [&str; 7] = [
    "xmin",
    "xmax",
    "relfrozenxid",
    "datfrozenxid",
    "backend_xid",
    "backend_xmin",
    "catalog_xmin",
];

/// Names the function for transaction ids in a call of `age`, if the argument is one.
pub(super) fn name_age(expr: &mut Expr) {
    let Expr::Function(function) = expr else {
        return;
    };
    let is_age = parts(&function.name).is_some_and(|name| match name.as_slice() {
        [name] => name == "age",
        [schema, name] => schema == "pg_catalog" && name == "age",
        _ => false,
    });
    if !is_age {
        return;
    }
    let args = build::arguments(&function.args).unwrap_or_default();
    if matches!(args.as_slice(), [arg] if is_transaction(arg)) {
        let name = Ident::with_quote('"', TRANSACTION_AGE);
        function.name = ObjectName::from(vec![name]);
    }
}

fn is_transaction(expr: &Expr) -> bool {
    match expr {
        Expr::Nested(inner) => is_transaction(inner),
        Expr::Identifier(column) => COLUMNS.contains(&folded(column).as_str()),
        Expr::CompoundIdentifier(names) => names
            .last()
            .is_some_and(|column| COLUMNS.contains(&folded(column).as_str())),
        Expr::Cast {
            data_type: DataType::Custom(name, _),
            ..
        } => parts(name).is_some_and(|name| name.last().is_some_and(|name| name == "xid")),
        _ => false,
    }
}
