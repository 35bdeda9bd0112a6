//! The settings of a session: the PostgreSQL ones that clients set or read, and Lakegate's own.
//!
//! One table serves SET, SHOW, `pg_settings`, `current_setting` and the parameters that a
//! connection starts with: the one below, with the settings that have no use here (`unused.rs`,
//! `server.rs`).

mod amounts;
mod check;
mod contexts;
mod date_style;
mod ranges;
mod server;
mod session;
mod unused;
mod zones;

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::LazyLock;

use self::ranges::Number;
pub use self::session::{ResultReuse, Settings, ShownSetting};

/// The PostgreSQL release whose protocol and catalog Lakegate implements, followed by Lakegate's
/// own version.
macro_rules! server_version {
    () => {
        concat!("16.6 (Lakegate ", env!("CARGO_PKG_VERSION"), ")")
    };
}

/// The result of `version()`.
pub const VERSION: &str = concat!("PostgreSQL ", server_version!());

/// The definition of a setting.
#[derive(Debug)]
struct Known {
    /// In Postgres' spelling; looked up case-insensitively.
    name: &'static str,
    default: &'static str,
    kind: Kind,
    description: &'static str,
}

#[derive(Debug)]
enum Kind {
    Text,
    Boolean,
    Integer,
    Real,
    Milliseconds,
    /// Kilobytes.
    Memory,
    TimeZone,
    /// The client's encoding.
    Encoding,
    DateStyle,
    /// Only these values, in any case.
    OneOf(&'static [&'static str]),
    /// Cannot be changed.
    Constant,
    /// The same, of this unit of `pg_settings`.
    Amount(&'static str),
    /// Databases, separated by commas.
    SearchPath,
    /// Set through the session, which knows the grants.
    Workgroup,
}

const ISOLATION: &[&str] = &[
    "serializable",
    "repeatable read",
    "read committed",
    "read uncommitted",
];

/// Settings that are used, or that tell what Lakegate is. Sorted by name, ignoring case.
const KNOWN: &[Known] = &[
    Known {
        name: "application_name",
        default: "",
        kind: Kind::Text,
        description: "Name of the client",
    },
    Known {
        name: "array_output",
        default: "array",
        kind: Kind::OneOf(&["array", "json"]),
        description: "What arrays of arrays are shown as over PostgreSQL's protocol: array or json",
    },
    Known {
        name: "block_size",
        default: "8192",
        kind: Kind::Constant,
        description: "Bytes of a page in PostgreSQL; Lakegate has no pages",
    },
    Known {
        name: "bytea_output",
        default: "hex",
        kind: Kind::OneOf(&["escape", "hex"]),
        description: "Text form of bytea",
    },
    Known {
        name: "client_encoding",
        default: "UTF8",
        kind: Kind::Encoding,
        description: "The client's character set",
    },
    Known {
        name: "client_min_messages",
        default: "notice",
        kind: Kind::OneOf(&[
            "debug5", "debug4", "debug3", "debug2", "debug1", "log", "notice", "warning", "error",
        ]),
        description: "Messages that the client gets beside errors: error hides warnings",
    },
    Known {
        name: "data_checksums",
        default: "off",
        kind: Kind::Constant,
        description: "Lakegate has no pages to check",
    },
    Known {
        name: "DateStyle",
        default: "ISO, MDY",
        kind: Kind::DateStyle,
        description: "Text form of dates in results, and the order of the numbers of a date",
    },
    Known {
        name: "default_table_access_method",
        default: "heap",
        kind: Kind::Constant,
        description: "The one access method of PostgreSQL's own tables",
    },
    Known {
        name: "default_tablespace",
        default: "",
        kind: Kind::Constant,
        description: "Lakegate has no tablespaces",
    },
    Known {
        name: "default_transaction_isolation",
        default: "read committed",
        kind: Kind::OneOf(ISOLATION),
        description: "Accepted and without effect",
    },
    Known {
        name: "default_transaction_read_only",
        default: "off",
        kind: Kind::Boolean,
        description: "Whether transactions change nothing",
    },
    Known {
        name: "dialect",
        default: "postgres",
        kind: Kind::OneOf(&["postgres", "athena", "trino"]),
        description: "Whose words queries are in: postgres, athena or trino",
    },
    Known {
        name: "extra_float_digits",
        default: "1",
        kind: Kind::Integer,
        description: "Digits of floats in results: from 1 on, as many as they need",
    },
    Known {
        name: "idle_in_transaction_session_timeout",
        default: "0",
        kind: Kind::Milliseconds,
        description: "Longest wait for the client in a transaction; 0 is no limit",
    },
    Known {
        name: "idle_session_timeout",
        default: "0",
        kind: Kind::Milliseconds,
        description: "Longest wait for the client outside of a transaction; 0 is no limit",
    },
    Known {
        name: "in_hot_standby",
        default: "off",
        kind: Kind::Constant,
        description: "Lakegate has no standby",
    },
    Known {
        name: "integer_datetimes",
        default: "on",
        kind: Kind::Constant,
        description: "Times are whole microseconds on the wire",
    },
    Known {
        name: "IntervalStyle",
        default: "postgres",
        kind: Kind::OneOf(&["postgres", "postgres_verbose", "sql_standard", "iso_8601"]),
        description: "Text form of intervals",
    },
    Known {
        name: "is_superuser",
        default: "off",
        kind: Kind::Constant,
        description: "Whether the user is an administrator",
    },
    Known {
        name: "jit",
        default: "off",
        kind: Kind::Boolean,
        description: "Accepted and without effect: queries run vectorised",
    },
    Known {
        name: "lc_collate",
        default: "C",
        kind: Kind::Constant,
        description: "Texts are ordered by their bytes",
    },
    Known {
        name: "lc_ctype",
        default: "C",
        kind: Kind::Constant,
        description: "Classes of characters",
    },
    Known {
        name: "lock_timeout",
        default: "0",
        kind: Kind::Milliseconds,
        description: "Accepted and without effect",
    },
    Known {
        name: "max_identifier_length",
        default: "255",
        kind: Kind::Constant,
        description: "Characters of a name",
    },
    Known {
        name: "max_index_keys",
        default: "32",
        kind: Kind::Constant,
        description: "Lakegate has no indexes",
    },
    Known {
        name: "plan_cache_mode",
        default: "auto",
        kind: Kind::OneOf(&["auto", "force_generic_plan", "force_custom_plan"]),
        description: "Whether a session keeps its plans: force_custom_plan plans each time",
    },
    Known {
        name: "result_reuse",
        default: "on",
        kind: Kind::OneOf(&["on", "off", "fresh"]),
        description: "Use of stored results: on, off, or fresh",
    },
    Known {
        name: "row_security",
        default: "on",
        kind: Kind::OneOf(&["on", "off"]),
        description: "No policy filters rows, so that off is as on",
    },
    Known {
        name: "search_path",
        default: "default",
        kind: Kind::SearchPath,
        description: "Databases of unqualified names, in order",
    },
    Known {
        name: "server_encoding",
        default: "UTF8",
        kind: Kind::Constant,
        description: "The server's character set",
    },
    Known {
        name: "server_version",
        default: server_version!(),
        kind: Kind::Constant,
        description: "Release of PostgreSQL whose protocol and catalog Lakegate speaks",
    },
    Known {
        name: "server_version_num",
        default: "160006",
        kind: Kind::Constant,
        description: "server_version as a number",
    },
    Known {
        name: "session_authorization",
        default: "",
        kind: Kind::Constant,
        description: "The user",
    },
    Known {
        name: "staleness",
        default: "0",
        kind: Kind::Milliseconds,
        description: "How old a stored result may be that is used although files have changed",
    },
    Known {
        name: "standard_conforming_strings",
        default: "on",
        kind: Kind::OneOf(&["on"]),
        description: "Backslashes in strings are plain characters",
    },
    Known {
        name: "statement_timeout",
        default: "0",
        kind: Kind::Milliseconds,
        description: "Longest run of a statement; 0 is no limit",
    },
    Known {
        name: "struct_output",
        default: "json",
        kind: Kind::OneOf(&["json", "composite"]),
        description: "What structs are shown as over PostgreSQL's protocol: json or composite",
    },
    Known {
        name: "synchronous_commit",
        default: "on",
        kind: Kind::OneOf(&["local", "remote_write", "remote_apply", "on", "off"]),
        description: "Accepted and without effect",
    },
    Known {
        name: "TimeZone",
        default: "UTC",
        kind: Kind::TimeZone,
        description: "Time zone of the session",
    },
    Known {
        name: "transaction_isolation",
        default: "read committed",
        kind: Kind::OneOf(ISOLATION),
        description: "Accepted and without effect",
    },
    Known {
        name: "transaction_read_only",
        default: "off",
        kind: Kind::Boolean,
        description: "Whether the transaction block changes nothing",
    },
    Known {
        name: "workgroup",
        default: "primary",
        kind: Kind::Workgroup,
        description: "The workgroup that queries run in",
    },
];

fn every() -> impl Iterator<Item = &'static Known> {
    let unused = unused::ACCEPTED.iter().chain(unused::FIXED);
    KNOWN.iter().chain(unused).chain(server::all())
}

fn known(name: &str) -> Option<&'static Known> {
    static BY_NAME: LazyLock<HashMap<String, &'static Known>> = LazyLock::new(|| {
        let named = every().map(|known| (known.name.to_ascii_lowercase(), known));
        named.collect()
    });
    BY_NAME.get(&*lowered(name)).copied()
}

/// Returns a name in lower case. Most are.
fn lowered(name: &str) -> Cow<'_, str> {
    let is_lower = |byte: u8| byte.is_ascii() && !byte.is_ascii_uppercase();
    match name.bytes().all(is_lower) {
        true => Cow::Borrowed(name),
        false => Cow::Owned(name.to_lowercase()),
    }
}

impl Kind {
    fn var_type(&self, default: &str) -> &'static str {
        match self {
            Kind::Boolean => "bool",
            Kind::Integer | Kind::Milliseconds | Kind::Memory | Kind::Amount(_) => "integer",
            Kind::Real => "real",
            Kind::OneOf(_) => "enum",
            Kind::Constant => match default {
                "on" | "off" => "bool",
                number if number.parse::<i64>().is_ok() => "integer",
                number if number.parse::<f64>().is_ok() => "real",
                _ => "string",
            },
            Kind::Text
            | Kind::TimeZone
            | Kind::Encoding
            | Kind::DateStyle
            | Kind::SearchPath
            | Kind::Workgroup => "string",
        }
    }

    fn unit(&self) -> Option<&'static str> {
        if let Kind::Amount(unit) = self {
            return Some(*unit);
        }
        match self.number()? {
            Number::Amount(unit) => Some(unit),
            Number::Whole | Number::Real => None,
        }
    }

    fn is_constant(&self) -> bool {
        matches!(self, Kind::Constant | Kind::Amount(_))
    }

    fn number(&self) -> Option<Number> {
        match self {
            Kind::Integer => Some(Number::Whole),
            Kind::Real => Some(Number::Real),
            Kind::Milliseconds => Some(Number::Amount("ms")),
            Kind::Memory => Some(Number::Amount("kB")),
            _ => None,
        }
    }
}

/// Splits a search path into names, quoted or not.
fn databases(path: &str) -> impl Iterator<Item = String> {
    path.split(',')
        .map(|name| name.trim().trim_matches('"').to_lowercase())
        .filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests;
