//! Properties of RegexSerDe and GrokSerDe.

use lakegate_error::{Code, Error, Result};

use super::{GrokOptions, in_property};
use crate::format::encoding::Encoding;
use crate::format::properties::Properties;

/// Properties of RegexSerDe.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RegexOptions {
    /// `input.regex`, in Java's syntax: it must match the whole line.
    pub regex: String,
    /// `input.regex.case.insensitive`.
    pub case_insensitive: bool,
}

impl RegexOptions {
    pub(in crate::format::text) fn encode(&self, to: &mut Encoding<'_>) {
        let Self {
            regex,
            case_insensitive,
        } = self;
        to.text(regex);
        to.flag(*case_insensitive);
    }
}

impl Properties<'_> {
    pub(in crate::format::text) fn regex(&self) -> Result<RegexOptions> {
        self.check_encoding()?;
        let regex = self.required("input.regex", "RegexSerDe", "([^ ]*) ([^ ]*)")?;
        lakegate_regexps::check_text(regex)
            .and_then(|()| lakegate_regexps::spell(regex, false))
            .map_err(|error| in_property("input.regex", &error))?;
        Ok(RegexOptions {
            regex: regex.to_owned(),
            case_insensitive: self.flag("input.regex.case.insensitive", false)?,
        })
    }

    pub(in crate::format::text) fn grok(&self) -> Result<GrokOptions> {
        self.check_encoding()?;
        let format = self.required("input.format", "GrokSerDe", "%{COMMONAPACHELOG}")?;
        GrokOptions::new(format, self.get("input.grokCustomPatterns"))
    }

    fn required(&self, key: &str, serde: &str, example: &str) -> Result<&str> {
        let value = self.get(key).filter(|value| !value.is_empty());
        value.ok_or_else(|| {
            Error::new(
                Code::InvalidTable,
                format!("{serde} needs the property '{key}'"),
            )
            .with_hint(format!(
                "write WITH SERDEPROPERTIES ('{key}' = '{example}')"
            ))
        })
    }
}
