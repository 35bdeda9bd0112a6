//! A function with what the library knows of it.

use std::sync::Arc;

use datafusion::error::Result;
use datafusion::execution::SessionState;
use datafusion::logical_expr::{AggregateUDF, HigherOrderUDF, ScalarUDF};

use crate::docs::Page;
use crate::kernel::Kernel;

/// The sessions in which a name is this function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Known {
    Everywhere,
    /// PostgreSQL has another function of the name, which its dialect keeps.
    Trino,
}

#[derive(Debug, Clone)]
pub(crate) enum Function {
    Scalar(Arc<ScalarUDF>),
    Aggregate(Arc<AggregateUDF>),
    HigherOrder(Arc<HigherOrderUDF>),
    /// Another name of an aggregate that the session has.
    AggregateAlias {
        name: &'static str,
        of: &'static str,
    },
    /// A function that is made of the session's one of the name.
    OfSession {
        name: &'static str,
        register: fn(&mut SessionState) -> Result<()>,
    },
}

/// A function of the library.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub function: Function,
    pub known: Known,
    pub page: Option<&'static Page>,
}

impl Entry {
    /// Returns all names of the function, its own first.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        let (name, aliases) = match &self.function {
            Function::Scalar(function) => (function.name(), function.aliases()),
            Function::Aggregate(function) => (function.name(), function.aliases()),
            Function::HigherOrder(function) => (function.name(), function.aliases()),
            Function::AggregateAlias { name, .. } | Function::OfSession { name, .. } => {
                (*name, &[][..])
            }
        };
        std::iter::once(name).chain(aliases.iter().map(String::as_str))
    }

    pub(crate) fn scalar(kernel: Kernel) -> Self {
        let page = Some(kernel.page());
        Self {
            function: Function::Scalar(Arc::new(kernel.into_udf())),
            known: Known::Everywhere,
            page,
        }
    }

    pub(crate) fn aggregate(function: AggregateUDF, page: &'static Page) -> Self {
        Self {
            function: Function::Aggregate(Arc::new(function)),
            known: Known::Everywhere,
            page: Some(page),
        }
    }

    pub(crate) fn higher_order(function: HigherOrderUDF, page: &'static Page) -> Self {
        Self {
            function: Function::HigherOrder(Arc::new(function)),
            known: Known::Everywhere,
            page: Some(page),
        }
    }

    pub(crate) fn aggregate_alias(name: &'static str, of: &'static str) -> Self {
        Self {
            function: Function::AggregateAlias { name, of },
            known: Known::Everywhere,
            page: None,
        }
    }

    pub(crate) fn of_session(
        name: &'static str,
        register: fn(&mut SessionState) -> Result<()>,
    ) -> Self {
        Self {
            function: Function::OfSession { name, register },
            known: Known::Everywhere,
            page: None,
        }
    }

    /// The function is called by rewrites only, and has no page.
    pub(crate) fn unlisted(mut self) -> Self {
        self.page = None;
        self
    }

    /// The name is another function in PostgreSQL's dialect.
    pub(crate) fn in_trino(mut self) -> Self {
        self.known = Known::Trino;
        self
    }
}
