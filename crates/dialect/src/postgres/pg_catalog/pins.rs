//! Extracts from a query's filters which relations it needs, so that a query about one table does
//! not load the columns of the whole lake.

mod conditions;

use std::collections::BTreeSet;

use datafusion::common::ScalarValue;
use datafusion::logical_expr::Expr;

pub(super) use self::conditions::{cast_to_oid, integer, without_casts};
use self::conditions::{equalities, is_text, is_whole, likeness, texts};
use super::oids;
use super::shape::type_of_rows;
use crate::visible::{Columns, Pins, Texts};

/// How a column of a system relation identifies the relations that its rows describe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Identifies {
    Oid,
    Name,
    Namespace,
    NamespaceOid,
    /// The OID of the type of a relation's rows, or of arrays of them. Other types are of no relation.
    TypeOid,
    /// The name of such a type.
    TypeName,
}

fn identifies(relation: &str, column: &str) -> Option<Identifies> {
    match (relation, column) {
        ("pg_class", "oid")
        | ("pg_attribute", "attrelid")
        | ("pg_description", "objoid")
        | ("pg_type", "typrelid")
        | (_, "relid") => Some(Identifies::Oid),
        ("pg_class", "relname") => Some(Identifies::Name),
        ("pg_type", "typname") => Some(Identifies::TypeName),
        ("pg_type", "oid" | "typelem" | "typarray") => Some(Identifies::TypeOid),
        ("pg_stat_all_tables" | "pg_stat_user_tables" | "pg_statio_user_tables", "relname") => {
            Some(Identifies::Name)
        }
        (_, "table_name" | "tablename" | "viewname") => Some(Identifies::Name),
        (_, "table_schema" | "schemaname") | ("pg_namespace", "nspname") => {
            Some(Identifies::Namespace)
        }
        ("pg_class", "relnamespace") | ("pg_type", "typnamespace") | ("pg_namespace", "oid") => {
            Some(Identifies::NamespaceOid)
        }
        _ => None,
    }
}

/// Conditions on relations, all of which hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct RelationPins {
    /// `None` means no condition.
    oids: Option<BTreeSet<i64>>,
    /// `None` means no condition.
    namespace_oids: Option<BTreeSet<i64>>,
    names: Vec<Texts>,
    namespaces: Vec<Texts>,
    /// Whether only comments on whole relations are needed, not on their columns.
    pub whole_relations: bool,
    /// Whether the types of the rows of tables are not needed.
    pub without_row_types: bool,
}

/// Returns whether a filter can restrict anything. The engine evaluates it again in any case.
pub(super) fn is_useful(relation: &str, filter: &Expr) -> bool {
    RelationPins::of(relation, std::slice::from_ref(filter)) != RelationPins::default()
}

impl RelationPins {
    /// Extracts the conditions from filters that all apply.
    pub(crate) fn of(relation: &str, filters: &[Expr]) -> Self {
        let mut pins = Self::default();
        for filter in filters {
            if let Some((column, pattern)) = likeness(filter) {
                let texts = match identifies(relation, &column) {
                    Some(Identifies::Name) => &mut pins.names,
                    // No array has such a name.
                    Some(Identifies::TypeName) if !pattern.starts_with(['%', '_', '\\']) => {
                        &mut pins.names
                    }
                    Some(Identifies::Namespace) => &mut pins.namespaces,
                    _ => continue,
                };
                add(texts, Texts::Like(pattern));
                continue;
            }
            let Some((column, values)) = equalities(filter, 0) else {
                continue;
            };
            if relation == "pg_description"
                && column == "objsubid"
                && values.iter().all(|value| integer(value) == Some(0))
            {
                pins.whole_relations = true;
            }
            if relation == "pg_class" && excludes_relations(&column, &values) {
                pins.hold_to_nothing();
            }
            pins.without_row_types |= relation == "pg_type" && excludes_row_types(&column, &values);
            let Some(identifies) = identifies(relation, &column) else {
                continue;
            };
            // A type of rows has no items, and one of arrays no relation and no arrays of it.
            let may_be_none = relation == "pg_type" && column.starts_with("typ");
            if may_be_none && values.iter().any(|value| integer(value) == Some(0)) {
                continue;
            }
            match identifies {
                // Text that is not a number equals no OID; for other types the engine decides
                // equality.
                Identifies::Oid | Identifies::NamespaceOid | Identifies::TypeOid
                    if values.iter().all(|v| is_whole(v) || is_text(v)) =>
                {
                    let numbers = values.iter().filter_map(integer);
                    match identifies {
                        Identifies::NamespaceOid => {
                            intersect(&mut pins.namespace_oids, &numbers.collect());
                        }
                        Identifies::TypeOid => {
                            let of_rows = numbers.filter_map(type_of_rows);
                            let relations = of_rows.map(|found| found.relation).collect();
                            intersect(&mut pins.oids, &relations);
                        }
                        _ => intersect(&mut pins.oids, &numbers.collect()),
                    }
                }
                Identifies::Name if values.iter().all(is_text) => {
                    add(&mut pins.names, Texts::These(texts(&values)));
                }
                Identifies::TypeName if values.iter().all(is_text) => {
                    add(
                        &mut pins.names,
                        Texts::These(relations_of_types(texts(&values))),
                    );
                }
                Identifies::Namespace if values.iter().all(is_text) => {
                    add(&mut pins.namespaces, Texts::These(texts(&values)));
                }
                _ => {}
            }
        }
        pins
    }

    /// Returns the condition that the relations have these OIDs.
    pub(super) fn of_oids(oids: BTreeSet<i64>) -> Self {
        Self {
            oids: Some(oids),
            ..Self::default()
        }
    }

    /// Returns whether the conditions name the relations, and not more than these many.
    pub(super) fn are_of_few(&self, most: usize) -> bool {
        let few_oids = self.oids.as_ref().is_some_and(|oids| oids.len() <= most);
        few_oids
            || self.names.iter().any(|texts| match texts {
                Texts::These(names) => names.len() <= most,
                Texts::Like(_) => false,
            })
    }

    /// Adds the conditions on relations that others hold.
    pub(super) fn meet(&mut self, other: &Self) {
        if let Some(oids) = &other.oids {
            intersect(&mut self.oids, oids);
        }
        for names in &other.names {
            add(&mut self.names, names.clone());
        }
        self.meet_namespaces(other);
    }

    /// Adds the conditions on namespaces that others hold.
    pub(super) fn meet_namespaces(&mut self, other: &Self) {
        if let Some(oids) = &other.namespace_oids {
            intersect(&mut self.namespace_oids, oids);
        }
        for namespaces in &other.namespaces {
            add(&mut self.namespaces, namespaces.clone());
        }
    }

    /// Adds the condition that there is no such relation.
    pub(super) fn hold_to_nothing(&mut self) {
        self.oids = Some(BTreeSet::new());
    }

    pub(crate) fn admit(
        &self,
        (namespace_oid, namespace): (i64, &str),
        name: &str,
        oid: i64,
    ) -> bool {
        self.oids.as_ref().is_none_or(|oids| oids.contains(&oid))
            && self
                .namespace_oids
                .as_ref()
                .is_none_or(|oids| oids.contains(&namespace_oid))
            && self.names.iter().all(|texts| texts.admit(name))
            && self.namespaces.iter().all(|texts| texts.admit(namespace))
    }

    /// Returns the tables to request from the catalog.
    pub(crate) fn tables(&self) -> Pins {
        type Id = fn(i64) -> Option<i64>;
        let ids = |oids: &Option<BTreeSet<i64>>, id: Id| -> Option<BTreeSet<i64>> {
            let oids = oids.as_ref()?;
            Some(oids.iter().filter_map(|oid| id(*oid)).collect())
        };
        Pins {
            table_ids: ids(&self.oids, oids::table_id),
            database_ids: ids(&self.namespace_oids, oids::database_id),
            tables: self.names.clone(),
            databases: self.namespaces.clone(),
        }
    }

    /// Returns the columns to request from the catalog.
    pub(crate) fn columns(&self) -> Columns {
        let pins = self.tables();
        match pins.is_empty() {
            true => Columns::All,
            false => Columns::Of(pins),
        }
    }
}

/// Returns whether a column of `pg_class` has none of these values: relations are tables and views.
fn excludes_relations(column: &str, values: &[ScalarValue]) -> bool {
    column == "relkind" && has_none_of(&["r", "v"], values)
}

/// Returns whether values are texts, and none of these.
fn has_none_of(taken: &[&str], values: &[ScalarValue]) -> bool {
    let is_taken = |text: &String| taken.contains(&text.as_str());
    values.iter().all(is_text) && !texts(values).iter().any(is_taken)
}

/// Returns whether a column of `pg_type` has none of these values for the types that are made of the rows of
/// relations: composite ones, and arrays of them.
fn excludes_row_types(column: &str, values: &[ScalarValue]) -> bool {
    let taken = match column {
        "typtype" => ["c", "b"],
        "typcategory" => ["C", "A"],
        _ => return false,
    };
    has_none_of(&taken, values)
}

/// Returns the names of the relations whose types may have these names: that of rows has the relation's
/// name, and that of arrays of them `_` before it.
fn relations_of_types(names: BTreeSet<String>) -> BTreeSet<String> {
    let arrays = names.iter().filter_map(|name| name.strip_prefix('_'));
    let mut relations: BTreeSet<String> = arrays.map(str::to_owned).collect();
    relations.extend(names);
    relations
}

fn intersect(known: &mut Option<BTreeSet<i64>>, more: &BTreeSet<i64>) {
    *known = Some(match known.take() {
        Some(known) => known.intersection(more).copied().collect(),
        None => more.clone(),
    });
}

fn add(known: &mut Vec<Texts>, more: Texts) {
    if !known.contains(&more) {
        known.push(more);
    }
}

#[cfg(test)]
mod tests;
