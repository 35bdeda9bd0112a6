//! The names of the columns of joined tables.

use std::collections::BTreeSet;

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, Expr, Ident, JoinOperator, ObjectName, TableFactor, Value,
};
use lakegate_error::{Code, Error};
use lakegate_lake::table::HiddenColumn;
use lakegate_sql::USING_ALIAS;

use super::super::{build, folded};
use super::single;

/// The columns of a relation, or the reason why they are unknown.
pub(super) type Columns = Result<Vec<String>, Error>;

/// The relations of a FROM, or of a part of it.
#[derive(Debug, Default, Clone)]
pub(super) struct Namespace {
    /// In the order of `*`.
    parts: Vec<Part>,
    /// The aliases of common columns: `USING (k) AS x`.
    aliases: Vec<Alias>,
}

/// A name for the common columns of one join.
#[derive(Debug, Clone)]
struct Alias {
    name: String,
    columns: Vec<(String, Expr)>,
}

#[derive(Debug, Clone)]
pub(super) enum Part {
    /// A common column of joins.
    Common { name: String, value: Box<Expr> },
    /// The other columns of a relation.
    Others {
        relation: Vec<Ident>,
        /// All columns of the relation.
        columns: Columns,
        /// Whether it is a table, which may have hidden columns besides.
        is_table: bool,
        /// The columns that became common ones.
        merged: Vec<String>,
    },
}

/// The meaning of an unqualified name.
#[derive(Debug, PartialEq)]
pub(super) enum Meaning<'a> {
    Common {
        value: &'a Expr,
        /// Whether it is certain that no other relation has a column of this name. Otherwise it is
        /// assumed.
        is_sure: bool,
    },
    /// The column of a relation; `None` if several relations have one.
    Column(Option<&'a [Ident]>),
    /// No relation is known to have the column, and the columns of some relations are unknown.
    Unknown,
    Nothing,
}

/// The sides that are present in a join's rows, which determine the value of a common column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Kind {
    /// The left side is present in all rows.
    Left,
    Right,
    Full,
    /// SEMI and ANTI joins, whose rows have one side only.
    LeftOnly,
    RightOnly,
}

impl Kind {
    pub(in super::super) fn of(operator: &JoinOperator) -> Self {
        match operator {
            JoinOperator::Right(_) | JoinOperator::RightOuter(_) => Kind::Right,
            JoinOperator::FullOuter(_) => Kind::Full,
            JoinOperator::Semi(_)
            | JoinOperator::LeftSemi(_)
            | JoinOperator::Anti(_)
            | JoinOperator::LeftAnti(_) => Kind::LeftOnly,
            JoinOperator::RightSemi(_) | JoinOperator::RightAnti(_) => Kind::RightOnly,
            _ => Kind::Left,
        }
    }
}

impl Namespace {
    pub(super) fn of(factor: &TableFactor, columns: Columns) -> Self {
        let relation = relation(factor).unwrap_or_default();
        Self {
            parts: vec![Part::Others {
                relation,
                columns,
                is_table: matches!(factor, TableFactor::Table { args: None, .. }),
                merged: Vec::new(),
            }],
            aliases: Vec::new(),
        }
    }

    pub(super) fn parts(&self) -> &[Part] {
        &self.parts
    }

    pub(super) fn with(mut self, right: Self) -> Self {
        self.parts.extend(right.parts);
        self.aliases.extend(right.aliases);
        self
    }

    /// Gives an alias to the columns that the last join made common ones.
    ///
    /// # Errors
    ///
    /// A relation has the name.
    pub(super) fn with_alias(mut self, name: &str, columns: &[String]) -> Result<Self, Error> {
        if self.has_relation(name) || self.alias(name).is_some() {
            return Err(Error::new(
                Code::DuplicateAlias,
                format!("table name \"{name}\" specified more than once"),
            ));
        }
        let common = self.parts.iter().filter_map(|part| match part {
            Part::Common { name, value } if columns.contains(name) => {
                Some((name.clone(), value.as_ref().clone()))
            }
            _ => None,
        });
        let columns = common.take(columns.len()).collect();
        self.aliases.push(Alias {
            name: name.to_owned(),
            columns,
        });
        Ok(self)
    }

    /// Returns the common columns that have this alias, with their values.
    pub(super) fn alias(&self, wanted: &str) -> Option<&[(String, Expr)]> {
        let mut aliases = self.aliases.iter();
        let alias = aliases.find(|alias| alias.name == wanted)?;
        Some(alias.columns.as_slice())
    }

    /// Returns whether it contains a join by names.
    pub(super) fn is_joined(&self) -> bool {
        let mut parts = self.parts.iter();
        parts.any(|part| matches!(part, Part::Common { .. }))
    }

    pub(super) fn meaning(&self, name: &str) -> Meaning<'_> {
        let mut common = Vec::new();
        let (mut relations, mut is_unknown) = (Vec::new(), false);
        for part in &self.parts {
            match part {
                Part::Common { name: known, value } if known == name => {
                    common.push(value.as_ref());
                }
                Part::Common { .. } => {}
                Part::Others { relation, .. } => match part.count(name) {
                    Some(count) => relations.extend(std::iter::repeat_n(relation, count)),
                    None => is_unknown = true,
                },
            }
        }
        match (common.as_slice(), relations.as_slice()) {
            ([value], []) => Meaning::Common {
                value,
                is_sure: !is_unknown,
            },
            ([], []) if is_unknown => Meaning::Unknown,
            ([], []) => Meaning::Nothing,
            ([], [relation]) => Meaning::Column(Some(relation)),
            // Several columns: the engine reports that the name is ambiguous.
            _ => Meaning::Column(None),
        }
    }

    /// Returns whether a relation of this name hides one of the same name in an outer scope.
    pub(super) fn has_relation(&self, wanted: &str) -> bool {
        self.parts.iter().any(|part| match part {
            Part::Common { .. } => false,
            Part::Others { relation, .. } => {
                relation.last().is_some_and(|name| folded(name) == wanted)
            }
        })
    }

    /// Returns a relation and all of its columns.
    pub(super) fn relation(&self, wanted: &str) -> Option<(&[Ident], &Columns)> {
        self.parts.iter().find_map(|part| match part {
            Part::Others {
                relation, columns, ..
            } if relation.last().is_some_and(|name| folded(name) == wanted) => {
                Some((relation.as_slice(), columns))
            }
            _ => None,
        })
    }

    /// Returns the names of all columns.
    ///
    /// # Errors
    ///
    /// The columns of a relation are unknown.
    pub(super) fn names(&self) -> Columns {
        let mut all = Vec::new();
        for part in &self.parts {
            match part {
                Part::Common { name, .. } => all.push(name.clone()),
                Part::Others {
                    columns, merged, ..
                } => {
                    let columns = columns.as_ref().map_err(Clone::clone)?.iter();
                    all.extend(columns.filter(|name| !merged.contains(name)).cloned());
                }
            }
        }
        Ok(all)
    }

    /// Joins two sides by their common columns. Returns the result, and the condition.
    ///
    /// # Errors
    ///
    /// A side has a column twice or not at all, or the columns of its relations are unknown.
    pub(super) fn join(
        mut self,
        mut right: Self,
        names: &[String],
        kind: Kind,
    ) -> Result<(Self, Expr), Error> {
        let (whole_left, whole_right) = (self.clone(), right.clone());
        let (mut common, mut equal) = (Vec::new(), Vec::new());
        for name in names {
            let (left, right) = (self.take(name, "left")?, right.take(name, "right")?);
            equal.push(Expr::BinaryOp {
                left: Box::new(left.clone()),
                op: BinaryOperator::Eq,
                right: Box::new(right.clone()),
            });
            let value = match kind {
                Kind::Right => right,
                Kind::Full => build::call("coalesce", vec![left, right]),
                _ => left,
            };
            common.push(Part::Common {
                name: name.clone(),
                value: Box::new(value),
            });
        }
        let joined = match kind {
            Kind::LeftOnly => whole_left,
            Kind::RightOnly => whole_right,
            _ => Self {
                parts: common,
                aliases: Vec::new(),
            }
            .with(self)
            .with(right),
        };
        Ok((joined, all(equal)))
    }

    /// Removes a column from a side and returns it.
    fn take(&mut self, name: &str, side: &str) -> Result<Expr, Error> {
        let (mut having, mut unknown) = (Vec::new(), Vec::new());
        for (place, part) in self.parts.iter().enumerate() {
            match part.count(name) {
                Some(count) => having.extend(std::iter::repeat_n(place, count)),
                None => unknown.push(place),
            }
        }
        let place = match (having.as_slice(), unknown.as_slice()) {
            ([place], _) | ([], [place]) => *place,
            ([], []) => {
                return Err(Error::new(
                    Code::ColumnNotFound,
                    format!(
                        "column \"{name}\" specified in USING clause does not exist in {side} table"
                    ),
                ));
            }
            ([], _) => return Err(not_known(name)),
            _ => {
                return Err(Error::new(
                    Code::AmbiguousColumn,
                    format!("common column name \"{name}\" appears more than once in {side} table"),
                )
                .with_hint("name the columns to join by: USING or ON"));
            }
        };
        match &mut self.parts[place] {
            Part::Common { .. } => match self.parts.remove(place) {
                Part::Common { value, .. } => Ok(*value),
                Part::Others { .. } => Err(not_known(name)),
            },
            Part::Others {
                relation, merged, ..
            } => {
                merged.push(name.to_owned());
                Ok(qualified(relation, name))
            }
        }
    }
}

impl Part {
    /// Returns how many columns have this name, or `None` if that is unknown.
    fn count(&self, wanted: &str) -> Option<usize> {
        match self {
            Part::Common { name, .. } => Some(usize::from(name == wanted)),
            Part::Others { merged, .. } if merged.iter().any(|name| name == wanted) => Some(0),
            Part::Others {
                columns, is_table, ..
            } => {
                let columns = columns.as_ref().ok()?.iter();
                let count = columns.filter(|name| *name == wanted).count();
                let may_hide = *is_table && HiddenColumn::of_name(wanted).is_some();
                (count > 0 || !may_hide).then_some(count)
            }
        }
    }
}

fn not_known(name: &str) -> Error {
    Error::not_supported(format!(
        "which table has the common column \"{name}\" is not known here"
    ))
    .with_hint("join with ON")
}

/// Returns the names that both sides have, in the left side's order. A name that one side has twice
/// is reported by [`Namespace::join`].
pub(super) fn common(left: &[String], right: &[String]) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    let mut rights: BTreeSet<&str> = right.iter().map(String::as_str).collect();
    for name in left {
        if rights.remove(name.as_str()) {
            all.push(name.clone());
        }
    }
    all
}

/// Builds a conjunction as a balanced tree: a NATURAL join can have any number of columns.
fn all(mut conditions: Vec<Expr>) -> Expr {
    while conditions.len() > 1 {
        let mut pairs = conditions.into_iter();
        let mut joined = Vec::new();
        while let Some(left) = pairs.next() {
            joined.push(match pairs.next() {
                Some(right) => Expr::BinaryOp {
                    left: Box::new(left),
                    op: BinaryOperator::And,
                    right: Box::new(right),
                },
                None => left,
            });
        }
        conditions = joined;
    }
    let truth = || Expr::Value(Value::Boolean(true).into());
    conditions.pop().unwrap_or_else(truth)
}

/// Returns the name that qualifies the columns of a relation.
pub(in super::super) fn relation(factor: &TableFactor) -> Option<Vec<Ident>> {
    let parts = |name: &ObjectName| name.0.iter().map(|part| part.as_ident().cloned()).collect();
    match factor {
        TableFactor::Table { alias, name, .. } => match alias {
            Some(alias) => Some(vec![alias.name.clone()]),
            None => parts(name),
        },
        TableFactor::Function { alias, name, .. } => match alias {
            Some(alias) => Some(vec![alias.name.clone()]),
            None => parts(name)?.pop().map(|name| vec![name]),
        },
        TableFactor::UNNEST { alias, .. } => {
            let name = alias.as_ref().map(|alias| alias.name.clone());
            Some(vec![name.unwrap_or_else(|| Ident::new("unnest"))])
        }
        TableFactor::Derived { alias, .. } | TableFactor::NestedJoin { alias, .. } => {
            alias.as_ref().map(|alias| vec![alias.name.clone()])
        }
        _ => None,
    }
}

pub(super) fn qualified(relation: &[Ident], name: &str) -> Expr {
    let mut column = relation.to_vec();
    column.push(ident(name));
    Expr::CompoundIdentifier(column)
}

/// Returns a column's name as SQL text, quoted if necessary.
pub(super) fn ident(name: &str) -> Ident {
    let is_plain = name
        .bytes()
        .all(|byte| byte == b'_' || byte.is_ascii_lowercase() || byte.is_ascii_digit());
    match is_plain && !name.is_empty() && !name.as_bytes()[0].is_ascii_digit() {
        true => Ident::new(name),
        false => Ident::with_quote('"', name),
    }
}

/// Returns the alias of common columns, which the parser wrote behind them in USING.
pub(super) fn alias_of(names: &[ObjectName]) -> Option<String> {
    let name = single(names.last()?)?;
    name.strip_prefix(USING_ALIAS).map(str::to_owned)
}

/// Returns the names in USING, without the alias.
///
/// # Errors
///
/// A name is qualified, or occurs twice.
pub(super) fn using(names: &[ObjectName]) -> Result<Vec<String>, Error> {
    let mut all: Vec<String> = Vec::new();
    for name in names {
        let Some(column) = single(name) else {
            return Err(Error::invalid(format!(
                "{name} in USING is no name of a column of both tables"
            ))
            .with_hint("join with ON"));
        };
        if column.starts_with(USING_ALIAS) {
            continue;
        }
        if all.contains(&column) {
            return Err(Error::new(
                Code::DuplicateColumn,
                format!("column name \"{column}\" appears more than once in USING clause"),
            ));
        }
        all.push(column);
    }
    Ok(all)
}
