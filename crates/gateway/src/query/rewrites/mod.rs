//! Changes of a statement before it is planned, for what depends on its tables: names that stand for
//! rows or several columns, and columns that it does not name.
//!
//! ```text
//! named_columns.rs                   the columns that tables are planned with
//! joined_columns.rs                  those that NATURAL and USING have in common
//! hidden_columns.rs                  tables whose hidden columns a statement names
//! stars.rs, corresponding.rs         several `*`, CORRESPONDING
//! whole_rows.rs, row_fields.rs       `t` and `row.*`
//! populated.rs                       json_populate_record in FROM
//! twice_in_from.rs, missing_from.rs  a table twice in one FROM, and in none
//! undefined_calls.rs                 calls that no function fits, for the types in their error
//! hive_strings.rs                    strings of Hive's views
//! surrounding.rs                     the WITH clauses around a part that is planned by itself
//! ```

pub(crate) mod corresponding;
pub(crate) mod hidden_columns;
pub(crate) mod hive_strings;
pub(crate) mod joined_columns;
pub(crate) mod missing_from;
pub(crate) mod named_columns;
pub(crate) mod populated;
pub(crate) mod row_fields;
pub(crate) mod stars;
mod surrounding;
pub(crate) mod twice_in_from;
pub(crate) mod undefined_calls;
pub(crate) mod whole_rows;
