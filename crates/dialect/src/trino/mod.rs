//! Trino's and Athena's dialect: names of columns, and operators whose meaning differs from
//! PostgreSQL's.

mod calls;
mod output_names;
mod rewrite;
mod unnest;

pub(crate) use calls::rename;
pub(crate) use output_names::output_names;
pub(crate) use rewrite::rewrite;
pub(crate) use unnest::widen;
