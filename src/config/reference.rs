//! All settings, from their declarations: for the help of the command line, and for the documents
//! that are checked against them.

use std::fmt::Write;

use lakegate_config::{DefaultValue, Section, Setting};
use lakegate_gateway::JwtConfig;

use super::{AuthConfig, Config, LakeConfig, RootConfig};

/// A section of the configuration with its settings.
#[derive(Debug)]
pub struct SectionReference {
    /// The path in the file: `engine`, `auth.jwt`.
    pub path: &'static str,
    pub about: &'static str,
    pub presence: Presence,
    pub settings: Vec<Setting>,
}

/// How often a section occurs in the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    Once,
    /// The feature is off without this section.
    Optional,
    /// A list of tables.
    Repeated,
}

/// Returns all sections, in the order of the documents.
pub fn sections() -> Vec<SectionReference> {
    // Destructured without `..`, so that the compiler reports a section that is missing here.
    let Config {
        server,
        postgres,
        flight,
        http,
        tls,
        auth: AuthConfig { jwt },
        lake,
        engine,
        queries,
        results,
        history,
    } = Config::default();
    let jwt: JwtConfig = jwt.unwrap_or_default();
    vec![
        section("server", Presence::Once, &server),
        section("postgres", Presence::Once, &postgres),
        section("flight", Presence::Once, &flight),
        section("http", Presence::Once, &http),
        section("tls", Presence::Once, &tls),
        section("auth.jwt", Presence::Optional, &jwt),
        section::<LakeConfig>("lake", Presence::Once, &lake),
        section("lake.roots", Presence::Repeated, &RootConfig::default()),
        section("engine", Presence::Once, &engine),
        section("queries", Presence::Once, &queries),
        section("results", Presence::Once, &results),
        section("history", Presence::Once, &history),
    ]
}

fn section<T: Section>(path: &'static str, presence: Presence, defaults: &T) -> SectionReference {
    SectionReference {
        path,
        about: T::ABOUT.trim(),
        presence,
        settings: defaults.settings(),
    }
}

impl SectionReference {
    /// Returns the environment variable of one of the section's settings.
    pub fn variable(&self, setting: &Setting) -> String {
        let path = format!("{}.{}", self.path, setting.name);
        format!("LAKEGATE_{}", path.replace('.', "__").to_uppercase())
    }
}

/// Returns the type of a setting in words, or its choices if it has some.
pub fn kind(setting: &Setting) -> String {
    match setting.choices {
        [] => setting.kind.to_owned(),
        [first @ .., last] => format!("{} or {last}", first.join(", ")),
    }
}

/// Returns the default of a setting in words.
pub fn default(setting: &Setting) -> &str {
    match &setting.default {
        DefaultValue::Fixed(value) => value.trim_matches('"'),
        DefaultValue::Described { words, .. } => words,
    }
}

/// Returns the description of settings in `lakegate serve --help`.
pub fn help() -> String {
    let mut text = "Settings, each of the file or of the environment, which wins:\n".to_owned();
    let sections = sections();
    for section in &sections {
        for setting in &section.settings {
            // Sections of a list have no variables of their own: the list has one.
            if section.presence == Presence::Repeated {
                continue;
            }
            let _ = write!(
                text,
                "\n  {} <{}>\n          {} [default: {}]\n",
                section.variable(setting),
                kind(setting),
                setting.meaning,
                default(setting)
            );
        }
    }
    text
}
