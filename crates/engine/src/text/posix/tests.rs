#![allow(clippy::unwrap_used)]
use std::ops::ControlFlow;

use super::choices::{Agreement, agreement};
use super::parse::parse;
use super::search::Pattern;
use super::tree::Flags;
use crate::testing::Random;

/// Returns the groups of the first match, the whole first.
fn found(pattern: &str, text: &str) -> Option<Vec<Option<String>>> {
    let pattern = Pattern::new(pattern, Flags::default()).unwrap();
    let groups = pattern.nth("regexp_match", text, 0, 1).unwrap()?;
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
        ("(?<=ab|c)(d+)", "dacdd", &[Some("dd"), Some("dd")]),
        ("(?<=x.*)b", "bxab", &[Some("b")]),
        ("(?<!a)b", "abcb", &[Some("b")]),
    ] {
        assert_eq!(found(pattern, text), some(groups), "{pattern} {text}");
    }
    assert_eq!(found("x|y", "abc"), None);
}

// The answers of PostgreSQL 15. Parts of one preference are matched as a whole before what follows,
// and what a branch or a round has matched is not tried anew for what comes after it.
#[test]
fn back_references_are_the_texts_of_groups() {
    for (pattern, text, groups) in [
        (r"(.)\1", "hello", &[Some("ll"), Some("l")][..]),
        (r"(\w+)\1", "abcabcabc", &[Some("abcabc"), Some("abc")]),
        (
            r"(\w+)\1+",
            "abcabcabcabc",
            &[Some("abcabcabcabc"), Some("abcabc")],
        ),
        (r"(a*?)\1", "aaaa", &[Some(""), Some("")]),
        (r"(a+?)\1", "xaaaay", &[Some("aa"), Some("a")]),
        (
            r"^(.)X(.)\2X\1$",
            "aXbbXa",
            &[Some("aXbbXa"), Some("a"), Some("b")],
        ),
        (
            r"((a)(b))\1",
            "abab",
            &[Some("abab"), Some("ab"), Some("a"), Some("b")],
        ),
        (r"((.)\2)+", "aabb", &[Some("aabb"), Some("bb"), Some("b")]),
        (r"^(11+)\1+$", "11111111", &[Some("11111111"), Some("1111")]),
        (r"^(11+)\1+$", "1111111", &[]),
        (r"^(?:(a)b|a(b))\2$", "abb", &[]),
        (r"^(?:(a)|b\1)+$", "aba", &[]),
        (
            r"(?:(x)|(y)|\1\2)+",
            "xyxyxy",
            &[Some("xyxyxy"), None, Some("y")],
        ),
        (r"^(a)?b\1*$", "b", &[]),
        (r"(a){0}\1", "a", &[]),
        (r"^(a*)*\1$", "aa", &[Some("aa"), Some("a")]),
        (r"(^a)\1", "aa", &[Some("aa"), Some("a")]),
        (r"(a)\11", "aa", &[]),
        (r"(a)\11", "a\t", &[Some("a\t"), Some("a")]),
        (r"(a)\777", "a?7", &[Some("a?7"), Some("a")]),
        ("(?=(a))(a)", "ab", &[Some("a"), Some("a")]),
        ("a?(?:ab)?(b?)", "ab", &[Some("ab"), Some("")]),
        ("(?:a?(?:ab)?)(b?)", "ab", &[Some("ab"), Some("")]),
        ("(a?)(?:ab)?(b?)", "ab", &[Some("ab"), Some("a"), Some("b")]),
    ] {
        let groups = match groups {
            [] => None,
            groups => some(groups),
        };
        assert_eq!(found(pattern, text), groups, "{pattern} {text}");
    }
    let any_case = Pattern::new(r"(a)\1", Flags::of("i").unwrap()).unwrap();
    assert!(any_case.is_match("regexp_like", "xaA").unwrap());
}

#[test]
fn what_any_rest_of_a_text_leaves_has_the_same_groups() {
    let texts = [
        "",
        "a",
        "https://www.example.com/path?x=1\nmore",
        "http://www./",
        "http://example.com",
        "see https://example.com/ and https://other.org/",
        "aab\nbaä",
        "bbaaab/",
    ];
    for pattern in [
        r"^https?://(?:www\.)?([^/]+)/.*$",
        "(a+)(b?).*$",
        "(a)?(b).*$",
        "(b*).*$",
        "^(a|b)+.*$",
        "(a+)/?.*$",
        "([^/]*)/.*$",
    ] {
        let quick = Pattern::new(pattern, Flags::default()).unwrap();
        let slow = Pattern::of_extents(pattern).unwrap();
        for text in texts {
            for which in [1, 2] {
                let expected = slow.nth("f", text, 0, which).unwrap();
                let found = quick.nth("f", text, 0, which).unwrap();
                assert_eq!(found, expected, "{pattern} {text} {which}");
            }
        }
    }
}

#[test]
fn searches_for_back_references_end() {
    let pattern = Pattern::new(r"^(.*)\1\1b?$", Flags::default()).unwrap();
    let text = "a".repeat(3_000) + "c";
    assert!(pattern.is_match("regexp_like", &text).is_err());
    let nested = "(".repeat(60) + "a" + &")".repeat(60) + &r"\60\1".repeat(30);
    let pattern = Pattern::new(&nested, Flags::default()).unwrap();
    assert!(pattern.is_match("regexp_like", &"a".repeat(61)).unwrap());
    assert!(Pattern::new(&"(a|b)".repeat(1_000), Flags::default()).is_err());
}

#[test]
fn lookbehinds_in_long_texts_end() {
    let text = "b".repeat(200_000);
    let of_one_length = Pattern::new("(?<=ac|d.)b", Flags::default()).unwrap();
    assert!(!of_one_length.is_match("regexp_like", &text).unwrap());
    let of_any_length = Pattern::new("(?<=a+c)b", Flags::default()).unwrap();
    assert!(of_any_length.is_match("regexp_like", &text).is_err());
}

#[test]
fn matches_are_counted_until_enough_are_found() {
    for (pattern, text) in [("é|é+a", "xéaéééa"), ("é", "éxéxxé"), ("(?<=x)é", "xéxéxé")]
    {
        let pattern = Pattern::new(pattern, Flags::default()).unwrap();
        let mut ends = Vec::new();
        let found = pattern.each("regexp_count", text, 0, |groups| {
            ends.push(groups.first().copied().flatten().unwrap().1);
            Ok(match ends.len() {
                2 => ControlFlow::Break(()),
                _ => ControlFlow::Continue(()),
            })
        });
        found.unwrap();
        let second = pattern.nth("regexp_substr", text, 0, 2).unwrap().unwrap();
        assert_eq!(ends.len(), 2, "{text}");
        assert_eq!(second.first().copied().flatten().unwrap().1, ends[1]);
        assert!(text.is_char_boundary(ends[1]), "{text}");
        assert_eq!(pattern.nth("regexp_substr", text, 0, 4).unwrap(), None);
    }
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
        r"(a)\2",
        r"\1(a)",
        r"(a\1)",
        r"(a)(?=\1)",
        r"(?=(a))\1",
        r"(a)\89",
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

#[test]
fn patterns_with_one_way_have_the_groups_of_the_crate() {
    for (pattern, expected) in [
        ("a*ab?", Agreement::Always),
        (r"^(\w+)@(?:[a-z]+\.)*$", Agreement::Always),
        (r"(\d+)(px|em|%)?", Agreement::Always),
        ("(?:b|cd|)a", Agreement::Always),
        (r"^https?://(?:www\.)?([^/]+)/.*$", Agreement::AtTextEnd),
        ("(?:ab)?(?:abc)?(d?)", Agreement::Never),
        ("a|ab", Agreement::Never),
        ("(?:|b)a", Agreement::Never),
        ("(?:b|)b", Agreement::Never),
        ("(?:ab)*abc", Agreement::AtTextEnd),
        ("(?:(a)|b)*", Agreement::Never),
        ("(?:a*)?", Agreement::Never),
        (r"(a)\1", Agreement::Never),
        ("(?:ab)+?", Agreement::Never),
    ] {
        let tree = parse(pattern, Flags::default()).unwrap();
        assert_eq!(agreement(&tree), expected, "{pattern}");
    }
    let any_case = Flags::of("i").unwrap();
    let tree = parse("(?:ab|B)", any_case).unwrap();
    assert_eq!(agreement(&tree), Agreement::Always);
    let tree = parse("(?:ab|A)", any_case).unwrap();
    assert_eq!(agreement(&tree), Agreement::Never);
}

/// Returns a random pattern over the letters a to c.
fn random_pattern(random: &mut Random, depth: usize) -> String {
    let mut pattern = String::new();
    for _ in 0..=random.below(3) {
        let atom = match random.below(if depth == 0 { 5 } else { 8 }) {
            0 => "[ab]".to_owned(),
            1 => "[^a]".to_owned(),
            2 => r"\M".to_owned(),
            3 | 4 => random.of(&["a", "b", "c"]).to_owned(),
            5 => format!("({})", random_pattern(random, depth - 1)),
            6 => format!("(?:{})", random_pattern(random, depth - 1)),
            _ => format!(
                "({}|{})",
                random_pattern(random, depth - 1),
                random_pattern(random, depth - 1)
            ),
        };
        pattern.push_str(&atom);
        if atom != r"\M" {
            pattern.push_str(random.of(&["", "", "?", "*", "+", "{2}", "{1,2}"]));
        }
    }
    pattern
}

#[test]
fn groups_of_the_crate_are_those_of_the_extents() {
    let mut random = Random::new(7);
    let mut counts = [0; 3];
    for _ in 0..2_000 {
        let pattern = random_pattern(&mut random, 2);
        let Ok(own) = Pattern::new(&pattern, Flags::default()) else {
            continue;
        };
        counts[own.agreement as usize] += 1;
        let extents = Pattern::of_extents(&pattern).unwrap();
        for _ in 0..6 {
            let length = random.below(8);
            let text: String = (0..length).map(|_| random.of(&["a", "b", "c"])).collect();
            assert_eq!(
                own.nth("regexp_match", &text, 0, 1).unwrap(),
                extents.nth("regexp_match", &text, 0, 1).unwrap(),
                "{pattern} {text} {:?}",
                own.agreement
            );
        }
    }
    assert!(counts.iter().all(|count| *count > 10), "{counts:?}");
}
