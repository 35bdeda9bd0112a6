//! The columns that must be known before names in joins can be resolved.
//!
//! | statement | required columns |
//! |---|---|
//! | `SELECT row_to_json(a) FROM a` | the columns of `a` |
//! | `a NATURAL JOIN b` | the columns of both |
//! | `a JOIN b ON … JOIN c USING (k)` | whether `a` or `b` has `k` |
//! | `… a JOIN b USING (k) WHERE EXISTS (SELECT 1 FROM c WHERE k = 1)` | whether `c` has `k` |
//!
//! Only the planner knows the columns of a table. Therefore the session plans `SELECT * FROM` each:
//!
//! ```text
//! let mut columns = JoinedColumns::default();
//! let statement = loop {
//!     match resolve_joins(&statement, &columns)? {
//!         Resolution::Resolved(statement) => break statement,
//!         Resolution::Unknown(selects) => for select in selects {
//!             let found = …;                                 // for each of select.relations
//!             columns.learn(&select, found);
//!         },
//!     }
//! };
//! ```

use lakegate_sql::walk::walk;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::ControlFlow;
use std::ptr;

use datafusion::sql::sqlparser::ast::{
    Cte, Expr, GroupByExpr, Query, Select, SelectItem, SelectItemQualifiedWildcardKind, SetExpr,
    Statement, TableFactor, TableWithJoins, Visitor, With,
};
use lakegate_error::Error;

use super::namespace::{Columns, relation};
use super::rows::{named_row, starred};
use super::{Resolver, bare, has_joins_by_names};
use crate::postgres::rewrite::{build, folded, last_part};

/// The columns of the relations in FROM, for the SELECTs whose resolution depends on them.
#[derive(Debug, Default)]
pub struct JoinedColumns {
    /// By the number of the SELECT in visiting order: the columns of each relation, in the order in
    /// which the relations are written.
    selects: BTreeMap<usize, Vec<Columns>>,
}

/// A SELECT whose relations must be looked up.
#[derive(Debug)]
pub struct Unknown {
    select: usize,
    /// `SELECT * FROM` each relation, in the order in which they are written; `None` for a relation
    /// that needs no lookup or cannot be queried alone.
    pub relations: Vec<Option<Query>>,
}

/// The result of resolving a statement.
#[derive(Debug)]
pub enum Resolution {
    Resolved(Box<Statement>),
    /// The SELECTs whose relations must be looked up first.
    Unknown(Vec<Unknown>),
}

impl JoinedColumns {
    /// Records the columns of the relations.
    pub fn learn(&mut self, unknown: &Unknown, found: Vec<Columns>) {
        self.selects.insert(unknown.select, found);
    }
}

/// Replaces USING and NATURAL by ON, and writes out the names that depend on them.
///
/// # Errors
///
/// A side has a common column twice or not at all, or the columns of a table cannot be known (with
/// the learned reason).
pub fn resolve_joins(statement: &Statement, columns: &JoinedColumns) -> Result<Resolution, Error> {
    let mut resolved = statement.clone();
    if !walk(statement, &mut Joins).is_break() {
        return Ok(Resolution::Resolved(Box::new(resolved)));
    }
    let mut places = Places::default();
    let _ = walk(&resolved, &mut places);
    let mut resolver = Resolver {
        known: Known {
            numbers: places.numbers,
            columns,
        },
        wanted: BTreeSet::new(),
        named: 0,
    };
    let outcome = resolver.expressions(&mut resolved, None);
    let wanted = resolver.wanted;
    if wanted.is_empty() {
        return outcome.map(|()| Resolution::Resolved(Box::new(resolved)));
    }
    // Any error may be due to the missing columns, so it is not reported yet.
    let unknown = wanted.into_iter().map(|select| {
        let mut gather = Gather {
            wanted: select,
            selects: 0,
            around: Vec::new(),
        };
        let relations = match walk(statement, &mut gather) {
            ControlFlow::Break(relations) => relations?,
            ControlFlow::Continue(()) => Vec::new(),
        };
        Ok(Unknown { select, relations })
    });
    unknown.collect::<Result<_, _>>().map(Resolution::Unknown)
}

/// The known columns of a statement's SELECTs. Valid while the statement is not moved in memory.
pub(super) struct Known<'a> {
    /// The numbers of the SELECTs, by their address.
    numbers: HashMap<usize, usize>,
    columns: &'a JoinedColumns,
}

impl Known<'_> {
    pub(super) fn number(&self, select: &Select) -> usize {
        let number = self.numbers.get(&place(select));
        number.copied().unwrap_or_default()
    }

    /// Returns whether the relations of the SELECT were looked up.
    pub(super) fn is_known(&self, select: usize) -> bool {
        self.columns.selects.contains_key(&select)
    }

    /// Returns the columns of each relation; empty if they were not looked up.
    pub(super) fn columns(&self, select: usize) -> Vec<Columns> {
        let known = self.columns.selects.get(&select);
        known.cloned().unwrap_or_default()
    }
}

fn place(select: &Select) -> usize {
    ptr::from_ref(select).addr()
}

/// Returns the columns of a subquery whose text names all of them.
pub(super) fn named_columns(factor: &TableFactor) -> Option<Vec<String>> {
    let TableFactor::Derived {
        subquery, alias, ..
    } = factor
    else {
        return None;
    };
    let mut names = names_of(&subquery.body)?;
    let given = alias.iter().flat_map(|alias| &alias.columns);
    for (place, given) in given.enumerate() {
        *names.get_mut(place)? = folded(&given.name);
    }
    Some(names)
}

fn names_of(body: &SetExpr) -> Option<Vec<String>> {
    match body {
        SetExpr::Values(values) => {
            let width = values.rows.first()?.len();
            Some((1..=width).map(|place| format!("column{place}")).collect())
        }
        SetExpr::Select(select) => {
            let names = select.projection.iter().map(|item| match item {
                SelectItem::UnnamedExpr(expr) => bare(expr).map(folded),
                SelectItem::ExprWithAlias { alias, .. } => Some(folded(alias)),
                _ => None,
            });
            names.collect()
        }
        SetExpr::SetOperation { left, .. } => names_of(left),
        SetExpr::Query(query) => names_of(&query.body),
        _ => None,
    }
}

/// Breaks at the first join by names, and at the first function or cast of a whole row.
struct Joins;

impl Visitor for Joins {
    type Break = ();

    fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<()> {
        match select.from.iter().any(has_joins_by_names) {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        match expr {
            Expr::Function(function) if named_row(function).is_some() => ControlFlow::Break(()),
            Expr::Cast { expr, .. } if starred(expr).is_some() => ControlFlow::Break(()),
            Expr::Nested(_) if starred(expr).is_some() => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        }
    }
}

/// Numbers the SELECTs, by their address.
#[derive(Default)]
struct Places {
    numbers: HashMap<usize, usize>,
}

impl Visitor for Places {
    type Break = ();

    fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<()> {
        let number = self.numbers.len() + 1;
        self.numbers.insert(place(select), number);
        ControlFlow::Continue(())
    }
}

/// Collects the relations of joined tables, in the order in which they are written.
fn relations<'a>(table: &'a TableWithJoins, all: &mut Vec<&'a TableFactor>) {
    let factors = std::iter::once(&table.relation).chain(table.joins.iter().map(|j| &j.relation));
    for factor in factors {
        match factor {
            TableFactor::NestedJoin {
                table_with_joins, ..
            } => relations(table_with_joins, all),
            factor => all.push(factor),
        }
    }
}

/// Returns a LATERAL subquery of all columns of one table without its conditions, which do not change
/// what columns it has.
fn without_conditions(factor: &TableFactor) -> Option<TableFactor> {
    let TableFactor::Derived { lateral: true, .. } = factor else {
        return None;
    };
    let mut alone = factor.clone();
    let TableFactor::Derived {
        lateral, subquery, ..
    } = &mut alone
    else {
        return None;
    };
    let SetExpr::Select(select) = subquery.body.as_mut() else {
        return None;
    };
    let [table] = select.from.as_slice() else {
        return None;
    };
    let name = match &table.relation {
        TableFactor::Table { args: None, .. } if table.joins.is_empty() => {
            relation(&table.relation)
        }
        _ => None,
    };
    let name = name.and_then(|parts| parts.last().map(folded))?;
    let is_star = |item: &SelectItem| match item {
        SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(of), _) => {
            last_part(of).as_ref() == Some(&name)
        }
        _ => false,
    };
    let is_grouped =
        !matches!(&select.group_by, GroupByExpr::Expressions(keys, _) if keys.is_empty());
    let is_plain = select.distinct.is_none() && select.having.is_none() && !is_grouped;
    if !is_plain || !select.projection.iter().all(is_star) {
        return None;
    }
    *lateral = false;
    select.selection = None;
    subquery.order_by = None;
    subquery.limit_clause = None;
    subquery.fetch = None;
    Some(alone)
}

/// Collects the relations of a SELECT as queries.
struct Gather {
    wanted: usize,
    selects: usize,
    /// The enclosing queries.
    around: Vec<Around>,
}

/// A query that is being visited.
struct Around {
    with: Option<With>,
    /// The addresses of the queries of its common tables.
    bodies: Vec<usize>,
    /// The number of common tables that can be referred to: within a common table, only the
    /// preceding ones.
    visible: usize,
}

impl Around {
    /// Returns the common tables that can be referred to. A recursive one has the columns of its
    /// first operand.
    fn named(&self) -> Vec<Cte> {
        let Some(with) = &self.with else {
            return Vec::new();
        };
        let mut tables = with.cte_tables.iter();
        let mut named: Vec<Cte> = tables.by_ref().take(self.visible).cloned().collect();
        if with.recursive
            && let Some(own) = tables.next()
            && let SetExpr::SetOperation { left, .. } = own.query.body.as_ref()
        {
            let mut own = own.clone();
            own.query.body = left.clone();
            named.push(own);
        }
        named
    }
}

impl Gather {
    /// Returns the common tables that can be referred to: of several with one name, the innermost.
    fn with(&self) -> Option<With> {
        let mut all: Option<With> = None;
        for around in &self.around {
            let Some(with) = &around.with else { continue };
            let named = around.named();
            let all = all.get_or_insert_with(|| With {
                with_token: with.with_token.clone(),
                recursive: false,
                cte_tables: Vec::new(),
            });
            all.recursive |= with.recursive;
            all.cte_tables.retain(|outer| {
                let name = folded(&outer.alias.name);
                named.iter().all(|inner| folded(&inner.alias.name) != name)
            });
            all.cte_tables.extend(named);
        }
        all.filter(|with| !with.cte_tables.is_empty())
    }

    fn queries(&self, select: &Select) -> Result<Vec<Option<Query>>, Error> {
        let mut all = Vec::new();
        for table in &select.from {
            relations(table, &mut all);
        }
        let queries = all.into_iter().map(|factor| {
            // A relation that can refer to columns of those before it cannot be queried alone.
            let sees_others = matches!(
                factor,
                TableFactor::Derived { lateral: true, .. }
                    | TableFactor::Function { lateral: true, .. }
                    | TableFactor::UNNEST { .. }
            );
            let alone = without_conditions(factor);
            if (sees_others && alone.is_none()) || named_columns(factor).is_some() {
                return Ok(None);
            }
            let mut query = build::everything()?;
            query.with = self.with();
            if let SetExpr::Select(select) = query.body.as_mut() {
                select.from.push(TableWithJoins {
                    relation: alone.unwrap_or_else(|| factor.clone()),
                    joins: Vec::new(),
                });
            }
            Ok(Some(query))
        });
        queries.collect()
    }
}

impl Visitor for Gather {
    type Break = Result<Vec<Option<Query>>, Error>;

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<Self::Break> {
        let own = ptr::from_ref(query).addr();
        if let Some(around) = self.around.last_mut()
            && let Some(number) = around.bodies.iter().position(|body| *body == own)
        {
            around.visible = number;
        }
        let tables = query.with.iter().flat_map(|with| &with.cte_tables);
        let bodies = tables.map(|cte| ptr::from_ref(cte.query.as_ref()).addr());
        let bodies: Vec<usize> = bodies.collect();
        self.around.push(Around {
            with: query.with.clone(),
            visible: bodies.len(),
            bodies,
        });
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, query: &Query) -> ControlFlow<Self::Break> {
        self.around.pop();
        let own = ptr::from_ref(query).addr();
        if let Some(around) = self.around.last_mut()
            && around.bodies.contains(&own)
        {
            around.visible = around.bodies.len();
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<Self::Break> {
        self.selects += 1;
        match self.selects == self.wanted {
            true => ControlFlow::Break(self.queries(select)),
            false => ControlFlow::Continue(()),
        }
    }
}
