//! Object identifiers: stable across restarts, because they derive from the store's ids.
//!
//! ```text
//! 1 ..= 16383           PostgreSQL's own: types, its catalog's relations, `pg_catalog` itself
//! 20000 ..= 39999       the engine's functions, by name
//! 99998, 99996 …        built-in schemas (id -1, -2 …)
//! 99999, 99997 …        built-in tables (id -1, -2 …)
//! 100002, 100004 …      the namespaces of databases (id 1, 2 …)
//! 100003, 100005 …      tables and views (id 1, 2 …)
//! 2000025001 …          the types of the rows of tables and views (id 1, 2 …)
//! ```

/// The namespace `pg_catalog`.
pub const PG_CATALOG: i64 = 11;
/// The namespace `information_schema`.
pub const INFORMATION_SCHEMA: i64 = 13000;
/// The first OID of what a server creates; those below are of PostgreSQL's own objects.
pub const FIRST_OF_LAKE: i64 = 16384;
/// The single database of a connection.
pub const DATABASE: i64 = 16384;
/// The role that owns the catalog.
pub const OWNER: i64 = 10;
/// The tablespace `pg_default`.
pub const TABLESPACE: i64 = 1663;
/// The access method of tables.
pub const HEAP: i64 = 2;

/// Relations that comments and dependencies refer to.
pub const CLASS_PG_CLASS: i64 = 1259;
pub const CLASS_PG_NAMESPACE: i64 = 2615;

const BASE: i64 = 100_000;
/// The OID of the row type of [`MIN_ID`].
const ROW_TYPES: i64 = 2_000_000_000;
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

/// Returns the OID of the table whose rows are of the type with this OID.
pub fn table_of_row_type(oid: i64) -> Option<i64> {
    let id = oid.checked_sub(ROW_TYPES)?.checked_add(MIN_ID)?;
    (MIN_ID..=MAX_ID).contains(&id).then(|| table(id))
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
    fn oids_tell_their_ids_and_never_meet() {
        for id in [-25_000, -2, -1, 1, 2, 20_000, MAX_ID] {
            assert_eq!(table_id(table(id)), Some(id));
            assert_eq!(table_id(namespace(id)), None);
            assert_eq!(table_of_row_type(row_type(id)), Some(table(id)));
            assert_eq!(table_of_row_type(table(id)), None);
            assert_eq!(database_id(namespace(id)), Some(id));
            assert_eq!(database_id(table(id)), None);
            assert!(table(id) < row_type(MIN_ID));
            assert!(i32::try_from(row_type(id)).is_ok());
        }
        assert!(table(-25_000) > function("version"));
        assert_eq!(row_type(i64::MAX), i64::from(i32::MAX));
    }
}
