//! Names that are not columns, and fields of rows.
//!
//! ```text
//! current_user, session_user        current_user(), session_user()
//! tableoid, t.tableoid              1259::bigint, where t is pg_class
//! (f(x)).n                          get_field(f(x), 'n')
//! ```

use datafusion::sql::sqlparser::ast::{AccessExpr, DataType, Expr, Ident};
use lakegate_engine::Names;
use lakegate_error::Error;

use super::super::{Rewriter, build, folded, slices};

impl Rewriter<'_> {
    /// Returns what a name without a table stands for; `None` if it is a column.
    pub(super) fn plain_name(&self, ident: &Ident) -> Option<Expr> {
        if ident.quote_style.is_some() {
            return None;
        }
        let name = ident.value.to_lowercase();
        match name.as_str() {
            // Plain names in Trino.
            "session_user" | "current_role" if self.functions == Names::Trino => None,
            "current_schema" | "current_catalog" | "current_user" | "session_user"
            | "current_role" => Some(build::call(&name, vec![])),
            "tableoid" => {
                let relations = &self.scopes.last()?.relations;
                match relations.len() {
                    1 => relations.values().next().copied().map(oid_literal),
                    _ => None,
                }
            }
            _ => None,
        }
    }

    /// Returns the number of the table of `pg_catalog` whose column `tableoid` a name is.
    pub(super) fn qualified_name(&self, idents: &[Ident]) -> Option<Expr> {
        let (column, qualifier) = idents.split_last()?;
        if folded(column) != "tableoid" {
            return None;
        }
        let alias = folded(qualifier.last()?);
        self.scopes
            .iter()
            .rev()
            .find_map(|scope| scope.relations.get(&alias).copied())
            .map(oid_literal)
    }
}

/// Rewrites a field of a row, and slices of arrays of several dimensions, to calls.
///
/// # Errors
///
/// The subscripts are not supported.
pub(super) fn access(expr: &mut Expr) -> Result<(), Error> {
    let Expr::CompoundFieldAccess { root, access_chain } = expr else {
        return Ok(());
    };
    let [AccessExpr::Dot(Expr::Identifier(field))] = access_chain.as_slice() else {
        return slices::rewrite(expr);
    };
    let field = folded(field);
    let field = build::text(unnamed_field(root, &field).unwrap_or(field));
    let root = build::taken(root);
    *expr = build::call("get_field", vec![root, field]);
    Ok(())
}

/// Returns the engine's name for a field of a row that is written out: PostgreSQL counts from `f1`,
/// the engine from `c0`. `None` for other rows and names.
fn unnamed_field(row: &Expr, field: &str) -> Option<String> {
    let is_written_out = match row {
        Expr::Nested(row) => return unnamed_field(row, field),
        Expr::Tuple(_) => true,
        Expr::Function(function) => {
            let name = function.name.to_string().to_lowercase();
            matches!(name.as_str(), "row" | "struct")
        }
        _ => false,
    };
    let place: usize = field.strip_prefix('f')?.parse().ok()?;
    let place = place.checked_sub(1)?;
    is_written_out.then(|| format!("c{place}"))
}

fn oid_literal(oid: i64) -> Expr {
    build::cast(build::integer(oid), DataType::BigInt(None))
}
