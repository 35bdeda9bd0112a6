//! Object identifiers: stable across restarts, because they derive from the store's ids.
//!
//! ```text
//! 1 ..= 16383           PostgreSQL's own: types, its catalog's relations, `pg_catalog` itself
//! 20000 ..= 39999       the engine's functions, by name
//! 99998, 99996 …        built-in schemas (id -1, -2 …)
//! 99999, 99997 …        built-in tables (id -1, -2 …)
//! 100002, 100004 …      the namespaces of databases (id 1, 2 …)
//! 100003, 100005 …      tables and views (id 1, 2 …)
//! 1850025001 …          the types of arrays of their rows (id 1, 2 …)
//! 2000025001 …          the types of the rows of tables and views (id 1, 2 …)
//! ```

/// The namespace `pg_catalog`.
pub(crate) const PG_CATALOG: i64 = 11;
/// The namespace `information_schema`.
pub const INFORMATION_SCHEMA: i64 = 13000;
/// The first OID of what a server creates; those below are of PostgreSQL's own objects.
pub(crate) const FIRST_OF_LAKE: i64 = 16384;
/// The single database of a connection.
pub const DATABASE: i64 = 16384;
/// The role that owns the catalog.
pub const OWNER: i64 = 10;
/// The tablespace `pg_default`.
pub const TABLESPACE: i64 = 1663;
/// The access method of tables.
pub(crate) const HEAP: i64 = 2;

/// Relations that comments and dependencies refer to.
pub(crate) const CLASS_PG_CLASS: i64 = 1259;
pub(crate) const CLASS_PG_NAMESPACE: i64 = 2615;

const BASE: i64 = 100_000;
/// The OID of the row type of [`MIN_ID`].
const ROW_TYPES: i64 = 2_000_000_000;
/// The OID of the type of arrays of the rows of [`MIN_ID`].
const ARRAY_TYPES: i64 = 1_850_000_000;
/// The largest id whose OIDs fit the positive numbers of 32 bits, as which some tools read them.
const MAX_ID: i64 = i32::MAX as i64 - ROW_TYPES + MIN_ID;
const MIN_ID: i64 = -25_000;

fn within(id: i64) -> i64 {
    id.clamp(MIN_ID, MAX_ID)
}

/// Returns the OID of a database's namespace.
pub fn namespace(database_id: i64) -> i64 {
    BASE + 2 * within(database_id)
}

/// Returns the OID of a table or a view.
pub fn table(table_id: i64) -> i64 {
    BASE + 1 + 2 * within(table_id)
}

/// Returns the OID of the type of a table's rows.
pub fn row_type(table_id: i64) -> i64 {
    ROW_TYPES + within(table_id) - MIN_ID
}

/// Returns the OID of the type of arrays of a table's rows.
pub(crate) fn array_type(table_id: i64) -> i64 {
    ARRAY_TYPES + within(table_id) - MIN_ID
}

/// A type that is made of the rows of a relation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OfRows {
    /// The OID of the relation.
    pub relation: i64,
    /// Whether it is the type of arrays of its rows.
    pub is_array: bool,
}

/// Returns the table that a type is made of, by the OID of the type.
pub fn of_table(type_oid: i64) -> Option<OfRows> {
    let is_array = type_oid < ROW_TYPES;
    let first = if is_array { ARRAY_TYPES } else { ROW_TYPES };
    let id = type_oid.checked_sub(first)?.checked_add(MIN_ID)?;
    let known = (MIN_ID..=MAX_ID).contains(&id);
    known.then(|| OfRows {
        relation: table(id),
        is_array,
    })
}

/// The types of the rows of relations of `pg_catalog` that have the same OID in each release.
const SYSTEM_ROW_TYPES: [(i64, i64); 9] = [
    (1247, 71),
    (1249, 75),
    (1255, 81),
    (1259, 83),
    (1260, 2842),
    (1261, 2843),
    (1262, 1248),
    (3592, 4066),
    (6100, 6101),
];

/// Those of arrays of their rows.
const SYSTEM_ARRAY_TYPES: [(i64, i64); 4] = [(1247, 210), (1249, 270), (1255, 272), (1259, 273)];

/// The first OID of types of the rows of other tables of `pg_catalog`, and of arrays of them.
const SYSTEM_TYPES: i64 = 10_000;
/// The smallest number that leaves another remainder of the OID of each of these tables.
const SYSTEM_TABLES: i64 = 266;

/// Returns the OID of the type of the rows of a relation of the system. A relation that a server makes
/// when it is set up is followed by the type of arrays of its rows, and by that of its rows.
pub(crate) fn system_row_type(relation: i64) -> i64 {
    let known = fixed(&SYSTEM_ROW_TYPES, relation);
    known.unwrap_or(match relation {
        SYSTEM_TYPES.. => relation + 2,
        _ => SYSTEM_TYPES + 2 * (relation % SYSTEM_TABLES) + 1,
    })
}

/// Returns the OID of the type of arrays of the rows of a relation of the system.
pub(crate) fn system_array_type(relation: i64) -> i64 {
    let known = fixed(&SYSTEM_ARRAY_TYPES, relation);
    known.unwrap_or(match relation {
        SYSTEM_TYPES.. => relation + 1,
        _ => SYSTEM_TYPES + 2 * (relation % SYSTEM_TABLES),
    })
}

fn fixed(types: &[(i64, i64)], relation: i64) -> Option<i64> {
    let mut known = types.iter().filter(|(of, _)| *of == relation);
    known.next().map(|(_, oid)| *oid)
}

/// Returns the id of the table that has this OID.
pub fn table_id(oid: i64) -> Option<i64> {
    let distance = oid.checked_sub(BASE + 1)?;
    let id = distance.div_euclid(2);
    (distance.rem_euclid(2) == 0 && (MIN_ID..=MAX_ID).contains(&id)).then_some(id)
}

/// Returns the id of the database whose namespace has this OID.
pub fn database_id(oid: i64) -> Option<i64> {
    let distance = oid.checked_sub(BASE)?;
    let id = distance.div_euclid(2);
    (distance.rem_euclid(2) == 0 && (MIN_ID..=MAX_ID).contains(&id)).then_some(id)
}

/// The OIDs of functions of the engine.
const FUNCTIONS: std::ops::Range<i64> = 20_000..40_000;

/// Returns whether an OID can be one of a function of the engine.
pub fn is_function(oid: i64) -> bool {
    FUNCTIONS.contains(&oid)
}

/// Returns the OID of a function of the engine, from its name alone.
pub fn function(name: &str) -> i64 {
    // FNV-1a: the same on every machine and in every release.
    let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    FUNCTIONS.start + i64::try_from(hash % 20_000).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    #[test]
    fn no_type_is_one_of_a_table_that_cannot_be() {
        for oid in [i64::MIN, -1, 0, 25, 1_849_999_999, i64::MAX] {
            assert_eq!(of_table(oid), None, "{oid}");
        }
        assert_eq!(of_table(1_999_999_999), None);
    }

    #[test]
    fn oids_tell_their_ids_and_never_meet() {
        for id in [-25_000, -2, -1, 1, 2, 20_000, MAX_ID] {
            assert_eq!(table_id(table(id)), Some(id));
            assert_eq!(table_id(namespace(id)), None);
            let of_rows = |is_array| {
                Some(OfRows {
                    relation: table(id),
                    is_array,
                })
            };
            assert_eq!(of_table(row_type(id)), of_rows(false));
            assert_eq!(of_table(array_type(id)), of_rows(true));
            assert_eq!(of_table(table(id)), None);
            assert_eq!(database_id(namespace(id)), Some(id));
            assert_eq!(database_id(table(id)), None);
            assert!(table(id) < array_type(MIN_ID) && array_type(id) < row_type(MIN_ID));
            assert!(i32::try_from(row_type(id)).is_ok());
        }
        assert!(table(-25_000) > function("version"));
        assert_eq!(row_type(i64::MAX), i64::from(i32::MAX));
    }
}
