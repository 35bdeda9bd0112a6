//! `JOIN … USING` and `NATURAL JOIN`: which column a name means.
//!
//! The column of a USING join that is written `k` is the one that both sides make together; `l.k` and `r.k` are each side's own.
//! The engine has only those of the sides. `engine/using.rs` gives both names the common value, and so the own one of a
//! qualified name is asked for in words here:
//!
//! ```text
//! SELECT k, l.k FROM l FULL JOIN r USING (k)         SELECT l.k, own_column(l.k) FROM …
//! SELECT l.* FROM l FULL JOIN r USING (k)            SELECT l.* REPLACE (own_column(l.k) AS k) FROM …
//! SELECT * FROM l JOIN r USING (k)                   SELECT l.k, l.* EXCLUDE (k), r.* EXCLUDE (k) FROM …
//! SELECT k FROM a JOIN b USING (k) JOIN c USING (k)  SELECT a.k FROM …
//! ```

mod lookup;
mod outwards;
mod parentheses;
mod star;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Expr, Ident, Join, JoinConstraint, JoinOperator, ObjectName, Query, ReplaceSelectElement,
    ReplaceSelectItem, Select, SelectItem, SelectItemQualifiedWildcardKind, SetExpr, Statement,
    TableFactor, TableWithJoins, VisitMut, VisitorMut, WildcardAdditionalOptions,
};

use self::lookup::{Columns, place};
pub use self::lookup::{JoinedColumns, Unknown};
pub use self::outwards::name_outer_columns;
pub use self::parentheses::enclose_joins;
use self::star::{Part, expanded, shown};
use super::tables::join_constraint;
use super::{build, folded};
use crate::engine::using::OWN_COLUMN;
use crate::error::Error;

/// Rewrites a statement in place, of which `columns` were learned. Errors: a wildcard whose columns are not known here.
pub fn rewrite(statement: &mut Statement, columns: &JoinedColumns) -> Result<(), Error> {
    let mut names = Names {
        scopes: Vec::new(),
        columns: columns.by_place(statement),
    };
    match VisitMut::visit(statement, &mut names) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(error) => Err(error),
    }
}

struct Names {
    /// From the outermost SELECT to the innermost.
    scopes: Vec<Scope>,
    /// Of the relations of a SELECT, by its place.
    columns: HashMap<usize, Vec<Columns>>,
}

/// What the FROM of one SELECT says.
#[derive(Default, Clone)]
struct Scope {
    /// The names of its relations.
    relations: BTreeSet<String>,
    /// Of relations below an outer USING join, the columns whose own values differ from the common one.
    keys: BTreeMap<String, Keys>,
    /// Common columns of USING joins, each by a relation whose column has the common value: of a bare name the engine says in WHERE
    /// and above several joins that it is ambiguous.
    common: BTreeMap<String, Vec<Ident>>,
    /// Whether the engine's `*` may take a common column from the wrong side of an outer join: it takes the first by its table's name.
    unclear: bool,
    /// What `*` means, if a USING join is below it and the columns are known.
    wildcard: Option<Vec<Part>>,
    /// Names of the SELECT list, which ORDER BY looks at first.
    outputs: BTreeSet<String>,
}

#[derive(Default, Clone)]
struct Keys {
    /// Columns that it has, or may have.
    names: BTreeSet<String>,
    /// Whether it has all of them.
    sure: bool,
}

impl Scope {
    /// `columns`: of its relations, in the order that they are written in; none, if they were not looked up.
    fn of(select: &Select, columns: &[Columns]) -> Self {
        let mut scope = Scope::default();
        let mut parts = Some(Vec::new());
        let mut known = columns.iter().chain(std::iter::repeat(&None));
        for table in &select.from {
            relations(table, &mut scope.relations);
            scope.keys_of(table);
            let more = expanded(table, &mut known);
            scope.unclear |= more.is_none() && is_outer(table);
            parts = parts.zip(more).map(|(mut all, more)| {
                all.extend(more);
                all
            });
        }
        if let Some(parts) = &parts {
            scope.settle_keys(parts);
        }
        if let Some(parts) = parts {
            for part in &parts {
                if let Part::Common { name, relation } = part {
                    scope.common.insert(name.clone(), relation.clone());
                }
            }
            let joined = parts.iter().any(|part| matches!(part, Part::Common { .. }));
            scope.wildcard = joined.then_some(parts);
        }
        for item in &select.projection {
            scope.outputs.extend(output_name(item));
        }
        scope
    }

    /// Notes the columns of outer joins.
    fn keys_of(&mut self, table: &TableWithJoins) {
        if let TableFactor::NestedJoin {
            table_with_joins,
            alias: None,
        } = &table.relation
        {
            self.keys_of(table_with_joins);
        }
        let mut below = BTreeSet::new();
        factor_relations(&table.relation, &mut below);
        for join in &table.joins {
            if let TableFactor::NestedJoin {
                table_with_joins,
                alias: None,
            } = &join.relation
            {
                self.keys_of(table_with_joins);
            }
            let mut right = BTreeSet::new();
            factor_relations(&join.relation, &mut right);
            let (left_differs, right_differs) = differing(join);
            if let Some(JoinConstraint::Using(names)) = constraint(join) {
                for (side, differs) in [(&below, left_differs), (&right, right_differs)] {
                    for relation in side.iter().filter(|_| differs) {
                        let keys = self.keys.entry(relation.clone()).or_insert_with(|| Keys {
                            sure: true,
                            ..Keys::default()
                        });
                        keys.names.extend(names.iter().filter_map(single));
                        keys.sure &= side.len() == 1;
                    }
                }
            }
            below.extend(right);
        }
    }

    /// Takes the keys off relations that are known not to have them.
    fn settle_keys(&mut self, parts: &[Part]) {
        for part in parts {
            if let Part::Others {
                relation,
                columns: Some(columns),
                ..
            } = part
                && let Some(keys) = relation
                    .last()
                    .and_then(|name| self.keys.get_mut(&folded(name)))
            {
                keys.names.retain(|name| columns.contains(name));
                keys.sure = true;
            }
        }
    }
}

/// The USING or NATURAL of a join.
fn constraint(join: &Join) -> Option<&JoinConstraint> {
    join_constraint(join).filter(|constraint| {
        matches!(
            constraint,
            JoinConstraint::Using(_) | JoinConstraint::Natural
        )
    })
}

/// Whether the own values of the left side and of the right one may differ from the common ones.
fn differing(join: &Join) -> (bool, bool) {
    match &join.join_operator {
        // The left side's are the common ones, and the right side's stay as they are.
        JoinOperator::Right(_) | JoinOperator::RightOuter(_) => (true, false),
        JoinOperator::FullOuter(_) => (true, true),
        _ => (false, false),
    }
}

fn single(name: &ObjectName) -> Option<String> {
    match name.0.as_slice() {
        [part] => part.as_ident().map(folded),
        _ => None,
    }
}

fn relations(table: &TableWithJoins, names: &mut BTreeSet<String>) {
    factor_relations(&table.relation, names);
    for join in &table.joins {
        factor_relations(&join.relation, names);
    }
}

fn factor_relations(factor: &TableFactor, names: &mut BTreeSet<String>) {
    match factor {
        TableFactor::NestedJoin {
            table_with_joins,
            alias: None,
        } => relations(table_with_joins, names),
        factor => names.extend(relation(factor).and_then(|name| name.last().map(folded))),
    }
}

/// How a relation is named before its columns.
fn relation(factor: &TableFactor) -> Option<Vec<Ident>> {
    match factor {
        TableFactor::Table { alias, name, .. } => match alias {
            Some(alias) => Some(vec![alias.name.clone()]),
            None => name.0.iter().map(|part| part.as_ident().cloned()).collect(),
        },
        TableFactor::Derived { alias, .. }
        | TableFactor::NestedJoin { alias, .. }
        | TableFactor::Function { alias, .. }
        | TableFactor::UNNEST { alias, .. } => alias.as_ref().map(|alias| vec![alias.name.clone()]),
        _ => None,
    }
}

/// Whether there is an outer join by common columns.
fn is_outer(table: &TableWithJoins) -> bool {
    table.joins.iter().any(|join| {
        let inner = matches!(
            &join.join_operator,
            JoinOperator::Join(_) | JoinOperator::Inner(_)
        );
        constraint(join).is_some() && !inner
    })
}

fn output_name(item: &SelectItem) -> Option<String> {
    match item {
        SelectItem::UnnamedExpr(Expr::Identifier(name)) => Some(folded(name)),
        SelectItem::UnnamedExpr(Expr::CompoundIdentifier(parts)) => parts.last().map(folded),
        SelectItem::ExprWithAlias { alias, .. } => Some(folded(alias)),
        _ => None,
    }
}

fn own(column: Expr) -> Expr {
    build::call(OWN_COLUMN, vec![column])
}

fn quoted(name: &str) -> Ident {
    Ident::with_quote('"', name)
}

impl Names {
    fn scope(&self, select: &Select) -> Scope {
        let columns = self.columns.get(&place(select));
        Scope::of(select, columns.map_or(&[], Vec::as_slice))
    }

    /// `relation.column`, if its own value may differ from the common one.
    fn is_own(&self, idents: &[Ident]) -> bool {
        let [.., relation, column] = idents else {
            return false;
        };
        let (relation, column) = (folded(relation), folded(column));
        let scope = self
            .scopes
            .iter()
            .rev()
            .find(|scope| scope.relations.contains(&relation));
        scope
            .and_then(|scope| scope.keys.get(&relation))
            .is_some_and(|keys| keys.names.contains(&column))
    }

    fn expand(&self, select: &mut Select) -> Result<(), Error> {
        let Some(scope) = self.scopes.last() else {
            return Ok(());
        };
        let wildcards = select
            .projection
            .iter()
            .filter(|item| matches!(item, SelectItem::QualifiedWildcard(..)))
            .count();
        let named: BTreeSet<String> = select.projection.iter().filter_map(output_name).collect();
        let mut items = Vec::with_capacity(select.projection.len());
        for item in std::mem::take(&mut select.projection) {
            match (item, &scope.wildcard) {
                (SelectItem::Wildcard(options), Some(parts)) if is_plain(&options) => {
                    items.extend(parts.iter().map(shown));
                }
                (SelectItem::Wildcard(_), None) if scope.unclear => {
                    return Err(Error::not_supported(
                        "* is not supported over this outer join with common columns",
                    )
                    .with_hint("name the columns, or give each table an alias"));
                }
                (SelectItem::QualifiedWildcard(kind, mut options), _) => {
                    if let SelectItemQualifiedWildcardKind::ObjectName(name) = &kind {
                        own_values(scope, name, &mut options, wildcards == 1, &named)?;
                    }
                    items.push(SelectItem::QualifiedWildcard(kind, options));
                }
                (item, _) => items.push(item),
            }
        }
        select.projection = items;
        Ok(())
    }
}

fn is_plain(options: &WildcardAdditionalOptions) -> bool {
    options.opt_ilike.is_none()
        && options.opt_exclude.is_none()
        && options.opt_except.is_none()
        && options.opt_replace.is_none()
        && options.opt_rename.is_none()
}

/// Makes `relation.*` show the relation's own values. They come under bare names, of which the engine takes one each.
fn own_values(
    scope: &Scope,
    name: &ObjectName,
    options: &mut WildcardAdditionalOptions,
    alone: bool,
    named: &BTreeSet<String>,
) -> Result<(), Error> {
    let idents: Option<Vec<Ident>> = name.0.iter().map(|p| p.as_ident().cloned()).collect();
    let Some(idents) = idents else { return Ok(()) };
    let Some(keys) = idents.last().and_then(|last| scope.keys.get(&folded(last))) else {
        return Ok(());
    };
    let unique = alone && keys.names.is_disjoint(named);
    if !keys.sure || !unique || !is_plain(options) {
        return Err(Error::not_supported(format!(
            "{name}.* is not supported here, below an outer join with a common column"
        ))
        .with_hint("name the columns, or join with ON"));
    }
    let items = keys.names.iter().map(|key| {
        let mut column = idents.clone();
        column.push(quoted(key));
        Box::new(ReplaceSelectElement {
            expr: own(Expr::CompoundIdentifier(column)),
            column_name: quoted(key),
            as_keyword: true,
        })
    });
    options.opt_replace = Some(ReplaceSelectItem {
        items: items.collect(),
    });
    Ok(())
}

impl VisitorMut for Names {
    type Break = Error;

    /// ORDER BY stands beside the SELECT that it is of.
    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<Error> {
        self.scopes.push(match query.body.as_ref() {
            SetExpr::Select(select) => self.scope(select),
            _ => Scope::default(),
        });
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &mut Query) -> ControlFlow<Error> {
        self.scopes.pop();
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<Error> {
        let mut scope = self.scope(select);
        // Inside of it, columns of the tables come first.
        scope.outputs.clear();
        self.scopes.push(scope);
        ControlFlow::Continue(())
    }

    fn post_visit_select(&mut self, select: &mut Select) -> ControlFlow<Error> {
        let expanded = self.expand(select);
        self.scopes.pop();
        if let Err(error) = expanded {
            return ControlFlow::Break(error);
        }
        named(select);
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Error> {
        match expr {
            Expr::CompoundIdentifier(idents) if self.is_own(idents) => {
                *expr = own(expr.clone());
            }
            Expr::Identifier(ident) => {
                let name = folded(ident);
                let relation = self
                    .scopes
                    .last()
                    .filter(|scope| !scope.outputs.contains(&name))
                    .and_then(|scope| scope.common.get(&name));
                if let Some(relation) = relation {
                    let mut idents = relation.clone();
                    idents.push(ident.clone());
                    *expr = Expr::CompoundIdentifier(idents);
                }
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

/// Names the columns that are asked for in words as they were written, where no other is named so.
fn named(select: &mut Select) {
    let name_of = |item: &SelectItem| match item {
        SelectItem::UnnamedExpr(Expr::Function(function)) => {
            match build::arguments(&function.args)?.as_slice() {
                [Expr::CompoundIdentifier(parts)] if function.name.to_string() == OWN_COLUMN => {
                    parts.last().cloned()
                }
                _ => None,
            }
        }
        _ => None,
    };
    let mut taken: BTreeSet<String> = select.projection.iter().filter_map(output_name).collect();
    for item in &mut select.projection {
        if let Some(name) = name_of(item)
            && taken.insert(folded(&name))
            && let SelectItem::UnnamedExpr(expr) = item
        {
            *item = SelectItem::ExprWithAlias {
                expr: expr.clone(),
                alias: name,
            };
        }
    }
}
