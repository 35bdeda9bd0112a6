//! Encodings of text other than UTF8: what `client_encoding`, COPY's `ENCODING` and `convert_from`
//! name.
//!
//! The tables are those of PostgreSQL's conversions to and from UTF8, which differ from the web's of
//! the same names: `WIN1252` has no character for 0x81, and `LATIN1` is not `WIN1252`.

mod names;
mod tables;

use std::borrow::Cow;
use std::sync::OnceLock;

use lakegate_error::{Code, Error};

pub use self::names::{Named, encoding_named};
use self::tables::{Lead, Tables};

/// An encoding that texts are converted to and from. ASCII is a part of each.
pub struct Encoding {
    name: &'static str,
    lead: Lead,
    /// A line of `data/single.txt` by its name, or a table of its own.
    data: Option<&'static str>,
    tables: OnceLock<Tables>,
}

impl std::fmt::Debug for Encoding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

impl PartialEq for Encoding {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Encoding {}

/// The part of some bytes that is text.
#[derive(Debug)]
pub struct Decoded {
    pub text: String,
    /// The number of bytes that the text was.
    pub length: usize,
    /// Why the bytes behind it are no text; `None` if they are the beginning of a character, or
    /// there are none.
    pub error: Option<Error>,
}

impl Encoding {
    const fn single(name: &'static str) -> Self {
        Self {
            name,
            lead: Lead::Single,
            data: None,
            tables: OnceLock::new(),
        }
    }

    const fn double(name: &'static str, lead: Lead, data: &'static str) -> Self {
        Self {
            name,
            lead,
            data: Some(data),
            tables: OnceLock::new(),
        }
    }

    /// Returns PostgreSQL's name, such as `WIN1252`.
    pub fn name(&self) -> &'static str {
        self.name
    }

    fn tables(&self) -> &Tables {
        self.tables.get_or_init(|| match self.data {
            Some(data) => Tables::of_lines(data),
            None => Tables::single(self.name),
        })
    }

    /// Converts bytes to text.
    ///
    /// # Errors
    ///
    /// Bytes are not of the encoding, or zero (`InvalidEncoding`), or have no character in UTF8
    /// (`UntranslatableCharacter`).
    pub fn decode(&self, bytes: &[u8]) -> Result<String, Error> {
        let decoded = self.decode_start(bytes);
        match decoded.error {
            Some(error) => Err(error),
            None if decoded.length < bytes.len() => {
                Err(self.invalid(bytes.get(decoded.length..).unwrap_or_default()))
            }
            None => Ok(decoded.text),
        }
    }

    /// Converts bytes to text up to the first that are none, or that are the beginning of a
    /// character only.
    pub fn decode_start(&self, bytes: &[u8]) -> Decoded {
        let mut text = String::with_capacity(bytes.len());
        let mut rest = bytes;
        let mut error = None;
        while let Some(first) = rest.first() {
            if *first == 0 {
                error = Some(self.invalid(rest));
                break;
            }
            if first.is_ascii() {
                text.push(char::from(*first));
                rest = rest.get(1..).unwrap_or_default();
                continue;
            }
            let Some((character, after)) = rest.split_at_checked(self.lead.length(*first)) else {
                break;
            };
            if !self.lead.is_valid(character) {
                error = Some(self.invalid(rest));
                break;
            }
            match self.tables().character(character) {
                Some(found) => text.push(found),
                None => {
                    error = Some(untranslatable(character, self.name, "UTF8"));
                    break;
                }
            }
            rest = after;
        }
        Decoded {
            text,
            length: bytes.len() - rest.len(),
            error,
        }
    }

    /// Converts text to bytes; borrows it if it is ASCII.
    ///
    /// # Errors
    ///
    /// A character is not in the encoding (`UntranslatableCharacter`).
    pub fn encode<'a>(&self, text: &'a str) -> Result<Cow<'a, [u8]>, Error> {
        if text.is_ascii() {
            return Ok(Cow::Borrowed(text.as_bytes()));
        }
        let tables = self.tables();
        let mut bytes = Vec::with_capacity(text.len());
        for character in text.chars() {
            if character.is_ascii() {
                bytes.push(character as u8);
                continue;
            }
            let Some(code) = tables.code(character) else {
                let mut buffer = [0; 4];
                let shown = character.encode_utf8(&mut buffer).as_bytes();
                return Err(untranslatable(shown, "UTF8", self.name));
            };
            let [_, a, b, c] = code.to_be_bytes();
            let all = [a, b, c];
            let zeros = all.iter().take_while(|byte| **byte == 0).count();
            bytes.extend_from_slice(all.get(zeros..).unwrap_or_default());
        }
        Ok(Cow::Owned(bytes))
    }

    /// Returns the error of bytes that begin with no character of the encoding.
    fn invalid(&self, rest: &[u8]) -> Error {
        let length = rest.first().map_or(1, |first| self.lead.length(*first));
        let shown = hex(rest.get(..length.min(rest.len())).unwrap_or_default());
        Error::new(
            Code::InvalidEncoding,
            format!(
                "invalid byte sequence for encoding \"{}\": {shown}",
                self.name
            ),
        )
    }
}

/// Returns the error of a character that another encoding lacks.
fn untranslatable(character: &[u8], from: &str, to: &str) -> Error {
    let shown = hex(character);
    Error::new(
        Code::UntranslatableCharacter,
        format!(
            "character with byte sequence {shown} in encoding \"{from}\" has no equivalent in encoding \"{to}\""
        ),
    )
}

fn hex(bytes: &[u8]) -> String {
    let bytes: Vec<String> = bytes.iter().map(|byte| format!("0x{byte:02x}")).collect();
    bytes.join(" ")
}

/// Every encoding, sorted by name.
static ALL: [Encoding; 34] = [
    Encoding::double("BIG5", Lead::Double, include_str!("data/big5.txt")),
    Encoding::double("EUC_CN", Lead::Euc, include_str!("data/euc_cn.txt")),
    Encoding::double("EUC_JP", Lead::EucJp, include_str!("data/euc_jp.txt")),
    Encoding::double("EUC_KR", Lead::Euc, include_str!("data/euc_kr.txt")),
    Encoding::double("GBK", Lead::Double, include_str!("data/gbk.txt")),
    Encoding::single("ISO_8859_5"),
    Encoding::single("ISO_8859_6"),
    Encoding::single("ISO_8859_7"),
    Encoding::single("ISO_8859_8"),
    Encoding::single("KOI8R"),
    Encoding::single("KOI8U"),
    Encoding::single("LATIN1"),
    Encoding::single("LATIN10"),
    Encoding::single("LATIN2"),
    Encoding::single("LATIN3"),
    Encoding::single("LATIN4"),
    Encoding::single("LATIN5"),
    Encoding::single("LATIN6"),
    Encoding::single("LATIN7"),
    Encoding::single("LATIN8"),
    Encoding::single("LATIN9"),
    Encoding::double("SJIS", Lead::Sjis, include_str!("data/sjis.txt")),
    Encoding::double("UHC", Lead::Double, include_str!("data/uhc.txt")),
    Encoding::single("WIN1250"),
    Encoding::single("WIN1251"),
    Encoding::single("WIN1252"),
    Encoding::single("WIN1253"),
    Encoding::single("WIN1254"),
    Encoding::single("WIN1255"),
    Encoding::single("WIN1256"),
    Encoding::single("WIN1257"),
    Encoding::single("WIN1258"),
    Encoding::single("WIN866"),
    Encoding::single("WIN874"),
];

/// Returns an encoding by PostgreSQL's name for it.
fn by_name(name: &str) -> Option<&'static Encoding> {
    let found = ALL.binary_search_by(|one| one.name.cmp(name));
    found.ok().and_then(|place| ALL.get(place))
}

#[cfg(test)]
mod tests;
