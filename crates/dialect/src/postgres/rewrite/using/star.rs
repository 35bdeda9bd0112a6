//! The expansion of `*` over joins by names: each common column once, and first.

use datafusion::sql::sqlparser::ast::{
    ExcludeSelectItem, Expr, Ident, ObjectName, ReplaceSelectElement, ReplaceSelectItem,
    SelectItem, SelectItemQualifiedWildcardKind, WildcardAdditionalOptions,
};
use lakegate_error::{Error, column_not_found};

use super::super::{build, folded};
use super::namespace::{Columns, Namespace, Part, ident};
use super::single;

/// Returns the items that `*` expands to.
///
/// # Errors
///
/// EXCLUDE or REPLACE names columns that do not exist, or applies to relations whose columns are
/// unknown; or `*` has other options.
pub(super) fn expanded(
    namespace: &Namespace,
    options: WildcardAdditionalOptions,
) -> Result<Vec<SelectItem>, Error> {
    if options.opt_ilike.is_some() || options.opt_rename.is_some() || options.opt_alias.is_some() {
        return Err(Error::not_supported(
            "ILIKE, RENAME and AS after * are not supported over joins with common columns",
        )
        .with_hint("name the columns"));
    }
    let excluded = excluded(&options);
    let replaced = options.opt_replace.into_iter().flat_map(|it| it.items);
    let mut replaced: Vec<ReplaceSelectElement> = replaced.map(|it| *it).collect();
    if !excluded.is_empty() || !replaced.is_empty() {
        let names = namespace.names()?;
        let replacing = replaced.iter().map(|it| folded(&it.column_name));
        for wanted in excluded.iter().cloned().chain(replacing) {
            if !names.contains(&wanted) {
                return Err(column_not_found(&wanted));
            }
        }
    }
    let mut items = Vec::new();
    for part in namespace.parts() {
        match part {
            Part::Common { name, .. } if excluded.contains(name) => {}
            Part::Common { name, value } => {
                let own = replaced
                    .iter()
                    .position(|it| folded(&it.column_name) == *name);
                items.push(match own.map(|place| replaced.swap_remove(place)) {
                    Some(own) => build::aliased(own.expr, own.column_name),
                    None => shown(name, value),
                });
            }
            Part::Others {
                relation,
                columns,
                merged,
                ..
            } => {
                let left_out = |name: &&String| merged.contains(name) || excluded.contains(name);
                let missing: Vec<String> = match columns {
                    Ok(columns) => {
                        if columns.iter().all(|name| left_out(&name)) {
                            continue;
                        }
                        columns.iter().filter(left_out).cloned().collect()
                    }
                    Err(_) => merged.clone(),
                };
                let own = of_relation(columns, &missing, &mut replaced);
                items.push(others(relation, &missing, own));
            }
        }
    }
    Ok(items)
}

fn excluded(options: &WildcardAdditionalOptions) -> Vec<String> {
    let excluded = match &options.opt_exclude {
        Some(ExcludeSelectItem::Single(name)) => single(name).into_iter().collect(),
        Some(ExcludeSelectItem::Multiple(names)) => names.iter().filter_map(single).collect(),
        None => Vec::new(),
    };
    let except = options.opt_except.iter().flat_map(|except| {
        let more = except.additional_elements.iter().map(folded);
        std::iter::once(folded(&except.first_element)).chain(more)
    });
    excluded.into_iter().chain(except).collect()
}

/// Returns the replacements of a relation's columns.
fn of_relation(
    columns: &Columns,
    missing: &[String],
    replaced: &mut Vec<ReplaceSelectElement>,
) -> Vec<ReplaceSelectElement> {
    let columns = columns.as_deref().unwrap_or_default();
    let (own, others) = std::mem::take(replaced).into_iter().partition(|it| {
        let name = folded(&it.column_name);
        columns.contains(&name) && !missing.contains(&name)
    });
    *replaced = others;
    own
}

/// Builds the item of a SELECT list for a common column.
pub(super) fn shown(name: &str, value: &Expr) -> SelectItem {
    match value {
        Expr::CompoundIdentifier(_) => SelectItem::UnnamedExpr(value.clone()),
        value => build::aliased(value.clone(), ident(name)),
    }
}

fn others(
    relation: &[Ident],
    excluded: &[String],
    replaced: Vec<ReplaceSelectElement>,
) -> SelectItem {
    let mut options = WildcardAdditionalOptions::default();
    if !excluded.is_empty() {
        let names = excluded
            .iter()
            .map(|name| ObjectName::from(vec![ident(name)]));
        options.opt_exclude = Some(ExcludeSelectItem::Multiple(names.collect()));
    }
    if !replaced.is_empty() {
        let items = replaced.into_iter().map(Box::new).collect();
        options.opt_replace = Some(ReplaceSelectItem { items });
    }
    let name = ObjectName::from(relation.to_vec());
    SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(name), options)
}
