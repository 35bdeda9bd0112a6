//! Targets over texts of statements.

use lakegate_fuzzing::{Target, text};

pub const TARGETS: [Target; 2] = [
    Target {
        name: "sql",
        accepts: sql,
    },
    Target {
        name: "redact",
        accepts: redact,
    },
];

fn sql(bytes: &[u8]) -> bool {
    let Some(Ok(statements)) = text(bytes).map(super::parse) else {
        return false;
    };
    for parsed in &statements {
        let _ = format!("{:?}", parsed.statement.kind());
        assert!(parsed.position >= 1);
    }
    true
}

/// Accepted is what has nothing to hide left: redacting it again changes nothing.
fn redact(bytes: &[u8]) -> bool {
    let Some(sql) = text(bytes) else {
        return false;
    };
    let redacted = super::redact(sql);
    // A replacement is no longer than the word before it and the password's own quotes are short.
    assert!(redacted.len() <= 4 * sql.len() + 16);
    super::redact(&redacted) == redacted
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn hostile_bytes_are_accepted_or_refused() {
        lakegate_fuzzing::check(&TARGETS, 20_000).unwrap();
    }
}
