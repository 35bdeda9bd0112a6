//! Converts errors of object stores to this crate's codes.

use super::{Code, Error};

/// Converts an error of a store that came up while a query read a file.
pub(super) fn from_store(error: &object_store::Error) -> Error {
    use object_store::Error as E;
    let changed = |path: &str| {
        Error::new(
            Code::FileChanged,
            format!("file '{path}' changed while the query was reading it"),
        )
        .with_hint("run the query again")
    };
    match error {
        E::Precondition { path, .. } | E::NotFound { path, .. } => changed(path),
        E::PermissionDenied { path, source } if is_archived(source.as_ref()) => Error::new(
            Code::Storage,
            format!(
                "file '{path}' is archived by its storage class, such as S3 Glacier or Deep Archive, and cannot be read"
            ),
        )
        .with_hint("restore the object, or move it out of the folder of the table"),
        E::PermissionDenied { path, .. } | E::Unauthenticated { path, .. } => Error::new(
            Code::Storage,
            format!("the store refuses access to '{path}'; check the credentials of its lake root"),
        ),
        other => Error::new(Code::Storage, other.to_string()),
    }
}

/// Returns whether a store refused to read an object until it is restored. S3 answers such a request
/// as it does one without permission (403), with another code in the body.
fn is_archived(refusal: &(dyn std::error::Error + Send + Sync + 'static)) -> bool {
    let answer = refusal.to_string();
    answer.contains("<Code>InvalidObjectState</Code>")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(code: &str) -> Error {
        let body = format!(
            "Server returned non-2xx status code: 403 Forbidden: <Error><Code>{code}</Code><Key>InvalidObjectState</Key></Error>"
        );
        from_store(&object_store::Error::PermissionDenied {
            path: "sales/a.parquet".to_owned(),
            source: body.into(),
        })
    }

    #[test]
    fn archived_objects_are_not_taken_for_missing_permissions() {
        let archived = refused("InvalidObjectState");
        assert_eq!(archived.code(), Code::Storage);
        assert!(archived.message().contains("'sales/a.parquet' is archived"));
        assert!(archived.hint().is_some_and(|hint| hint.contains("restore")));
        let denied = refused("AccessDenied");
        assert!(denied.message().contains("check the credentials"));
    }
}
