//! What plans and expressions consist of, and how they are searched, rebuilt and estimated.

pub(crate) mod analysis;
pub(crate) mod computed_limits;
pub(crate) mod conditions;
pub(crate) mod early_types;
pub(crate) mod estimates;
pub(crate) mod expressions;
pub(crate) mod full_lists;
pub(crate) mod given_input;
pub(crate) mod given_rows;
pub(crate) mod input_order;
pub(crate) mod operators;
pub(crate) mod origins;
pub(crate) mod plain_fallbacks;
pub(crate) mod scalars;
