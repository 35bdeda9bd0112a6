//! Texts: patterns, intervals and bytes in text form, texts of values.

pub(crate) mod byte_texts;
pub(crate) mod interval_text;
pub(crate) mod posix;
pub(crate) mod texts;
