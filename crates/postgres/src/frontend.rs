//! Frontend messages, parsed with every length checked.
//!
//! The connection does the framing: a body here is complete, and nothing beyond it can be read.
//! (pgwire's decoders trust the counts and lengths inside a message and panic on wrong ones.)
//! Formats: PostgreSQL's documentation, "Message Formats".

use bytes::{Buf, Bytes};
use lakegate_error::{Code, Error, Result};
use lakegate_gateway::values::Encoding;

use super::client_text;

/// Longest packet, and longest message, in bytes, of a client that has not logged in yet.
/// PostgreSQL's `MAX_STARTUP_PACKET_LENGTH`.
pub(super) const MAX_STARTUP: usize = 10_000;

/// A message after start-up.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Message {
    Query(String),
    Parse {
        name: String,
        query: String,
        types: Vec<u32>,
    },
    Bind(Bind),
    Describe(Target),
    Execute {
        portal: String,
        max_rows: i32,
    },
    Close(Target),
    Flush,
    Sync,
    Terminate,
    FunctionCall,
    /// CopyData, CopyDone, CopyFail: left over from a failed COPY, ignored.
    Copy,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Target {
    Statement(String),
    Portal(String),
}

impl Target {
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Statement(name) | Self::Portal(name) => name,
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Bind {
    pub portal: String,
    pub statement: String,
    /// Empty: text for all; one entry: for all; otherwise one per parameter.
    pub parameter_formats: Vec<i16>,
    /// `None` is NULL.
    pub parameters: Vec<Option<Bytes>>,
    pub result_formats: Vec<i16>,
}

/// Returns whether the message type exists. An unknown type means that the framing is lost.
pub(super) fn is_known(tag: u8) -> bool {
    matches!(
        tag,
        b'Q' | b'P' | b'B' | b'D' | b'E' | b'C' | b'H' | b'S' | b'X' | b'F' | b'd' | b'c' | b'f'
    )
}

impl Message {
    /// Parses a body. `encoding`: of its texts; `None` is UTF8.
    ///
    /// # Errors
    ///
    /// `ProtocolViolation`. The connection may continue, since its framing is intact.
    pub(crate) fn parse(tag: u8, body: Bytes, encoding: Option<&'static Encoding>) -> Result<Self> {
        let mut body = Body(body, encoding);
        let message = match tag {
            b'Q' => Message::Query(body.text()?),
            b'P' => {
                let (name, query) = (body.text()?, body.text()?);
                let types = body.list(4, |body| Ok(body.0.get_u32()))?;
                Message::Parse { name, query, types }
            }
            b'B' => Message::Bind(Bind {
                portal: body.text()?,
                statement: body.text()?,
                parameter_formats: body.list(2, |body| Ok(body.0.get_i16()))?,
                parameters: body.list(4, Body::value)?,
                result_formats: body.list(2, |body| Ok(body.0.get_i16()))?,
            }),
            b'D' => Message::Describe(body.target()?),
            b'E' => Message::Execute {
                portal: body.text()?,
                max_rows: body.int()?,
            },
            b'C' => Message::Close(body.target()?),
            b'H' => Message::Flush,
            b'S' => Message::Sync,
            b'X' => Message::Terminate,
            b'F' => return Ok(Message::FunctionCall),
            b'd' | b'c' | b'f' => return Ok(Message::Copy),
            other => return Err(malformed(&format!("type {other} does not exist"))),
        };
        if body.0.has_remaining() && !matches!(message, Message::Terminate) {
            return Err(malformed("it is longer than its fields"));
        }
        Ok(message)
    }
}

fn malformed(why: &str) -> Error {
    Error::new(
        Code::ProtocolViolation,
        format!("invalid message format: {why}"),
    )
}

/// The rest of a body, and the encoding of its texts.
struct Body(Bytes, Option<&'static Encoding>);

impl Body {
    fn need(&self, bytes: usize) -> Result<()> {
        if self.0.remaining() < bytes {
            Err(malformed("it ends within a field"))
        } else {
            Ok(())
        }
    }

    fn int(&mut self) -> Result<i32> {
        self.need(4)?;
        Ok(self.0.get_i32())
    }

    /// Reads a string up to its zero byte.
    fn text(&mut self) -> Result<String> {
        let end = self
            .0
            .iter()
            .position(|b| *b == 0)
            .ok_or_else(|| malformed("a string has no end"))?;
        let text = client_text::text(self.0.get(..end).unwrap_or_default(), self.1)?;
        self.0.advance(end + 1);
        Ok(text)
    }

    /// Reads a 16-bit count, then that many items of at least `size` bytes each.
    fn list<T>(
        &mut self,
        size: usize,
        mut item: impl FnMut(&mut Self) -> Result<T>,
    ) -> Result<Vec<T>> {
        self.need(2)?;
        let count = usize::from(self.0.get_u16());
        self.need(count * size)?;
        let mut items = Vec::with_capacity(count);
        for _ in 0..count {
            self.need(size)?;
            items.push(item(self)?);
        }
        Ok(items)
    }

    fn value(&mut self) -> Result<Option<Bytes>> {
        let length = self.int()?;
        if length == -1 {
            return Ok(None);
        }
        let length =
            usize::try_from(length).map_err(|_| malformed("a parameter's length is negative"))?;
        self.need(length)?;
        Ok(Some(self.0.split_to(length)))
    }

    fn target(&mut self) -> Result<Target> {
        self.need(1)?;
        match self.0.get_u8() {
            b'S' => Ok(Target::Statement(self.text()?)),
            b'P' => Ok(Target::Portal(self.text()?)),
            _ => Err(malformed("it names neither a statement nor a portal")),
        }
    }
}

/// The first packet of a connection.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum FirstPacket {
    Ssl,
    GssEnc,
    Cancel { pid: i32, secret: Bytes },
    Startup(Startup),
}

/// A StartupMessage.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Startup {
    /// Minor version of protocol 3.
    pub minor: u16,
    /// In the order sent, without `_pq_.` options.
    pub parameters: Vec<(String, String)>,
    /// Protocol options (`_pq_.`). The server knows none.
    pub protocol_options: Vec<String>,
}

impl Startup {
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.parameters
            .iter()
            .rev()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
            .filter(|value| !value.is_empty())
    }
}

impl FirstPacket {
    /// Parses the body (without the length) of the first message.
    ///
    /// # Errors
    ///
    /// The packet is malformed, or of another major version than 3.
    pub(crate) fn parse(body: Bytes) -> Result<Self> {
        let mut body = Body(body, None);
        let (major, minor) = match body.int()? {
            80_877_103 => return Ok(FirstPacket::Ssl),
            80_877_104 => return Ok(FirstPacket::GssEnc),
            80_877_102 => {
                let pid = body.int()?;
                // Protocol 3.0 has four bytes, 3.2 up to 256.
                if !(4..=256).contains(&body.0.len()) {
                    return Err(malformed("a cancel key has 4 to 256 bytes"));
                }
                return Ok(FirstPacket::Cancel {
                    pid,
                    secret: body.0,
                });
            }
            version => ((version >> 16) as u16, version as u16),
        };
        if major != 3 {
            return Err(Error::not_supported(format!(
                "unsupported frontend protocol {major}.{minor}: server supports 3.0 to 3.2"
            )));
        }
        let mut parameters = Vec::new();
        let mut protocol_options = Vec::new();
        loop {
            let name = body.text()?;
            if name.is_empty() {
                break;
            }
            let value = body.text()?;
            if name.starts_with("_pq_.") {
                protocol_options.push(name);
            } else {
                parameters.push((name, value));
            }
        }
        if body.0.has_remaining() {
            return Err(malformed("the startup packet goes on after its terminator"));
        }
        Ok(FirstPacket::Startup(Startup {
            minor,
            parameters,
            protocol_options,
        }))
    }
}

/// Parses the client's first SASL message: the chosen mechanism, and its data.
pub(super) fn sasl_initial(body: Bytes) -> Result<(String, Bytes)> {
    let mut body = Body(body, None);
    let mechanism = body.text()?;
    let data = body.value()?.unwrap_or_default();
    if body.0.has_remaining() {
        return Err(malformed("it is longer than its fields"));
    }
    Ok((mechanism, data))
}

/// Parses a PasswordMessage.
pub(super) fn password(body: Bytes) -> Result<String> {
    let mut body = Body(body, None);
    let password = body.text()?;
    if body.0.has_remaining() {
        return Err(malformed("it is longer than its fields"));
    }
    Ok(password)
}

/// Parses the client's response of OAUTHBEARER (RFC 7628): its token, or `None` if it asks where to
/// get one.
pub(super) fn bearer_token(data: &[u8]) -> Result<Option<&str>> {
    let text = std::str::from_utf8(data).map_err(|_| malformed("a token is no text"))?;
    // Channel binding (p=) and another identity (a=) are not part of the mechanism here.
    let pairs = text
        .strip_prefix("n,,\x01")
        .or_else(|| text.strip_prefix("y,,\x01"))
        .and_then(|pairs| pairs.strip_suffix("\x01"))
        .ok_or_else(|| malformed("it is no response of OAUTHBEARER"))?;
    let mut token = None;
    for pair in pairs.split_terminator('\x01') {
        match pair.split_once('=') {
            Some(("auth", value)) if token.is_none() => token = Some(value),
            Some(("host" | "port", _)) => {}
            _ => return Err(malformed("it has an unknown key of OAUTHBEARER")),
        }
    }
    let value = token.ok_or_else(|| malformed("it has no token"))?;
    if value.is_empty() {
        return Ok(None);
    }
    let scheme = value
        .get(..7)
        .filter(|scheme| scheme.eq_ignore_ascii_case("bearer "));
    let token = scheme.and_then(|_| value.get(7..)).map(str::trim);
    token
        .filter(|token| !token.is_empty())
        .map(Some)
        .ok_or_else(|| malformed("its token is no bearer token"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use rand::rngs::StdRng;
    use rand::{Rng, RngCore, SeedableRng};

    use super::*;

    fn parse(tag: u8, body: &'static [u8]) -> Result<Message> {
        Message::parse(tag, Bytes::from_static(body), None)
    }

    #[test]
    fn messages_are_read_field_by_field() {
        assert_eq!(
            parse(b'Q', b"select 1\0").unwrap(),
            Message::Query("select 1".into())
        );
        assert_eq!(
            parse(b'P', b"s\0select $1\0\0\x01\0\0\0\x17").unwrap(),
            Message::Parse {
                name: "s".into(),
                query: "select $1".into(),
                types: vec![23]
            }
        );
        assert_eq!(
            parse(b'E', b"\0\xff\xff\xff\xff").unwrap(),
            Message::Execute {
                portal: String::new(),
                max_rows: -1
            }
        );
        assert_eq!(
            parse(b'D', b"Ss\0").unwrap(),
            Message::Describe(Target::Statement("s".into()))
        );
        let bind = parse(
            b'B',
            b"p\0s\0\0\x01\0\x01\0\x02\0\0\0\x01x\xff\xff\xff\xff\0\0",
        )
        .unwrap();
        let Message::Bind(bind) = bind else {
            panic!("not a Bind")
        };
        assert_eq!(bind.parameters, [Some(Bytes::from_static(b"x")), None]);
        assert_eq!(
            (bind.parameter_formats, bind.result_formats),
            (vec![1], vec![])
        );
    }

    #[test]
    fn false_counts_and_lengths_are_errors() {
        for (tag, body) in [
            (b'Q', &b"no end"[..]),
            (b'Q', b"one\0two"),
            (b'Q', b"\xff\0"),
            (b'P', b"s\0q\0\xff\xff"),
            (b'B', b"p\0s\0\0\0\0\x01\x7f\xff\xff\xffx\0\0"),
            (b'B', b"p\0s\0\0\0\0\x01\xff\xff\xff\xfe\0\0"),
            (b'B', b"p\0s\0\0\0\0\0\0\x05\0\x01"),
            (b'E', b"\0\0"),
            (b'D', b""),
            (b'D', b"Xs\0"),
            (b'S', b"x"),
        ] {
            assert!(parse(tag, body).is_err(), "{} {body:?}", tag as char);
        }
    }

    #[test]
    fn openings_are_told_apart() {
        let open = |body: &'static [u8]| FirstPacket::parse(Bytes::from_static(body));
        assert_eq!(open(b"\x04\xd2\x16\x2f").unwrap(), FirstPacket::Ssl);
        assert_eq!(open(b"\x04\xd2\x16\x30").unwrap(), FirstPacket::GssEnc);
        assert_eq!(
            open(b"\x04\xd2\x16\x2e\0\0\0\x07abcd").unwrap(),
            FirstPacket::Cancel {
                pid: 7,
                secret: Bytes::from_static(b"abcd")
            }
        );
        let FirstPacket::Startup(startup) =
            open(b"\0\x03\0\x02user\0ada\0_pq_.grease\0x\0\0").unwrap()
        else {
            panic!("not a startup")
        };
        assert_eq!(
            (startup.minor, startup.get("user"), startup.get("database")),
            (2, Some("ada"), None)
        );
        assert_eq!(startup.protocol_options, ["_pq_.grease"]);
        assert!(open(b"\0\x02\0\0user\0ada\0\0").is_err());
        assert!(open(b"\0\x03\0\0user\0ada\0").is_err());
        assert!(open(b"\x04\xd2\x16\x2e\0\0\0\x07abc").is_err());
    }

    #[test]
    fn bearer_tokens_are_read_strictly() {
        assert_eq!(
            bearer_token(b"n,,\x01auth=Bearer e.f.g\x01\x01").unwrap(),
            Some("e.f.g")
        );
        assert_eq!(
            bearer_token(b"y,,\x01host=h\x01port=1\x01auth=bearer  e\x01\x01").unwrap(),
            Some("e")
        );
        assert_eq!(bearer_token(b"n,,\x01auth=\x01\x01").unwrap(), None);
        for wrong in [
            &b""[..],
            b"\x01",
            b"n,,\x01\x01",
            b"n,,\x01auth=Bearer e",
            b"n,,\x01auth=Bearer \x01\x01",
            b"n,,\x01auth=Basic e\x01\x01",
            b"n,,\x01auth=Bearer a\x01auth=Bearer b\x01\x01",
            b"n,a=ben,\x01auth=Bearer e\x01\x01",
            b"p=tls-exporter,,\x01auth=Bearer e\x01\x01",
            b"n,,\x01auth=B\xc3\xa4arer\x01\x01",
            b"n,,\x01auth=\xff\x01\x01",
        ] {
            assert!(bearer_token(wrong).is_err(), "{wrong:?}");
        }
        assert_eq!(password(Bytes::from_static(b"p w\0")).unwrap(), "p w");
        assert!(password(Bytes::from_static(b"p\0w\0")).is_err());
        assert!(password(Bytes::from_static(b"p")).is_err());
    }

    #[test]
    fn random_bytes_never_panic() {
        let mut random = StdRng::seed_from_u64(42);
        for _ in 0..200_000 {
            let mut body = vec![0u8; random.random_range(0..48)];
            random.fill_bytes(&mut body);
            // Zero bytes and small counts, so that the parsers get past the first field.
            for byte in &mut body {
                if random.random_bool(0.4) {
                    *byte = random.random_range(0..3);
                }
            }
            let body = Bytes::from(body);
            for tag in *b"QPBDECHSXFdcfp?" {
                let _ = Message::parse(tag, body.clone(), None);
            }
            let _ = sasl_initial(body.clone());
            let _ = password(body.clone());
            let _ = bearer_token(&body);
            let mut startup = vec![0, 3, 0, 0];
            startup.extend_from_slice(&body);
            let _ = FirstPacket::parse(startup.into());
            let _ = FirstPacket::parse(body);
        }
    }
}
