//! Joins: their order, keys, spilling, and what one side tells the other.

pub(crate) mod dependent;
pub(crate) mod equal_keys;
pub(crate) mod join_order;
pub(crate) mod set_operations;
pub(crate) mod sideways;
pub(crate) mod spilling_join;
pub(crate) mod unread_partitions;
