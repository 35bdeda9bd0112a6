//! Targets over the bytes of a lake's files, called without a store.

use lakegate_fuzzing::Target;

use crate::format::{avro, ion, orc, parquet, text};

pub const TARGETS: [Target; 13] = [
    Target {
        name: "parquet_footer",
        accepts: parquet::fuzzing::footer,
    },
    Target {
        name: "parquet_pages",
        accepts: parquet::fuzzing::pages,
    },
    Target {
        name: "orc_file",
        accepts: orc::fuzzing::file,
    },
    Target {
        name: "avro_file",
        accepts: avro::fuzzing::file,
    },
    Target {
        name: "avro_schema",
        accepts: avro::fuzzing::schema,
    },
    Target {
        name: "ion_file",
        accepts: ion::fuzzing::file,
    },
    Target {
        name: "json",
        accepts: text::fuzzing::json,
    },
    Target {
        name: "csv",
        accepts: text::fuzzing::csv,
    },
    Target {
        name: "delimited",
        accepts: text::fuzzing::delimited,
    },
    Target {
        name: "line_patterns",
        accepts: text::fuzzing::line_patterns,
    },
    Target {
        name: "records",
        accepts: text::fuzzing::records,
    },
    Target {
        name: "grok",
        accepts: text::fuzzing::grok,
    },
    Target {
        name: "timestamp_pattern",
        accepts: text::fuzzing::timestamp_pattern,
    },
];

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn hostile_bytes_are_accepted_or_refused() {
        lakegate_fuzzing::check(&TARGETS, 10_000).unwrap();
    }
}
