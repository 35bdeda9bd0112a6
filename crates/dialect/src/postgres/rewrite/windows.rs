//! Resolves windows that refer to other windows, whose clauses the engine drops (`datafusion-sql`,
//! 55.2).
//!
//! ```text
//! OVER (w ORDER BY x) … WINDOW w AS (PARTITION BY y)      OVER (PARTITION BY y ORDER BY x)
//! WINDOW v AS (PARTITION BY y), w AS (v ORDER BY x)       WINDOW v AS …, w AS (PARTITION BY y ORDER BY x)
//! ```
//!
//! Delete this when the engine plans them.

use std::collections::BTreeMap;

use datafusion::sql::sqlparser::ast::{
    Function, Ident, NamedWindowDefinition, NamedWindowExpr, Select, WindowSpec, WindowType,
};
use lakegate_error::{Code, Error};

use super::folded;

/// The windows of a SELECT's WINDOW clause by name, fully resolved.
pub(super) type Windows = BTreeMap<String, WindowSpec>;

/// Resolves a SELECT's WINDOW clause, in which a window may refer to earlier ones.
pub(super) fn defined(select: &mut Select) -> Result<Windows, Error> {
    let mut windows = Windows::new();
    for NamedWindowDefinition(name, definition) in &mut select.named_window {
        let spec = match definition {
            NamedWindowExpr::NamedWindow(base) => found(&windows, base)?.clone(),
            NamedWindowExpr::WindowSpec(spec) => {
                resolve(&windows, spec)?;
                spec.clone()
            }
        };
        windows.insert(folded(name), spec);
    }
    Ok(windows)
}

/// Resolves the window of a call.
pub(super) fn resolve_call(windows: Option<&Windows>, call: &mut Function) -> Result<(), Error> {
    match &mut call.over {
        Some(WindowType::WindowSpec(spec)) if spec.window_name.is_some() => {
            resolve(windows.unwrap_or(&Windows::new()), spec)
        }
        _ => Ok(()),
    }
}

fn found<'a>(windows: &'a Windows, name: &Ident) -> Result<&'a WindowSpec, Error> {
    windows.get(&folded(name)).ok_or_else(|| {
        Error::new(
            Code::UndefinedObject,
            format!("window \"{}\" does not exist", folded(name)),
        )
    })
}

/// Copies the clauses of the referenced window into this one.
fn resolve(windows: &Windows, spec: &mut WindowSpec) -> Result<(), Error> {
    let Some(name) = &spec.window_name else {
        return Ok(());
    };
    let base = found(windows, name)?;
    let refused = |what: &str| {
        let name = folded(name);
        Err(Error::new(
            Code::InvalidQuery,
            format!("cannot override {what} of window \"{name}\""),
        ))
    };
    if !spec.partition_by.is_empty() {
        return refused("PARTITION BY clause");
    }
    if !spec.order_by.is_empty() && !base.order_by.is_empty() {
        return refused("ORDER BY clause");
    }
    if base.window_frame.is_some() {
        return refused("frame clause");
    }
    spec.partition_by.clone_from(&base.partition_by);
    if spec.order_by.is_empty() {
        spec.order_by.clone_from(&base.order_by);
    }
    spec.window_name = None;
    Ok(())
}
