//! Extracts from a query's filters which relations it needs, so that a query about one table does
//! not load the columns of the whole lake.

mod conditions;

use std::collections::BTreeSet;

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
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use datafusion::common::ScalarValue;
    use datafusion::logical_expr::{col, lit};

    use super::*;

    #[test]
    fn equality_with_an_oid_pins_its_table() {
        let pins = RelationPins::of(
            "pg_attribute",
            &[
                col("attrelid").eq(lit(100_003_i64)),
                col("attnum").gt(lit(0)),
            ],
        );
        let Columns::Of(store) = pins.columns() else {
            panic!("{pins:?}")
        };
        assert_eq!(store.table_ids, Some([1].into()));
        assert!(pins.admit((0, "curated"), "orders", 100_003));
        assert!(!pins.admit((0, "curated"), "users", 100_005));
    }

    #[test]
    fn a_literal_that_is_text_pins_as_a_number() {
        let pins = RelationPins::of("pg_class", &[col("oid").eq(lit("100003"))]);
        assert!(
            pins.admit((0, "curated"), "orders", 100_003)
                && !pins.admit((0, "curated"), "users", 100_005)
        );
    }

    #[test]
    fn patterns_and_namespaces_pin_too() {
        let pins = RelationPins::of(
            "pg_class",
            &[
                col("relname").like(lit("t\\_%")),
                col("relnamespace").eq(lit(100_002_i64)),
            ],
        );
        assert!(pins.admit((100_002, "curated"), "t_1", 7));
        assert!(!pins.admit((100_002, "curated"), "tx1", 7));
        assert!(!pins.admit((100_004, "raw"), "t_1", 7));
        assert_eq!(pins.tables().database_ids, Some([1].into()));
        for unknown in [
            col("relname").not_like(lit("t%")),
            col("relname").ilike(lit("t%")),
            col("relkind").like(lit("t%")),
        ] {
            assert!(!is_useful("pg_class", &unknown), "{unknown}");
        }
    }

    #[test]
    fn what_others_hold_holds_too() {
        let mut pins = RelationPins::of("pg_attribute", &[]);
        pins.meet(&RelationPins::of(
            "pg_class",
            &[col("relname").eq(lit("orders"))],
        ));
        pins.meet(&RelationPins::of(
            "pg_class",
            &[col("oid").in_list(vec![lit(100_003), lit(100_005)], false)],
        ));
        assert!(pins.admit((0, "curated"), "orders", 100_003));
        assert!(!pins.admit((0, "curated"), "users", 100_005));
        assert!(!pins.admit((0, "curated"), "orders", 100_007));
        pins.hold_to_nothing();
        assert!(!pins.admit((0, "curated"), "orders", 100_003));
    }

    #[test]
    fn types_are_of_relations_by_number_and_by_name() {
        let admits = |filter: Expr| {
            let pins = RelationPins::of("pg_type", &[filter]);
            [
                ("orders", oids::table(1)),
                ("_t", oids::table(2)),
                ("pg_class", 1259),
            ]
            .map(|(name, oid)| pins.admit((0, "curated"), name, oid))
        };
        for (filter, admitted) in [
            (col("oid").eq(lit(oids::row_type(1))), [true, false, false]),
            (
                col("oid").eq(lit(oids::array_type(2))),
                [false, true, false],
            ),
            (col("oid").eq(lit(83)), [false, false, true]),
            (col("oid").eq(lit(25)), [false, false, false]),
            (
                col("typelem").eq(lit(oids::row_type(1))),
                [true, false, false],
            ),
            (col("typelem").eq(lit(25)), [false, false, false]),
            // Types of rows have no items.
            (col("typelem").eq(lit(0)), [true, true, true]),
            (
                col("typelem").in_list(vec![lit(25), lit(0)], false),
                [true, true, true],
            ),
            (col("typarray").eq(lit(0)), [true, true, true]),
            (col("typarray").eq(lit(273)), [false, false, true]),
            (col("typrelid").eq(lit(0)), [true, true, true]),
            (
                col("typrelid").eq(lit(oids::table(1))),
                [true, false, false],
            ),
            (col("typname").eq(lit("orders")), [true, false, false]),
            (col("typname").eq(lit("_orders")), [true, false, false]),
            (col("typname").eq(lit("_t")), [false, true, false]),
            (col("typname").eq(lit("__t")), [false, true, false]),
            (col("typname").eq(lit("_")), [false, false, false]),
            (col("typname").like(lit("ord%")), [true, false, false]),
            (col("typname").like(lit("\\_ord%")), [true, true, true]),
            (col("typname").like(lit("%ord%")), [true, true, true]),
        ] {
            assert_eq!(admits(filter.clone()), admitted, "{filter}");
        }
    }

    #[test]
    fn alternatives_pin_to_all_of_them_and_other_columns_to_none() {
        let either = col("table_name")
            .eq(lit("a"))
            .or(col("table_name").eq(lit("b")));
        let pins = RelationPins::of(
            "columns",
            &[either, col("table_schema").in_list(vec![lit("x")], false)],
        );
        assert!(
            pins.admit((0, "x"), "b", 1)
                && !pins.admit((0, "x"), "c", 1)
                && !pins.admit((0, "y"), "a", 1)
        );
        let mixed = col("table_name")
            .eq(lit("a"))
            .or(col("column_name").eq(lit("b")));
        assert!(!is_useful("columns", &mixed));
        assert!(!is_useful(
            "columns",
            &col("table_name").in_list(vec![lit("x")], true)
        ));
        assert!(is_useful("pg_class", &col("relname").eq(lit("orders"))));
        // Three in a row, and as many as may be.
        let chain = |many: i64| {
            let each = (0..many).map(|oid| col("oid").eq(lit(oid)));
            let left = each.clone().reduce(Expr::or).unwrap();
            [left, each.reduce(|chain, next| next.or(chain)).unwrap()]
        };
        for (many, useful) in [(3, true), (65, true), (66, false)] {
            for chain in chain(many) {
                assert_eq!(is_useful("pg_class", &chain), useful, "{many}");
            }
        }
    }

    #[test]
    fn values_of_every_type_pin_to_what_they_equal_or_not_at_all() {
        use arrow::datatypes::DataType;
        use datafusion::logical_expr::{cast, try_cast};
        let admits = |filter: Expr| {
            let pins = RelationPins::of("pg_class", &[filter]);
            [7, 8].map(|oid| pins.admit((0, "curated"), "orders", oid))
        };
        for seven in [
            lit(7_i8),
            lit(7_i16),
            lit(7_i32),
            lit(7_i64),
            lit(7_u8),
            lit(7_u16),
            lit(7_u32),
            lit(7_u64),
            lit(" 7"),
        ] {
            assert_eq!(
                admits(col("oid").eq(seven.clone())),
                [true, false],
                "{seven}"
            );
        }
        for same in [
            cast(col("oid"), DataType::Int32),
            try_cast(col("oid"), DataType::Utf8),
        ] {
            assert_eq!(admits(same.clone().eq(lit(7))), [true, false], "{same}");
            assert_eq!(
                admits(same.clone().in_list(vec![lit(7)], false)),
                [true, false],
                "{same}"
            );
        }
        let decimal = lit(ScalarValue::Decimal128(Some(70), 10, 1));
        for unknown in [lit(7.0), decimal, lit(true)] {
            assert_eq!(
                admits(col("oid").eq(unknown.clone())),
                [true, true],
                "{unknown}"
            );
            assert!(
                !is_useful("columns", &col("table_name").eq(unknown.clone())),
                "{unknown}"
            );
            assert!(!is_useful("columns", &col("table_schema").eq(unknown)));
        }
        for (relation, column) in [
            ("pg_class", "oid"),
            ("columns", "table_name"),
            ("columns", "table_schema"),
        ] {
            let mixed = col(column).in_list(vec![lit("7"), lit(8.0)], false);
            assert!(!is_useful(relation, &mixed), "{mixed}");
        }
        assert_eq!(admits(col("oid").eq(lit("seven"))), [false, false]);
        assert_eq!(
            admits(col("oid").eq(lit(ScalarValue::Null))),
            [false, false]
        );
    }

    #[test]
    fn only_comments_on_whole_relations_do_without_columns() {
        for (relation, column, values, whole) in [
            ("pg_description", "objsubid", vec![0], true),
            ("pg_description", "objsubid", vec![1], false),
            ("pg_description", "objsubid", vec![0, 1], false),
            ("pg_description", "classoid", vec![0], false),
            ("pg_description", "classoid", vec![1], false),
            ("pg_depend", "objsubid", vec![0], false),
        ] {
            let filter = col(column).in_list(values.into_iter().map(lit).collect(), false);
            let pins = RelationPins::of(relation, std::slice::from_ref(&filter));
            assert_eq!(pins.whole_relations, whole, "{relation}: {filter}");
        }
    }
}
