//! A recursive part with a `*`. That of the query itself is written out, without the columns that are
//! added to it; others stay, in a subquery whose columns have names:
//!
//! ```text
//! SELECT * FROM t                       SELECT t.a, t.b FROM t
//! SELECT * FROM g, t                    SELECT g.*, t.a, t.b FROM g, t
//! SELECT g.* FROM g, t WHERE …          SELECT found.a, found.b FROM (SELECT g.*, t.o FROM g, t WHERE …) AS found (a, b, o)
//! ```

use sqlparser::ast::{
    Expr, Ident, JoinConstraint, JoinOperator, ObjectName, ObjectNamePart, Select, SelectItem,
    SelectItemQualifiedWildcardKind, SetExpr, TableFactor, WildcardAdditionalOptions,
};

use super::{definition, refused, select_of};
use crate::ast::Unsupported;

/// The name of the subquery.
pub(super) const FOUND: &str = "found";

/// Writes out the columns of the query itself.
///
/// `itself`: its name in the FROM of the SELECT. `columns`: its columns before others are added.
///
/// # Errors
///
/// A `*` stands for some columns only, for those of tables without names, or for those of a join that
/// has columns once.
pub(super) fn write_out(
    recursive: &mut Select,
    itself: &Ident,
    columns: &[Ident],
) -> Result<(), Unsupported> {
    let mut items = Vec::with_capacity(recursive.projection.len());
    for item in std::mem::take(&mut recursive.projection) {
        match item {
            SelectItem::Wildcard(options) if is_plain(&options) => {
                for table in tables(recursive)? {
                    items.extend(all_of(table, itself, columns));
                }
            }
            SelectItem::QualifiedWildcard(
                SelectItemQualifiedWildcardKind::ObjectName(name),
                options,
            ) => match name.0.as_slice() {
                [ObjectNamePart::Identifier(name)] if is_same(name, itself) => {
                    if !is_plain(&options) {
                        return Err(refused(WITH_OPTIONS));
                    }
                    items.extend(all_of(name.clone(), itself, columns));
                }
                _ => items.push(SelectItem::QualifiedWildcard(
                    SelectItemQualifiedWildcardKind::ObjectName(name),
                    options,
                )),
            },
            SelectItem::Wildcard(_) => return Err(refused(WITH_OPTIONS)),
            item => items.push(item),
        }
    }
    recursive.projection = items;
    Ok(())
}

const WITH_OPTIONS: &str = "where the recursive part has a * without some columns";

/// Returns whether a `*` stands for all columns.
fn is_plain(options: &WildcardAdditionalOptions) -> bool {
    options.to_string().is_empty()
}

fn is_same(one: &Ident, other: &Ident) -> bool {
    one.value.eq_ignore_ascii_case(&other.value)
}

/// Returns the items that stand for all columns of a table.
fn all_of(table: Ident, itself: &Ident, columns: &[Ident]) -> Vec<SelectItem> {
    if is_same(&table, itself) {
        let columns = columns.iter();
        return columns
            .map(|column| {
                let column = vec![table.clone(), column.clone()];
                SelectItem::UnnamedExpr(Expr::CompoundIdentifier(column))
            })
            .collect();
    }
    vec![SelectItem::QualifiedWildcard(
        SelectItemQualifiedWildcardKind::ObjectName(ObjectName::from(vec![table])),
        WildcardAdditionalOptions::default(),
    )]
}

/// Returns the names of the tables in FROM.
fn tables(select: &Select) -> Result<Vec<Ident>, Unsupported> {
    let of_one = |table: &TableFactor| match table {
        TableFactor::Table { name, alias, .. } => match (alias, name.0.last()) {
            (Some(alias), _) => Some(alias.name.clone()),
            (None, Some(ObjectNamePart::Identifier(name))) => Some(name.clone()),
            _ => None,
        },
        TableFactor::Derived { alias, .. } => alias.as_ref().map(|alias| alias.name.clone()),
        _ => None,
    };
    let mut names = Vec::new();
    for table in &select.from {
        names.push(of_one(&table.relation));
        for join in &table.joins {
            let keeps_columns = matches!(
                join.join_operator,
                JoinOperator::CrossJoin(_)
                    | JoinOperator::Join(JoinConstraint::On(_))
                    | JoinOperator::Inner(JoinConstraint::On(_))
                    | JoinOperator::Left(JoinConstraint::On(_))
                    | JoinOperator::LeftOuter(JoinConstraint::On(_))
            );
            names.push(of_one(&join.relation).filter(|_| keeps_columns));
        }
    }
    let names: Option<Vec<Ident>> = names.into_iter().collect();
    names.ok_or_else(|| refused("where the recursive part has a * of such tables"))
}

/// Makes a SELECT a subquery whose columns have names, and returns its columns. They are followed by
/// `added`, which the query itself has.
///
/// # Errors
///
/// The text of the subquery cannot be parsed.
pub(super) fn enclose(
    recursive: &mut Select,
    itself: &Ident,
    columns: &[Ident],
    added: &[Ident],
) -> Result<Vec<Expr>, Unsupported> {
    let mut outer = select_of(&format!("SELECT 1 FROM (SELECT 1) AS {FOUND}"))?;
    let found = |column: &Ident| {
        Expr::CompoundIdentifier(vec![Ident::with_quote('"', FOUND), column.clone()])
    };
    let items: Vec<Expr> = columns.iter().map(found).collect();
    outer.projection = items.iter().cloned().map(SelectItem::UnnamedExpr).collect();
    std::mem::swap(recursive, outer.as_mut());
    let mut inner = outer;
    let of_itself = added.iter().map(|column| {
        let column = vec![itself.clone(), column.clone()];
        SelectItem::UnnamedExpr(Expr::CompoundIdentifier(column))
    });
    inner.projection.extend(of_itself);
    let table = recursive.from.first_mut().map(|table| &mut table.relation);
    if let Some(TableFactor::Derived {
        subquery,
        alias: Some(alias),
        ..
    }) = table
    {
        *subquery.body = SetExpr::Select(inner);
        let all = columns.iter().chain(added);
        alias.columns = all.cloned().map(definition).collect();
    }
    Ok(items)
}
