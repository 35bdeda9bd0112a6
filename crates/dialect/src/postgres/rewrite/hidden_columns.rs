//! Hidden columns in statements that name one: tables have them then, and `*` leaves them out. The
//! system columns of the catalog's tables are hidden in the same way.
//!
//! ```text
//! SELECT *, "$path" FROM t            SELECT * EXCLUDE ("$path", …), "$path" FROM t
//! SELECT * FROM t, (SELECT 1 AS x)    SELECT t.* EXCLUDE ("$path", …), "unnamed 1".* FROM t, (…) AS "unnamed 1"
//! ```
//!
//! A hidden column that a subquery selects is an ordinary column of the subquery. So is one of a
//! common table expression, whatever table has the same name.

use std::collections::HashMap;
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    ExcludeSelectItem, Expr, Ident, ObjectName, OrderByKind, Query, Select, SelectItem,
    SelectItemQualifiedWildcardKind, SetExpr, Statement, TableAlias, TableFactor, TableWithJoins,
    VisitorMut, WildcardAdditionalOptions,
};
use lakegate_error::{Code, Error};
use lakegate_lake::table::HiddenColumn;
use lakegate_sql::join_constraint_mut;
use lakegate_sql::walk::{Tree, walk_expressions, walk_mut};

use super::folded;
use super::using::{Kind, relation};
use crate::postgres::pg_catalog::SYSTEM_COLUMNS;

/// The columns of a table.
#[derive(Debug, Clone)]
pub struct TableColumns {
    /// How many are not hidden.
    pub shown: usize,
    pub hidden: Vec<&'static str>,
}

/// The columns outside of `*` that the expressions of a statement have names of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct NamedApart {
    pub hidden: bool,
    pub system: bool,
}

impl NamedApart {
    pub fn of(statement: &Statement) -> Self {
        let mut named = Self::default();
        let _ = walk_expressions(statement, |expr| {
            let name = match expr {
                Expr::Identifier(name) => Some(name),
                Expr::CompoundIdentifier(parts) => parts.last(),
                _ => None,
            };
            named.hidden |= name.is_some_and(is_hidden);
            named.system |= name.is_some_and(is_system);
            match named.hidden && named.system {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        });
        named
    }

    pub fn any(self) -> bool {
        self.hidden || self.system
    }
}

/// Whether a name is that of a hidden column. All begin with a dollar.
fn is_hidden(name: &Ident) -> bool {
    name.value.starts_with('$') && HiddenColumn::of_name(&folded(name)).is_some()
}

/// Whether a name is that of a system column. Most names have another length than any of them.
fn is_system(name: &Ident) -> bool {
    let mut columns = SYSTEM_COLUMNS.iter().map(|(column, _)| column);
    columns
        .clone()
        .any(|column| column.len() == name.value.len())
        && columns.any(|column| **column == folded(name))
}

/// Returns the tables in the FROM clauses of a statement, each once, without common table
/// expressions and functions.
///
/// # Errors
///
/// None that depend on the statement.
pub fn starred_tables(statement: &Statement) -> Result<Vec<ObjectName>, Error> {
    let tables = HashMap::new();
    let mut search = Hider::over(&tables);
    search.expressions(&mut statement.clone())?;
    let mut found: Vec<ObjectName> = Vec::new();
    for name in search.found {
        if !found.contains(&name) {
            found.push(name);
        }
    }
    Ok(found)
}

/// Leaves the hidden columns of tables out of every `*`. The joins of the statement must be
/// resolved.
///
/// `tables`: the columns of the tables that have hidden ones, by the name in the statement.
///
/// # Errors
///
/// A table has more aliases than columns; `*` has options and stands for several tables.
pub fn hide_columns(
    statement: &mut Statement,
    tables: &HashMap<ObjectName, TableColumns>,
) -> Result<(), Error> {
    Hider::over(tables).expressions(statement)
}

struct Hider<'a> {
    tables: &'a HashMap<ObjectName, TableColumns>,
    /// The tables in FROM clauses.
    found: Vec<ObjectName>,
    /// The common table expressions in scope.
    common_tables: Vec<String>,
    /// The number of subqueries that were named here.
    named: usize,
}

/// A relation in FROM, in the order of `*`.
struct Relation {
    /// `None`: nothing can refer to it.
    name: Option<Vec<Ident>>,
    hidden: Vec<&'static str>,
}

impl<'a> Hider<'a> {
    fn over(tables: &'a HashMap<ObjectName, TableColumns>) -> Self {
        Self {
            tables,
            found: Vec::new(),
            common_tables: Vec::new(),
            named: 0,
        }
    }

    fn query(&mut self, query: &mut Query) -> Result<(), Error> {
        let around = self.common_tables.len();
        if let Some(with) = &mut query.with {
            for cte in &mut with.cte_tables {
                let name = folded(&cte.alias.name);
                if with.recursive {
                    self.common_tables.push(name);
                    self.query(&mut cte.query)?;
                } else {
                    // Within it, its name is that of a table.
                    self.query(&mut cte.query)?;
                    self.common_tables.push(name);
                }
            }
        }
        // A loop instead of recursion, because chains of operations are nested deeply on the left.
        let mut bodies = vec![query.body.as_mut()];
        while let Some(body) = bodies.pop() {
            match body {
                SetExpr::SetOperation { left, right, .. } => {
                    bodies.push(right);
                    bodies.push(left);
                }
                SetExpr::Select(select) => self.select(select)?,
                SetExpr::Query(query) => self.query(query)?,
                others => self.expressions(others)?,
            }
        }
        if let Some(OrderByKind::Expressions(keys)) =
            query.order_by.as_mut().map(|order| &mut order.kind)
        {
            for key in keys {
                self.expressions(&mut key.expr)?;
            }
        }
        self.expressions(&mut query.limit_clause)?;
        self.expressions(&mut query.fetch)?;
        self.common_tables.truncate(around);
        Ok(())
    }

    fn select(&mut self, select: &mut Select) -> Result<(), Error> {
        let mut tables = std::mem::take(&mut select.from);
        let mut relations = Vec::new();
        for table in &mut tables {
            relations.extend(self.joined(table)?);
        }
        if relations.iter().any(|relation| !relation.hidden.is_empty()) {
            let items = std::mem::take(&mut select.projection);
            for item in items {
                starred(item, &relations, &mut select.projection)?;
            }
        }
        self.expressions(select)?;
        select.from = tables;
        Ok(())
    }

    fn joined(&mut self, table: &mut TableWithJoins) -> Result<Vec<Relation>, Error> {
        let mut left = self.factor(&mut table.relation)?;
        for join in &mut table.joins {
            let right = self.factor(&mut join.relation)?;
            match Kind::of(&join.join_operator) {
                Kind::LeftOnly => {}
                Kind::RightOnly => left = right,
                _ => left.extend(right),
            }
            if let Some(constraint) = join_constraint_mut(join) {
                self.expressions(constraint)?;
            }
        }
        Ok(left)
    }

    fn factor(&mut self, factor: &mut TableFactor) -> Result<Vec<Relation>, Error> {
        let mut hidden = Vec::new();
        match factor {
            TableFactor::NestedJoin {
                table_with_joins,
                alias: None,
            } => return self.joined(table_with_joins),
            TableFactor::Derived {
                subquery, alias, ..
            } => {
                self.query(subquery)?;
                if alias.is_none() && !self.tables.is_empty() {
                    self.named += 1;
                    *alias = Some(TableAlias {
                        explicit: true,
                        name: Ident::with_quote('"', format!("unnamed {}", self.named)),
                        columns: vec![],
                        at: None,
                    });
                }
            }
            TableFactor::Table {
                name,
                alias,
                args: None,
                ..
            } if !self.is_common_table(name) => {
                self.found.push(name.clone());
                if let Some(columns) = self.tables.get(name) {
                    check_aliases(alias.as_ref(), columns.shown)?;
                    hidden.clone_from(&columns.hidden);
                }
            }
            _ => self.expressions(factor)?,
        }
        Ok(vec![Relation {
            name: relation(factor),
            hidden,
        }])
    }

    fn is_common_table(&self, name: &ObjectName) -> bool {
        match name.0.as_slice() {
            [name] => name
                .as_ident()
                .is_some_and(|name| self.common_tables.contains(&folded(name))),
            _ => false,
        }
    }

    /// Visits the queries in expressions.
    fn expressions<T: Tree>(&mut self, part: &mut T) -> Result<(), Error> {
        let mut queries = Queries {
            hider: self,
            depth: 0,
        };
        match walk_mut(part, &mut queries) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(error) => Err(error),
        }
    }
}

/// Hands the outermost queries to a [`Hider`], which visits those inside.
struct Queries<'a, 'b> {
    hider: &'a mut Hider<'b>,
    depth: usize,
}

impl VisitorMut for Queries<'_, '_> {
    type Break = Error;

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<Error> {
        self.depth += 1;
        if self.depth == 1
            && let Err(error) = self.hider.query(query)
        {
            return ControlFlow::Break(error);
        }
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &mut Query) -> ControlFlow<Error> {
        self.depth -= 1;
        ControlFlow::Continue(())
    }
}

/// Checks that an alias names no more columns than there are.
///
/// # Errors
///
/// It names more.
pub(super) fn check_aliases(alias: Option<&TableAlias>, shown: usize) -> Result<(), Error> {
    match alias {
        Some(alias) if alias.columns.len() > shown => Err(Error::new(
            Code::InvalidColumnReference,
            format!(
                "table \"{}\" has {shown} columns available but {} columns specified",
                folded(&alias.name),
                alias.columns.len()
            ),
        )),
        _ => Ok(()),
    }
}

/// Adds an item of a SELECT list to `items`; a `*` without the hidden columns.
fn starred(
    item: SelectItem,
    relations: &[Relation],
    items: &mut Vec<SelectItem>,
) -> Result<(), Error> {
    match item {
        SelectItem::Wildcard(mut options) => {
            if let [relation] = relations {
                exclude(&mut options, &relation.hidden);
                items.push(SelectItem::Wildcard(options));
                return Ok(());
            }
            if options != WildcardAdditionalOptions::default() {
                return Err(Error::not_supported(
                    "* with options over several tables is not supported with hidden columns",
                )
                .with_hint("name the columns"));
            }
            for relation in relations {
                let Some(name) = &relation.name else {
                    return Err(Error::not_supported(
                        "* over a relation without a name is not supported with hidden columns",
                    )
                    .with_hint("give the relation an alias"));
                };
                let mut options = options.clone();
                exclude(&mut options, &relation.hidden);
                let name = ObjectName::from(name.clone());
                let kind = SelectItemQualifiedWildcardKind::ObjectName(name);
                items.push(SelectItem::QualifiedWildcard(kind, options));
            }
        }
        SelectItem::QualifiedWildcard(
            SelectItemQualifiedWildcardKind::ObjectName(name),
            mut options,
        ) => {
            let starred = relations.iter().find(|relation| relation.is_named(&name));
            if let Some(relation) = starred {
                exclude(&mut options, &relation.hidden);
            }
            let kind = SelectItemQualifiedWildcardKind::ObjectName(name);
            items.push(SelectItem::QualifiedWildcard(kind, options));
        }
        item => items.push(item),
    }
    Ok(())
}

impl Relation {
    /// Returns whether a qualifier, which may leave out the database, is the relation's.
    fn is_named(&self, qualifier: &ObjectName) -> bool {
        let Some(name) = &self.name else {
            return false;
        };
        let mut wanted = qualifier.0.iter().rev().map(|part| part.as_ident());
        let mut own = name.iter().rev();
        wanted.all(|wanted| match (wanted, own.next()) {
            (Some(wanted), Some(own)) => folded(wanted) == folded(own),
            _ => false,
        })
    }
}

/// Adds names to the EXCLUDE of a `*`.
fn exclude(options: &mut WildcardAdditionalOptions, names: &[&str]) {
    if names.is_empty() {
        return;
    }
    let mut all = match options.opt_exclude.take() {
        Some(ExcludeSelectItem::Single(name)) => vec![name],
        Some(ExcludeSelectItem::Multiple(names)) => names,
        None => Vec::new(),
    };
    let hidden = names.iter().map(|name| Ident::with_quote('"', *name));
    all.extend(hidden.map(|name| ObjectName::from(vec![name])));
    options.opt_exclude = Some(ExcludeSelectItem::Multiple(all));
}

#[cfg(test)]
mod tests;
