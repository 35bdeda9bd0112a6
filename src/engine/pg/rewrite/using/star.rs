//! What `*` means over USING joins, where the names of the tables say it.

use datafusion::sql::sqlparser::ast::{
    ExcludeSelectItem, Expr, Ident, JoinConstraint, JoinOperator, ObjectName, SelectItem,
    SelectItemQualifiedWildcardKind, TableFactor, TableWithJoins, WildcardAdditionalOptions,
};

use super::lookup::Columns;
use super::{constraint, quoted, relation, single};

/// A piece of what `*` means.
#[derive(Clone)]
pub(super) enum Part {
    /// The common column of a USING join.
    Common { name: String, relation: Vec<Ident> },
    /// The other columns of a relation.
    Others {
        relation: Vec<Ident>,
        /// All that it has, if that is known.
        columns: Columns,
        excluded: Vec<String>,
    },
}

/// The columns of joined tables as PostgreSQL orders them; `None` where that takes more than is known.
///
/// `columns`: of each relation, in the order that they are written in.
pub(super) fn expanded<'a>(
    table: &TableWithJoins,
    columns: &mut impl Iterator<Item = &'a Columns>,
) -> Option<Vec<Part>> {
    let mut parts = factor_parts(&table.relation, columns)?;
    for join in &table.joins {
        let mut right = factor_parts(&join.relation, columns)?;
        match constraint(join) {
            Some(JoinConstraint::Using(names)) => {
                let mut common = Vec::new();
                for name in names {
                    let name = single(name)?;
                    let relation = taken(&mut parts, &name)?;
                    taken(&mut right, &name)?;
                    common.push(Part::Common { name, relation });
                }
                parts.splice(0..0, common);
            }
            Some(_) => return None,
            None => match &join.join_operator {
                JoinOperator::Join(_)
                | JoinOperator::Inner(_)
                | JoinOperator::Left(_)
                | JoinOperator::LeftOuter(_)
                | JoinOperator::Right(_)
                | JoinOperator::RightOuter(_)
                | JoinOperator::FullOuter(_)
                | JoinOperator::CrossJoin(_) => {}
                _ => return None,
            },
        }
        parts.extend(right);
    }
    Some(parts)
}

fn factor_parts<'a>(
    factor: &TableFactor,
    columns: &mut impl Iterator<Item = &'a Columns>,
) -> Option<Vec<Part>> {
    let columns = match factor {
        TableFactor::NestedJoin {
            table_with_joins,
            alias,
        } => {
            let inner = expanded(table_with_joins, columns);
            if alias.is_none() {
                return inner;
            }
            inner.and_then(|inner| names(&inner))
        }
        _ => columns.next().cloned().flatten(),
    };
    Some(vec![Part::Others {
        relation: relation(factor)?,
        columns,
        excluded: Vec::new(),
    }])
}

/// The names of the columns, if all are known.
fn names(parts: &[Part]) -> Columns {
    let mut all = Vec::new();
    for part in parts {
        match part {
            Part::Common { name, .. } => all.push(name.clone()),
            Part::Others {
                columns, excluded, ..
            } => {
                let columns = columns.as_ref()?.iter();
                all.extend(columns.filter(|name| !excluded.contains(name)).cloned());
            }
        }
    }
    Some(all)
}

/// Takes a column out of a side, where it is known which relation has it.
fn taken(parts: &mut Vec<Part>, wanted: &str) -> Option<Vec<Ident>> {
    let known = parts
        .iter()
        .position(|part| matches!(part, Part::Common { name, .. } if name == wanted));
    if let Some(place) = known {
        return match parts.remove(place) {
            Part::Common { relation, .. } => Some(relation),
            Part::Others { .. } => None,
        };
    }
    let alone = parts.len() == 1;
    let mut having = parts.iter_mut().filter_map(|part| match part {
        Part::Common { .. } => None,
        Part::Others {
            columns: Some(columns),
            excluded,
            ..
        } if !alone
            && (excluded.iter().any(|name| name == wanted)
                || !columns.iter().any(|name| name == wanted)) =>
        {
            None
        }
        others => Some(others),
    });
    match (having.next(), having.next()) {
        (
            Some(Part::Others {
                relation,
                columns,
                excluded,
            }),
            None,
        ) if alone || columns.is_some() => {
            excluded.push(wanted.to_owned());
            Some(relation.clone())
        }
        _ => None,
    }
}

/// A piece as an item of a SELECT list.
pub(super) fn shown(part: &Part) -> SelectItem {
    match part {
        Part::Common { name, relation } => {
            let mut idents = relation.clone();
            idents.push(quoted(name));
            SelectItem::UnnamedExpr(Expr::CompoundIdentifier(idents))
        }
        Part::Others {
            relation, excluded, ..
        } => {
            let mut options = WildcardAdditionalOptions::default();
            if !excluded.is_empty() {
                let names = excluded
                    .iter()
                    .map(|name| ObjectName::from(vec![quoted(name)]))
                    .collect();
                options.opt_exclude = Some(ExcludeSelectItem::Multiple(names));
            }
            let name = ObjectName::from(relation.clone());
            SelectItem::QualifiedWildcard(
                SelectItemQualifiedWildcardKind::ObjectName(name),
                options,
            )
        }
    }
}
