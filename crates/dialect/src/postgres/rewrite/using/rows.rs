//! Functions of whole rows: a call such as `row_to_json(t)` gets the row of the columns of `t`. A cast
//! of `t.*`, which cannot be a column, gets a row too, and `(t.*) IS NULL` compares the columns.

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Ident,
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

/// Returns the relation of a row that is a value: `t` of `(t.*)::text` and `(t.*)`.
pub(super) fn starred(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Nested(inner) => starred(inner),
        Expr::QualifiedWildcard(name, _) => last_part(name),
        _ => None,
    }
}

/// Makes the row of the columns of a relation. The last argument: if an outer join may leave it out.
type Made = fn(&[Ident], &[String], Option<&Missing>) -> Option<Expr>;

impl Resolver<'_> {
    /// Replaces the argument of a function of rows that names a relation.
    pub(super) fn whole_row(&mut self, function: &mut Function, scope: Option<&Scope<'_>>) {
        let Some((name, is_relation)) = named_row(function) else {
            return;
        };
        let made: Made = |relation, columns, missing| Some(row(relation, columns, missing));
        let argument = self.row_of(&name, is_relation, scope, made);
        let argument = argument.or_else(|| match is_relation {
            true => None,
            false => hiding_column(&name, scope),
        });
        if let Some(argument) = argument {
            set_argument(function, argument);
        }
    }

    /// Replaces an expression that is the row of a relation, in parentheses or as the operand of a cast.
    pub(super) fn put_row(&mut self, operand: &mut Expr, scope: Option<&Scope<'_>>) {
        let Some(name) = starred(operand) else {
            return;
        };
        if let Some(row) = self.row_of(&name, true, scope, composite) {
            *operand = row;
        }
    }

    /// Replaces a comparison of the row of a relation with NULL by those of its columns.
    pub(super) fn compare_row(&mut self, expr: &mut Expr, scope: Option<&Scope<'_>>) {
        let (operand, made): (&Expr, Made) = match &*expr {
            Expr::IsNull(operand) => (operand.as_ref(), all_null as Made),
            Expr::IsNotNull(operand) => (operand.as_ref(), none_null as Made),
            _ => return,
        };
        let Some(name) = starred(operand) else {
            return;
        };
        if let Some(compared) = self.row_of(&name, true, scope, made) {
            *expr = compared;
        }
    }

    /// Returns the row of the relation that a name means. `is_relation`: the name is not a column.
    fn row_of(
        &mut self,
        name: &str,
        is_relation: bool,
        scope: Option<&Scope<'_>>,
        made: Made,
    ) -> Option<Expr> {
        for scope in std::iter::successors(scope, |scope| scope.outer) {
            let meaning = scope.namespace.meaning(name);
            if matches!(meaning, Meaning::Common { .. } | Meaning::Column(_)) && !is_relation {
                return None;
            }
            // A column of this name comes before a relation.
            let may_be_column = meaning == Meaning::Unknown && !is_relation;
            if may_be_column && !self.known.is_known(scope.select) {
                if has_relation(Some(scope), name) {
                    self.wanted.insert(scope.select);
                }
                return None;
            }
            let Some((relation, columns)) = scope.namespace.relation(name) else {
                continue;
            };
            return match columns {
                Ok(columns) => made(relation, columns, missing::find(scope.missing, name)),
                Err(_) if self.known.is_known(scope.select) => None,
                Err(_) => {
                    self.wanted.insert(scope.select);
                    None
                }
            };
        }
        None
    }
}

/// Returns whether a query or one around it has a relation of this name.
fn has_relation(scope: Option<&Scope<'_>>, name: &str) -> bool {
    let mut scopes = std::iter::successors(scope, |scope| scope.outer);
    scopes.any(|scope| scope.namespace.has_relation(name))
}

/// Returns the column that a name means, with its qualifier, if there is also a relation of the name:
/// nothing takes it for a row then.
fn hiding_column(name: &str, scope: Option<&Scope<'_>>) -> Option<Expr> {
    for scope in std::iter::successors(scope, |scope| scope.outer) {
        match scope.namespace.meaning(name) {
            Meaning::Nothing => {}
            Meaning::Column(Some(relation)) => {
                return has_relation(Some(scope), name).then(|| qualified(relation, name));
            }
            _ => return None,
        }
    }
    None
}

fn all_null(relation: &[Ident], columns: &[String], _: Option<&Missing>) -> Option<Expr> {
    of_each(relation, columns, Expr::IsNull)
}

fn none_null(relation: &[Ident], columns: &[String], _: Option<&Missing>) -> Option<Expr> {
    of_each(relation, columns, Expr::IsNotNull)
}

/// Returns whether a condition holds for all columns. Those of a missing row are NULL, as it is.
fn of_each(relation: &[Ident], columns: &[String], test: fn(Box<Expr>) -> Expr) -> Option<Expr> {
    let tests = columns
        .iter()
        .map(|name| test(Box::new(qualified(relation, name))));
    let all = tests.reduce(|left, right| build::binary(left, BinaryOperator::And, right))?;
    Some(build::nested(all))
}

/// Returns a row as a value of its columns, NULL where it is missing.
fn composite(relation: &[Ident], columns: &[String], missing: Option<&Missing>) -> Option<Expr> {
    if columns.is_empty() {
        return None;
    }
    let column = |name: &str| qualified(relation, name);
    let is_there = missing.and_then(|missing| missing.is_there(columns, column));
    let fields = columns
        .iter()
        .flat_map(|name| [build::text(name.clone()), column(name)]);
    let row = build::call("named_struct", fields.collect());
    match is_there {
        Some(is_there) => build::case(vec![(is_there, row)], build::null()).ok(),
        None => Some(row),
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
