//! What the crates above add to the engine's sessions.

use std::sync::Arc;

use datafusion::error::Result;
use datafusion::execution::SessionState;
use datafusion::logical_expr::ScalarUDF;
use datafusion::logical_expr::planner::ExprPlanner;
use datafusion::optimizer::AnalyzerRule;

use crate::Names;
use crate::joins::equal_keys::KeyOf;

/// Functions beside those of the engine.
#[derive(Debug, Clone, Copy)]
pub struct Library {
    /// Adds the functions to those of a session with these names.
    pub register: fn(&mut SessionState, Names) -> Result<()>,
    /// Adds functions after all others, which [`Engine::functions`](crate::Engine::functions) does
    /// not list.
    pub register_last: fn(&mut SessionState, Names) -> Result<()>,
    /// Rules for their calls, which come before the engine's.
    pub rules: fn() -> Vec<Arc<dyn AnalyzerRule + Send + Sync>>,
    /// Rules of sessions with these names, which come before all others.
    pub rules_of: fn(Names) -> Vec<Arc<dyn AnalyzerRule + Send + Sync>>,
    /// Planners of operators of sessions with these names, which come before the engine's.
    pub planners_of: fn(Names) -> Vec<Arc<dyn ExprPlanner>>,
    /// Whether a function is one of the library's, which check their results as they build them.
    pub measures_itself: fn(&ScalarUDF) -> bool,
    /// The keys of the values of types that Arrow lacks.
    pub key_of: KeyOf,
}

impl Library {
    /// Returns a library without functions.
    pub fn none() -> Self {
        Self {
            register: |_, _| Ok(()),
            register_last: |_, _| Ok(()),
            rules: Vec::new,
            rules_of: |_| Vec::new(),
            planners_of: |_| Vec::new(),
            measures_itself: |_| false,
            key_of: |_| None,
        }
    }
}
