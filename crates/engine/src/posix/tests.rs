#![allow(clippy::unwrap_used)]
use super::search::Pattern;
use super::tree::Flags;

/// Returns the groups of the first match, the whole first.
fn found(pattern: &str, text: &str) -> Option<Vec<Option<String>>> {
    let pattern = Pattern::new(pattern, Flags::default()).unwrap();
    let groups = pattern
        .all("regexp_match", text, 0, Some(1))
        .unwrap()
        .pop()?;
    let part = |(from, to)| text.get(from..to).unwrap().to_owned();
    Some(groups.into_iter().map(|group| group.map(part)).collect())
}

fn some(groups: &[Option<&str>]) -> Option<Vec<Option<String>>> {
    Some(
        groups
            .iter()
            .map(|group| group.map(str::to_owned))
            .collect(),
    )
}

// The expected groups are those of regexp_match in PostgreSQL 15.18.
#[test]
fn matches_are_the_longest_and_their_parts_from_left_to_right() {
    for (pattern, text, groups) in [
        ("a|ab", "ab", &[Some("ab")][..]),
        (
            "(a|ab)(c|bcd)?",
            "abc",
            &[Some("abc"), Some("ab"), Some("c")],
        ),
        (
            "(a|ab)(c|bcd)",
            "abcd",
            &[Some("abcd"), Some("a"), Some("bcd")],
        ),
        ("Y*([0-9]{1,3})", "XY1234Z", &[Some("Y123"), Some("123")]),
        ("Y*?([0-9]{1,3})", "XY1234Z", &[Some("Y1"), Some("1")]),
        ("(a?)(ab)?", "ab", &[Some("ab"), Some(""), Some("ab")]),
        ("(a*)+", "aa", &[Some("aa"), Some("")]),
        ("(a*)*", "aa", &[Some("aa"), Some("aa")]),
        ("(a*)*", "b", &[Some(""), Some("")]),
        (r"(\d+?|)?", "A", &[Some(""), Some("")]),
        ("(a|b)*", "ab", &[Some("ab"), Some("b")]),
        ("(?:(a)|b)*", "ab", &[Some("ab"), None]),
        ("(x)?b", "b", &[Some("b"), None]),
        ("b.*?d", "abcd", &[Some("bcd")]),
        (
            r"^https?://(?:www\.)?([^/]+)/.*$",
            "http://www.a.org/b",
            &[Some("http://www.a.org/b"), Some("a.org")],
        ),
        ("(ab)?(.*)", "abab", &[Some("abab"), Some("ab"), Some("ab")]),
        ("(ab)?(abcd)?", "abcd", &[Some("abcd"), None, Some("abcd")]),
        ("a(?=b)", "aab", &[Some("a")]),
        // `{1,1}` prefers as it says, `{1}` as its part does.
        ("(?:a.*c){1,1}?", "abcabc", &[Some("abc")]),
        ("(?:a.*c){1}?", "abcabc", &[Some("abcabc")]),
        ("(?:.*?c){1,1}", "xabcabc", &[Some("xabcabc")]),
        ("(?:.*?c){1}", "xabcabc", &[Some("xabc")]),
        (
            "^(?:.*){1,1}?(o.*){1,1}(?:b.*)$",
            "foobarb",
            &[Some("foobarb"), Some("oobar")],
        ),
        ("(?<=a)b", "bab", &[Some("b")]),
    ] {
        assert_eq!(found(pattern, text), some(groups), "{pattern} {text}");
    }
    assert_eq!(found("x|y", "abc"), None);
}

#[test]
fn patterns_are_read_as_postgres_reads_them() {
    let matches = |pattern: &str, flags: &str, text: &str| {
        let pattern = Pattern::new(pattern, Flags::of(flags).unwrap()).unwrap();
        pattern.is_match("regexp_like", text).unwrap()
    };
    for (pattern, flags, text, is_match) in [
        ("a.b", "", "a\nb", true),
        ("a.b", "n", "a\nb", false),
        ("a[^c]b", "", "a\nb", true),
        ("a[^c]b", "p", "a\nb", false),
        ("^b", "", "a\nb", false),
        ("^b", "w", "a\nb", true),
        ("a.b", "w", "a\nb", true),
        ("a b", "x", "ab", true),
        ("a.c", "q", "abc", false),
        ("***=a.c", "", "a.c", true),
        ("(?i)A", "", "a", true),
        (r"\mab\M", "", "x ab y", true),
        (r"a\yb", "", "ab", false),
        (r"\Aab\Z", "", "ab", true),
        ("[a&&b]&", "", "a&", true),
        ("a[[]", "", "a[", true),
        ("a]", "", "a]", true),
        ("a{b", "", "a{b", true),
        ("[[:<:]]ab", "", "x ab", true),
        (r"\x61\u0062", "", "ab", true),
        (r"[\d]", "", "1", true),
        (r"\d", "", "٣", false),
    ] {
        assert_eq!(
            matches(pattern, flags, text),
            is_match,
            "{pattern} {flags} {text}"
        );
    }
}

#[test]
fn what_is_no_pattern_is_refused() {
    for pattern in [
        "(",
        ")",
        "[",
        "[]",
        "*a",
        "a**",
        "^*",
        "a{2,1}",
        "a{256}",
        "[b-a]",
        r"\g",
        r"(a)\1",
        "(?b)a",
        "[[:foo:]]",
        "a{1",
    ] {
        assert!(
            Pattern::new(pattern, Flags::default()).is_err(),
            "{pattern}"
        );
    }
    assert!(Flags::of("z").is_err());
    let deep = "(".repeat(5000) + &")".repeat(5000);
    assert!(Pattern::new(&deep, Flags::default()).is_err());
}
