//! An engine and the state of its sessions: functions, planners, settings.

pub(crate) mod engine;
pub(crate) mod functions;
pub(crate) mod library;
pub(crate) mod settings;
pub(crate) mod statement_state;
pub(crate) mod states;
