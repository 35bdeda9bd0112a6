//! Grok: patterns by name within regular expressions, `%{NAME}`, `%{NAME:field}`.
//!
//! The built-in patterns are those of the crate `grok`, which has Logstash's, and the few names that
//! [AWS Glue](https://docs.aws.amazon.com/glue/latest/dg/custom-classifier.html) adds. As in Glue, a
//! pattern without a field captures under its own name, and names are compared with columns without
//! regard to case. What follows a field (`%{INT:bytes:int}`, `%{HTTPDATE:at;date;…}`) is left out:
//! the column's type decides.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use lakegate_error::{Code, Error, Result};
use lakegate_regexps::MAX_TEXT;

use crate::format::encoding::Encoding;

/// Patterns within patterns.
const MAX_DEPTH: usize = 64;

/// Lines of `input.grokCustomPatterns`.
const MAX_CUSTOM: usize = 10_000;

/// Names of Glue's that the crate lacks.
const MORE: [(&str, &str); 7] = [
    ("BOOLEAN", "(?i:true|false)"),
    ("COMMONAPACHELOG_DATATYPED", "%{COMMONAPACHELOG}"),
    ("DATESTAMP_EU", "%{DATE_EU}[- ]%{TIME}"),
    ("DATESTAMP_US", "%{DATE_US}[- ]%{TIME}"),
    ("GREEDYMULTILINE", "(?s:.*)"),
    ("HOST", "%{HOSTNAME}"),
    ("MESSAGESLOG", "%{SYSLOGBASE} %{DATA}"),
];

/// The names of groups that stand for fields start with this; a number follows.
const GROUP: &str = "lakegateGrok";

/// Properties of GrokSerDe.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GrokOptions {
    /// `input.format`.
    pub format: String,
    /// `input.grokCustomPatterns`: names and patterns. They go before built-in ones; of two of one
    /// name the later counts.
    pub custom: Vec<(String, String)>,
}

/// A format as a regular expression of Java's syntax.
#[derive(Debug, Default)]
pub(super) struct Expanded {
    pub pattern: String,
    /// The field of each group that this module has named, in the order of their numbers.
    fields: Vec<Field>,
}

#[derive(Debug)]
struct Field {
    /// In lower case.
    name: String,
    /// Whether it was written, and is not the name of its pattern.
    is_written: bool,
}

impl GrokOptions {
    /// `custom`: lines of a name, white space and a pattern. Blank ones, and those that start with
    /// `#`, do not count.
    ///
    /// # Errors
    /// A line without a pattern, a name that no `%{…}` can have, a reference to an unknown pattern,
    /// patterns that refer to each other in a circle, too large ones.
    pub(in crate::format::text) fn new(format: &str, custom: Option<&str>) -> Result<Self> {
        let mut patterns = Vec::new();
        for line in custom.unwrap_or_default().lines() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let Some((name, pattern)) = line.split_once(char::is_whitespace) else {
                return Err(invalid(format!(
                    "'input.grokCustomPatterns' has the line '{}', which must be a name, a space and a pattern",
                    shown(line)
                )));
            };
            if !name.chars().all(is_of_name) {
                return Err(invalid(format!(
                    "'input.grokCustomPatterns' has the name '{}'; a name has ASCII letters, digits and _",
                    shown(name)
                )));
            }
            if patterns.len() == MAX_CUSTOM {
                return Err(invalid(format!(
                    "'input.grokCustomPatterns' has more than {MAX_CUSTOM} patterns"
                )));
            }
            patterns.push((name.to_owned(), pattern.trim_start().to_owned()));
        }
        let options = Self {
            format: format.to_owned(),
            custom: patterns,
        };
        options.expand(&|_| false)?;
        Ok(options)
    }

    pub(in crate::format::text) fn encode(&self, to: &mut Encoding<'_>) {
        let Self { format, custom } = self;
        to.text(format);
        to.length(custom.len());
        for (name, pattern) in custom {
            to.text(name);
            to.text(pattern);
        }
    }

    /// Replaces all references. Groups are made for the fields that are `wanted` (in lower case):
    /// fewer groups are found faster.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub(super) fn expand(&self, wanted: &dyn Fn(&str) -> bool) -> Result<Expanded> {
        let mut expanded = Expanded::default();
        self.append(&self.format, wanted, &mut Vec::new(), &mut expanded)?;
        Ok(expanded)
    }

    fn append<'a>(
        &'a self,
        pattern: &'a str,
        wanted: &dyn Fn(&str) -> bool,
        within: &mut Vec<&'a str>,
        to: &mut Expanded,
    ) -> Result<()> {
        let mut rest = pattern;
        while let Some((before, after)) = rest.split_once("%{") {
            let Some((reference, after)) = after.split_once('}') else {
                break;
            };
            to.pattern.push_str(before);
            rest = after;
            let (name, field) = parts(reference)?;
            if within.contains(&name) {
                return Err(invalid(format!(
                    "the Grok pattern '{name}' refers to itself: {} → {name}",
                    within.join(" → ")
                )));
            }
            if within.len() == MAX_DEPTH {
                return Err(too_large());
            }
            let inner = self.find(name).ok_or_else(|| {
                invalid(format!("the Grok pattern '{}' is not known", shown(name)))
                    .with_hint("define it in 'input.grokCustomPatterns', a line each: NAME pattern")
            })?;
            let key = field.unwrap_or(name).to_lowercase();
            if wanted(&key) {
                // Writing to a string cannot fail.
                let _ = write!(to.pattern, "(?<{GROUP}{}>", to.fields.len());
                to.fields.push(Field {
                    name: key,
                    is_written: field.is_some(),
                });
            } else {
                to.pattern.push_str("(?:");
            }
            within.push(name);
            self.append(inner, wanted, within, to)?;
            within.pop();
            to.pattern.push(')');
            // Each reference has left something, so that this bounds their number too.
            if to.pattern.len() > MAX_TEXT {
                return Err(too_large());
            }
        }
        to.pattern.push_str(rest);
        if to.pattern.len() > MAX_TEXT {
            return Err(too_large());
        }
        Ok(())
    }

    fn find(&self, name: &str) -> Option<&str> {
        let custom = self.custom.iter().rev().find(|(known, _)| known == name);
        if let Some((_, pattern)) = custom {
            return Some(pattern);
        }
        let mut built_in = MORE.iter().chain(grok::patterns().iter().rev());
        let found = built_in.find(|(known, _)| *known == name);
        found.map(|(_, pattern)| *pattern)
    }
}

impl Expanded {
    /// The groups of a field, the most wanted first. `names`: of the compiled pattern.
    pub(super) fn groups(&self, field: &str, names: &[(String, usize)]) -> Vec<usize> {
        let mut written = BTreeSet::new();
        let mut implied = BTreeSet::new();
        for (name, group) in names {
            let known = name
                .strip_prefix(GROUP)
                .and_then(|number| self.fields.get(number.parse::<usize>().ok()?));
            match known {
                Some(known) if known.name != field => {}
                Some(known) if known.is_written => {
                    written.insert(*group);
                }
                Some(_) => {
                    implied.insert(*group);
                }
                // A group that the format names itself: (?<name>…).
                None if name.to_lowercase() == field => {
                    written.insert(*group);
                }
                None => {}
            }
        }
        match written.is_empty() {
            true => implied.into_iter().collect(),
            false => written.into_iter().collect(),
        }
    }
}

/// The name and the field of a reference.
fn parts(reference: &str) -> Result<(&str, Option<&str>)> {
    if reference.contains('=') {
        return Err(invalid(format!(
            "'%{{{}}}' defines a pattern where it is used, which is not supported",
            shown(reference)
        ))
        .with_hint("define it in 'input.grokCustomPatterns', a line each: NAME pattern"));
    }
    let (name, field) = match reference.split_once(':') {
        None => (reference, None),
        Some((name, field)) => (name, Some(field)),
    };
    if name.is_empty() || !name.chars().all(is_of_name) {
        return Err(invalid(format!(
            "'%{{{}}}' is no reference to a Grok pattern such as %{{WORD:name}}",
            shown(reference)
        )));
    }
    // A type may follow.
    let field = field.and_then(|field| field.split([':', ';']).next());
    let field = field.map(str::trim);
    Ok((name, field.filter(|field| !field.is_empty())))
}

fn is_of_name(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || letter == '_'
}

fn invalid(message: String) -> Error {
    Error::new(Code::InvalidTable, message)
}

fn too_large() -> Error {
    Error::new(
        Code::InvalidTable,
        format!(
            "'input.format' is too large: with its patterns in place it may have {MAX_TEXT} bytes, and patterns {MAX_DEPTH} levels deep"
        ),
    )
}

fn shown(text: &str) -> String {
    super::super::rows::shown(text)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use super::super::pattern::{Extent, LinePattern};
    use super::*;

    fn captured(format: &str, custom: Option<&str>, fields: &[&str], line: &str) -> Vec<String> {
        let options = GrokOptions::new(format, custom).unwrap();
        let expanded = options.expand(&|field| fields.contains(&field)).unwrap();
        let mut pattern = LinePattern::new(&expanded.pattern, Extent::Part).unwrap();
        let names = pattern.names().to_vec();
        let Some(found) = pattern.captures(line).unwrap() else {
            return vec!["no match".to_owned()];
        };
        let value = |field: &&str| {
            let groups = expanded.groups(field, &names);
            let group = groups.iter().find_map(|group| found.get(*group));
            group.map_or("NULL".to_owned(), |group| line[group.range()].to_owned())
        };
        fields.iter().map(value).collect()
    }

    #[test]
    fn every_built_in_pattern_is_read() {
        for (name, _) in MORE.iter().chain(grok::patterns()) {
            let options = GrokOptions::new(&format!("%{{{name}}}"), None);
            let options = options.unwrap_or_else(|error| panic!("{name}: {error}"));
            let expanded = options.expand(&|_| false).unwrap();
            let pattern = LinePattern::new(&expanded.pattern, Extent::Part);
            assert!(pattern.is_ok(), "{name}: {}", pattern.unwrap_err());
        }
    }

    #[test]
    fn fields_are_found_by_name_without_regard_to_case() {
        let line = "10.0.0.1 GET /a 200";
        for (format, fields, expected) in [
            (
                "%{IP:client} %{WORD: Method } %{NOTSPACE:path:string} %{INT:status;int}",
                &["client", "method", "path", "status", "other"][..],
                &["10.0.0.1", "GET", "/a", "200", "NULL"][..],
            ),
            ("%{IP} %{WORD}", &["ip", "word"], &["10.0.0.1", "GET"]),
            ("(?<verb>[A-Z]+) /", &["verb"], &["GET"]),
            // A field that is written goes before a pattern of that name.
            ("%{IP} %{WORD:ip}", &["ip"], &["GET"]),
            (
                "(?:%{IPV6:a}|%{IPV4:a}) %{WORD:b}",
                &["a", "b"],
                &["10.0.0.1", "GET"],
            ),
            ("%{MAC:a}", &["a"], &["no match"]),
            ("100%{SPACE}%", &["a"], &["no match"]),
        ] {
            assert_eq!(captured(format, None, fields, line), expected, "{format}");
        }
    }

    #[test]
    fn custom_patterns_go_before_built_in_ones_and_may_use_them() {
        let custom =
            "# of Postfix\nQUEUE [0-9A-F]{7,12}\n\nWORD  [a-z]+\nBOTH %{QUEUE:queue}/%{WORD:word}";
        let fields = ["queue", "word"];
        let line = "x ABCDEF01/GHIjkl";
        let found = captured("%{BOTH}", Some(custom), &fields, line);
        assert_eq!(found, ["no match"]);
        let found = captured("%{BOTH}", Some(custom), &fields, "x ABCDEF01/ghi");
        assert_eq!(found, ["ABCDEF01", "ghi"]);
    }

    #[test]
    fn hostile_patterns_are_refused_by_name() {
        // Each level doubles.
        let mut bomb = "A0 xxxxxxxxxx\n".to_owned();
        for level in 1..60 {
            let below = level - 1;
            bomb.push_str(&format!("A{level} %{{A{below}}}%{{A{below}}}\n"));
        }
        let mut deep = "D0 x\n".to_owned();
        for level in 1..100 {
            deep.push_str(&format!("D{level} %{{D{}}}\n", level - 1));
        }
        for (format, custom, part) in [
            ("%{A}", "A %{B}\nB x%{A}", "A → B → A"),
            ("%{A}", "A %{A}", "refers to itself"),
            ("%{A59}", bomb.as_str(), "too large"),
            ("%{D99}", deep.as_str(), "too large"),
            ("%{NOPE:a}", "", "'NOPE' is not known"),
            ("%{WORD=[a-z]:a}", "", "defines a pattern"),
            ("%{:a}", "", "no reference"),
            ("%{A}", "A", "a name, a space and a pattern"),
            ("%{A}", "A-B x", "ASCII letters"),
        ] {
            let error = GrokOptions::new(format, Some(custom)).unwrap_err();
            assert_eq!(error.code(), Code::InvalidTable);
            assert!(error.message().contains(part), "{part}: {error}");
        }
    }

    #[test]
    fn apache_lines_have_their_fields() {
        let fields = [
            "clientip", "auth", "verb", "request", "response", "bytes", "agent",
        ];
        let line = "192.0.2.7 - ann [10/Oct/2023:13:55:36 -0700] \"GET /a?b=1 HTTP/1.1\" 200 - \"-\" \"curl/8\"";
        let found = captured("%{COMBINEDAPACHELOG}", None, &fields, line);
        let expected = [
            "192.0.2.7",
            "ann",
            "GET",
            "/a?b=1",
            "200",
            "NULL",
            "\"curl/8\"",
        ];
        assert_eq!(found, expected);
    }
}
