//! `coalesce` and `ARRAY[…]` of rows and bytes: which types their arguments may have.
//!
//! The engine types a call while it plans, before any rule, and refuses what Trino takes: rows whose
//! fields have other names, and a bare NULL beside a varbinary. These functions are the engine's,
//! with the common type of [`meeting`](super::meeting), which then casts rows by position.

use std::fmt::Debug;
use std::hash::Hash;
use std::sync::Arc;

use arrow::datatypes::{DataType, FieldRef};
use datafusion::error::Result;
use datafusion::execution::{FunctionRegistry, SessionState};
use datafusion::functions_nested::make_array::make_array_udf;
use datafusion::logical_expr::simplify::{ExprSimplifyResult, SimplifyContext};
use datafusion::logical_expr::{
    ColumnarValue, Documentation, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF,
    ScalarUDFImpl, Signature,
};

use super::meeting;
use crate::entry::Entry;

const COALESCE: &str = "coalesce";
const ARRAY: &str = "make_array";

pub(super) fn entries() -> Vec<Entry> {
    vec![
        Entry::of_session(COALESCE, |state| register(state, COALESCE)).in_trino(),
        Entry::of_session(ARRAY, |state| register(state, ARRAY)).in_trino(),
    ]
}

/// Returns the function that makes arrays of `ARRAY[…]`.
pub(super) fn array() -> ScalarUDF {
    of_one_type(make_array_udf(), Meeting)
}

/// Puts a function around the session's.
fn register(state: &mut SessionState, name: &str) -> Result<()> {
    let inner = state.udf(name)?;
    state.register_udf(Arc::new(of_one_type(inner, Meeting)))?;
    Ok(())
}

/// Which type the arguments of a function get.
pub trait CommonType: Debug + Eq + Hash + Send + Sync + 'static {
    /// Returns it for arguments of these types; `None` leaves them to the function.
    fn of(&self, types: &[DataType]) -> Option<DataType>;
}

/// Returns a function of the engine's whose arguments get one type.
pub fn of_one_type(inner: Arc<ScalarUDF>, common: impl CommonType) -> ScalarUDF {
    ScalarUDF::new_from_impl(OfOneType { inner, common })
}

/// The type that values meet in, in Trino's dialects.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Meeting;

impl CommonType for Meeting {
    fn of(&self, types: &[DataType]) -> Option<DataType> {
        meeting::of_types(types)
    }
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct OfOneType<C> {
    inner: Arc<ScalarUDF>,
    common: C,
}

impl<C: CommonType> ScalarUDFImpl for OfOneType<C> {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn aliases(&self) -> &[String] {
        self.inner.aliases()
    }

    fn signature(&self) -> &Signature {
        self.inner.signature()
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        match self.common.of(types) {
            Some(common) => Ok(vec![common; types.len()]),
            None => self.inner.coerce_types(types),
        }
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        self.inner.return_type(types)
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        self.inner.return_field_from_args(args)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        self.inner.invoke_with_args(args)
    }

    fn simplify(&self, args: Vec<Expr>, context: &SimplifyContext) -> Result<ExprSimplifyResult> {
        self.inner.simplify(args, context)
    }

    fn conditional_arguments<'a>(
        &self,
        args: &'a [Expr],
    ) -> Option<(Vec<&'a Expr>, Vec<&'a Expr>)> {
        self.inner.conditional_arguments(args)
    }

    fn short_circuits(&self) -> bool {
        self.inner.short_circuits()
    }

    fn is_strict(&self) -> bool {
        self.inner.is_strict()
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.inner.documentation()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use crate::testing::trino::{error, rows, value};

    const ONE: &str = "CAST(ROW(1, 'a') AS ROW(x INTEGER, y VARCHAR))";
    const OTHER: &str = "CAST(ROW(2, 'b') AS ROW(y BIGINT, x VARCHAR))";

    // Expected values: Trino 476.
    #[tokio::test]
    async fn rows_of_other_names_meet_by_position() {
        for (expression, expected) in [
            ("coalesce(NULL, ONE, OTHER)", "{c0=1, c1=a}"),
            ("make_array(ONE, OTHER)", "[{c0=1, c1=a}, {c0=2, c1=b}]"),
            ("element_at(ARRAY[ONE, NULL, OTHER], 3)", "{c0=2, c1=b}"),
            ("greatest(ONE, OTHER)", "{c0=2, c1=b}"),
            ("least(ONE, OTHER)", "{c0=1, c1=a}"),
            ("nullif(OTHER, ONE)", "{y=2, x=b}"),
            (
                "ONE IN (OTHER, CAST(ONE AS ROW(y BIGINT, x VARCHAR)))",
                "true",
            ),
            (
                "coalesce(make_array(ONE), make_array(OTHER))",
                "[{c0=1, c1=a}]",
            ),
        ] {
            let expression = expression.replace("ONE", ONE).replace("OTHER", OTHER);
            assert_eq!(value(&expression).await.unwrap(), expected, "{expression}");
        }
        let query = format!(
            "SELECT coalesce(x, y) FROM (VALUES ({ONE}, {OTHER}), (NULL, {OTHER})) t (x, y)"
        );
        assert_eq!(
            rows(&query).await.unwrap(),
            ["{c0=1, c1=a}", "{c0=2, c1=b}"]
        );
    }

    #[tokio::test]
    async fn rows_of_other_types_do_not_meet() {
        for expression in [
            "coalesce(ROW(1), ROW(1, 2))",
            "make_array(ROW(1), ROW(1, 2))",
        ] {
            let error = error(expression).await;
            assert!(!error.starts_with("no error"), "{expression}: {error}");
        }
    }

    #[tokio::test]
    async fn null_is_a_varbinary_or_a_map_beside_one() {
        for (expression, expected) in [
            ("coalesce(NULL, X'01')", "01"),
            ("coalesce(X'02', NULL, X'01')", "02"),
            ("ARRAY[NULL, X'01', X'']", "[NULL, 01, ]"),
            ("coalesce(NULL, MAP(ARRAY[1], ARRAY[2]))", "{1=2}"),
        ] {
            assert_eq!(value(expression).await.unwrap(), expected, "{expression}");
        }
    }
}
