//! The one place that configures DataFusion: session state, functions, memory, spill, and the
//! runtime that queries run on.
//!
//! Catalogs and stores are parameters: the engine knows nothing about principals or lake roots.

mod aggregates;
pub mod arrays;
pub mod barrier;
pub mod beside;
pub mod bounded;
mod byte_texts;
mod cell_types;
mod common_types;
pub mod complexity;
mod computed_limits;
mod containment;
mod dependent;
mod eager_groups;
mod early_types;
mod engine;
mod equal_keys;
mod estimates;
mod expressions;
mod finest_groups;
mod frames;
mod full_lists;
mod functions;
mod gathered;
mod given_input;
mod given_rows;
mod grouping_keys;
mod hidden_values;
mod input_order;
mod interval_text;
mod join_order;
mod joined_texts;
mod large_values;
mod library;
mod literals;
mod logic;
mod names;
mod near_groups;
mod negation;
mod nested;
mod nullif_types;
mod numbered_texts;
mod numbers;
mod numeric_sums;
mod open_operands;
mod operand_types;
mod operators;
mod optimize;
mod origins;
mod period_sums;
mod plain_fallbacks;
mod posix;
mod running_windows;
mod runtime;
mod scalars;
mod set_operations;
mod settings;
mod shared;
mod shifted_sums;
mod sideways;
mod sorted_distinct;
mod spilling_join;
mod states;
pub mod stop;
#[cfg(feature = "substrait")]
pub mod substrait;
mod sum;
#[cfg(test)]
mod testing;
mod texts;
pub mod time;
mod untyped_bounds;
mod untyped_columns;
pub mod untyped_texts;
mod window_inputs;

pub use dependent::DependentJoins;
pub use early_types::early_schema;
pub use engine::Engine;
pub use equal_keys::{KeyOf, marked};
pub use expressions::{
    has as has_expression, has_operator, has_values, is_comparison, named as with_own_name,
    retyped, rewritten,
};
pub use frames::{
    BEYOND_ALL_ROWS, Exclusion, excluding, offset_mark, range_mark, value_excluding, with_offsets,
    written_name,
};
pub use full_lists::without_full_lists;
pub use functions::{FunctionInfo, is_helper};
pub use input_order::is_hidden_order;
pub use interval_text::{IntervalStyle, write_interval};
pub use large_values::{LargeValues, large_constant, without_reservations};
pub use library::Library;
pub use logic::quantified;
pub use names::long_lists;
pub use names::named_cast::{self, has_columns_of_one_name};
pub use names::named_columns::{NamedColumns, with_named_columns};
pub use names::output_names::{
    NUMBERED, OutputNames, apart, apart_in_relation, decoded, encoded, is_apart,
    is_apart_in_relation, shown,
};
pub use names::relations::{check as check_names, with_shown_names};
pub use negation::NEGATION;
pub use numbers::decimal_texts::number as exact_decimal;
pub use numbers::integer_literals::LITERAL;
pub use numbers::open_numerics::OPEN_NUMERIC;
pub use numbers::shown_digits::with_shown_digits;
pub use operand_types::MarkedLiterals;
pub use runtime::cpu::{CpuRuntime, STACK};
pub use runtime::cpu_time::{CpuMeter, current, metered};
pub use runtime::machine;
pub use runtime::planners::Planners;
pub use runtime::session_memory::{HeldMemory, SessionMemory, SessionsMemory};
pub use runtime::space::Space;
pub use settings::{EngineOptions, Names, PlanSettings};
pub use shared::{shared_part, with_equal_parts};
pub use stop::{PlanRun, Stop, StopOnDrop};
pub use texts::as_written;

/// The name of the only catalog, as in Athena.
pub const CATALOG: &str = "awsdatacatalog";
