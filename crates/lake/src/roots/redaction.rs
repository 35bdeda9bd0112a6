//! Errors of stores, without the paths of the server's machine.

use lakegate_error::Error;

/// Takes the directory of a root out of an error: users are shown no paths of the server's machine.
pub(super) fn without_directory(
    error: object_store::Error,
    directory: &str,
) -> object_store::Error {
    use object_store::Error as E;
    let text = |text: String| text.replace(directory, "");
    let of = |source: Box<dyn std::error::Error + Send + Sync>| text(source.to_string()).into();
    match error {
        // What the boundary refuses is an error of Lakegate's, which names no directory.
        E::Generic { source, .. } if source.is::<Error>() => E::Generic {
            store: "lake root",
            source,
        },
        E::Generic { store, source } => E::Generic {
            store,
            source: of(source),
        },
        E::NotFound { path, source } => E::NotFound {
            path: text(path),
            source: of(source),
        },
        E::PermissionDenied { path, source } => E::PermissionDenied {
            path: text(path),
            source: of(source),
        },
        E::Precondition { path, source } => E::Precondition {
            path: text(path),
            source: of(source),
        },
        error => error,
    }
}
