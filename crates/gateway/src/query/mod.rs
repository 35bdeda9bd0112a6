//! A query: planning, its snapshot, reuse of results, admission, execution, and its life.

pub(crate) mod column_names;
pub(crate) mod error_position;
pub(crate) mod explain;
pub(crate) mod joined_columns;
pub(crate) mod kept_plan;
pub(crate) mod life;
pub(crate) mod limits;
pub(crate) mod memory;
pub(crate) mod plan_text;
pub(crate) mod planners;
pub(crate) mod planning;
pub(crate) mod rewording;
pub(crate) mod run;
pub(crate) mod stars;
pub(crate) mod stream;
pub(crate) mod substrait;
pub(crate) mod watch;
