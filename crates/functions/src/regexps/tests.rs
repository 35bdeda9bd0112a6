#![allow(clippy::unwrap_used)]

use lakegate_regexps::spell;

use super::pattern::Pattern;
use crate::testing::{error, rows, value};

/// Returns the parts of a text that a pattern matches.
fn found(pattern: &str, text: &str) -> Vec<String> {
    let pattern = Pattern::new(pattern).unwrap();
    let mut found = Vec::new();
    let mut next = 0;
    while let Some(range) = pattern.find(text, next).unwrap() {
        found.push(text[range.clone()].to_owned());
        next = super::pattern::after(text, &range);
    }
    found
}

fn matches(pattern: &str, text: &str) -> bool {
    Pattern::new(pattern).unwrap().is_match(text).unwrap()
}

fn refused(pattern: &str) -> String {
    Pattern::new(pattern).unwrap_err().strip_backtrace()
}

#[test]
fn digits_letters_and_spaces_are_ascii() {
    assert!(matches(r"^\d\w\s$", "1a\u{b}"));
    for (pattern, text) in [(r"\d", "٣"), (r"\w", "é"), (r"\s", "\u{a0}")] {
        assert!(!matches(pattern, text), "{pattern}");
        assert!(matches(&pattern.to_uppercase(), text), "{pattern}");
        assert!(!matches(&format!("[{pattern}]"), text), "{pattern}");
        let not = pattern.to_uppercase();
        assert!(matches(&format!("[{not}]"), text), "{pattern}");
    }
    assert!(matches(r"\h\v", "\u{3000}\u{2028}"));
    assert!(!matches(r"\h", "h"));
    // A word of any language has no boundary within.
    assert_eq!(found(r"\b.", "éa b"), ["é", " ", "b"]);
}

#[test]
fn a_dot_is_no_newline_and_the_end_is_before_a_last_newline() {
    assert_eq!(found(".+", "a\rb\u{2028}c\nd"), ["a\rb\u{2028}c", "d"]);
    assert_eq!(found("(?s).+", "a\nb"), ["a\nb"]);
    assert!(matches("a$", "a") && matches("a$", "a\n") && matches(r"a\Z", "a\n"));
    assert!(!matches("a$", "a\n\n") && !matches("a$", "a\r\n") && !matches(r"a\z", "a\n"));
    assert!(matches("^$", "") && matches("^$", "\n") && matches("\n$", "\n"));
    assert_eq!(found("$", "a\n"), ["", ""]);
    assert_eq!(found("b*$", "ab\n"), ["b", "", ""]);
}

#[test]
fn lines_begin_after_a_newline_but_not_at_the_end() {
    assert_eq!(found("(?m)^.*$", "a\nb"), ["a", "b"]);
    assert_eq!(found("(?m)^", "a\nb\n"), ["", ""]);
    assert_eq!(found("(?m)^", "\n"), [""]);
    assert_eq!(found("(?m)$", "a\n"), ["", ""]);
    assert_eq!(found("^a", "a\na"), ["a"]);
}

#[test]
fn classes_nest_and_intersect() {
    assert_eq!(found("[a-z&&[^aeiou]]+", "basket"), ["b", "sk", "t"]);
    assert_eq!(found("[a-c[x-z]]+", "abmxyz"), ["ab", "xyz"]);
    assert_eq!(found("[^a-c[x-z]]+", "abmxyz"), ["m"]);
    assert_eq!(found(r"[\w&&\D]+", "a1b_"), ["a", "b_"]);
    assert_eq!(found("[]a]+", "]a"), ["]a"]);
    assert_eq!(found("[a-]+", "-a"), ["-a"]);
    assert_eq!(found("[-a]+", "-a"), ["-a"]);
    assert_eq!(found("[+--]+", "+,-"), ["+,-"]);
    assert_eq!(found("[a~~.]+", "~.a"), ["~.a"]);
    assert_eq!(found(r"[\Q.\E]+", "QE.x"), ["QE."]);
    assert_eq!(found(r"[\x{1F600}\u00e9\t\]\\]+", "😀é\t]\\"), ["😀é\t]\\"]);
    assert_eq!(found("[[:alpha:]]+", "aé1"), ["aé"]);
    assert_eq!(found("[[:^alpha:]]+", "aé1"), ["1"]);
    assert_eq!(found("[ #]+", "# "), ["# "]);
}

#[test]
fn properties_are_those_of_unicode() {
    assert_eq!(found(r"\p{Lu}+", "aÀB"), ["ÀB"]);
    assert_eq!(found(r"\p{Alpha}+", "aé1"), ["aé"]);
    assert_eq!(found(r"\P{Alpha}+", "aé1"), ["1"]);
    assert_eq!(found(r"\pL+", "aé1"), ["aé"]);
    assert_eq!(found(r"\p{Hiragana}", "aあ"), ["あ"]);
    assert_eq!(found(r"[\p{Punct}\p{Digit}]+", "a.1"), [".1"]);
    assert!(refused(r"\p{javaLowerCase}").contains("not supported"));
    assert_eq!(found(r"\p{InGreek}+", "aαβ"), ["αβ"]);
    assert_eq!(found(r"[^\p{InBasicLatin}]+", "aé1"), ["é"]);
    assert_eq!(found(r"\P{In_Basic_Latin}+", "aé1"), ["é"]);
    assert_eq!(found(r"[\P{InBasicLatin}1]+", "aé1"), ["é1"]);
    assert_eq!(found(r"\p{IsAlphabetic}+", "aé1"), ["aé"]);
    assert!(refused(r"\p{InHighSurrogates}").contains("not supported"));
    assert!(refused(r"\p{InNothing}").contains("block"));
    assert!(refused(r"\p{Nothing}").contains("not valid"));
}

#[test]
fn escapes_are_javas() {
    assert_eq!(found(r"\Qa.b\E.", "a.bc axb"), ["a.bc"]);
    assert_eq!(found(r"\Q[", "["), ["["]);
    assert_eq!(found(r"\x41\u0042\0103\x{44}", "ABCD"), ["ABCD"]);
    assert_eq!(
        found(r"\t\n\r\f\a\e\cA", "\t\n\r\u{c}\u{7}\u{1b}\u{1}"),
        ["\t\n\r\u{c}\u{7}\u{1b}\u{1}"]
    );
    assert_eq!(found(r"\R", "\r\n\n\r"), ["\r\n", "\n", "\r"]);
    assert_eq!(found(r"a\.\-\/\<", "a.-/<"), ["a.-/<"]);
    assert_eq!(found("<b>#{x}", "<b>#{x}"), ["<b>#{x}"]);
    assert!(refused(r"\uD800\uDC00").contains(r"\x{10000}"));
    for unknown in [
        r"\y",
        r"\K",
        r"\X",
        r"\N",
        "\\",
        r"\x4",
        r"\0",
        r"\x{110000}",
    ] {
        assert!(refused(unknown).contains("not valid"), "{unknown}");
    }
}

#[test]
fn groups_are_found_by_number_and_name() {
    assert_eq!(found(r"(a|b)\1", "abbaa"), ["bb", "aa"]);
    assert_eq!(found(r"(?<x>.)(y)\k<x>\2", "ayay"), ["ayay"]);
    // The largest number that there is, then digits.
    assert_eq!(found(r"(a)\11", "aa1"), ["aa1"]);
    let pattern = Pattern::new("(a)(?:b)(?<name>c)(?=d)").unwrap();
    assert_eq!((pattern.groups(), pattern.group("name")), (2, Some(2)));
    assert!(refused(r"(a)\2").contains("lacks"));
    assert!(refused("(a").contains("lacks its )"));
    assert!(refused("a)").contains("lacks its ("));
    assert!(refused("(?<n>a)(?<n>b)").contains("two groups"));
    assert!(refused("(?P<n>a)").contains("not supported"));
}

#[test]
fn what_backtracks_is_found_too() {
    assert_eq!(found("a(?=b)", "abac"), ["a"]);
    assert_eq!(found("a(?!b)", "abac"), ["a"]);
    assert_eq!(found("(?<=b)a", "aba"), ["a"]);
    assert_eq!(found("(?<!b)a", "aba"), ["a"]);
    assert!(!matches("a++a", "aaa") && !matches("(?>a+)a", "aaa") && !matches("a{1,3}+a", "aaa"));
    assert_eq!(found("(?=a)|b", "ab"), ["", "b"]);
    let doubled = "(x+x+)+y\\1";
    let message = Pattern::new(doubled).unwrap();
    let message = message
        .is_match(&"x".repeat(200))
        .unwrap_err()
        .strip_backtrace();
    assert!(
        message.contains("too many steps") && message.contains("(x+x+)+y"),
        "{message}"
    );
}

#[test]
fn flags_apply_to_their_groups() {
    assert!(matches("(?i)straße|É", "STRAßE") && matches("(?i)é", "É"));
    assert_eq!(found("a(?i:b)c", "aBc aBC"), ["aBc"]);
    assert_eq!(found("(?i)a(?-i)b", "Ab AB"), ["Ab"]);
    assert_eq!(found("(a(?i)b)c", "aBc aBC"), ["aBc"]);
    assert_eq!(found("(?x) a b # c\n c", "abc"), ["abc"]);
    assert_eq!(found("(?i)[k]", "K\u{212a}"), ["K", "\u{212a}"]);
    // Sets outside classes do not match other cases.
    assert_eq!(found(r"(?i)\w", "\u{212a}"), Vec::<String>::new());
    assert!(refused("a(?i)b|c").contains("flags"));
    for unknown in ["(?u)a", "(?d)a", "(?U)a"] {
        assert!(refused(unknown).contains("not supported"), "{unknown}");
    }
}

#[test]
fn repetitions_need_something_to_repeat() {
    assert_eq!(found("a{2}", "aaaaa"), ["aa", "aa"]);
    assert_eq!(found("a{,2}", "a{,2}"), ["a{,2}"]);
    assert_eq!(found("a{x", "a{x"), ["a{x"]);
    assert_eq!(found("a{1,2}?", "aa"), ["a", "a"]);
    for wrong in [
        "*a",
        "a|+",
        "(?:*)",
        "a{2,1}",
        "^*",
        "a**",
        "a{2}{3}",
        "a{100001}",
        "[b-a]",
        "[a",
        "[a&&]",
    ] {
        assert!(refused(wrong).contains("not valid"), "{wrong}");
    }
}

#[test]
fn large_and_deep_patterns_are_refused() {
    assert!(refused(&"a".repeat(70_000)).contains("too long"));
    assert!(refused("((a{1000}){1000}){1000}").contains("too large"));
    assert!(refused(&format!("{}a{}", "(".repeat(900), ")".repeat(900))).contains("not valid"));
    assert!(refused(&"(?:".repeat(20_000)).contains("not valid"));
    assert!(refused(&"[".repeat(20_000)).contains("not valid"));
    let pattern = Pattern::new(r"\p{L}{200}x").unwrap();
    assert!(
        pattern
            .is_match(&"é".repeat(20_000_000))
            .unwrap_err()
            .strip_backtrace()
            .contains("too large")
    );
}

#[test]
fn patterns_without_look_around_are_linear() {
    for linear in [r"^a.*\d+(b|c){2,3}?$", "(?i)[a-z&&[^b]]", r"\bx\b"] {
        assert!(!spell(linear, false).unwrap().backtracks, "{linear}");
    }
}

#[tokio::test]
async fn searches_take_columns_and_nulls() {
    let query = r"SELECT regexp_like(x, p) FROM (VALUES ('abc', 'b'), ('abc', 'x'), (NULL, 'a'), ('a', NULL), ('', '')) t(x, p)";
    assert_eq!(
        rows(query).await.unwrap(),
        ["true", "false", "NULL", "NULL", "true"]
    );
    assert_eq!(
        value("regexp_like('Stephen', '^Ste(v|ph)en$')")
            .await
            .unwrap(),
        "true"
    );
    assert!(
        error("regexp_like('abc', '[invalid')")
            .await
            .contains("lacks its ]")
    );
    assert_eq!(value("regexp_like(NULL, 'a')").await.unwrap(), "NULL");
}

#[tokio::test]
async fn all_matches_are_replaced() {
    for (arguments, expected) in [
        (
            "'abc有朋$%X自9远方来', '', 'Y'",
            "YaYbYcY有Y朋Y$Y%YXY自Y9Y远Y方Y来Y",
        ),
        ("'a有朋💰', '.', '1$02'", "1a21有21朋21💰2"),
        ("'', '', 'Y'", "Y"),
        ("'fun stuff.', '[a-z]'", " ."),
        (
            r"'call 555.123.4444 now', '(\d{3})\.(\d{3}).(\d{4})', '($1) $2-$3'",
            "call (555) 123-4444 now",
        ),
        (r"'xxx', 'x', '\x'", "xxx"),
        ("'xxx', '(x)', '$01'", "xxx"),
        ("'xxx', 'x', '$05'", "x5x5x5"),
        ("'123456789', '(1)(2)(3)(4)(5)(6)(7)(8)(9)', '$10'", "10"),
        (
            "'wxyz', '(?<w>w)|(?<xyz>[xyz])', '[${w}](${xyz})'",
            "[w]()[](x)[](y)[](z)",
        ),
        ("'xyz', '(?<xyz>[xyz])+', '${xyz}'", "z"),
        ("'x', '.*', 'xxxxx'", "xxxxxxxxxx"),
        (r"'abc', 'b', '\$'", "a$c"),
        ("'abc', 'b*', 'x'", "xaxxcx"),
        ("'abc', 'x', '$9'", "abc"),
        ("'abc', 'b', NULL", "NULL"),
    ] {
        let shown = value(&format!("regexp_replace({arguments})")).await;
        assert_eq!(shown.unwrap(), expected, "{arguments}");
    }
    for wrong in [r"'\'", "'$1'", "'$a'", "'$'", "'${}'", "'${0}'", "'${nam}'"] {
        let shown = error(&format!("regexp_replace('xxx', 'x', {wrong})")).await;
        assert!(shown.contains("the replacement"), "{wrong}: {shown}");
    }
}

#[tokio::test]
async fn matches_are_extracted_by_group() {
    for (call, expected) in [
        (
            r"regexp_extract('Hello world bye', '\b[a-z]([a-z]*)')",
            "world",
        ),
        (
            r"regexp_extract('Hello world bye', '\b[a-z]([a-z]*)', 1)",
            "orld",
        ),
        ("regexp_extract('rat cat', 'ra(.)|blah(.)(.)', 2)", "NULL"),
        ("regexp_extract('12345', 'x')", "NULL"),
        ("regexp_extract('12345', '1', NULL)", "NULL"),
        ("regexp_extract_all('rat cat bat', '(.)at', 1)", "[r, c, b]"),
        (
            "regexp_extract_all('rat cat', 'ra(.)|blah(.)(.)', 2)",
            "[NULL]",
        ),
        ("regexp_extract_all('12', '')", "[, , ]"),
        ("regexp_extract_all('', 'x')", "[]"),
        ("regexp_split('a有朋💰', '.')", "[, , , , ]"),
        ("regexp_split('', '')", "[, ]"),
        ("regexp_split('abcd', '')", "[, a, b, c, d, ]"),
        ("regexp_split(',,a,,,b,', ',')", "[, , a, , , b, ]"),
        ("regexp_split('', 'x')", "[]"),
        ("cardinality(regexp_split('', 'x'))", "1"),
        ("regexp_count('君子矜而不争，党而不群', '不')", "2"),
        ("regexp_count('abcd', '')", "5"),
        ("regexp_count('', '')", "1"),
    ] {
        assert_eq!(value(call).await.unwrap(), expected, "{call}");
    }
    assert!(
        error("regexp_extract('a', 'x(a)', -1)")
            .await
            .contains("no group -1")
    );
    assert!(
        error("regexp_extract('a', 'x(a)', 2)")
            .await
            .contains("has 1 groups")
    );
}

#[tokio::test]
async fn places_are_counted_in_characters() {
    for (arguments, expected) in [
        ("'有朋b', 'b'", "3"),
        ("'a,b,c', ',', 3", "4"),
        ("'a,b,c', ',', 1, 2", "4"),
        ("'a,b,c', ',', 1, 3", "-1"),
        ("'abc', 'c', 4", "-1"),
        ("'', '', 1", "-1"),
        ("'abc', '', 3", "3"),
        ("'abc', '', 3, 2", "4"),
        ("'abc', 'a', NULL", "NULL"),
    ] {
        let shown = value(&format!("regexp_position({arguments})")).await;
        assert_eq!(shown.unwrap(), expected, "{arguments}");
    }
    assert!(
        error("regexp_position('a', 'a', 0)")
            .await
            .contains("counts from 1")
    );
    assert!(
        error("regexp_position('a', 'a', 1, 0)")
            .await
            .contains("counts from 1")
    );
}
