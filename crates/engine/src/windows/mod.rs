//! Window functions and their frames.

pub(crate) mod first_ranks;
pub(crate) mod frames;
pub(crate) mod running_windows;
pub(crate) mod window_inputs;
