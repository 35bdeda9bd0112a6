//! The threads, memory and disk that all queries share.

pub(crate) mod cpu;
pub(crate) mod cpu_time;
pub(crate) mod ledger;
pub mod machine;
pub(crate) mod planners;
pub(crate) mod session_memory;
pub(crate) mod space;
