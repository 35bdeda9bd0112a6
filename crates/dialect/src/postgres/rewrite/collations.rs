//! `pg_collation_for` where the statement tells the collation. That of other expressions is the one of
//! their type.
//!
//! ```text
//! pg_collation_for(x COLLATE "C")      '"C"'
//! pg_collation_for('a')                NULL::text
//! ```

use datafusion::sql::sqlparser::ast::{DataType, Expr};

use super::{build, calls, last_part};
use crate::postgres::quote_ident;

/// The collations that exist.
const COLLATIONS: [&str; 4] = ["C", "POSIX", "default", "ucs_basic"];

/// Rewrites a call whose result is written in the statement.
pub(super) fn known(expr: &mut Expr) {
    let Expr::Function(function) = expr else {
        return;
    };
    if last_part(&function.name).is_none_or(|name| name != "pg_collation_for") {
        return;
    }
    let args = build::arguments(&function.args);
    let Some([argument]) = args.as_deref() else {
        return;
    };
    match argument {
        Expr::Collate { collation, .. } => {
            let name = last_part(collation).filter(|name| COLLATIONS.contains(&name.as_str()));
            if let Some(name) = name {
                *expr = build::text(quote_ident(&name));
            }
        }
        // A literal has no type, and so no collation.
        literal if calls::text_of(literal).is_some() => {
            *expr = build::cast(build::null(), DataType::Text);
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use datafusion::sql::sqlparser::ast::SelectItem;

    use super::super::testing::with_select;
    use super::*;

    #[test]
    fn collations_that_are_written_are_known() {
        for (call, expected) in [
            (r#"pg_collation_for(x COLLATE "C")"#, r#"'"C"'"#),
            ("pg_catalog.pg_collation_for('a')", "NULL::TEXT"),
            ("pg_collation_for(x)", "pg_collation_for(x)"),
            (
                r#"pg_collation_for(x COLLATE "de")"#,
                r#"pg_collation_for(x COLLATE "de")"#,
            ),
        ] {
            let rewritten = with_select(&format!("SELECT {call}"), |select| {
                for item in &mut select.projection {
                    if let SelectItem::UnnamedExpr(expr) = item {
                        known(expr);
                    }
                }
            });
            assert_eq!(rewritten, format!("SELECT {expected}"));
        }
    }
}
