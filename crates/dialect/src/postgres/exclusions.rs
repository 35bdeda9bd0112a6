//! Frames of windows that exclude rows. The parser writes what a frame excludes as a key of the
//! window's partition:
//!
//! ```text
//! sum(x) OVER (PARTITION BY <a mark with TIES>, y ORDER BY z ROWS 2 PRECEDING)
//! ```

use std::sync::Arc;

use datafusion::error::Result;
use datafusion::logical_expr::expr::{WindowFunction, WindowFunctionParams};
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult, RawWindowExpr};
use datafusion::logical_expr::{Expr, WindowFunctionDefinition, lit};
use lakegate_engine::{Exclusion, excluding, value_excluding};
use lakegate_error::Error;
use lakegate_sql::FRAME_EXCLUSION;

/// Returns the planner of windows.
pub(crate) fn planner() -> Arc<dyn ExprPlanner> {
    Arc::new(FrameExclusions)
}

#[derive(Debug)]
struct FrameExclusions;

impl ExprPlanner for FrameExclusions {
    fn plan_window(&self, mut window: RawWindowExpr) -> Result<PlannerResult<RawWindowExpr>> {
        let Some(exclusion) = window.partition_by.iter().find_map(excluded) else {
            return Ok(PlannerResult::Original(window));
        };
        window.partition_by.retain(|key| excluded(key).is_none());
        if window.distinct {
            return Err(refused("EXCLUDE with DISTINCT"));
        }
        let function = match &window.func_def {
            WindowFunctionDefinition::AggregateUDF(function) => {
                if function.name() == "count" && window.args.iter().all(is_wildcard) {
                    window.args = vec![lit(1_i64)];
                }
                let filter = window.filter.take();
                let function = excluding(function, exclusion, filter.is_some());
                window.args.extend(filter.map(|filter| *filter));
                function
            }
            WindowFunctionDefinition::WindowUDF(function) => {
                match value_excluding(function, exclusion) {
                    Some(_) if window.filter.is_some() => {
                        return Err(refused(&format!("FILTER with {}", function.name())));
                    }
                    Some(function) => function,
                    // It does not look at the frame.
                    None => return Ok(PlannerResult::Original(window)),
                }
            }
        };
        Ok(PlannerResult::Planned(Expr::from(WindowFunction {
            fun: WindowFunctionDefinition::WindowUDF(function),
            params: WindowFunctionParams {
                args: window.args,
                partition_by: window.partition_by,
                order_by: window.order_by,
                window_frame: window.window_frame,
                filter: None,
                null_treatment: window.null_treatment,
                distinct: false,
            },
        })))
    }
}

/// Returns what a key of a partition says that the frame excludes; `None` for other keys.
fn excluded(key: &Expr) -> Option<Exclusion> {
    let Expr::Literal(value, _) = key else {
        return None;
    };
    let text = value.try_as_str().flatten()?;
    match text.strip_prefix(FRAME_EXCLUSION)? {
        "CURRENT ROW" => Some(Exclusion::CurrentRow),
        "GROUP" => Some(Exclusion::Group),
        "TIES" => Some(Exclusion::Ties),
        _ => None,
    }
}

#[expect(deprecated)]
fn is_wildcard(arg: &Expr) -> bool {
    matches!(arg, Expr::Wildcard { .. })
}

fn refused(what: &str) -> datafusion::error::DataFusionError {
    Error::not_supported(format!("{what} is not supported"))
        .with_hint("use frames that end before the row and begin behind it")
        .into()
}
