//! PostgreSQL's settings of its server: of its log, its files and its work in the background. Tools
//! show them. They have no use here, and PostgreSQL's defaults; those of files are empty.
//!
//! `server.tsv` has them by name: the default as SHOW writes it, the unit of `pg_settings`, if there is
//! one, and a description.

use std::sync::LazyLock;

use super::{Kind, Known};

static ALL: LazyLock<Vec<Known>> = LazyLock::new(|| {
    include_str!("server.tsv")
        .lines()
        .filter_map(parse)
        .collect()
});

/// Returns them, sorted by name.
pub(super) fn all() -> &'static [Known] {
    &ALL
}

fn parse(line: &'static str) -> Option<Known> {
    let mut fields = line.split('\t');
    let (name, default) = (fields.next()?, fields.next()?);
    let kind = match fields.next()? {
        "" => Kind::Constant,
        unit => Kind::Amount(unit),
    };
    Some(Known {
        name,
        default,
        kind,
        description: fields.next()?,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::Settings;
    use super::*;

    #[test]
    fn every_line_is_a_setting() {
        assert_eq!(all().len(), include_str!("server.tsv").lines().count());
        assert!(all().is_sorted_by(|a, b| a.name < b.name));
    }

    #[test]
    fn amounts_are_shown_in_their_unit() {
        let all = Settings::default().all();
        for (name, shown, setting, unit, var_type) in [
            ("autovacuum_naptime", "1min", "60", Some("s"), "integer"),
            ("checkpoint_completion_target", "0.9", "0.9", None, "real"),
            ("fsync", "on", "on", None, "bool"),
            ("log_rotation_age", "1d", "1440", Some("min"), "integer"),
            ("log_temp_files", "-1", "-1", Some("kB"), "integer"),
            ("max_wal_size", "1GB", "1024", Some("MB"), "integer"),
            ("min_wal_size", "80MB", "80", Some("MB"), "integer"),
            ("segment_size", "1GB", "131072", Some("8kB"), "integer"),
            ("wal_buffers", "0", "0", Some("8kB"), "integer"),
            ("wal_segment_size", "16MB", "16777216", Some("B"), "integer"),
            ("deadlock_timeout", "1s", "1000", Some("ms"), "integer"),
            ("temp_file_limit", "-1", "-1", Some("kB"), "integer"),
        ] {
            let found = all.iter().find(|one| one.name == name).unwrap();
            assert_eq!(found.value, shown, "{name}");
            assert_eq!(found.in_unit(&found.value), setting, "{name}");
            assert_eq!((found.unit, found.var_type), (unit, var_type), "{name}");
            assert_ne!(found.context, "user", "{name}");
        }
        let mut settings = Settings::default();
        assert!(settings.set("fsync", Some("off")).is_err());
        assert!(settings.set("max_wal_size", Some("2GB")).is_err());
        settings.set("max_wal_size", Some("1GB")).unwrap();
    }
}
