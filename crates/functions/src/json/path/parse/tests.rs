#![allow(clippy::unwrap_used)]
use super::*;

#[test]
fn paths_of_the_grammar_are_parsed() {
    for path in [
        "lax $",
        "strict $.a.\"b c\".*",
        "lax $[*][0, 2 to last]",
        "lax $.a?(@.x > 1 && (@.y == \"z\" || !exists(@.z)))",
        "lax $?((@ > 1) is unknown)",
        "lax $?((@.a + 1) * 2 > $b)",
        "lax ($.a + $.b) / 2 - -1.5e3 % 3",
        "lax -$.a.abs()",
        "lax $.type().size().double().ceiling().floor().keyvalue()",
        "lax $.type.last.exists.lax",
        "lax $..name",
        "lax $?(@ starts with \"a\"\"b\")",
        "lax $?(@ starts with $prefix)",
        "lax $?(((@ > 1)))",
        "lax -9223372036854775808",
        "lax $ . a [ last - 1 ]",
    ] {
        assert!(Path::parse(path).is_ok(), "{path}: {:?}", Path::parse(path));
    }
}

#[test]
fn other_paths_are_invalid() {
    for path in [
        "",
        "$",
        "lax",
        "lax $.",
        "lax $.a b",
        "lax $[",
        "lax $[]",
        "lax $?(@)",
        "lax $?(1)",
        "lax $ > 1",
        "lax (1 > 2) + 1",
        "lax $.foo()",
        "lax $.datetime()",
        "lax $?(@ like_regex \"a\")",
        "lax \"a",
        "lax 99999999999999999999",
        "lax $..",
    ] {
        assert!(Path::parse(path).is_err(), "{path}");
    }
}

#[test]
fn nesting_is_bounded() {
    let nested = |depth| format!("lax {}1{}", "(".repeat(depth), ")".repeat(depth));
    assert!(Path::parse(&nested(20)).is_ok());
    assert!(Path::parse(&nested(10_000)).is_err());
    assert!(Path::parse(&format!("lax {}1", "-".repeat(100_000))).is_err());
    assert!(Path::parse(&format!("lax ${}", ".a".repeat(50_000))).is_ok());
    assert!(Path::parse(&format!("lax 1{}", "+1".repeat(50_000))).is_ok());
}
