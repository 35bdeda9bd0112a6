//! Statements that are recognised by their first words and refused as a whole.

use super::cursor::Cursor;
use crate::ast::Unsupported;

const NO_WRITES: &str = "INSERT OVERWRITE, or CREATE OR REPLACE TABLE .. AS";
const POLL: &str = "a query, repeated, of what changes";

/// First words, name of the statement, alternative.
const REFUSED: &[(&str, &str, Option<&str>)] = &[
    ("UPDATE", "UPDATE", Some(NO_WRITES)),
    ("MERGE", "MERGE", Some(NO_WRITES)),
    ("REPLACE", "REPLACE", Some(NO_WRITES)),
    ("UPSERT", "UPSERT", Some(NO_WRITES)),
    (
        "LOAD",
        "LOAD",
        Some("ALTER TABLE .. ADD PARTITION .. LOCATION"),
    ),
    ("EXPORT", "EXPORT", Some("UNLOAD")),
    (
        "IMPORT",
        "IMPORT",
        Some("CREATE EXTERNAL TABLE .. LOCATION"),
    ),
    ("VACUUM", "VACUUM", Some("MSCK REPAIR TABLE")),
    ("OPTIMIZE", "OPTIMIZE", Some("MSCK REPAIR TABLE")),
    ("REFRESH", "REFRESH", Some("MSCK REPAIR TABLE")),
    ("CALL", "CALL", Some("SELECT of a function")),
    ("DO", "DO", None),
    ("LISTEN", "LISTEN", Some(POLL)),
    ("NOTIFY", "NOTIFY", Some(POLL)),
    ("UNLOCK", "UNLOCK", None),
    ("CLUSTER", "CLUSTER", None),
    ("REINDEX", "REINDEX", None),
    ("CHECKPOINT", "CHECKPOINT", None),
    ("REASSIGN", "REASSIGN OWNED", Some("GRANT and REVOKE")),
    ("DENY", "DENY", Some("REVOKE")),
    ("ATTACH", "ATTACH", Some("CREATE DATABASE")),
    ("DETACH", "DETACH", Some("DROP DATABASE")),
    ("PRAGMA", "PRAGMA", Some("SET")),
    ("FROM", "FROM .. SELECT", Some("SELECT .. FROM")),
    (
        "USING EXTERNAL",
        "USING EXTERNAL FUNCTION",
        Some("built-in functions"),
    ),
    (
        "CREATE OR REPLACE PROTECTED",
        "CREATE PROTECTED MULTI DIALECT VIEW",
        Some("CREATE VIEW"),
    ),
    (
        "CREATE OR REPLACE MATERIALIZED",
        "CREATE MATERIALIZED VIEW",
        Some("CREATE VIEW"),
    ),
    (
        "CREATE OR REPLACE FUNCTION",
        "CREATE FUNCTION",
        Some("built-in functions"),
    ),
    (
        "CREATE PROTECTED",
        "CREATE PROTECTED MULTI DIALECT VIEW",
        Some("CREATE VIEW"),
    ),
    (
        "CREATE MATERIALIZED",
        "CREATE MATERIALIZED VIEW",
        Some("CREATE VIEW"),
    ),
    (
        "CREATE RECURSIVE",
        "CREATE RECURSIVE VIEW",
        Some("CREATE VIEW with WITH RECURSIVE in its query"),
    ),
    (
        "CREATE UNLOGGED",
        "CREATE UNLOGGED TABLE",
        Some("CREATE EXTERNAL TABLE"),
    ),
    (
        "CREATE FOREIGN",
        "CREATE FOREIGN TABLE",
        Some("CREATE EXTERNAL TABLE"),
    ),
    (
        "CREATE UNIQUE",
        "CREATE UNIQUE INDEX",
        Some("SELECT DISTINCT when the rows are written"),
    ),
    (
        "CREATE FUNCTION",
        "CREATE FUNCTION",
        Some("built-in functions"),
    ),
    ("CREATE MACRO", "CREATE MACRO", Some("built-in functions")),
    ("CREATE PROCEDURE", "CREATE PROCEDURE", None),
    ("CREATE TRIGGER", "CREATE TRIGGER", None),
    (
        "CREATE SEQUENCE",
        "CREATE SEQUENCE",
        Some("row_number() over ()"),
    ),
    ("CREATE TYPE", "CREATE TYPE", Some("struct<..> columns")),
    ("CREATE EXTENSION", "CREATE EXTENSION", None),
    (
        "CREATE POLICY",
        "CREATE POLICY",
        Some("GRANT SELECT (columns) ON TABLE"),
    ),
    ("CREATE CATALOG", "CREATE CATALOG", Some("CREATE DATABASE")),
    ("CREATE GROUP", "CREATE GROUP", Some("CREATE ROLE")),
    (
        "ALTER MATERIALIZED",
        "ALTER MATERIALIZED VIEW",
        Some("CREATE OR REPLACE VIEW"),
    ),
    ("ALTER SYSTEM", "ALTER SYSTEM", Some("SET")),
    ("ALTER GROUP", "ALTER GROUP", Some("GRANT role TO user")),
    ("ALTER FUNCTION", "ALTER FUNCTION", None),
    ("ALTER SEQUENCE", "ALTER SEQUENCE", None),
    ("ALTER INDEX", "ALTER INDEX", None),
    (
        "ALTER DEFAULT",
        "ALTER DEFAULT PRIVILEGES",
        Some("GRANT .. ON DATABASE, which covers future tables"),
    ),
    (
        "DROP MATERIALIZED",
        "DROP MATERIALIZED VIEW",
        Some("DROP VIEW"),
    ),
    ("DROP FUNCTION", "DROP FUNCTION", None),
    ("DROP SEQUENCE", "DROP SEQUENCE", None),
    ("DROP EXTERNAL", "DROP EXTERNAL TABLE", Some("DROP TABLE")),
    ("DROP OWNED", "DROP OWNED", Some("REVOKE")),
    ("DROP GROUP", "DROP GROUP", Some("DROP ROLE")),
];

/// The statement at the cursor, if it is refused.
pub(super) fn recognise(cursor: &Cursor<'_>) -> Option<Unsupported> {
    // A single word is more likely a mistake than one of these statements.
    if cursor.rest().len() < 2 && !cursor.is_one_of(&["VACUUM", "CHECKPOINT", "CLUSTER"]) {
        return None;
    }
    REFUSED
        .iter()
        .find(|(words, _, _)| {
            words
                .split(' ')
                .enumerate()
                .all(|(ahead, word)| cursor.is_word_at(ahead, word))
        })
        .map(|(_, what, nearest)| Unsupported {
            what: (*what).to_owned(),
            nearest: nearest.map(str::to_owned),
        })
}
