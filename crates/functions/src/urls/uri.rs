//! A URL's parts as `java.net.URI` finds them: RFC 2396, whose hosts have no underscore, with
//! characters beyond ASCII.

use std::net::Ipv6Addr;

/// The parts of a URL, not decoded.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Uri<'a> {
    pub scheme: Option<&'a str>,
    /// `None` also for an authority that is not a host, such as one with an underscore.
    pub host: Option<&'a str>,
    pub port: Option<i32>,
    /// `None` for a URL without hierarchy, such as `mailto:a@b`.
    pub path: Option<&'a str>,
    pub query: Option<&'a str>,
    pub fragment: Option<&'a str>,
}

impl<'a> Uri<'a> {
    /// Finds the parts of a URL; `None` if it is none.
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        let mut uri = Uri::default();
        let (rest, fragment) = match text.split_once('#') {
            Some((rest, fragment)) => (rest, Some(fragment)),
            None => (text, None),
        };
        if let Some(fragment) = fragment {
            allowed(fragment, is_uric)?;
        }
        uri.fragment = fragment;
        let end = rest.find(['/', '?', ':']);
        let colon = end.filter(|end| rest.get(*end..).is_some_and(|at| at.starts_with(':')));
        let hierarchy = match colon.and_then(|colon| rest.split_at_checked(colon)) {
            None => rest,
            Some((scheme, after)) => {
                let is_scheme = scheme.starts_with(|first: char| first.is_ascii_alphabetic())
                    && scheme.chars().all(|character| {
                        character.is_ascii_alphanumeric() || matches!(character, '+' | '-' | '.')
                    });
                if !is_scheme {
                    return None;
                }
                uri.scheme = Some(scheme);
                let after = after.strip_prefix(':').unwrap_or(after);
                if !after.starts_with('/') {
                    // A part without hierarchy must not be empty.
                    return (!after.is_empty() && allowed(after, is_uric).is_some()).then_some(uri);
                }
                after
            }
        };
        uri.hierarchy(hierarchy)?;
        Some(uri)
    }

    fn hierarchy(&mut self, text: &'a str) -> Option<()> {
        let (rest, query) = match text.split_once('?') {
            Some((rest, query)) => (rest, Some(query)),
            None => (text, None),
        };
        if let Some(query) = query {
            allowed(query, is_uric)?;
        }
        self.query = query;
        let mut path = rest;
        if let Some(after) = rest.strip_prefix("//") {
            let end = after.find('/').unwrap_or(after.len());
            let (authority, after) = after.split_at_checked(end)?;
            match authority {
                // An empty authority must be followed by something.
                "" if after.is_empty() && query.is_none() && self.fragment.is_none() => {
                    return None;
                }
                "" => {}
                authority => self.authority(authority)?,
            }
            path = after;
        }
        allowed(path, is_path)?;
        self.path = Some(path);
        Some(())
    }

    fn authority(&mut self, authority: &'a str) -> Option<()> {
        // Checks escapes: a wrong one is not an authority of either kind.
        let is_name = match scan(authority, is_name) {
            Scan::All => true,
            Scan::Until => false,
            Scan::WrongEscape => return None,
        };
        let is_server = authority
            .chars()
            .all(|character| is_server(character) || character == '%' || is_other(character));
        let server = match is_server {
            true => server(authority),
            false => None,
        };
        match server {
            Some((host, port)) => {
                self.host = Some(host);
                self.port = port;
                Some(())
            }
            None => is_name.then_some(()),
        }
    }
}

/// Finds the host and the port of an authority; `None` if it has no host.
fn server(authority: &str) -> Option<(&str, Option<i32>)> {
    let rest = match authority.split_once('@') {
        None => authority,
        Some((user, rest)) => {
            allowed(user, is_user)?;
            rest
        }
    };
    let end = match rest.strip_prefix('[') {
        Some(after) => {
            let end = after.find(']')?;
            let (address, scope) = match after.get(..end)?.split_once('%') {
                Some((address, scope)) => (address, Some(scope)),
                None => (after.get(..end)?, None),
            };
            let is_scope = scope.is_none_or(|scope| {
                !scope.is_empty()
                    && scope.chars().all(|character| {
                        character.is_ascii_alphanumeric() || matches!(character, '_' | '.')
                    })
            });
            address.parse::<Ipv6Addr>().ok().filter(|_| is_scope)?;
            end + 2
        }
        None => {
            let end = rest.find(':').unwrap_or(rest.len());
            let host = rest.get(..end)?;
            (is_ipv4(host) || is_host(host)).then_some(end)?
        }
    };
    let (host, after) = rest.split_at_checked(end)?;
    let port = match after.strip_prefix(':') {
        None if after.is_empty() => None,
        None => return None,
        Some("") => None,
        Some(digits) if digits.bytes().all(|digit| digit.is_ascii_digit()) => {
            Some(digits.parse::<i32>().ok()?)
        }
        Some(_) => return None,
    };
    Some((host, port))
}

fn is_ipv4(host: &str) -> bool {
    let parts = host.split('.').filter(|part| {
        (1..=3).contains(&part.len())
            && part.bytes().all(|digit| digit.is_ascii_digit())
            && part.parse::<u8>().is_ok()
    });
    host.split('.').count() == 4 && parts.count() == 4
}

/// Labels of letters, digits and hyphens within, of which the last begins with a letter; a dot may
/// follow it.
fn is_host(host: &str) -> bool {
    let host = host.strip_suffix('.').unwrap_or(host);
    let is_label = |label: &str| {
        !label.starts_with('-')
            && !label.ends_with('-')
            && !label.is_empty()
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    let last = host.rsplit('.').next().unwrap_or_default();
    // A name of one label may begin with a digit.
    let is_last =
        last.len() == host.len() || last.starts_with(|first: char| first.is_ascii_alphabetic());
    host.split('.').all(is_label) && is_last
}

/// How far a text consists of allowed characters.
enum Scan {
    All,
    Until,
    WrongEscape,
}

/// Looks for the first character that is neither allowed, nor an escape, nor beyond ASCII.
fn scan(text: &str, is_allowed: fn(char) -> bool) -> Scan {
    let bytes = text.as_bytes();
    for (at, character) in text.char_indices() {
        if character == '%' {
            let digits = bytes.get(at + 1..at + 3).unwrap_or_default();
            if digits.len() != 2 || !digits.iter().all(u8::is_ascii_hexdigit) {
                return Scan::WrongEscape;
            }
        } else if !is_allowed(character) && !is_other(character) {
            return Scan::Until;
        }
    }
    Scan::All
}

fn allowed(text: &str, is_allowed: fn(char) -> bool) -> Option<()> {
    matches!(scan(text, is_allowed), Scan::All).then_some(())
}

/// Characters beyond ASCII that can be seen.
fn is_other(character: char) -> bool {
    let is_space = matches!(
        character,
        '\u{a0}' | '\u{1680}' | '\u{2000}'
            ..='\u{200a}' | '\u{2028}' | '\u{2029}' | '\u{202f}' | '\u{205f}' | '\u{3000}'
    );
    character > '\u{80}' && !character.is_control() && !is_space
}

fn is_unreserved(character: char) -> bool {
    character.is_ascii_alphanumeric()
        || matches!(
            character,
            '_' | '-' | '!' | '.' | '~' | '\'' | '(' | ')' | '*'
        )
}

fn is_path(character: char) -> bool {
    is_unreserved(character)
        || matches!(
            character,
            ':' | '@' | '&' | '=' | '+' | '$' | ',' | ';' | '/'
        )
}

fn is_uric(character: char) -> bool {
    is_path(character) || matches!(character, '?' | '[' | ']')
}

fn is_user(character: char) -> bool {
    is_unreserved(character) || matches!(character, ';' | ':' | '&' | '=' | '+' | '$' | ',')
}

fn is_name(character: char) -> bool {
    is_user(character) || character == '@'
}

fn is_server(character: char) -> bool {
    is_name(character) || matches!(character, '[' | ']')
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn all_parts_are_found() {
        let uri = Uri::parse("https://user:pw@www.Example.com:8080/a%20b/c?x=1&y=é#top?").unwrap();
        let expected = Uri {
            scheme: Some("https"),
            host: Some("www.Example.com"),
            port: Some(8080),
            path: Some("/a%20b/c"),
            query: Some("x=1&y=é"),
            fragment: Some("top?"),
        };
        assert_eq!(uri, expected);
        assert_eq!(Uri::parse("").unwrap().path, Some(""));
        assert_eq!(Uri::parse("a/b:c").unwrap().path, Some("a/b:c"));
        assert_eq!(Uri::parse("mailto:a@b.c").unwrap().path, None);
        assert_eq!(Uri::parse("file:///x").unwrap().host, None);
        assert_eq!(Uri::parse("http://a.b:").unwrap().port, None);
        assert_eq!(Uri::parse("http://?x").unwrap().query, Some("x"));
    }

    #[test]
    fn hosts_are_names_or_addresses() {
        for (url, host) in [
            ("http://1.2.3.4/", Some("1.2.3.4")),
            ("http://1.2.3.400/", None),
            ("http://[::1]:80/", Some("[::1]")),
            ("http://[fe80::1%eth0]/", Some("[fe80::1%eth0]")),
            ("http://localhost", Some("localhost")),
            ("http://a_b.com/", None),
            ("http://a.b.", Some("a.b.")),
            ("http://a..b", None),
            ("http://-a", None),
            ("http://a:x/", None),
            ("http://é.com/", None),
            ("//a.b/c", Some("a.b")),
        ] {
            assert_eq!(Uri::parse(url).unwrap().host, host, "{url}");
        }
    }

    #[test]
    fn what_is_no_url_has_no_parts() {
        for url in [
            "http://",
            "http:",
            ":a",
            "1a:b",
            "http://a b",
            "a b",
            "http://a/%zz",
            "http://a/%2",
            "http://a/?q=<",
            "http://a/\u{a0}",
            "http://a/#{",
            "http://[::1",
            "http://[x]/",
            "a%",
            "http://a/^",
            "foo://",
        ] {
            assert_eq!(Uri::parse(url), None, "{url}");
        }
    }
}
