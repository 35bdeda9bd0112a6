//! ON_ERROR ignore, as PostgreSQL 17 has it.

use super::*;

const IGNORE: &str = "(ON_ERROR ignore)";

#[test]
fn rows_with_wrong_values_are_left_out_if_the_client_says_so() {
    for (data, rows) in [
        ("1\ta\nx\tb\n3\tc\n", "1|a|;3|c|;"),
        ("99999999999\ta\n\\N\tb\n", "NULL|b|;"),
        ("x\ty\n", ""),
        // The row is left out before a field is missing.
        ("x\n1\ta\n", "1|a|;"),
    ] {
        assert_eq!(two(IGNORE, data).unwrap(), rows, "{data:?}");
    }
    let mut decoder = decoder(IGNORE, &TWO).unwrap();
    decoder.push(b"x\ta\n1\tb\ny\tc\n");
    decoder.end();
    assert_eq!(decoder.next().unwrap().unwrap().num_rows(), 1);
    assert_eq!(decoder.skipped(), 2);
}

#[test]
fn rows_of_another_width_are_errors() {
    for data in ["1\ta\tb\n", "x\ta\tb\n", "1\n"] {
        let error = two(IGNORE, data).unwrap_err();
        assert!(told(&error).starts_with("22P04"), "{data:?}: {error}");
    }
}

#[test]
fn binary_data_and_other_directions_are_refused() {
    let copy = copy("(FORMAT binary, ON_ERROR ignore)");
    let error = Options::of(copy.format, &copy.options, Direction::In).unwrap_err();
    assert!(told(&error).starts_with("42601"), "{error}");
    let copy = super::copy(IGNORE);
    let error = Options::of(copy.format, &copy.options, Direction::Out).unwrap_err();
    assert!(told(&error).starts_with("22023"), "{error}");
}
