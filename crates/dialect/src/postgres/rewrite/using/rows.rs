//! Functions of whole rows: a call such as `row_to_json(t)` gets the row of the columns of `t`.

use datafusion::sql::sqlparser::ast::{
    Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Ident,
};

use super::super::missing::{self, Missing};
use super::super::{build, folded, json, last_part};
use super::namespace::{Meaning, qualified};
use super::{Resolver, Scope};

/// Returns the name that is the only argument of a function of rows, and whether it is `t.*`, which
/// cannot be a column.
pub(super) fn named_row(function: &Function) -> Option<(String, bool)> {
    let name = last_part(&function.name)?;
    if !json::OF_ROWS.contains(&name.as_str()) {
        return None;
    }
    let FunctionArguments::List(list) = &function.args else {
        return None;
    };
    let [FunctionArg::Unnamed(argument)] = list.args.as_slice() else {
        return None;
    };
    match argument {
        FunctionArgExpr::Expr(Expr::Identifier(name)) => Some((folded(name), false)),
        FunctionArgExpr::QualifiedWildcard(name) => Some((last_part(name)?, true)),
        _ => None,
    }
}

impl Resolver<'_> {
    /// Replaces the argument of a function of rows that names a relation.
    pub(super) fn whole_row(&mut self, function: &mut Function, scope: Option<&Scope<'_>>) {
        let Some((name, is_relation)) = named_row(function) else {
            return;
        };
        for scope in std::iter::successors(scope, |scope| scope.outer) {
            let is_column = matches!(
                scope.namespace.meaning(&name),
                Meaning::Common { .. } | Meaning::Column(_)
            );
            if is_column && !is_relation {
                return;
            }
            let Some((relation, columns)) = scope.namespace.relation(&name) else {
                continue;
            };
            match columns {
                Ok(columns) => {
                    let missing = missing::find(scope.missing, &name);
                    set_argument(function, row(relation, columns, missing));
                }
                Err(_) if self.known.is_known(scope.select) => {}
                Err(_) => {
                    self.wanted.insert(scope.select);
                }
            }
            return;
        }
    }
}

/// Returns a row. `missing`: if an outer join may leave it out.
fn row(relation: &[Ident], columns: &[String], missing: Option<&Missing>) -> Expr {
    let column = |name: &str| qualified(relation, name);
    let is_there = missing.and_then(|missing| missing.is_there(columns, column));
    let fields = columns
        .iter()
        .flat_map(|name| [build::text(name.clone()), column(name)]);
    build::call(json::ROW, fields.chain(is_there).collect())
}

fn set_argument(function: &mut Function, row: Expr) {
    if let FunctionArguments::List(list) = &mut function.args {
        list.args = vec![FunctionArg::Unnamed(FunctionArgExpr::Expr(row))];
    }
}
