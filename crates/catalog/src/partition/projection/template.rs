//! `storage.location.template`: where the folder of a partition is.

use super::candidates::ProjectedValue;
use crate::error::{CatalogError, Result};
use crate::partition::path::escape_path_name;
use crate::partition::value::PartitionKey;

/// The longest template, in bytes.
const MAX_TEMPLATE: usize = 4096;

/// Where the folders of partitions are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Template {
    /// `<location>/k=v/k2=v2/`; the location is without a slash at the end.
    Location(String),
    /// The parts of a template, and the folder that holds all of its folders.
    Parts { parts: Vec<Part>, folder: String },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Part {
    Text(String),
    /// The position of a key.
    Key(usize),
}

/// The folder that holds all folders of a template; ends in `/`, and is empty for a template
/// without one.
pub(super) fn folder(template: &str) -> &str {
    let fixed = template.split_once("${").map_or(template, |(text, _)| text);
    let end = fixed.rfind('/').map_or(0, |slash| slash + 1);
    fixed.get(..end).unwrap_or_default()
}

/// Whether a text can be in the URL of a folder as it is, without changing which folder it is.
pub(super) fn is_clean(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    let coded = ["%2e", "%2f", "%5c"];
    let is_special = |c: char| c.is_ascii_control() || matches!(c, '?' | '#' | '\\');
    !text.contains(is_special)
        && !coded.iter().any(|code| lower.contains(code))
        && text.split('/').all(|part| !matches!(part, "" | "." | ".."))
}

/// `key=value`, escaped as Hive does.
pub(super) fn default_part(key: &PartitionKey, text: &str) -> String {
    format!("{}={}", escape_path_name(&key.name), escape_path_name(text))
}

impl Template {
    /// The folders below a table's location.
    ///
    /// # Errors
    /// The table has none.
    pub(super) fn of_location(table: &str, location: Option<&str>) -> Result<Template> {
        match location {
            Some(location) => {
                let location = location.trim_end_matches('/');
                Ok(Template::Location(format!("{location}/")))
            }
            None => Err(CatalogError::invalid(format!(
                "table {table} has no location for its projected partitions; give it one, or set 'storage.location.template'"
            ))),
        }
    }

    /// Parses a template. `keys`: the names of the table's partition keys.
    ///
    /// # Errors
    /// `InvalidInput` that says what is wrong with the template.
    pub(super) fn parse(table: &str, template: &str, keys: &[&str]) -> Result<Template> {
        let wrong = |why: String| {
            let shown: String = template.chars().take(200).collect();
            CatalogError::invalid(format!(
                "table {table}: property 'storage.location.template' is '{shown}': {why}"
            ))
        };
        if template.len() > MAX_TEMPLATE {
            return Err(wrong(format!("it is longer than {MAX_TEMPLATE} bytes")));
        }
        if !template.ends_with('/') {
            return Err(wrong("it must end with a slash".to_owned()));
        }
        let mut parts = Vec::new();
        let mut rest = template;
        while let Some((text, after)) = rest.split_once("${") {
            let Some((name, after)) = after.split_once('}') else {
                return Err(wrong("a ${ is not closed".to_owned()));
            };
            let lower = name.trim().to_lowercase();
            let Some(key) = keys.iter().position(|key| *key == lower) else {
                return Err(wrong(format!(
                    "${{{name}}} is no partition column; the partition columns are {}",
                    keys.join(", ")
                )));
            };
            parts.push(Part::Text(text.to_owned()));
            parts.push(Part::Key(key));
            rest = after;
        }
        parts.push(Part::Text(rest.to_owned()));
        let absent = |key: &usize| !parts.contains(&Part::Key(*key));
        let missing: Vec<&str> = (0..keys.len())
            .filter(absent)
            .filter_map(|key| keys.get(key).copied())
            .collect();
        if !missing.is_empty() {
            return Err(wrong(format!(
                "it must contain every partition column, and lacks {}",
                missing
                    .iter()
                    .map(|name| format!("${{{name}}}"))
                    .collect::<Vec<_>>()
                    .join(", ")
            )));
        }
        let folder = folder(template);
        let (scheme, path) = folder.split_once("://").unwrap_or_default();
        if scheme.is_empty() || !path.contains('/') {
            return Err(wrong(
                "it must begin with a URL such as s3://bucket/, before the first partition column"
                    .to_owned(),
            ));
        }
        let climbs = |part: &str| matches!(part, "." | "..");
        if template.split('/').any(climbs) {
            return Err(wrong("it could leave its folder".to_owned()));
        }
        Ok(Template::Parts {
            parts,
            folder: folder.to_owned(),
        })
    }

    /// The folder that holds all folders of partitions.
    pub(super) fn folder(&self) -> &str {
        match self {
            Template::Location(location) => location,
            Template::Parts { folder, .. } => folder,
        }
    }

    /// The location of the partition with these values, one per key; `None` if they cannot be in a
    /// location.
    pub(super) fn expand(
        &self,
        keys: &[PartitionKey],
        values: &[ProjectedValue],
    ) -> Option<String> {
        let mut location = String::new();
        match self {
            Template::Location(base) => {
                location.push_str(base);
                for (key, value) in keys.iter().zip(values) {
                    location.push_str(&default_part(key, value.folder_text()));
                    location.push('/');
                }
            }
            Template::Parts { parts, .. } => {
                for part in parts {
                    match part {
                        Part::Text(text) => location.push_str(text),
                        Part::Key(key) => {
                            let text = values.get(*key)?.folder_text();
                            if !is_clean(text) {
                                return None;
                            }
                            location.push_str(text);
                        }
                    }
                }
            }
        }
        Some(location)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::hive_type::HiveType;

    fn keys() -> Vec<PartitionKey> {
        ["day", "device"]
            .map(|name| PartitionKey::new(name, HiveType::String))
            .to_vec()
    }

    fn parsed(template: &str) -> Result<Template> {
        Template::parse("db.t", template, &["day", "device"])
    }

    fn values(texts: [&str; 2]) -> [ProjectedValue; 2] {
        texts.map(ProjectedValue::same)
    }

    #[test]
    fn values_are_put_into_templates_as_they_are() {
        let template = parsed("s3://b/logs/${Device}/x-${day}/").unwrap();
        assert_eq!(template.folder(), "s3://b/logs/");
        let expand = |texts| template.expand(&keys(), &values(texts));
        assert_eq!(
            expand(["2024/01", "a b"]).unwrap(),
            "s3://b/logs/a b/x-2024/01/"
        );
        for bad in [
            "..", "a/../b", "/a", "a/", "a//b", "", "%2E%2E", "a%2Fb", "a?b", "a\tb", ".",
        ] {
            assert_eq!(expand(["1", bad]), None, "{bad}");
        }
        let inside = parsed("s3://b/logs-${day}/${device}/").unwrap();
        assert_eq!(inside.folder(), "s3://b/");
    }

    #[test]
    fn without_a_template_folders_are_those_of_hive() {
        let template = Template::of_location("db.t", Some("s3://b/t")).unwrap();
        assert_eq!(template.folder(), "s3://b/t/");
        assert_eq!(
            template
                .expand(&keys(), &values(["2024/01", ".."]))
                .unwrap(),
            "s3://b/t/day=2024%2F01/device=../"
        );
        assert!(Template::of_location("db.t", None).is_err());
    }

    #[test]
    fn templates_that_cannot_be_used_are_refused() {
        for (template, why) in [
            ("s3://b/${day}/${device}", "end with a slash"),
            ("s3://b/${day}/", "lacks ${device}"),
            (
                "s3://b/${day}/${device}/${city}/",
                "${city} is no partition column",
            ),
            ("s3://b/${day/", "not closed"),
            ("s3://${day}/${device}/", "begin with a URL"),
            ("b/${day}/${device}/", "begin with a URL"),
            ("${day}/${device}/", "begin with a URL"),
            ("s3://b/../${day}/${device}/", "leave its folder"),
        ] {
            let error = parsed(template).unwrap_err().to_string();
            assert!(error.contains(why), "{template}: {error}");
        }
    }
}
