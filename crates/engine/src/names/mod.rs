//! The names of columns and relations in a plan, which may be many, or alike.

pub mod long_lists;
pub mod named_cast;
pub(crate) mod named_columns;
pub(crate) mod output_names;
pub(crate) mod relations;
