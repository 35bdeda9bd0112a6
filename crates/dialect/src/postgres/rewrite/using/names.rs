//! The names in expressions: which of them are common columns, and what is put in their place.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{Expr, Ident, Query, VisitorMut};
use lakegate_error::{Code, Error};

use super::super::{build, folded};
use super::namespace::{Meaning, qualified};
use super::{Resolver, Scope};

impl Resolver<'_> {
    /// Returns the replacement of a name without a table, if the name is a common column or a
    /// column of an enclosing scope.
    fn value(&mut self, name: &str, scope: Option<&Scope<'_>>) -> Result<Option<Expr>, Error> {
        let mut between: Vec<&Scope<'_>> = Vec::new();
        let mut scopes = std::iter::successors(scope, |scope| scope.outer);
        let value = loop {
            let Some(scope) = scopes.next() else {
                return Ok(None);
            };
            match scope.namespace.meaning(name) {
                Meaning::Common { value, is_sure } => {
                    if !is_sure && !self.known.is_known(scope.select) {
                        self.wanted.insert(scope.select);
                    }
                    break value;
                }
                // The engine looks at the tables around a subquery before those that LATERAL can
                // see.
                Meaning::Column(Some(relation)) if !between.is_empty() => {
                    let is_sure = |scope: &&Scope<'_>| {
                        let is_nothing = scope.namespace.meaning(name) == Meaning::Nothing;
                        let hides = relation.last().map(folded);
                        is_nothing && hides.is_some_and(|it| !scope.namespace.has_relation(&it))
                    };
                    let column = || qualified(relation, name);
                    return Ok(between.iter().all(is_sure).then(column));
                }
                Meaning::Column(_) => return Ok(None),
                // The scope is already looked up, so its columns stay unknown: the name is left to
                // the engine.
                Meaning::Unknown if self.known.is_known(scope.select) => return Ok(None),
                Meaning::Unknown | Meaning::Nothing => between.push(scope),
            }
        };
        for scope in &between {
            if scope.namespace.meaning(name) == Meaning::Unknown {
                self.wanted.insert(scope.select);
            }
        }
        check_hidden(name, value, &between)?;
        Ok(Some(value.clone()))
    }
}

/// Returns the value of `alias.column`, if common columns have this alias.
///
/// # Errors
///
/// They do not have the column, or a subquery hides the table of its value.
fn of_alias(parts: &[Ident], scope: Option<&Scope<'_>>) -> Result<Option<Expr>, Error> {
    let [relation, column] = parts else {
        return Ok(None);
    };
    let (relation, column) = (folded(relation), folded(column));
    let mut between: Vec<&Scope<'_>> = Vec::new();
    for scope in std::iter::successors(scope, |scope| scope.outer) {
        if scope.namespace.has_relation(&relation) {
            return Ok(None);
        }
        let Some(columns) = scope.namespace.alias(&relation) else {
            between.push(scope);
            continue;
        };
        let Some((_, value)) = columns.iter().find(|(name, _)| *name == column) else {
            return Err(Error::new(
                Code::ColumnNotFound,
                format!("column {relation}.{column} does not exist"),
            ));
        };
        check_hidden(&column, value, &between)?;
        return Ok(Some(value.clone()));
    }
    Ok(None)
}

/// Checks that no scope between a common column and its use hides a table of the column's value.
///
/// # Errors
///
/// A scope has a table of the same name.
fn check_hidden(name: &str, value: &Expr, between: &[&Scope<'_>]) -> Result<(), Error> {
    for scope in between {
        for relation in relations_of(value) {
            if scope.namespace.has_relation(&relation) {
                return Err(Error::not_supported(format!(
                    "the common column \"{name}\" of table \"{relation}\" is not supported in a subquery that has a table of this name"
                ))
                .with_hint("give one of the tables another name"));
            }
        }
    }
    Ok(())
}

/// Visits the expressions of a part of a SELECT. Subqueries are left to the resolver.
pub(super) struct Names<'a, 'b> {
    pub resolver: &'a mut Resolver<'b>,
    pub scope: Option<&'a Scope<'a>>,
    /// The number of queries around the visitor.
    pub queries: usize,
}

impl VisitorMut for Names<'_, '_> {
    type Break = Error;

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<Error> {
        self.queries += 1;
        if self.queries == 1
            && let Err(error) = self.resolver.query(query, self.scope)
        {
            return ControlFlow::Break(error);
        }
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &mut Query) -> ControlFlow<Error> {
        self.queries -= 1;
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Error> {
        if self.queries > 0 {
            return ControlFlow::Continue(());
        }
        match expr {
            Expr::Function(function) => self.resolver.whole_row(function, self.scope),
            Expr::Cast { expr: operand, .. } => self.resolver.put_row(operand, self.scope),
            Expr::IsNull(_) | Expr::IsNotNull(_) => self.resolver.compare_row(expr, self.scope),
            Expr::Nested(_) => self.resolver.put_row(expr, self.scope),
            _ => {}
        }
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Error> {
        if self.queries == 0
            && let Expr::CompoundIdentifier(parts) = expr
        {
            match of_alias(parts, self.scope) {
                Ok(Some(value)) => *expr = value,
                Ok(None) => {}
                Err(error) => return ControlFlow::Break(error),
            }
            return ControlFlow::Continue(());
        }
        if self.queries == 0
            && let Expr::Identifier(name) = expr
        {
            match self.resolver.value(&folded(name), self.scope) {
                Ok(Some(value)) => *expr = value,
                Ok(None) => {}
                Err(error) => return ControlFlow::Break(error),
            }
        }
        ControlFlow::Continue(())
    }
}

/// Returns the tables of the columns in a value.
fn relations_of(value: &Expr) -> Vec<String> {
    match value {
        Expr::CompoundIdentifier(parts) => {
            let relation = parts.iter().rev().nth(1);
            relation.map(folded).into_iter().collect()
        }
        Expr::Function(function) => build::arguments(&function.args)
            .iter()
            .flatten()
            .flat_map(relations_of)
            .collect(),
        _ => Vec::new(),
    }
}
