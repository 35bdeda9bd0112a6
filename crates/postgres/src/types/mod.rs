//! The Postgres type that a column is shown as.
//!
//! The mapping is total: a type that Postgres lacks (map, struct, union, list of them) is `json`. A
//! list of lists is an array of several dimensions, which has the type of one of a single one.
//! OIDs and lengths are those of PostgreSQL's `pg_type.dat`. A catalog table can request a type
//! that Arrow lacks (`name`, `oid`, `"char"` …) with the field metadata key [`PG_TYPE`].

mod columns;
mod known;
mod parameters;

pub(crate) use columns::{
    of_data_type, of_field, of_records, unwrapped, with_length, without_dimensions,
};
pub(crate) use known::{
    PgType, by_name, element_oid, input_name, is_value, oid, oid_like, type_name,
};
pub(crate) use parameters::arrow_of;

/// Field metadata key: the name of the Postgres type to show, as in `pg_type.typname`; `x[]` or
/// `_x` is an array of `x`.
pub(crate) const PG_TYPE: &str = "pg.type";

/// Field metadata key: the modifier of the type, as in `pg_attribute.atttypmod`.
pub(crate) const PG_TYPMOD: &str = "pg.typmod";
