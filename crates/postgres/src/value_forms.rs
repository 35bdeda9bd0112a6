//! The binary forms of shapes, of addresses of eight bytes and of snapshots, whose values are texts
//! here, as PostgreSQL's send functions write them and its receive functions read them.
//!
//! ```text
//! point            x, y: 8 bytes each, as all numbers of shapes
//! lseg, box        two points
//! line             A, B, C
//! circle           a point, the radius
//! path             1 byte, which is 1 if it is closed; 4 bytes of the number of points; points
//! polygon          4 bytes of the number of points; points
//! macaddr8         8 bytes
//! pg_snapshot      4 bytes of the number of transactions that ran; the first transaction that ran,
//!                  the first that had not begun, those that ran: 8 bytes each
//! ```

use bytes::{BufMut, BytesMut};

use super::types::oid;

/// Appends the form of a text; `None` if it is not a value of the type as results have it.
pub(crate) fn put(out: &mut BytesMut, type_oid: u32, text: &str) -> Option<()> {
    match type_oid {
        oid::MACADDR8 => {
            let bytes = text
                .split(':')
                .map(|byte| u8::from_str_radix(byte, 16).ok());
            let bytes: Vec<u8> = bytes.collect::<Option<_>>()?;
            out.put_slice(&<[u8; 8]>::try_from(bytes).ok()?);
        }
        oid::PG_SNAPSHOT | oid::TXID_SNAPSHOT => put_snapshot(out, text)?,
        _ => {
            let numbers = numbers(text)?;
            match count(type_oid) {
                Some(count) if count != numbers.len() => return None,
                Some(_) => {}
                None if numbers.is_empty() || numbers.len() % 2 == 1 => return None,
                None => {
                    if type_oid == oid::PATH {
                        out.put_u8(u8::from(text.starts_with('(')));
                    }
                    out.put_i32(i32::try_from(numbers.len() / 2).ok()?);
                }
            }
            numbers.iter().for_each(|number| out.put_f64(*number));
        }
    }
    Some(())
}

/// Reads a value into a text that the type's input function reads; `None` if the bytes are no value.
pub(crate) fn read(type_oid: u32, bytes: &[u8]) -> Option<String> {
    match type_oid {
        oid::MACADDR8 => {
            // An address of six bytes becomes one of eight.
            let is_address = matches!(bytes.len(), 6 | 8);
            let bytes = bytes.iter().map(|byte| format!("{byte:02x}"));
            is_address.then(|| bytes.collect::<Vec<_>>().join(":"))
        }
        oid::PG_SNAPSHOT | oid::TXID_SNAPSHOT => read_snapshot(bytes),
        oid::PATH => {
            let (is_closed, rest) = bytes.split_first()?;
            let points = read_points(rest)?;
            Some(match *is_closed {
                0 => format!("[{points}]"),
                _ => format!("({points})"),
            })
        }
        oid::POLYGON => read_points(bytes).map(|points| format!("({points})")),
        other => {
            let numbers = read_numbers(bytes)?;
            if count(other) != Some(numbers.len()) {
                return None;
            }
            let numbers = joined(&numbers);
            Some(match other {
                oid::LINE => format!("{{{numbers}}}"),
                _ => numbers,
            })
        }
    }
}

/// Returns how many numbers a value of a type has; `None` if they differ.
fn count(type_oid: u32) -> Option<usize> {
    match type_oid {
        oid::POINT => Some(2),
        oid::LINE | oid::CIRCLE => Some(3),
        oid::LSEG | oid::BOX => Some(4),
        _ => None,
    }
}

/// Returns the numbers of a text with signs between them.
fn numbers(text: &str) -> Option<Vec<f64>> {
    let is_sign = |sign: char| matches!(sign, '(' | ')' | '[' | ']' | '{' | '}' | '<' | '>' | ',');
    let numbers = text.split(is_sign).filter(|number| !number.is_empty());
    numbers.map(|number| number.parse::<f64>().ok()).collect()
}

fn read_numbers(bytes: &[u8]) -> Option<Vec<f64>> {
    let (numbers, rest) = bytes.as_chunks::<8>();
    let numbers = numbers.iter().map(|number| f64::from_be_bytes(*number));
    rest.is_empty().then(|| numbers.collect())
}

fn joined(numbers: &[f64]) -> String {
    let texts: Vec<String> = numbers.iter().map(f64::to_string).collect();
    texts.join(",")
}

/// Reads points after their number: `(1,2),(3,4)`.
fn read_points(bytes: &[u8]) -> Option<String> {
    let (count, rest) = bytes.split_first_chunk::<4>()?;
    let count = usize::try_from(i32::from_be_bytes(*count)).ok()?;
    let numbers = read_numbers(rest)?;
    if count == 0 || numbers.len() != count.checked_mul(2)? {
        return None;
    }
    let points = numbers
        .chunks(2)
        .map(|point| format!("({})", joined(point)));
    Some(points.collect::<Vec<_>>().join(","))
}

/// Reads and appends `10:20:14,15`.
fn put_snapshot(out: &mut BytesMut, text: &str) -> Option<()> {
    let mut parts = text.splitn(3, ':');
    let (first, unborn, running) = (parts.next()?, parts.next()?, parts.next()?);
    let running = running.split(',').filter(|number| !number.is_empty());
    let running = running.map(|number| number.parse::<i64>().ok());
    let running: Vec<i64> = running.collect::<Option<_>>()?;
    out.put_i32(i32::try_from(running.len()).ok()?);
    out.put_i64(first.parse().ok()?);
    out.put_i64(unborn.parse().ok()?);
    running.iter().for_each(|number| out.put_i64(*number));
    Some(())
}

fn read_snapshot(bytes: &[u8]) -> Option<String> {
    let (count, rest) = bytes.split_first_chunk::<4>()?;
    let count = usize::try_from(i32::from_be_bytes(*count)).ok()?;
    let (numbers, end) = rest.as_chunks::<8>();
    let numbers = numbers.iter().map(|number| i64::from_be_bytes(*number));
    let numbers: Vec<String> = numbers.map(|number| number.to_string()).collect();
    let (first, unborn, running) = match numbers.as_slice() {
        [first, unborn, running @ ..] => (first, unborn, running),
        _ => return None,
    };
    let is_whole = end.is_empty() && running.len() == count;
    is_whole.then(|| format!("{first}:{unborn}:{}", running.join(",")))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// Returns the bytes of numbers after others.
    fn after(start: &[u8], numbers: &[f64]) -> Vec<u8> {
        let numbers = numbers.iter().flat_map(|number| number.to_be_bytes());
        start.iter().copied().chain(numbers).collect()
    }

    #[test]
    fn forms_are_those_of_postgres() {
        let snapshot: [u8; 28] = [
            0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 10, 0, 0, 0, 0, 0, 0, 0, 20, 0, 0, 0, 0, 0, 0, 0, 12,
        ];
        for (type_oid, text, bytes, read_as) in [
            (oid::POINT, "(1,-2.5)", after(&[], &[1.0, -2.5]), "1,-2.5"),
            (
                oid::POINT,
                "(1e+20,-Infinity)",
                after(&[], &[1e20, f64::NEG_INFINITY]),
                "100000000000000000000,-inf",
            ),
            (
                oid::LSEG,
                "[(1,2),(3,4)]",
                after(&[], &[1.0, 2.0, 3.0, 4.0]),
                "1,2,3,4",
            ),
            (
                oid::BOX,
                "(3,4),(1,2)",
                after(&[], &[3.0, 4.0, 1.0, 2.0]),
                "3,4,1,2",
            ),
            (
                oid::PATH,
                "[(1,2),(3,4)]",
                after(&[0, 0, 0, 0, 2], &[1.0, 2.0, 3.0, 4.0]),
                "[(1,2),(3,4)]",
            ),
            (
                oid::PATH,
                "((1,2))",
                after(&[1, 0, 0, 0, 1], &[1.0, 2.0]),
                "((1,2))",
            ),
            (
                oid::POLYGON,
                "((1,2),(3,4))",
                after(&[0, 0, 0, 2], &[1.0, 2.0, 3.0, 4.0]),
                "((1,2),(3,4))",
            ),
            (
                oid::LINE,
                "{1,-1,0}",
                after(&[], &[1.0, -1.0, 0.0]),
                "{1,-1,0}",
            ),
            (
                oid::CIRCLE,
                "<(1,2),3>",
                after(&[], &[1.0, 2.0, 3.0]),
                "1,2,3",
            ),
            (
                oid::MACADDR8,
                "08:00:2b:01:02:03:04:05",
                vec![8, 0, 0x2b, 1, 2, 3, 4, 5],
                "08:00:2b:01:02:03:04:05",
            ),
            (oid::PG_SNAPSHOT, "10:20:12", snapshot.to_vec(), "10:20:12"),
        ] {
            let mut out = BytesMut::new();
            put(&mut out, type_oid, text).unwrap();
            assert_eq!(&out[..], bytes, "{text}");
            assert_eq!(read(type_oid, &bytes).as_deref(), Some(read_as), "{text}");
        }
    }

    #[test]
    fn other_texts_and_bytes_are_refused() {
        for (type_oid, text) in [
            (oid::POINT, "(1,2,3)"),
            (oid::POINT, "(x,2)"),
            (oid::PATH, "()"),
            (oid::POLYGON, "((1,2),(3))"),
            (oid::MACADDR8, "08:00"),
            (oid::PG_SNAPSHOT, "10:20"),
        ] {
            assert!(
                put(&mut BytesMut::new(), type_oid, text).is_none(),
                "{text}"
            );
        }
        for (type_oid, bytes) in [
            (oid::POINT, vec![0_u8; 15]),
            (oid::BOX, vec![0; 24]),
            (oid::PATH, vec![1, 0x7f, 0xff, 0xff, 0xff]),
            (oid::PATH, vec![]),
            (oid::POLYGON, vec![0xff; 4]),
            (oid::POLYGON, vec![0; 4]),
            (oid::MACADDR8, vec![0; 7]),
            (oid::PG_SNAPSHOT, vec![0; 4]),
            (oid::PG_SNAPSHOT, vec![0x7f; 20]),
        ] {
            assert_eq!(read(type_oid, &bytes), None, "{type_oid}");
        }
    }
}
