//! Rewrites `JOIN … USING` and `NATURAL JOIN` to joins with ON, and writes out the names that
//! depend on them.
//!
//! The common column of such a join has the value of the side that is present in every row; in a
//! FULL JOIN, of the side that is present in the row. `l.k` and `r.k` remain the columns of the two
//! sides. The engine uses the left side's column for all of them (apache/datafusion#22881), so it
//! never receives a join by names:
//!
//! ```text
//! SELECT k, x FROM l JOIN r USING (k)                SELECT l.k, x FROM l JOIN r ON l.k = r.k
//! SELECT k, l.k FROM l FULL JOIN r USING (k)         SELECT coalesce(l.k, r.k) AS k, l.k FROM l FULL JOIN r ON l.k = r.k
//! SELECT * FROM l RIGHT JOIN r USING (k)             SELECT r.k, l.* EXCLUDE (k), r.* EXCLUDE (k) FROM …
//! SELECT x FROM l JOIN r USING (k)                   SELECT x FROM … WHERE EXISTS (SELECT 1 FROM q WHERE y = l.k)
//!   WHERE EXISTS (SELECT 1 FROM q WHERE y = k)
//! ```
//!
//! The functions of a whole row, such as `row_to_json(t)`, depend on the same columns (`rows.rs`).
//!
//! The meaning of a name depends on the columns of the tables. A statement is resolved with the
//! columns that are known, and the result lists the tables that must be looked up (`lookup.rs`).

mod lookup;
mod names;
mod namespace;
mod parentheses;
mod rows;
mod star;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Distinct, Expr, Ident, Join, JoinConstraint, ObjectName, OrderByKind, Query, Select,
    SelectItem, SelectItemQualifiedWildcardKind, SetExpr, TableAlias, TableFactor, TableWithJoins,
};
use lakegate_error::Error;
use lakegate_sql::walk::{Tree, walk_mut};
use lakegate_sql::{join_constraint, join_constraint_mut};

pub use self::lookup::{JoinedColumns, Resolution, Unknown, resolve_joins};
use self::lookup::{Known, named_columns};
use self::names::Names;
use self::namespace::{Columns, Namespace, Part, alias_of, common, using};
pub(super) use self::namespace::{Kind, relation};
pub use self::parentheses::enclose_joins;
use super::missing::{self, Missing};
use super::{build, folded, last_part};
use crate::postgres::apart;

/// Resolves the joins by names of one statement.
struct Resolver<'a> {
    known: Known<'a>,
    /// The SELECTs whose relations must be looked up.
    wanted: BTreeSet<usize>,
    /// The number of relations that were named here.
    named: usize,
}

/// The relations visible to an expression, and the enclosing scopes.
struct Scope<'a> {
    namespace: &'a Namespace,
    /// The number of the SELECT, for requesting its unknown columns.
    select: usize,
    /// The relations whose rows an outer join may leave out.
    missing: &'a [Missing],
    outer: Option<&'a Scope<'a>>,
}

/// A FROM clause during its resolution.
struct FromClause<'a> {
    select: usize,
    outer: Option<&'a Scope<'a>>,
    /// The columns of each relation, in the order in which the relations are written.
    columns: std::vec::IntoIter<Columns>,
    missing: Vec<Missing>,
    /// Whether relations without a name need one.
    has_joins_by_names: bool,
}

impl Resolver<'_> {
    fn query(&mut self, query: &mut Query, outer: Option<&Scope<'_>>) -> Result<(), Error> {
        for cte in query.with.iter_mut().flat_map(|with| &mut with.cte_tables) {
            self.query(&mut cte.query, outer)?;
        }
        if let SetExpr::Select(select) = query.body.as_mut() {
            let keys = match query.order_by.as_mut().map(|order| &mut order.kind) {
                Some(OrderByKind::Expressions(keys)) => keys.as_mut_slice(),
                _ => &mut [],
            };
            let keys = keys.iter_mut().map(|key| &mut key.expr).collect();
            self.select(select, keys, outer)?;
        } else {
            self.operations(&mut query.body, outer)?;
        }
        self.expressions(&mut query.limit_clause, outer)?;
        self.expressions(&mut query.fetch, outer)
    }

    fn operations(&mut self, body: &mut SetExpr, outer: Option<&Scope<'_>>) -> Result<(), Error> {
        // A loop instead of recursion, because chains of operations are nested deeply on the left.
        let mut bodies = vec![body];
        while let Some(body) = bodies.pop() {
            match body {
                SetExpr::SetOperation { left, right, .. } => {
                    bodies.push(right);
                    bodies.push(left);
                }
                SetExpr::Select(select) => self.select(select, Vec::new(), outer)?,
                SetExpr::Query(query) => self.query(query, outer)?,
                others => self.expressions(others, outer)?,
            }
        }
        Ok(())
    }

    /// Resolves a SELECT. `keys`: the keys of ORDER BY, which is outside the SELECT.
    fn select(
        &mut self,
        select: &mut Select,
        keys: Vec<&mut Expr>,
        outer: Option<&Scope<'_>>,
    ) -> Result<(), Error> {
        let number = self.known.number(select);
        let mut from = FromClause {
            select: number,
            outer,
            columns: self.known.columns(number).into_iter(),
            missing: missing::tables(&select.from),
            has_joins_by_names: select.from.iter().any(has_joins_by_names),
        };
        let mut tables = std::mem::take(&mut select.from);
        let mut namespace = Namespace::default();
        for table in &mut tables {
            let more = self.tables(table, &namespace, &mut from)?;
            namespace = namespace.with(more);
        }
        let scope = Scope {
            namespace: &namespace,
            select: number,
            missing: &from.missing,
            outer,
        };
        let mut items = std::mem::take(&mut select.projection);
        self.list(&mut items, &scope)?;
        let outputs = outputs(&items, &namespace);
        let distinct = match &mut select.distinct {
            Some(Distinct::On(keys)) => keys.as_mut_slice(),
            _ => &mut [],
        };
        for key in distinct.iter_mut().chain(keys) {
            // A bare name refers to an output of the list first.
            let is_output =
                matches!(key, Expr::Identifier(name) if outputs.contains(&folded(name)));
            if !is_output {
                self.expressions(key, Some(&scope))?;
            }
        }
        let distinct = select.distinct.take();
        self.expressions(select, Some(&scope))?;
        select.distinct = distinct;
        select.projection = items;
        select.from = tables;
        Ok(())
    }

    /// Resolves a SELECT list. The replacement of a name keeps that name as its alias.
    fn list(&mut self, items: &mut Vec<SelectItem>, scope: &Scope<'_>) -> Result<(), Error> {
        let names: Vec<Option<Ident>> = items.iter().map(bare_name).collect();
        self.expressions(items, Some(scope))?;
        let mut taken: BTreeSet<String> = items.iter().filter_map(output).collect();
        for (place, (item, name)) in items.iter_mut().zip(names).enumerate() {
            if let SelectItem::UnnamedExpr(expr) = item
                && let Some(name) = name
                && bare(expr).is_none()
            {
                let own = match taken.insert(folded(&name)) {
                    true => name,
                    false => Ident::with_quote('"', apart(&folded(&name), place)),
                };
                *item = build::aliased(expr.clone(), own);
            }
        }
        if !scope.namespace.is_joined() {
            return Ok(());
        }
        let mut all = Vec::with_capacity(items.len());
        for item in std::mem::take(items) {
            match item {
                SelectItem::Wildcard(options) => match star::expanded(scope.namespace, options) {
                    Ok(items) => all.extend(items),
                    Err(error) => self.lack(scope.select, error)?,
                },
                SelectItem::QualifiedWildcard(
                    SelectItemQualifiedWildcardKind::ObjectName(name),
                    options,
                ) => match single(&name).and_then(|name| scope.namespace.alias(&name)) {
                    Some(columns) => {
                        all.extend(columns.iter().map(|(name, value)| star::shown(name, value)))
                    }
                    None => all.push(SelectItem::QualifiedWildcard(
                        SelectItemQualifiedWildcardKind::ObjectName(name),
                        options,
                    )),
                },
                item => all.push(item),
            }
        }
        *items = all;
        Ok(())
    }

    /// Resolves joined tables. `before`: the tables of the same FROM that LATERAL can see.
    fn tables(
        &mut self,
        table: &mut TableWithJoins,
        before: &Namespace,
        from: &mut FromClause<'_>,
    ) -> Result<Namespace, Error> {
        let mut left = self.factor(&mut table.relation, before, from)?;
        for join in &mut table.joins {
            let right = if sees_others(&join.relation) {
                let before = before.clone().with(left.clone());
                self.factor(&mut join.relation, &before, from)?
            } else {
                self.factor(&mut join.relation, before, from)?
            };
            left = self.join(join, left, right, from)?;
        }
        Ok(left)
    }

    fn factor(
        &mut self,
        factor: &mut TableFactor,
        before: &Namespace,
        from: &mut FromClause<'_>,
    ) -> Result<Namespace, Error> {
        if let TableFactor::NestedJoin {
            table_with_joins, ..
        } = factor
        {
            return self.tables(table_with_joins, before, from);
        }
        let lateral = Scope {
            namespace: before,
            select: from.select,
            missing: &from.missing,
            outer: from.outer,
        };
        let looked_up = from.columns.next();
        let columns = named_columns(factor).map(Ok).or(looked_up);
        let columns = columns.unwrap_or_else(|| Err(Error::internal("not looked up")));
        match factor {
            TableFactor::Derived {
                lateral: is_lateral,
                subquery,
                alias,
                ..
            } => {
                let scope = if *is_lateral {
                    Some(&lateral)
                } else {
                    from.outer
                };
                self.query(subquery, scope)?;
                if alias.is_none() && from.has_joins_by_names {
                    self.named += 1;
                    *alias = Some(TableAlias {
                        explicit: true,
                        name: Ident::with_quote('"', format!("subquery {}", self.named)),
                        columns: vec![],
                        at: None,
                    });
                }
            }
            // A function can refer to the preceding tables.
            _ => self.expressions(factor, Some(&lateral))?,
        }
        Ok(Namespace::of(factor, columns))
    }

    fn join(
        &mut self,
        join: &mut Join,
        left: Namespace,
        right: Namespace,
        from: &FromClause<'_>,
    ) -> Result<Namespace, Error> {
        let kind = Kind::of(&join.join_operator);
        let Some(constraint) = join_constraint_mut(join) else {
            return Ok(left.with(right));
        };
        let alias = match constraint {
            JoinConstraint::Using(names) => alias_of(names),
            _ => None,
        };
        let names = match constraint {
            JoinConstraint::Using(names) => using(names),
            JoinConstraint::Natural => match (left.names(), right.names()) {
                (Ok(left), Ok(right)) => Ok(common(&left, &right)),
                (Err(error), _) | (_, Err(error)) => Err(error),
            },
            JoinConstraint::On(_) | JoinConstraint::None => {
                let both = left.clone().with(right.clone());
                let scope = Scope {
                    namespace: &both,
                    select: from.select,
                    missing: &from.missing,
                    outer: from.outer,
                };
                self.expressions(constraint, Some(&scope))?;
                return Ok(match kind {
                    Kind::LeftOnly => left,
                    Kind::RightOnly => right,
                    _ => both,
                });
            }
        };
        let joined = names.and_then(|names| {
            let (joined, condition) = left.clone().join(right.clone(), &names, kind)?;
            let joined = match &alias {
                Some(alias) => joined.with_alias(alias, &names)?,
                None => joined,
            };
            Ok((joined, condition))
        });
        match joined {
            Ok((joined, condition)) => {
                *constraint = JoinConstraint::On(condition);
                Ok(joined)
            }
            Err(error) => {
                self.lack(from.select, error)?;
                Ok(left.with(right))
            }
        }
    }

    /// Handles an error that a lookup of the SELECT's relations may resolve: requests the lookup,
    /// or returns the error if the relations were already looked up.
    fn lack(&mut self, select: usize, error: Error) -> Result<(), Error> {
        if self.known.is_known(select) {
            return Err(error);
        }
        self.wanted.insert(select);
        Ok(())
    }

    /// Resolves the names in expressions, and the queries in them.
    fn expressions<T: Tree>(
        &mut self,
        part: &mut T,
        scope: Option<&Scope<'_>>,
    ) -> Result<(), Error> {
        let mut names = Names {
            resolver: self,
            scope,
            queries: 0,
        };
        match walk_mut(part, &mut names) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(error) => Err(error),
        }
    }
}

/// Returns whether tables are joined by names, here or in parentheses.
fn has_joins_by_names(table: &TableWithJoins) -> bool {
    let by_names = table.joins.iter().any(|join| {
        matches!(
            join_constraint(join),
            Some(JoinConstraint::Using(_) | JoinConstraint::Natural)
        )
    });
    let mut factors =
        std::iter::once(&table.relation).chain(table.joins.iter().map(|join| &join.relation));
    by_names
        || factors.any(|factor| match factor {
            TableFactor::NestedJoin {
                table_with_joins, ..
            } => has_joins_by_names(table_with_joins),
            _ => false,
        })
}

/// Returns whether a relation can refer to columns of those before it.
fn sees_others(factor: &TableFactor) -> bool {
    match factor {
        TableFactor::Derived { lateral, .. } => *lateral,
        TableFactor::Table { args: None, .. } => false,
        TableFactor::NestedJoin {
            table_with_joins, ..
        } => {
            let mut joined = table_with_joins.joins.iter().map(|join| &join.relation);
            sees_others(&table_with_joins.relation) || joined.any(sees_others)
        }
        _ => true,
    }
}

fn single(name: &ObjectName) -> Option<String> {
    match name.0.as_slice() {
        [part] => part.as_ident().map(folded),
        _ => None,
    }
}

/// Returns the column that an expression consists of, with or without a cast.
fn bare(expr: &Expr) -> Option<&Ident> {
    match expr {
        Expr::Identifier(name) => Some(name),
        Expr::CompoundIdentifier(parts) => parts.last(),
        Expr::QualifiedWildcard(relation, _) => relation.0.last()?.as_ident(),
        Expr::Nested(expr) | Expr::Cast { expr, .. } | Expr::Collate { expr, .. } => bare(expr),
        _ => None,
    }
}

fn bare_name(item: &SelectItem) -> Option<Ident> {
    match item {
        SelectItem::UnnamedExpr(expr) => bare(expr).cloned(),
        _ => None,
    }
}

/// Returns the name of an item of a SELECT list.
fn output(item: &SelectItem) -> Option<String> {
    match item {
        SelectItem::UnnamedExpr(expr) => bare(expr).map(folded),
        SelectItem::ExprWithAlias { alias, .. } => Some(folded(alias)),
        _ => None,
    }
}

/// Returns the names of a SELECT list, as far as they are known.
fn outputs(items: &[SelectItem], namespace: &Namespace) -> BTreeSet<String> {
    let mut all: BTreeSet<String> = items.iter().filter_map(output).collect();
    for item in items {
        let SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(name), _) =
            item
        else {
            continue;
        };
        let wanted = last_part(name);
        for part in namespace.parts() {
            if let Part::Others {
                relation,
                columns,
                merged,
                ..
            } = part
                && relation.last().map(folded) == wanted
            {
                all.extend(columns.iter().flatten().cloned());
                all.extend(merged.iter().cloned());
            }
        }
    }
    all
}
