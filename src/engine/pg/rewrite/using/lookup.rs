//! Joins whose common columns are not to be told from the names of their tables.
//!
//! | | what has to be known |
//! |---|---|
//! | `a NATURAL JOIN b` | the columns of both |
//! | `a JOIN b ON … JOIN c USING (k)` | whether `a` or `b` has `k`, for `*` and for a bare `k` |
//!
//! Only the planner knows the columns of a table. So the session is asked for the relations of one SELECT after the other, from the
//! innermost, and plans `SELECT * FROM` each. Once its columns are learned, a NATURAL join is one by USING.
//!
//! ```text
//! let mut columns = JoinedColumns::default();
//! while let Some(unknown) = columns.unknown(&statement)? {
//!     let found = …;                                     // for each of unknown.relations
//!     columns.learn(&mut statement, &unknown, found)?;
//! }
//! rewrite(&mut statement, …, &columns)
//! ```

use std::collections::{BTreeMap, HashMap};
use std::ops::ControlFlow;
use std::ptr;

use datafusion::sql::sqlparser::ast::{
    Expr, JoinConstraint, ObjectName, Query, Select, SelectItem, SetExpr, Statement, TableFactor,
    TableWithJoins, Value, Visit, VisitMut, Visitor, VisitorMut, WildcardAdditionalOptions, With,
};

use super::star::expanded;
use super::{constraint, quoted, single};
use crate::engine::pg::rewrite::tables::join_constraint_mut;
use crate::engine::pg::rewrite::{build, folded};
use crate::error::{Code, Error};

/// The columns of a relation; `None`: not known.
pub type Columns = Option<Vec<String>>;

/// The columns of the relations in FROM, for the SELECTs of a statement that take more than their names.
#[derive(Debug, Default)]
pub struct JoinedColumns {
    /// By the number of the SELECT in the order of their visits: of each relation in the order that they are written in.
    selects: BTreeMap<usize, Vec<Columns>>,
}

/// A SELECT whose relations have to be looked up.
#[derive(Debug)]
pub struct Unknown {
    select: usize,
    /// `SELECT * FROM` each relation, in the order that they are written in; `None` of one that stands for no query by itself.
    pub relations: Vec<Option<Query>>,
}

impl JoinedColumns {
    /// The innermost SELECT that is not known and has to be.
    ///
    /// # Errors
    /// None that depend on the statement.
    pub fn unknown(&self, statement: &Statement) -> Result<Option<Unknown>, Error> {
        let mut find = Find {
            known: self,
            selects: 0,
            open: Vec::new(),
        };
        let ControlFlow::Break(select) = statement.visit(&mut find) else {
            return Ok(None);
        };
        let mut gather = Gather {
            wanted: select,
            selects: 0,
            around: Vec::new(),
        };
        match statement.visit(&mut gather) {
            ControlFlow::Break(relations) => Ok(Some(Unknown {
                select,
                relations: relations?,
            })),
            ControlFlow::Continue(()) => Ok(None),
        }
    }

    /// Notes what the columns of the relations are, and joins by USING what is joined by NATURAL.
    ///
    /// # Errors
    /// Of a relation of a NATURAL join, the one with which it was looked up; a common column that one side has twice.
    pub fn learn(
        &mut self,
        statement: &mut Statement,
        unknown: &Unknown,
        found: Vec<Result<Vec<String>, Error>>,
    ) -> Result<(), Error> {
        let columns = found.iter().map(|found| found.as_ref().ok().cloned());
        self.selects.insert(unknown.select, columns.collect());
        let mut resolve = Resolve {
            wanted: unknown.select,
            selects: 0,
            found,
        };
        match VisitMut::visit(statement, &mut resolve) {
            ControlFlow::Break(resolved) => resolved,
            ControlFlow::Continue(()) => Ok(()),
        }
    }

    /// What is known of each SELECT, by its place in memory, for as long as the statement is not taken apart.
    pub(super) fn by_place(&self, statement: &Statement) -> HashMap<usize, Vec<Columns>> {
        let mut places = Places {
            columns: self,
            selects: 0,
            found: HashMap::new(),
        };
        if !self.selects.is_empty() {
            let _ = statement.visit(&mut places);
        }
        places.found
    }
}

/// A key for what is known of a SELECT.
pub(super) fn place(select: &Select) -> usize {
    ptr::from_ref(select).addr()
}

/// Whether the columns of a SELECT's relations have to be known.
fn is_needed(select: &Select) -> bool {
    select.from.iter().any(|table| {
        let (natural, using) = joined_by_names(table);
        natural || using && expanded(table, &mut std::iter::repeat(&None)).is_none()
    })
}

/// Whether tables are joined by NATURAL, and by USING, here or in parentheses.
fn joined_by_names(table: &TableWithJoins) -> (bool, bool) {
    let (mut natural, mut using) = (false, false);
    for join in &table.joins {
        natural |= matches!(constraint(join), Some(JoinConstraint::Natural));
        using |= matches!(constraint(join), Some(JoinConstraint::Using(_)));
    }
    let factors = std::iter::once(&table.relation).chain(table.joins.iter().map(|j| &j.relation));
    for factor in factors {
        if let TableFactor::NestedJoin {
            table_with_joins, ..
        } = factor
        {
            let inner = joined_by_names(table_with_joins);
            (natural, using) = (natural || inner.0, using || inner.1);
        }
    }
    (natural, using)
}

/// The relations of joined tables, in the order that they are written in.
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

/// Finds the number of a SELECT.
struct Find<'a> {
    known: &'a JoinedColumns,
    selects: usize,
    /// The numbers of the SELECTs around.
    open: Vec<usize>,
}

impl Visitor for Find<'_> {
    type Break = usize;

    fn pre_visit_select(&mut self, _: &Select) -> ControlFlow<usize> {
        self.selects += 1;
        self.open.push(self.selects);
        ControlFlow::Continue(())
    }

    fn post_visit_select(&mut self, select: &Select) -> ControlFlow<usize> {
        match self.open.pop() {
            Some(number) if is_needed(select) && !self.known.selects.contains_key(&number) => {
                ControlFlow::Break(number)
            }
            _ => ControlFlow::Continue(()),
        }
    }
}

/// Gathers the relations of a SELECT as queries.
struct Gather {
    wanted: usize,
    selects: usize,
    /// The queries around.
    around: Vec<Around>,
}

/// A query that is being visited.
struct Around {
    with: Option<With>,
    /// The places of its common tables' queries.
    bodies: Vec<usize>,
    /// How many of the common tables can be named: in one of them, those before it.
    visible: usize,
}

impl Gather {
    /// The common tables that can be named: of those of one name, the innermost.
    fn with(&self) -> Option<With> {
        let mut all: Option<With> = None;
        for around in &self.around {
            let Some(with) = &around.with else { continue };
            let named = with.cte_tables.get(..around.visible).unwrap_or_default();
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
            all.cte_tables.extend(named.iter().cloned());
        }
        all.filter(|with| !with.cte_tables.is_empty())
    }

    fn queries(&self, select: &Select) -> Result<Vec<Option<Query>>, Error> {
        let mut all = Vec::new();
        for table in &select.from {
            relations(table, &mut all);
        }
        let queries = all.into_iter().map(|factor| {
            // One that may name columns of those before it is no query by itself.
            if let TableFactor::Derived { lateral: true, .. }
            | TableFactor::Function { lateral: true, .. }
            | TableFactor::UNNEST { .. } = factor
            {
                return Ok(None);
            }
            let everything = SelectItem::Wildcard(WildcardAdditionalOptions::default());
            let mut query = build::select(vec![everything])?;
            query.with = self.with();
            if let SetExpr::Select(select) = query.body.as_mut() {
                select.from.push(TableWithJoins {
                    relation: factor.clone(),
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

/// Puts USING in the place of NATURAL in a SELECT.
struct Resolve {
    wanted: usize,
    selects: usize,
    /// Of each relation; taken when they are put to use.
    found: Vec<Result<Vec<String>, Error>>,
}

impl VisitorMut for Resolve {
    type Break = Result<(), Error>;

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<Self::Break> {
        self.selects += 1;
        if self.selects != self.wanted {
            return ControlFlow::Continue(());
        }
        let mut found = std::mem::take(&mut self.found).into_iter();
        let resolved = select
            .from
            .iter_mut()
            .try_for_each(|table| resolved(table, &mut found).map(|_| ()));
        ControlFlow::Break(resolved)
    }
}

type Found<'a> = &'a mut dyn Iterator<Item = Result<Vec<String>, Error>>;

/// The columns of joined tables, with those of NATURAL joins by USING now.
fn resolved(
    table: &mut TableWithJoins,
    found: Found<'_>,
) -> Result<Result<Vec<String>, Error>, Error> {
    let mut left = resolved_factor(&mut table.relation, found)?;
    for join in &mut table.joins {
        let right = resolved_factor(&mut join.relation, found)?;
        let Some(constraint) = join_constraint_mut(join) else {
            left = both(left, right, &[]);
            continue;
        };
        if matches!(constraint, JoinConstraint::Natural) {
            let (known, other) = (left?, right?);
            let common = common(&known, &other)?;
            *constraint = match common.as_slice() {
                [] => JoinConstraint::On(Expr::Value(Value::Boolean(true).into())),
                common => JoinConstraint::Using(
                    common
                        .iter()
                        .map(|name| ObjectName::from(vec![quoted(name)]))
                        .collect(),
                ),
            };
            left = both(Ok(known), Ok(other), &common);
            continue;
        }
        let using: Vec<String> = match constraint {
            JoinConstraint::Using(names) => names.iter().filter_map(single).collect(),
            _ => Vec::new(),
        };
        left = both(left, right, &using);
    }
    Ok(left)
}

fn resolved_factor(
    factor: &mut TableFactor,
    found: Found<'_>,
) -> Result<Result<Vec<String>, Error>, Error> {
    match factor {
        TableFactor::NestedJoin {
            table_with_joins, ..
        } => resolved(table_with_joins, found),
        _ => Ok(found
            .next()
            .unwrap_or_else(|| Err(Error::internal("a relation was not looked up")))),
    }
}

/// The columns of a join, the common ones first.
fn both(
    left: Result<Vec<String>, Error>,
    right: Result<Vec<String>, Error>,
    common: &[String],
) -> Result<Vec<String>, Error> {
    let others = left?.into_iter().chain(right?);
    let others = others.filter(|name| !common.contains(name));
    Ok(common.iter().cloned().chain(others).collect())
}

/// The names that both sides have, in the left one's order.
fn common(left: &[String], right: &[String]) -> Result<Vec<String>, Error> {
    let (lefts, rights) = (counted(left), counted(right));
    let mut all = Vec::new();
    for name in left {
        let Some(in_right) = rights.get(name.as_str()) else {
            continue;
        };
        for (side, count) in [
            ("left", lefts.get(name.as_str())),
            ("right", Some(in_right)),
        ] {
            if count.is_some_and(|count| *count > 1) {
                return Err(Error::new(
                    Code::AmbiguousColumn,
                    format!("common column name \"{name}\" appears more than once in {side} table"),
                )
                .with_hint("name the columns to join by: USING or ON"));
            }
        }
        all.push(name.clone());
    }
    Ok(all)
}

fn counted(names: &[String]) -> HashMap<&str, usize> {
    let mut counts = HashMap::new();
    for name in names {
        *counts.entry(name.as_str()).or_default() += 1;
    }
    counts
}

/// Finds the places of the SELECTs that are known.
struct Places<'a> {
    columns: &'a JoinedColumns,
    selects: usize,
    found: HashMap<usize, Vec<Columns>>,
}

impl Visitor for Places<'_> {
    type Break = ();

    fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<()> {
        self.selects += 1;
        if let Some(columns) = self.columns.selects.get(&self.selects) {
            self.found.insert(place(select), columns.clone());
        }
        ControlFlow::Continue(())
    }
}
