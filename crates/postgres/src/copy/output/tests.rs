#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use lakegate_gateway::sql::ast::Statement;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::*;

fn lines(sql: &str, columns: usize) -> Result<Lines> {
    let parsed = lakegate_gateway::sql::parse(sql).unwrap().remove(0);
    let Statement::Copy(copy) = parsed.statement else {
        panic!("not a COPY")
    };
    Lines::new(&copy, &["a", "b", "c", "d"][..columns])
}

fn put(lines: &Lines, out: &mut BytesMut, n: usize, value: Option<&[u8]>) {
    lines.delimit(out, n);
    let Some(value) = value else {
        return lines.put_null(out);
    };
    let start = out.len();
    out.extend_from_slice(value);
    lines.finish(out, n, start, &mut BytesMut::new());
}

/// Returns a value as COPY writes it, byte by byte.
fn expected(lines: &Lines, n: usize, value: &[u8]) -> Vec<u8> {
    let options = &lines.options;
    let mut out = Vec::new();
    if options.format == CopyFormat::Csv {
        let ends = lines.force_quote.len() == 1 && value == b"\\.";
        let special = [options.delimiter, options.quote, b'\n', b'\r'];
        let quoted = lines.force_quote[n]
            || ends
            || value == options.null.as_bytes()
            || value.iter().any(|byte| special.contains(byte));
        if !quoted {
            return value.to_vec();
        }
        out.push(options.quote);
        for byte in value {
            if *byte == options.quote || *byte == options.escape {
                out.push(options.escape);
            }
            out.push(*byte);
        }
        out.push(options.quote);
        return out;
    }
    for byte in value {
        let letter = match byte {
            b'\\' => b'\\',
            0x08 => b'b',
            0x0c => b'f',
            b'\n' => b'n',
            b'\r' => b'r',
            b'\t' => b't',
            0x0b => b'v',
            other if *other == options.delimiter => *other,
            other => {
                out.push(*other);
                continue;
            }
        };
        out.extend([b'\\', letter]);
    }
    out
}

#[test]
fn values_are_written_as_byte_by_byte() {
    const BYTES: &[u8] = b"abcdefgz 019.\xc3\xa4\xff\x00\x07\x0e,;|'\"\\\t\n\r\x08\x0b\x0c";
    let mut random = StdRng::seed_from_u64(1);
    for options in [
        "FORMAT text",
        "DELIMITER '|', NULL ''",
        "DELIMITER ','",
        "FORMAT csv",
        "FORMAT csv, DELIMITER '0', NULL 'a'",
        "FORMAT csv, DELIMITER ';', QUOTE '''', ESCAPE '\\'",
        "FORMAT csv, FORCE_QUOTE (a)",
    ] {
        for columns in [1, 2] {
            let sql = format!("COPY (SELECT 1) TO STDOUT ({options})");
            let lines = lines(&sql, columns).unwrap();
            let fixed: [&[u8]; 4] = [b"", b"a", b"\\.", b"\\N"];
            let mut values: Vec<Vec<u8>> = fixed.iter().map(|value| value.to_vec()).collect();
            for _ in 0..3000 {
                let length = random.random_range(0..40);
                // Some values have few kinds of bytes, so that none is special.
                let kinds = random.random_range(1..=BYTES.len());
                let mut value = Vec::new();
                for _ in 0..length {
                    value.push(BYTES[random.random_range(0..kinds)]);
                }
                values.push(value);
            }
            let n = columns - 1;
            for value in values {
                let mut out = BytesMut::new();
                put(&lines, &mut out, n, Some(value.as_slice()));
                let mut wanted = expected(&lines, n, &value);
                if n > 0 {
                    wanted.insert(0, lines.options.delimiter);
                }
                assert_eq!(out[..], wanted[..], "{options} {value:?}");
            }
        }
    }
}

#[test]
fn numbers_and_dates_are_looked_at_only_where_options_need_it() {
    for (options, kept) in [
        ("FORMAT text", true),
        ("FORMAT text, NULL '0'", true),
        ("FORMAT csv", true),
        ("FORMAT csv, NULL 'NULL'", true),
        ("FORMAT csv, NULL 'NaN'", false),
        ("FORMAT csv, NULL '0'", false),
        ("FORMAT csv, DELIMITER ':'", false),
        ("DELIMITER '-'", false),
        ("FORMAT csv, QUOTE '1'", false),
        ("FORMAT csv, FORCE_QUOTE *", false),
    ] {
        let lines = lines(&format!("COPY (SELECT 1) TO STDOUT ({options})"), 1).unwrap();
        assert_eq!(lines.keeps_plain(0), kept, "{options}");
    }
}

fn line(sql: &str, values: &[Option<&str>]) -> Result<String> {
    let lines = lines(sql, values.len())?;
    let mut out = BytesMut::new();
    for (n, value) in values.iter().enumerate() {
        put(&lines, &mut out, n, value.map(str::as_bytes));
    }
    Ok(String::from_utf8(out.to_vec()).unwrap())
}

// Expected lines: PostgreSQL 15.18.
#[test]
fn text_escapes_what_would_end_a_field() {
    let values = [Some("a\tb"), None, Some("c\\d\ne"), Some("")];
    assert_eq!(
        line("COPY (SELECT 1) TO STDOUT", &values).unwrap(),
        "a\\tb\t\\N\tc\\\\d\\ne\t"
    );
    assert_eq!(
        line(
            "COPY (SELECT 1) TO STDOUT (DELIMITER '|', NULL '')",
            &[Some("a|b"), None]
        )
        .unwrap(),
        "a\\|b|"
    );
}

#[test]
fn csv_quotes_what_would_be_misread() {
    let values = [Some("a,b"), None, Some(""), Some("say \"hi\"")];
    assert_eq!(
        line("COPY (SELECT 1) TO STDOUT (FORMAT csv)", &values).unwrap(),
        "\"a,b\",,\"\",\"say \"\"hi\"\"\""
    );
    assert_eq!(
        line(
            "COPY (SELECT 1) TO STDOUT (FORMAT csv, FORCE_QUOTE *)",
            &[Some("x"), None]
        )
        .unwrap(),
        "\"x\","
    );
    assert_eq!(
        line(
            "COPY (SELECT 1) TO STDOUT (FORMAT csv, FORCE_QUOTE (b))",
            &[Some("x"), Some("y")]
        )
        .unwrap(),
        "x,\"y\""
    );
    assert_eq!(
        line(
            "COPY (SELECT 1) TO STDOUT (FORMAT csv, ESCAPE '\\')",
            &[Some("a\"b\\,")]
        )
        .unwrap(),
        "\"a\\\"b\\\\,\""
    );
    assert_eq!(
        line("COPY (SELECT 1) TO STDOUT (FORMAT csv)", &[Some("\\.")]).unwrap(),
        "\"\\.\""
    );
    // Next to another value it ends nothing.
    assert_eq!(
        line(
            "COPY (SELECT 1) TO STDOUT (FORMAT csv)",
            &[Some("\\."), Some("x")]
        )
        .unwrap(),
        "\\.,x"
    );
}

#[test]
fn options_that_do_not_fit_are_refused() {
    for options in [
        "DELIMITER 'ab'",
        "FORMAT csv, QUOTE ''",
        "FORMAT csv, DELIMITER '\"'",
        "NULL 'x\ty'",
        "FORMAT csv, FORCE_QUOTE (zz)",
        "FORMAT csv, FORCE_NULL (a)",
        "ENCODING 'mule_internal'",
        "DEFAULT 'x'",
    ] {
        let sql = format!("COPY (SELECT 1) TO STDOUT ({options})");
        let parsed = lakegate_gateway::sql::parse(&sql).unwrap();
        let Statement::Copy(copy) = &parsed[0].statement else {
            panic!("not a COPY")
        };
        assert!(Lines::new(copy, &["a"]).is_err(), "{sql}");
    }
}
