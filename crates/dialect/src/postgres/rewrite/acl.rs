//! `aclexplode(acl)`: a row for each privilege of an access list.

use datafusion::sql::sqlparser::ast::Expr;

use super::{build, last_part};

/// The columns, and the functions that return the list of each column's values.
pub(super) const COLUMNS: [(&str, &str); 4] = [
    ("grantor", "$acl_grantor"),
    ("grantee", "$acl_grantee"),
    ("privilege_type", "$acl_privilege"),
    ("is_grantable", "$acl_is_grantable"),
];

/// Returns the access list of a call, from the first column of what [`exploded`] has made of it.
pub(super) fn of_first(column: &Expr) -> Option<Expr> {
    let Expr::Function(unnest) = column else {
        return None;
    };
    let args = build::arguments(&unnest.args)?;
    let [Expr::Function(list)] = args.as_slice() else {
        return None;
    };
    let (_, of_first) = COLUMNS[0];
    match last_part(&list.name)? == of_first {
        true => build::arguments(&list.args)?.into_iter().next(),
        false => None,
    }
}

/// Returns the rows of a call in an expression, each as one value.
pub(super) fn exploded(acl: &Expr) -> Expr {
    let members = COLUMNS.into_iter().flat_map(|(name, function)| {
        let list = build::call(function, vec![acl.clone()]);
        [build::text(name), build::call("unnest", vec![list])]
    });
    build::call("named_struct", members.collect())
}
