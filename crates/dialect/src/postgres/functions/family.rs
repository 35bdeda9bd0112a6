//! Functions that casts, operators and calls of a type are planned as.

use std::sync::{Arc, LazyLock};

use arrow::datatypes::DataType;
use datafusion::logical_expr::ScalarUDF;

use crate::postgres::{Cell, PgFunction};

/// The functions of a type. They are made once: calls of one function are equal only if they share it.
pub(super) struct Family(LazyLock<Vec<Arc<ScalarUDF>>>);

impl Family {
    /// Returns the functions that are made when they are needed.
    pub(super) const fn new(made: fn() -> Vec<Arc<ScalarUDF>>) -> Self {
        Self(LazyLock::new(made))
    }

    /// Returns all of them, to be registered.
    pub(super) fn all(&self) -> impl Iterator<Item = Arc<ScalarUDF>> {
        self.0.iter().map(Arc::clone)
    }

    /// Returns the function of a name, which is one of the family's.
    pub(super) fn named(&self, name: &'static str) -> Arc<ScalarUDF> {
        let mut all = self.0.iter();
        match all.find(|function| function.name() == name) {
            Some(function) => Arc::clone(function),
            None => PgFunction::new(name, 0..=0, DataType::Null, |_| Ok(Cell::Null)).into_udf(),
        }
    }
}

/// Returns functions as the engine has them.
pub(super) fn udfs(functions: Vec<PgFunction>) -> Vec<Arc<ScalarUDF>> {
    functions.into_iter().map(PgFunction::into_udf).collect()
}
