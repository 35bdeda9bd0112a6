#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use datafusion::execution::{FunctionRegistry, SessionStateBuilder};
use datafusion::prelude::SessionContext;
use lakegate_engine::bounded::{bound, is_classified};
use lakegate_error::Code;

use super::{functions, shared_functions};
use crate::postgres::{PgFunction, SessionInfo};

/// A query could exhaust memory through an unclassified function.
#[test]
fn every_function_is_classified() {
    let mut unknown: Vec<String> = functions(&Arc::new(SessionInfo::default()))
        .iter()
        .chain(shared_functions())
        .filter(|function| !function.inner().is::<PgFunction>() && !super::json::is_one(function))
        .map(|function| function.name().to_owned())
        .filter(|name| !is_classified(name))
        .collect();
    unknown.sort_unstable();
    unknown.dedup();
    assert!(
        unknown.is_empty(),
        "say in growth.rs how large their results may be: {unknown:?}"
    );
}

#[tokio::test]
async fn functions_are_measured() {
    let info = Arc::new(SessionInfo::default());
    for call in [
        "format(repeat('%1$s', 100000), repeat('x', 1000000))",
        "json_build_object('a', repeat('x', 40000000), 'b', repeat('x', 40000000))",
        "quote_literal(CAST(v AS varchar) || repeat('x', 100000)) FROM generate_series(1, 8000) t(v)",
    ] {
        let mut state = SessionStateBuilder::new().with_default_features().build();
        bound(&mut state, |_| false).unwrap();
        for function in functions(&info).iter().chain(shared_functions()) {
            state.register_udf(Arc::clone(function)).unwrap();
        }
        let context = SessionContext::new_with_state(state);
        let ran = async {
            context
                .sql(&format!("SELECT {call}"))
                .await?
                .collect()
                .await
        };
        let error = lakegate_error::from_engine(ran.await.unwrap_err());
        assert_eq!(error.code(), Code::ResultTooLarge, "{call}: {error}");
    }
}
