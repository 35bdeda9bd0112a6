//! The one place that configures DataFusion: session state, functions, memory, spill, and the
//! runtime that queries run on.
//!
//! Catalogs and stores are parameters: the engine knows nothing about principals or lake roots.

mod aggregation;
pub mod arrays;
pub mod barrier;
mod joins;
mod limits;
mod logic;
mod names;
mod numbers;
mod optimize;
mod plans;
mod runtime;
mod sessions;
mod shared;
#[cfg(feature = "substrait")]
pub mod substrait;
#[cfg(test)]
mod testing;
mod text;
pub mod time;
mod types;
mod windows;

pub use joins::dependent::DependentJoins;
pub use joins::equal_keys::{KeyOf, marked};
pub use limits::large_values::{LargeValues, large_constant, without_reservations};
pub use limits::stop::{PlanRun, Stop, StopOnDrop};
pub use limits::{bounded, complexity, stop};
pub use logic::quantified;
pub use names::long_lists;
pub use names::named_cast::{self, has_columns_of_one_name};
pub use names::named_columns::{NamedColumns, with_named_columns};
pub use names::output_names::{
    NUMBERED, OutputNames, apart, apart_in_relation, decoded, encoded, is_apart,
    is_apart_in_relation, shown,
};
pub use names::relations::{check as check_names, with_shown_names};
pub use numbers::decimal_texts::number as exact_decimal;
pub use numbers::integer_literals::LITERAL;
pub use numbers::open_numerics::{OPEN_NUMERIC, without_long_literals};
pub use numbers::shown_digits::{with_shown_digits, with_stated_casts};
pub use plans::analysis::analyzed;
pub use plans::early_types::early_schema;
pub use plans::expressions::{
    has as has_expression, has_operator, has_values, is_comparison, named as with_own_name,
    retyped, rewritten, type_of,
};
pub use plans::full_lists::without_full_lists;
pub use plans::input_order::is_hidden_order;
pub use runtime::cpu::{CpuRuntime, STACK};
pub use runtime::cpu_time::{CpuMeter, current, metered};
pub use runtime::machine;
pub use runtime::planners::Planners;
pub use runtime::session_memory::{HeldMemory, SessionMemory, SessionsMemory};
pub use runtime::space::Space;
pub use sessions::engine::Engine;
pub use sessions::functions::{FunctionInfo, is_internal_function};
pub use sessions::library::Library;
pub use sessions::settings::{EngineOptions, Names, PlanSettings};
pub use sessions::statement_state::StatementState;
pub use shared::{shared_part, with_equal_parts};
pub use text::interval_text::{IntervalStyle, write_interval};
pub use text::texts::as_written;
pub use time::negation::NEGATION;
pub use types::operand_types::MarkedLiterals;
pub use types::{beside, untyped_texts};
pub use windows::frames::{
    BEYOND_ALL_ROWS, Exclusion, excluding, offset_mark, range_mark, value_excluding, with_offsets,
    written_name,
};

/// The name of the only catalog, as in Athena.
pub const CATALOG: &str = "awsdatacatalog";
