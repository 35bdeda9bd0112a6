//! Queries: the path from a statement to rows ([`run`]), and the life of a query ([`life`]).

pub(crate) mod column_names;
pub(crate) mod error_position;
pub(crate) mod explain;
mod explain_options;
pub(crate) mod hidden_columns;
mod hive_strings;
pub(crate) mod joined_columns;
pub(crate) mod kept_plan;
pub(crate) mod life;
pub(crate) mod logical_plan;
pub(crate) mod memory;
pub(crate) mod parameters;
pub(crate) mod plan_text;
pub(crate) mod planners;
pub(crate) mod planning;
pub(crate) mod resolve;
pub(crate) mod rewording;
pub(crate) mod run;
pub(crate) mod source;
pub(crate) mod stalled;
pub(crate) mod stars;
pub(crate) mod stream;
pub(crate) mod submit;
pub(crate) mod substrait;
pub(crate) mod views;
pub(crate) mod watch;
pub(crate) mod watchdog;
