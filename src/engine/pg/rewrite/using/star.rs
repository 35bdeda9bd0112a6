//! What `*` means over USING joins, where the names of the tables say it.

use datafusion::sql::sqlparser::ast::{
    ExcludeSelectItem, Expr, Ident, JoinConstraint, JoinOperator, ObjectName, SelectItem,
    SelectItemQualifiedWildcardKind, TableFactor, TableWithJoins, WildcardAdditionalOptions,
};

use super::{constraint, quoted, relation, single};

/// A piece of what `*` means.
#[derive(Clone)]
pub(super) enum Part {
    /// The common column of a USING join.
    Common { name: String, relation: Vec<Ident> },
    /// The other columns of a relation.
    Others {
        relation: Vec<Ident>,
        excluded: Vec<String>,
    },
}

/// The columns of joined tables as PostgreSQL orders them; `None` where that takes more than their names.
pub(super) fn expanded(table: &TableWithJoins) -> Option<Vec<Part>> {
    let mut parts = factor_parts(&table.relation)?;
    for join in &table.joins {
        let mut right = factor_parts(&join.relation)?;
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

fn factor_parts(factor: &TableFactor) -> Option<Vec<Part>> {
    match factor {
        TableFactor::NestedJoin {
            table_with_joins,
            alias: None,
        } => expanded(table_with_joins),
        factor => Some(vec![Part::Others {
            relation: relation(factor)?,
            excluded: Vec::new(),
        }]),
    }
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
    match parts.as_mut_slice() {
        [Part::Others { relation, excluded }] => {
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
        Part::Others { relation, excluded } => {
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
