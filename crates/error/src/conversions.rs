//! Conversions to and from the errors of other crates.

use datafusion::error::DataFusionError;
use lakegate_catalog::error::{CatalogError, Kind};

use crate::{Code, Error};

impl From<CatalogError> for Error {
    fn from(error: CatalogError) -> Self {
        let code = match &error {
            CatalogError::NotFound {
                kind: Kind::Database,
                ..
            } => Code::SchemaNotFound,
            CatalogError::NotFound {
                kind: Kind::Table, ..
            } => Code::TableNotFound,
            CatalogError::NotFound {
                kind: Kind::Column, ..
            } => Code::ColumnNotFound,
            CatalogError::NotFound { .. } => Code::UndefinedObject,
            CatalogError::AlreadyExists {
                kind: Kind::Database,
                ..
            } => Code::DuplicateDatabase,
            CatalogError::AlreadyExists {
                kind: Kind::Table, ..
            } => Code::DuplicateTable,
            CatalogError::AlreadyExists {
                kind: Kind::Column, ..
            } => Code::DuplicateColumn,
            CatalogError::AlreadyExists { .. } => Code::DuplicateObject,
            CatalogError::InvalidInput(_) => Code::InvalidParameter,
            CatalogError::NotEmpty { .. } => Code::ObjectInUse,
            CatalogError::Conflict { .. }
            | CatalogError::Changed(_)
            | CatalogError::Outdated(_) => Code::FileChanged,
            CatalogError::Locked { .. }
            | CatalogError::NewerSchema { .. }
            | CatalogError::Storage(_) => Code::Storage,
        };
        Error::new(code, error.to_string())
    }
}

/// Carries an [`Error`] through the engine and back, with its code.
impl From<Error> for DataFusionError {
    fn from(error: Error) -> Self {
        DataFusionError::External(Box::new(error))
    }
}

/// Finds the [`Error`] that a library's error carries as its source.
pub fn find(error: &(dyn std::error::Error + 'static)) -> Option<Error> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(ours) = error.downcast_ref::<Error>() {
            return Some(ours.clone());
        }
        // An error that passes through the engine twice is shared, and hides its source.
        if let Some(DataFusionError::Shared(shared)) = error.downcast_ref::<DataFusionError>() {
            return find(shared.as_ref());
        }
        next = error.source();
    }
    None
}
