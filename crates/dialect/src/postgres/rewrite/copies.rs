//! A bound on expressions that a rewrite writes in several places: if they are nested, each level
//! multiplies those within it, and a short statement becomes a tree that no memory holds.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{Expr, ObjectName, Query, Visitor};
use lakegate_error::{Code, Error};
use lakegate_sql::walk::{Tree, walk};

/// Parts that all copies of an expression may have together.
const MAX_PARTS: usize = 10_000;

/// Literals that count as one part: a list of them is long, and nothing is within it.
const LITERALS: usize = 8;

/// Rows of `(a, b) IN (…)`, or patterns of `LIKE ANY`, each of which is a condition.
const MAX_CONDITIONS: usize = 3_000;

/// Checks that a part of a statement may be written `copies` times.
///
/// # Errors
///
/// The copies have too many parts together.
pub(super) fn check(tree: &(impl Tree + ?Sized), copies: usize) -> Result<(), Error> {
    if copies < 2 {
        return Ok(());
    }
    let mut parts = Parts {
        left: MAX_PARTS * LITERALS / copies,
    };
    match walk(tree, &mut parts) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(()) => Err(Error::new(
            Code::TooComplex,
            format!(
                "an expression has more than {MAX_PARTS} parts when it is written out for each of its uses"
            ),
        )
        .with_hint("compute its operands in a subquery")),
    }
}

/// Checks that so many conditions may be joined to one. The engine nests them as deeply.
///
/// # Errors
///
/// There are too many.
pub(super) fn check_conditions(count: usize) -> Result<(), Error> {
    match count > MAX_CONDITIONS {
        true => Err(Error::new(
            Code::TooComplex,
            format!("a list has more than {MAX_CONDITIONS} rows or patterns"),
        )
        .with_hint("write them as rows of VALUES in FROM, and join them")),
        false => Ok(()),
    }
}

/// Breaks after so many literals, or as many other parts as weigh the same.
struct Parts {
    left: usize,
}

impl Parts {
    fn count(&mut self, literals: usize) -> ControlFlow<()> {
        match self.left.checked_sub(literals) {
            Some(left) => {
                self.left = left;
                ControlFlow::Continue(())
            }
            None => ControlFlow::Break(()),
        }
    }
}

impl Visitor for Parts {
    type Break = ();

    fn pre_visit_query(&mut self, _: &Query) -> ControlFlow<()> {
        self.count(LITERALS)
    }

    fn pre_visit_relation(&mut self, _: &ObjectName) -> ControlFlow<()> {
        self.count(LITERALS)
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        self.count(match expr {
            Expr::Value(_) => 1,
            _ => LITERALS,
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::build;
    use super::*;

    #[test]
    fn copies_have_as_many_parts_as_are_counted() {
        let list = build::array((0..999).map(build::integer).collect());
        assert!(check(&list, 1).is_ok());
        // 999 literals and the array itself.
        assert!(check(&list, 79).is_ok());
        let error = check(&list, 80).unwrap_err();
        assert_eq!(error.code(), Code::TooComplex);
        assert!(check(&list, usize::MAX).is_err());
        assert!(check_conditions(3_000).is_ok());
        assert!(check_conditions(3_001).is_err());
    }
}
