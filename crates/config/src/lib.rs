//! Declarations of the server's settings: the name, type, default and meaning of a setting are
//! written once, in a [`section!`] of the crate that it configures.
//!
//! The server's package composes the sections into its configuration. The example file, the table
//! in the documentation and the command line's help are generated from [`Section::settings`].

mod listen;
mod value;

pub use humantime_serde as time;
pub use serde;

pub use self::listen::Listen;
pub use self::value::{Secret, Value, bytes};

/// A table of the configuration file.
pub trait Section: Default {
    /// Describes the section, in a sentence or two.
    const ABOUT: &'static str;

    /// Returns the settings in the order of their declaration, with the values of `self` as
    /// defaults.
    fn settings(&self) -> Vec<Setting>;
}

/// A setting as documentation shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// Its name within the section.
    pub name: &'static str,
    /// Its description, with units and bounds.
    pub meaning: String,
    /// The type of its value: `size`, `time`, `number`.
    pub kind: &'static str,
    /// The possible values, if they are few.
    pub choices: &'static [&'static str],
    pub default: DefaultValue,
}

/// The behaviour of a setting that is not set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DefaultValue {
    /// A value, as TOML.
    Fixed(String),
    /// A description, with an example value as TOML.
    Described {
        words: &'static str,
        example: &'static str,
    },
}

impl Setting {
    /// Returns a possible value of the setting, as TOML: the default if it is fixed.
    pub fn example(&self) -> &str {
        match &self.default {
            DefaultValue::Fixed(value) => value,
            DefaultValue::Described { example, .. } => example,
        }
    }
}

/// Joins the lines of a doc comment. Called by [`section!`].
#[doc(hidden)]
pub fn joined(lines: &[&str]) -> String {
    let lines: Vec<&str> = lines.iter().map(|line| line.trim()).collect();
    lines.join(" ")
}

/// Declares a section: a struct with `Default`, `Deserialize` and [`Section`].
///
/// Each field has a doc comment, which becomes its description in the documentation, and a default.
/// A default that depends on the machine or on other settings is `None`, followed by a description
/// of it and by an example in TOML:
///
/// ```
/// lakegate_config::section! {
///     /// Queries and their memory.
///     pub struct EngineConfig {
///         /// Rows in a batch.
///         pub batch_size: usize = 8192,
///         /// Threads that run queries.
///         pub threads: Option<usize> = None => ("the machine's cores", "8"),
///     }
/// }
/// assert_eq!(EngineConfig::default().batch_size, 8192);
/// ```
#[macro_export]
macro_rules! section {
    (
        $(#[doc = $about:literal])+
        pub struct $section:ident {
            $(
                $(#[doc = $meaning:literal])+
                $(#[serde($($serde:tt)+)])?
                pub $name:ident: $kind:ty = $default:expr $(=> ($words:literal, $example:literal))?,
            )+
        }
    ) => {
        $(#[doc = $about])+
        #[derive(Debug, Clone, $crate::serde::Serialize, $crate::serde::Deserialize)]
        #[serde(crate = "lakegate_config::serde", default, deny_unknown_fields)]
        pub struct $section {
            $(
                $(#[doc = $meaning])+
                $(#[serde($($serde)+)])?
                pub $name: $kind,
            )+
        }

        impl Default for $section {
            fn default() -> Self {
                Self { $($name: $default,)+ }
            }
        }

        impl $crate::Section for $section {
            const ABOUT: &'static str = concat!($($about),+);

            fn settings(&self) -> Vec<$crate::Setting> {
                vec![$(
                    $crate::Setting {
                        name: stringify!($name),
                        meaning: $crate::joined(&[$($meaning),+]),
                        kind: <$kind as $crate::Value>::KIND,
                        choices: <$kind as $crate::Value>::CHOICES,
                        default: $crate::section!(@default self.$name $(, $words, $example)?),
                    },
                )+]
            }
        }
    };
    (@default $value:expr) => {
        $crate::DefaultValue::Fixed($crate::Value::toml(&$value).unwrap_or_default())
    };
    (@default $value:expr, $words:literal, $example:literal) => {
        $crate::DefaultValue::Described { words: $words, example: $example }
    };
}
