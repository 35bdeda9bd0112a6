//! `information_schema._pg_expandarray` in FROM, which pgjdbc and Hibernate read indexes with.

use datafusion::sql::sqlparser::ast::{Ident, TableAlias, TableAliasColumnDef};

use super::Call;

/// Returns the call, as one of `unnest` with numbers if it is one of `_pg_expandarray`, whose columns
/// are the items, `x`, and their numbers, `n`.
pub(super) fn call(call: Call) -> Call {
    if call.name != "pg_expandarray" || call.args.len() != 1 || call.ordinality {
        return call;
    }
    let mut alias = call.alias.unwrap_or_else(|| TableAlias {
        explicit: true,
        name: Ident::new("_pg_expandarray"),
        columns: vec![],
        at: None,
    });
    let given = alias.columns.len();
    let own = ["x", "n"].map(|name| TableAliasColumnDef {
        name: Ident::new(name),
        data_type: None,
    });
    alias.columns.extend(own.into_iter().skip(given));
    Call {
        name: "unnest".to_owned(),
        args: call.args,
        ordinality: true,
        alias: Some(alias),
    }
}
