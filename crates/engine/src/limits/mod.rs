//! Bounds on what a query may take: plans, values, memory and time.

pub mod bounded;
pub mod complexity;
pub(crate) mod gathered;
pub(crate) mod large_values;
pub(crate) mod literals;
pub mod stop;
