//! Casts to names of objects where PostgreSQL makes texts of them. Elsewhere they are numbers here.
//!
//! ```text
//! 'DROP TABLE ' || c.oid::regclass      'DROP TABLE ' || c.oid::regclass::text
//! format('%s', c.oid::regclass)         format('%s', c.oid::regclass::text)
//! ```

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, DataType, Expr, FunctionArg, FunctionArgExpr, FunctionArguments,
};

use super::{build, casts, json, last_part};

/// Functions that show their arguments as texts, as they are named after the rewrite of JSON.
const SHOW: &[&str] = &[
    "$json_item",
    "$jsonb_item",
    json::ROW,
    "concat",
    "concat_ws",
    "format",
    "json_build_array",
    "json_build_object",
    "jsonb_build_array",
    "jsonb_build_object",
    "quote_literal",
    "quote_nullable",
    "to_json",
    "to_jsonb",
];

/// Casts such operands and arguments to texts. Their own parts have not been rewritten.
pub(super) fn rewrite(expr: &mut Expr) {
    match expr {
        Expr::BinaryOp {
            left,
            op: BinaryOperator::StringConcat,
            right,
        } if !is_array(left) && !is_array(right) => {
            show(left);
            show(right);
        }
        Expr::Function(function) => {
            let name = last_part(&function.name);
            if name.is_some_and(|name| SHOW.contains(&name.as_str()))
                && let FunctionArguments::List(list) = &mut function.args
            {
                for argument in &mut list.args {
                    if let FunctionArg::Unnamed(FunctionArgExpr::Expr(argument)) = argument {
                        show(argument);
                    }
                }
            }
        }
        _ => {}
    }
}

fn show(expr: &mut Expr) {
    if is_object(expr) {
        *expr = build::cast(build::taken(expr), DataType::Text);
    }
}

fn is_object(expr: &Expr) -> bool {
    match expr {
        Expr::Nested(inner) => is_object(inner),
        Expr::Cast { data_type, .. } => casts::is_object(data_type),
        _ => false,
    }
}

fn is_array(expr: &Expr) -> bool {
    match expr {
        Expr::Nested(inner) => is_array(inner),
        Expr::Array(_) => true,
        Expr::Cast { data_type, .. } => matches!(data_type, DataType::Array(_)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use datafusion::sql::sqlparser::ast::SelectItem;

    use super::super::testing::with_select;
    use super::*;

    #[test]
    fn names_of_objects_beside_texts_are_texts() {
        for (sql, rewritten) in [
            (
                "SELECT 'x' || o::REGCLASS",
                "SELECT 'x' || o::REGCLASS::TEXT",
            ),
            (
                "SELECT format('%s', (o::regtype), n)",
                "SELECT format('%s', (o::regtype)::TEXT, n)",
            ),
            (
                "SELECT ARRAY[1] || o::REGCLASS",
                "SELECT ARRAY[1] || o::REGCLASS",
            ),
            ("SELECT abs(o::REGCLASS)", "SELECT abs(o::REGCLASS)"),
            ("SELECT 'x' || o::INT", "SELECT 'x' || o::INT"),
        ] {
            let text = with_select(sql, |select| {
                if let Some(SelectItem::UnnamedExpr(expr)) = select.projection.first_mut() {
                    rewrite(expr);
                }
            });
            assert_eq!(text, rewritten);
        }
    }
}
