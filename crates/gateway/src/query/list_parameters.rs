//! Parameters that are lists: `x = ANY($1)` and `x LIKE ANY ($1)`.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use arrow::datatypes::DataType;
use lakegate_sql::walk::walk_mut;
use sqlparser::ast::{
    self, Expr, FunctionArg, FunctionArgExpr, FunctionArguments, Value, VisitorMut,
};

use crate::query::parameters::open_number;

/// Replaces `x = ANY($1)` by `x = $1`, and `x LIKE ANY ($1)` by `x LIKE $1`, where `$1` has no
/// declared type, so that the engine infers the type of its items. Returns the numbers of these
/// parameters, which are lists.
pub(crate) fn lists_as_items(
    query: &mut ast::Query,
    declared: &[Option<DataType>],
) -> BTreeSet<usize> {
    struct Lists<'a> {
        declared: &'a [Option<DataType>],
        found: BTreeSet<usize>,
    }
    impl VisitorMut for Lists<'_> {
        type Break = ();
        fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
            if let Expr::Like { any, pattern, .. } | Expr::ILike { any, pattern, .. } = expr {
                if let Some(list) = list_of_patterns(*any, pattern)
                    && let Some(number) = open_number(list, self.declared)
                {
                    let item = list.clone();
                    self.found.insert(number);
                    *any = false;
                    **pattern = item;
                }
                return ControlFlow::Continue(());
            }
            let (Expr::AnyOp { right, .. } | Expr::AllOp { right, .. }) = &*expr else {
                return ControlFlow::Continue(());
            };
            let Some(number) = open_number(right, self.declared) else {
                return ControlFlow::Continue(());
            };
            self.found.insert(number);
            let null = Expr::Value(Value::Null.into());
            if let Expr::AnyOp {
                left,
                compare_op,
                right,
                ..
            }
            | Expr::AllOp {
                left,
                compare_op,
                right,
            } = std::mem::replace(expr, null)
            {
                *expr = Expr::BinaryOp {
                    left,
                    op: compare_op,
                    right,
                };
            }
            ControlFlow::Continue(())
        }
    }
    let mut lists = Lists {
        declared,
        found: BTreeSet::new(),
    };
    // The visitor never breaks.
    let _ = walk_mut(query, &mut lists);
    lists.found
}

/// Returns the patterns of `LIKE ANY (…)`, which has a mark, and of `LIKE ALL (…)`, which the parser
/// takes for a call.
fn list_of_patterns(any: bool, pattern: &Expr) -> Option<&Expr> {
    let Expr::Function(call) = pattern else {
        return any.then_some(pattern);
    };
    let name = call.name.to_string().to_lowercase();
    let FunctionArguments::List(list) = &call.args else {
        return None;
    };
    match list.args.as_slice() {
        [FunctionArg::Unnamed(FunctionArgExpr::Expr(patterns))]
            if matches!(name.as_str(), "all" | "some") =>
        {
            Some(patterns)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::query::parameters::list_of;
    use crate::query::testing::query;

    #[test]
    fn parameters_of_any_are_lists_of_what_they_are_compared_with() {
        let mut any =
            query("SELECT a = ANY($2), b > ALL(($3)), c = ANY($4), d = ANY(e) FROM t WHERE f = $1");
        let declared = [None, None, None, Some(DataType::Utf8)];
        assert_eq!(lists_as_items(&mut any, &declared), [2, 3].into());
        assert_eq!(
            any.to_string(),
            "SELECT a = $2, b > ($3), c = ANY($4), d = ANY(e) FROM t WHERE f = $1"
        );
        assert_eq!(
            list_of(&DataType::Utf8View),
            DataType::new_list(DataType::Utf8, true)
        );
    }

    #[test]
    fn patterns_of_like_any_are_lists() {
        let mut any = query(
            "SELECT a LIKE ANY ($1), a NOT ILIKE ALL ($2), a LIKE $3, a LIKE ANY ($4) FROM t",
        );
        let declared = [None, None, None, Some(DataType::Utf8)];
        assert_eq!(lists_as_items(&mut any, &declared), [1, 2].into());
        assert_eq!(
            any.to_string(),
            "SELECT a LIKE ($1), a NOT ILIKE $2, a LIKE $3, a LIKE ANY ($4) FROM t"
        );
    }
}
