//! Walks over syntax trees of `sqlparser`, compiled once.
//!
//! `sqlparser` compiles its walk, some hundred functions, anew for each type of visitor. [`walk`]
//! and [`walk_mut`] hand the visitor to the walk as a `dyn`, so that all visitors share one copy.

use std::ops::ControlFlow;

use sqlparser::ast::{
    Expr, Fetch, JoinConstraint, LimitClause, ObjectName, Query, Select, SelectItem, SetExpr,
    Statement, TableFactor, ValueWithSpan, Values, Visit, VisitMut, Visitor, VisitorMut,
};

/// Visits the nodes of a tree until the visitor breaks.
pub fn walk<V: Visitor>(tree: &(impl Tree + ?Sized), visitor: &mut V) -> ControlFlow<V::Break> {
    let mut adapter = Adapter {
        visitor,
        found: None,
    };
    let _ = tree.walk_with(&mut Shared(&mut adapter));
    match adapter.found {
        Some(found) => ControlFlow::Break(found),
        None => ControlFlow::Continue(()),
    }
}

/// Visits the nodes of a tree, which the visitor may change, until the visitor breaks.
pub fn walk_mut<V: VisitorMut>(
    tree: &mut (impl Tree + ?Sized),
    visitor: &mut V,
) -> ControlFlow<V::Break> {
    let mut adapter = Adapter {
        visitor,
        found: None,
    };
    let _ = tree.walk_mut_with(&mut Exclusive(&mut adapter));
    match adapter.found {
        Some(found) => ControlFlow::Break(found),
        None => ControlFlow::Continue(()),
    }
}

/// Visits the expressions of a tree, each before its operands, until `visit` breaks.
pub fn walk_expressions<B>(
    tree: &(impl Tree + ?Sized),
    visit: impl FnMut(&Expr) -> ControlFlow<B>,
) -> ControlFlow<B> {
    struct Expressions<F>(F);

    impl<B, F: FnMut(&Expr) -> ControlFlow<B>> Visitor for Expressions<F> {
        type Break = B;

        fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<B> {
            (self.0)(expr)
        }
    }

    walk(tree, &mut Expressions(visit))
}

/// Visits the expressions of a tree that are in none of its subqueries, each before its operands,
/// until `visit` breaks.
pub fn walk_own_expressions<B>(
    tree: &(impl Tree + ?Sized),
    visit: impl FnMut(&Expr) -> ControlFlow<B>,
) -> ControlFlow<B> {
    struct OwnExpressions<F> {
        visit: F,
        /// The number of subqueries around the visitor.
        depth: usize,
    }

    impl<B, F: FnMut(&Expr) -> ControlFlow<B>> Visitor for OwnExpressions<F> {
        type Break = B;

        fn pre_visit_query(&mut self, _: &Query) -> ControlFlow<B> {
            self.depth += 1;
            ControlFlow::Continue(())
        }

        fn post_visit_query(&mut self, _: &Query) -> ControlFlow<B> {
            self.depth -= 1;
            ControlFlow::Continue(())
        }

        fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<B> {
            match self.depth {
                0 => (self.visit)(expr),
                _ => ControlFlow::Continue(()),
            }
        }
    }

    walk(tree, &mut OwnExpressions { visit, depth: 0 })
}

/// A part of a syntax tree that can be walked.
pub trait Tree {
    #[doc(hidden)]
    fn walk_with(&self, visitor: &mut Shared<'_>) -> ControlFlow<()>;

    #[doc(hidden)]
    fn walk_mut_with(&mut self, visitor: &mut Exclusive<'_>) -> ControlFlow<()>;
}

macro_rules! trees {
    ($($tree:ty),* $(,)?) => {
        $(impl Tree for $tree {
            fn walk_with(&self, visitor: &mut Shared<'_>) -> ControlFlow<()> {
                Visit::visit(self, visitor)
            }

            fn walk_mut_with(&mut self, visitor: &mut Exclusive<'_>) -> ControlFlow<()> {
                VisitMut::visit(self, visitor)
            }
        })*
    };
}

trees!(
    Expr,
    Fetch,
    JoinConstraint,
    LimitClause,
    Query,
    Select,
    SelectItem,
    SetExpr,
    Statement,
    TableFactor,
    Values,
);

impl<T: Tree> Tree for Vec<T> {
    fn walk_with(&self, visitor: &mut Shared<'_>) -> ControlFlow<()> {
        self.iter().try_for_each(|tree| tree.walk_with(visitor))
    }

    fn walk_mut_with(&mut self, visitor: &mut Exclusive<'_>) -> ControlFlow<()> {
        self.iter_mut()
            .try_for_each(|tree| tree.walk_mut_with(visitor))
    }
}

impl<T: Tree> Tree for Option<T> {
    fn walk_with(&self, visitor: &mut Shared<'_>) -> ControlFlow<()> {
        self.iter().try_for_each(|tree| tree.walk_with(visitor))
    }

    fn walk_mut_with(&mut self, visitor: &mut Exclusive<'_>) -> ControlFlow<()> {
        self.iter_mut()
            .try_for_each(|tree| tree.walk_mut_with(visitor))
    }
}

impl<T: Tree + ?Sized> Tree for Box<T> {
    fn walk_with(&self, visitor: &mut Shared<'_>) -> ControlFlow<()> {
        (**self).walk_with(visitor)
    }

    fn walk_mut_with(&mut self, visitor: &mut Exclusive<'_>) -> ControlFlow<()> {
        (**self).walk_mut_with(visitor)
    }
}

/// A visitor, and what it broke with.
struct Adapter<'v, V, B> {
    visitor: &'v mut V,
    found: Option<B>,
}

impl<V, B> Adapter<'_, V, B> {
    fn keep(&mut self, flow: ControlFlow<B>) -> ControlFlow<()> {
        flow.map_break(|found| self.found = Some(found))
    }
}

macro_rules! erased {
    ($any:ident, $erased:ident, $visitor:ident, $($method:ident: $node:ty),* $(,)?) => {
        trait $any {
            $(fn $method(&mut self, node: $node) -> ControlFlow<()>;)*
        }

        impl<V: $visitor> $any for Adapter<'_, V, V::Break> {
            $(fn $method(&mut self, node: $node) -> ControlFlow<()> {
                let flow = self.visitor.$method(node);
                self.keep(flow)
            })*
        }

        /// The one visitor that `sqlparser`'s walk is compiled for.
        #[doc(hidden)]
        #[allow(missing_debug_implementations)]
        pub struct $erased<'v>(&'v mut dyn $any);

        impl $visitor for $erased<'_> {
            type Break = ();

            $(fn $method(&mut self, node: $node) -> ControlFlow<()> {
                self.0.$method(node)
            })*
        }
    };
}

erased!(
    AnyVisitor,
    Shared,
    Visitor,
    pre_visit_query: &Query,
    post_visit_query: &Query,
    pre_visit_select: &Select,
    post_visit_select: &Select,
    pre_visit_relation: &ObjectName,
    post_visit_relation: &ObjectName,
    pre_visit_table_factor: &TableFactor,
    post_visit_table_factor: &TableFactor,
    pre_visit_expr: &Expr,
    post_visit_expr: &Expr,
    pre_visit_statement: &Statement,
    post_visit_statement: &Statement,
    pre_visit_value: &ValueWithSpan,
    post_visit_value: &ValueWithSpan,
);

erased!(
    AnyVisitorMut,
    Exclusive,
    VisitorMut,
    pre_visit_query: &mut Query,
    post_visit_query: &mut Query,
    pre_visit_select: &mut Select,
    post_visit_select: &mut Select,
    pre_visit_relation: &mut ObjectName,
    post_visit_relation: &mut ObjectName,
    pre_visit_table_factor: &mut TableFactor,
    post_visit_table_factor: &mut TableFactor,
    pre_visit_expr: &mut Expr,
    post_visit_expr: &mut Expr,
    pre_visit_statement: &mut Statement,
    post_visit_statement: &mut Statement,
    pre_visit_value: &mut ValueWithSpan,
    post_visit_value: &mut ValueWithSpan,
);
