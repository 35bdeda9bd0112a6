//! Passwords out of texts.

pub(crate) fn redact(_sql: &str) -> String {
    String::from("***")
}
