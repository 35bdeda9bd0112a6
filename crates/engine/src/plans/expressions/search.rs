//! A search in an expression. Most rules begin with one, and most find nothing.

use datafusion::common::tree_node::TreeNode;
use datafusion::error::Result;
use datafusion::logical_expr::Expr;

use super::until;

/// How deep parts are searched here. DataFusion's walk is for the others: it looks at each part
/// whether the stack is large enough.
const DEPTH: usize = 64;

/// Returns whether an expression or a part of it is selected. Subqueries are not looked into.
///
/// # Errors
///
/// Returns the error of `is`.
pub(super) fn exists(expr: &Expr, is: &mut impl FnMut(&Expr) -> Result<bool>) -> Result<bool> {
    within(expr, DEPTH, is)
}

fn within(expr: &Expr, depth: usize, is: &mut impl FnMut(&Expr) -> Result<bool>) -> Result<bool> {
    if is(expr)? {
        return Ok(true);
    }
    let mut found = false;
    let Some(depth) = depth.checked_sub(1) else {
        expr.apply_children(|part| {
            found = part.exists(&mut *is)?;
            Ok(until(found))
        })?;
        return Ok(found);
    };
    match expr {
        Expr::Column(_) | Expr::Literal(..) => Ok(false),
        Expr::Alias(alias) => within(&alias.expr, depth, is),
        Expr::Cast(cast) => within(&cast.expr, depth, is),
        Expr::TryCast(cast) => within(&cast.expr, depth, is),
        Expr::Not(of) | Expr::IsNull(of) | Expr::IsNotNull(of) => within(of, depth, is),
        Expr::BinaryExpr(binary) => {
            Ok(within(&binary.left, depth, is)? || within(&binary.right, depth, is)?)
        }
        Expr::Between(between) => Ok(within(&between.expr, depth, is)?
            || within(&between.low, depth, is)?
            || within(&between.high, depth, is)?),
        Expr::ScalarFunction(call) => any_of(&call.args, depth, is),
        Expr::InList(list) => Ok(within(&list.expr, depth, is)? || any_of(&list.list, depth, is)?),
        other => {
            other.apply_children(|part| {
                found = within(part, depth, is)?;
                Ok(until(found))
            })?;
            Ok(found)
        }
    }
}

fn any_of(list: &[Expr], depth: usize, is: &mut impl FnMut(&Expr) -> Result<bool>) -> Result<bool> {
    for part in list {
        if within(part, depth, is)? {
            return Ok(true);
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use arrow::datatypes::DataType;
    use datafusion::functions::expr_fn::{coalesce, lower};
    use datafusion::functions_aggregate::expr_fn::sum;
    use datafusion::logical_expr::{cast, col, lit, try_cast, when};

    use super::*;

    #[test]
    fn all_parts_are_looked_at_once() {
        let value = || col("a") + lit(1_i64);
        let deep = (0..200).fold(value(), |all, _| !(all * lit(2_i64)).is_null());
        let flat = (0..200_i64).fold(value(), |all, added| all + lit(added));
        for expr in [
            value(),
            value().alias("x"),
            cast(value(), DataType::Utf8),
            try_cast(value(), DataType::Utf8),
            lower(cast(value(), DataType::Utf8)).like(lit("x%")),
            coalesce(vec![value(), lit(2_i64), col("b")]),
            value().between(lit(1_i64), col("c")),
            value().in_list(vec![lit(1_i64), value()], true),
            when(value().is_not_null(), value())
                .otherwise(col("d"))
                .unwrap(),
            sum(value()),
            -value(),
            deep,
            flat,
        ] {
            let (mut here, mut there) = (Vec::new(), Vec::new());
            let found = exists(&expr, &mut |part: &Expr| {
                here.push(part.clone());
                Ok(false)
            });
            assert!(!found.unwrap());
            let found = expr.exists(|part| {
                there.push(part.clone());
                Ok(false)
            });
            assert!(!found.unwrap());
            assert_eq!(here, there);
            for part in there {
                assert!(exists(&expr, &mut |other: &Expr| Ok(*other == part)).unwrap());
            }
        }
    }
}
