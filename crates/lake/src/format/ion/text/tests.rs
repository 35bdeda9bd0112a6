#![allow(clippy::unwrap_used)]
use super::*;

/// All that is in a text, containers entered: values as `Debug` shows them, brackets as `<` and `>`.
fn all(text: &[u8], has_more: bool) -> Result<String> {
    let mut symbols = Symbols::default();
    symbols.add(Some("ten".to_owned())).unwrap();
    let mut cursor = Text::new(text, has_more, &symbols);
    let mut out = String::new();
    loop {
        match cursor.next()? {
            Some(item) => {
                if let Some(field) = &item.field {
                    out.push_str(&format!("{field}="));
                }
                if item.role != Role::Data {
                    out.push_str(&format!("{:?} ", item.role));
                }
                match item.value {
                    Value::List | Value::Struct => {
                        out.push('<');
                        cursor.enter()?;
                    }
                    Value::Null => out.push_str("null "),
                    Value::Unknown => out.push_str("? "),
                    Value::Boolean(value) => out.push_str(&format!("{value} ")),
                    Value::Number(number) => out.push_str(&format!("{} ", number.text().unwrap())),
                    Value::Float(value) => out.push_str(&format!("{value:?} ")),
                    Value::Timestamp(micros) => out.push_str(&format!("@{micros} ")),
                    Value::Text(text) => out.push_str(&format!("{text:?} ")),
                    Value::Bytes(bytes) => out.push_str(&format!("{bytes:02x?} ")),
                }
            }
            None if cursor.depth() == 0 => return Ok(out),
            None => {
                let depth = cursor.depth() - 1;
                cursor.leave_to(depth)?;
                out.push('>');
            }
        }
    }
}

#[test]
fn values_are_read_in_all_their_forms() {
    for (text, expected) in [
        ("", ""),
        (" // only a comment", ""),
        ("1 2/*x*/3//y\n4", "1 2 3 4 "),
        ("null null.int null.null nan", "null null null NaN "),
        ("true false 'true' $10 $0", "true false \"true\" \"ten\" ? "),
        ("a::'b c'::$10::1", "1 "),
        ("a :: 1", "1 "),
        ("$ion_symbol_table::{}", "Table <>"),
        (
            "$ion_1_0 '$ion_1_0' a::$ion_1_0",
            "Marker \"$ion_1_0\" \"$ion_1_0\" \"$ion_1_0\" ",
        ),
        ("[1,[],2,]", "<1 <>2 >"),
        (
            "(a+b -3 - 4 (x) null.int 'q' -inf)",
            "<\"a\" \"+\" \"b\" -3 \"-\" 4 <\"x\" >null \"q\" -inf >",
        ),
        (
            "{a:1,'b c':2,\"d\":3,'''e''' '''f''':4,$10:5,}",
            "<a=1 b c=2 d=3 ef=4 ten=5 >",
        ),
        ("{a:b::{c:[]}}", "<a=<c=<>>>"),
        ("\"a\\\"b\" '''x''' /**/ '''y'''", "\"a\\\"b\" \"xy\" "),
        (
            "{{ aGk= }} {{\"h\\x69\"}} {{'''h''' '''i'''}} {{}}",
            "[68, 69] [68, 69] [68, 69] [] ",
        ),
        (
            "2000T 2000-01-01T00:00:01Z",
            "@946684800000000 @946684801000000 ",
        ),
        ("1.5 1e1 0x1F", "15e-1 10.0 31 "),
    ] {
        assert_eq!(all(text.as_bytes(), false).unwrap(), expected, "{text}");
    }
}

#[test]
fn broken_texts_are_refused() {
    for text in [
        "[1 2]",
        "[,]",
        "[1",
        "{a 1}",
        "{1:1}",
        "{a:}",
        "{a:1",
        "{:1}",
        "]",
        "(1,2)",
        "\"a",
        "'a",
        "'''a",
        "\"a\nb\"",
        "/* x",
        "a::",
        "null.x",
        "{{ a",
        "{{ !! }}",
        "{{ aGk= }",
        "{{\"a\" \"b\"}}",
        "+1",
        "$99",
        "@",
        "[+]",
        "01",
        "{a::1}",
        "{[1]:2}",
    ] {
        let read = all(text.as_bytes(), false);
        assert!(matches!(read, Err(Stop::Fault(_))), "{text}: {read:?}");
    }
}

#[test]
fn what_may_go_on_waits_for_more() {
    let text = "{a:[1,\"x\\\"y\",'b',{{aGk=}},2000T],b:null.int,c:'''d''' '''e'''}";
    for end in 0..text.len() {
        assert_eq!(all(&text.as_bytes()[..end], true), Err(Stop::More), "{end}");
        let cut = all(&text.as_bytes()[..end], false);
        assert!(
            end == 0 || matches!(cut, Err(Stop::Fault(_))),
            "{end}: {cut:?}"
        );
    }
    for text in ["1", "a", "'a'", "null", "'''a'''", "a:"] {
        assert_eq!(all(text.as_bytes(), true), Err(Stop::More), "{text}");
    }
}

#[test]
fn nesting_is_bounded() {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert!(all(nested(MAX_DEPTH).as_bytes(), false).is_ok());
    assert!(all(nested(MAX_DEPTH + 1).as_bytes(), false).is_err());
    let symbols = Symbols::default();
    let deep = "(".repeat(1_000_000);
    let mut cursor = Text::new(deep.as_bytes(), true, &symbols);
    assert!(cursor.next().is_ok());
    assert_eq!(cursor.leave_to(0), Err(Stop::Fault(too_deep())));
}
