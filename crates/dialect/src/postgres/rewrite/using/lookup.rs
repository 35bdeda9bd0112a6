//! What has to be known of tables, so that the names in joins say which columns they mean.
//!
//! | | what has to be known |
//! |---|---|
//! | `a NATURAL JOIN b` | the columns of both |
//! | `a JOIN b ON … JOIN c USING (k)` | whether `a` or `b` has `k` |
//! | `… a JOIN b USING (k) WHERE EXISTS (SELECT 1 FROM c WHERE k = 1)` | whether `c` has `k` |
//!
//! Only the planner knows the columns of a table. So the session plans `SELECT * FROM` each:
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

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::ControlFlow;
use std::ptr;

use datafusion::sql::sqlparser::ast::{
    Cte, Query, Select, SelectItem, SetExpr, Statement, TableFactor, TableWithJoins, Visit,
    Visitor, With,
};
use lakegate_error::Error;

use super::namespace::Columns;
use super::{Resolver, bare, has_joins_by_names};
use crate::postgres::rewrite::{build, folded};

/// The columns of the relations in FROM, for the SELECTs whose resolution depends on them.
#[derive(Debug, Default)]
pub struct JoinedColumns {
    /// By the number of the SELECT in the order of their visits: of each relation in the order that
    /// they are written in.
    selects: BTreeMap<usize, Vec<Columns>>,
}

/// A SELECT whose relations must be looked up.
#[derive(Debug)]
pub struct Unknown {
    select: usize,
    /// `SELECT * FROM` each relation, in the order that they are written in; `None` of one that
    /// stands for no query by itself.
    pub relations: Vec<Option<Query>>,
}

/// The result of resolving a statement.
#[derive(Debug)]
pub enum Resolution {
    Resolved(Box<Statement>),
    /// More must be known, about SELECTs that were not learned before.
    Unknown(Vec<Unknown>),
}

impl JoinedColumns {
    /// Records the columns of the relations.
    pub fn learn(&mut self, unknown: &Unknown, found: Vec<Columns>) {
        self.selects.insert(unknown.select, found);
    }
}

/// Replaces USING and NATURAL by ON, and writes out what depends on them.
///
/// # Errors
///
/// A common column that a side has twice or not at all, or of a table whose columns cannot be known
/// (with the learned reason).
pub fn resolve_joins(statement: &Statement, columns: &JoinedColumns) -> Result<Resolution, Error> {
    let mut resolved = statement.clone();
    if !statement.visit(&mut Joins).is_break() {
        return Ok(Resolution::Resolved(Box::new(resolved)));
    }
    let mut places = Places::default();
    let _ = resolved.visit(&mut places);
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
    // What went wrong may be for want of them.
    let unknown = wanted.into_iter().map(|select| {
        let mut gather = Gather {
            wanted: select,
            selects: 0,
            around: Vec::new(),
        };
        let relations = match statement.visit(&mut gather) {
            ControlFlow::Break(relations) => relations?,
            ControlFlow::Continue(()) => Vec::new(),
        };
        Ok(Unknown { select, relations })
    });
    unknown.collect::<Result<_, _>>().map(Resolution::Unknown)
}

/// What is known of the SELECTs of a statement, for as long as it is not taken apart.
pub(super) struct Known<'a> {
    /// By their places in memory.
    numbers: HashMap<usize, usize>,
    columns: &'a JoinedColumns,
}

impl Known<'_> {
    pub fn number(&self, select: &Select) -> usize {
        let number = self.numbers.get(&place(select));
        number.copied().unwrap_or_default()
    }

    /// Whether its relations were looked up.
    pub fn is_known(&self, select: usize) -> bool {
        self.columns.selects.contains_key(&select)
    }

    /// The columns of each relation; empty if they were not looked up.
    pub fn columns(&self, select: usize) -> Vec<Columns> {
        let known = self.columns.selects.get(&select);
        known.cloned().unwrap_or_default()
    }
}

fn place(select: &Select) -> usize {
    ptr::from_ref(select).addr()
}

/// The columns of a relation whose own text names each.
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

/// Finds whether there is a join by names.
struct Joins;

impl Visitor for Joins {
    type Break = ();

    fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<()> {
        match select.from.iter().any(has_joins_by_names) {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    }
}

/// Numbers the SELECTs.
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

impl Around {
    /// The common tables that can be named. One that is defined by itself has the columns of what
    /// it begins with.
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
    /// The common tables that can be named: of those of one name, the innermost.
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
            // One that may name columns of those before it is no query by itself.
            let sees_others = matches!(
                factor,
                TableFactor::Derived { lateral: true, .. }
                    | TableFactor::Function { lateral: true, .. }
                    | TableFactor::UNNEST { .. }
            );
            if sees_others || named_columns(factor).is_some() {
                return Ok(None);
            }
            let mut query = build::everything()?;
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
