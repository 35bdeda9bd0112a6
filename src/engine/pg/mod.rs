//! PostgreSQL's ways on this engine: its catalog functions, its operators on untyped literals, and the SQL that
//! it takes and DataFusion's planner does not.
//!
//! Nothing here looks for the text of a known query: each rewrite holds for any query of its form.

mod session;

pub use session::SessionInfo;
