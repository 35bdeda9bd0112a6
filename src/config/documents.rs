//! Tests that the example file and the table of settings in `docs/operations.md` match the
//! declarations of the settings. `LAKEGATE_UPDATE_GOLDEN=1` rewrites both.
#![allow(clippy::unwrap_used, clippy::result_large_err)]

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use figment::Figment;
use figment::providers::{Format, Toml};
use lakegate_config::{DefaultValue, Setting};

use super::Config;
use super::reference::{Presence, SectionReference, default, help, kind, sections};

/// The maximum length of a comment line in the example file.
const WIDTH: usize = 100;

const HEAD: &str = "\
# Lakegate's configuration, with every setting.
#
# What is commented out has the value that is shown, or what its comment says. Every setting is also
# an environment variable: LAKEGATE_, then its path in capitals with two underscores between the
# parts, such as LAKEGATE_ENGINE__MEMORY_LIMIT=8GiB. A variable wins over this file. An unknown
# setting is an error.
#
# Sizes: 512MiB, 8GiB (1024s), 500MB (1000s), or a number of bytes. Times: 30s, 5min, 12h, 45days.
#
#     lakegate serve --config lakegate.toml
";

/// The text after the settings of a lake root: common roots, of which the example file enables one.
const ROOTS: &str = "
# A bucket, or a part of one, on AWS.
# [[lake.roots]]
# url = \"s3://my-bucket/lake/\"
# region = \"eu-central-1\"

# A bucket on a store that speaks S3's protocol, with credentials of its own.
# [[lake.roots]]
# url = \"s3://warehouse/\"
# endpoint = \"https://minio.example.com:9000\"
# access_key_id = \"…\"
# secret_access_key = \"…\"

# A directory under its own name.
# [[lake.roots]]
# url = \"file:///srv/files/\"

# A directory under an s3:// name: an S3-shaped lake without S3.
[[lake.roots]]
url = \"s3://datalake/\"
path = \"/srv/datalake\"
";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Formats `text` as comment lines.
fn comment(text: &str) -> String {
    let mut lines = vec!["#".to_owned()];
    for word in text.split_whitespace() {
        let last = lines.last_mut().unwrap();
        if last.len() + 1 + word.len() > WIDTH {
            lines.push(format!("# {word}"));
        } else {
            last.push(' ');
            last.push_str(word);
        }
    }
    lines.join("\n") + "\n"
}

fn explained(setting: &Setting) -> String {
    let mut text = setting.meaning.clone();
    if !setting.choices.is_empty() {
        write!(text, " One of {}.", kind(setting)).unwrap();
    }
    match setting.default {
        DefaultValue::Described { words, .. } if words != "none" => {
            write!(text, " Default: {words}.").unwrap();
        }
        _ => {}
    }
    comment(&text)
}

fn example() -> String {
    let mut text = HEAD.to_owned();
    for section in sections() {
        let title = match section.presence {
            Presence::Once => format!("[{}]", section.path),
            Presence::Optional => format!("# [{}]", section.path),
            Presence::Repeated => format!("# [[{}]]", section.path),
        };
        write!(text, "\n{}{title}\n", comment(section.about)).unwrap();
        for setting in &section.settings {
            text += &explained(setting);
            // The entries of a list follow in a section of their own.
            let is_list = sections().iter().any(|other| {
                other.presence == Presence::Repeated
                    && other.path == format!("{}.{}", section.path, setting.name)
            });
            if !is_list {
                writeln!(text, "# {} = {}", setting.name, setting.example()).unwrap();
            }
        }
        if section.presence == Presence::Repeated {
            text += ROOTS;
        }
    }
    text
}

/// Returns the tables of `docs/operations.md`.
fn tables() -> String {
    let mut text =
        "| setting | variable | type | default | meaning |\n|---|---|---|---|---|\n".to_owned();
    let (lists, single): (Vec<SectionReference>, Vec<SectionReference>) = sections()
        .into_iter()
        .partition(|section| section.presence == Presence::Repeated);
    for section in &single {
        for setting in &section.settings {
            writeln!(
                text,
                "| `{}.{}` | `{}` | {} | {} | {} |",
                section.path,
                setting.name,
                section.variable(setting),
                kind(setting),
                shown_default(setting),
                setting.meaning
            )
            .unwrap();
        }
    }
    for section in &lists {
        write!(
            text,
            "\nThe settings of one of `{}`:\n\n| setting | type | default | meaning |\n|---|---|---|---|\n",
            section.path
        )
        .unwrap();
        for setting in &section.settings {
            writeln!(
                text,
                "| `{}` | {} | {} | {} |",
                setting.name,
                kind(setting),
                shown_default(setting),
                setting.meaning
            )
            .unwrap();
        }
    }
    text
}

fn shown_default(setting: &Setting) -> String {
    match setting.default {
        DefaultValue::Fixed(_) => format!("`{}`", default(setting)),
        DefaultValue::Described { words, .. } => words.to_owned(),
    }
}

/// Compares a document with its expected content, or writes it.
fn assert_written(file: &str, expected: &str) {
    let path: PathBuf = root().join(file);
    if std::env::var_os("LAKEGATE_UPDATE_GOLDEN").is_some() {
        fs::write(&path, expected).unwrap();
    }
    let written = fs::read_to_string(&path).unwrap();
    let differing = expected
        .lines()
        .zip(written.lines().chain(std::iter::repeat("")))
        .find(|(expected, written)| expected != written);
    assert!(
        written == expected,
        "{file} is not what the settings say; LAKEGATE_UPDATE_GOLDEN=1 writes it. First difference, expected and found: {differing:#?}"
    );
}

#[test]
fn example_file_has_every_setting_as_declared() {
    assert_written("lakegate.example.toml", &example());
}

#[test]
fn operations_page_has_every_setting_as_declared() {
    const BEGIN: &str = "<!-- settings: written from their declarations -->\n";
    const END: &str = "<!-- end of settings -->\n";
    let file = "docs/operations.md";
    let page = fs::read_to_string(root().join(file)).unwrap();
    let (before, rest) = page.split_once(BEGIN).unwrap();
    let (_, after) = rest.split_once(END).unwrap();
    assert_written(
        file,
        &format!("{before}{BEGIN}\n{}\n{END}{after}", tables()),
    );
}

/// Every commented-out line of the example is a setting with a valid value.
#[test]
fn example_file_is_accepted_with_all_its_settings() {
    let all: String = example()
        .lines()
        .filter_map(|line| match line.strip_prefix("# ") {
            Some(setting) => {
                let is_setting = setting.split_once(" = ").is_some_and(|(name, _)| {
                    name.chars().all(|c| c == '_' || c.is_ascii_lowercase())
                });
                (is_setting || setting.starts_with('[')).then_some(setting)
            }
            None => Some(line),
        })
        .map(|line| format!("{line}\n"))
        .collect();
    let config: Config = Figment::from(Toml::string(&all)).extract().unwrap();
    assert_eq!(config.lake.roots.len(), 5);
    let jwt = config.auth.jwt.unwrap();
    assert_eq!(jwt.user_claim, "sub");
    for section in sections() {
        for setting in &section.settings {
            let line = format!("\n{} = {}\n", setting.name, setting.example());
            assert!(
                setting.name == "roots" || all.contains(&line),
                "{}.{} is missing",
                section.path,
                setting.name
            );
        }
    }
}

/// The example as written is a configuration with the default values.
#[test]
fn example_file_changes_no_default() {
    let read: Config = Figment::from(Toml::string(&example())).extract().unwrap();
    let defaults = Config::default();
    assert_eq!(read.lake.roots.len(), 1);
    let without_roots = |mut config: Config| {
        config.lake.roots.clear();
        serde_json::to_value(config).unwrap()
    };
    assert_eq!(without_roots(read), without_roots(defaults));
}

/// A fixed default has the same value in TOML as in code.
#[test]
fn defaults_are_written_as_they_are_read() {
    let mut all = String::new();
    for section in sections() {
        if section.presence != Presence::Once {
            continue;
        }
        writeln!(all, "[{}]", section.path).unwrap();
        for setting in &section.settings {
            if let DefaultValue::Fixed(value) = &setting.default {
                writeln!(all, "{} = {value}", setting.name).unwrap();
            }
        }
    }
    let read: Config = Figment::from(Toml::string(&all)).extract().unwrap();
    let json = |config: Config| serde_json::to_value(config).unwrap();
    assert_eq!(json(read), json(Config::default()));
}

#[test]
fn variables_are_read_under_the_names_that_documents_have() {
    let sections = sections();
    for section in &sections {
        if section.presence != Presence::Once {
            continue;
        }
        for setting in &section.settings {
            if setting.name == "roots" {
                continue;
            }
            let variable = section.variable(setting);
            figment::Jail::expect_with(|jail| {
                // Has the wrong type for every setting, so the error names the setting.
                jail.set_env(&variable, "[[]]");
                let error = Config::load(None, Default::default()).unwrap_err();
                let path = format!("{}.{}", section.path, setting.name);
                assert!(
                    error.message().to_lowercase().contains(&path)
                        || error.message().contains(&variable),
                    "{variable}: {error}"
                );
                Ok(())
            });
        }
    }
    assert!(help().contains("LAKEGATE_AUTH__JWT__LEEWAY <time>"));
}

#[test]
fn help_names_every_variable() {
    let help = help();
    for section in sections() {
        for setting in &section.settings {
            assert_eq!(
                help.contains(&section.variable(setting)),
                section.presence != Presence::Repeated,
                "{}.{}",
                section.path,
                setting.name
            );
        }
    }
}
