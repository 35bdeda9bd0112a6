//! The type that an expression has where PostgreSQL, Trino and DataFusion differ.

pub mod beside;
pub(crate) mod cell_types;
pub(crate) mod common_types;
pub(crate) mod nested;
pub(crate) mod nullif_types;
pub(crate) mod open_operands;
pub(crate) mod operand_types;
pub(crate) mod untyped_bounds;
pub(crate) mod untyped_columns;
pub mod untyped_texts;
