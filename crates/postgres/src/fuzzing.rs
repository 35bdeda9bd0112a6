//! Fuzz targets for the Postgres door's decoders of client input, called without a connection.

use bytes::{Bytes, BytesMut};
use datafusion::arrow::datatypes::{DataType, Field, Schema, TimeUnit};
use lakegate_error::Result;
use lakegate_fuzzing::{Target, text};
use lakegate_gateway::sql::{self, ast};

use super::copy::{Decoder, Direction, Lines, Options};
use super::encode::Zone;
use super::frontend::{FirstPacket, Message, bearer_token, is_known, password, sasl_initial};
use super::params::{self, Parameter};
use super::startup;

pub const TARGETS: [Target; 5] = [
    Target {
        name: "postgres_startup",
        accepts: startup,
    },
    Target {
        name: "postgres_message",
        accepts: message,
    },
    Target {
        name: "postgres_parameters",
        accepts: parameters,
    },
    Target {
        name: "postgres_copy",
        accepts: copy,
    },
    Target {
        name: "postgres_copy_from",
        accepts: copy_from,
    },
];

/// Input: the body of the first message.
fn startup(bytes: &[u8]) -> bool {
    match FirstPacket::parse(Bytes::copy_from_slice(bytes)) {
        Ok(FirstPacket::Startup(startup)) => {
            if let Some(options) = startup.get("options") {
                let _ = startup::options(options);
            }
            true
        }
        Ok(_) => true,
        Err(_) => false,
    }
}

/// Input: the type of a message, and its body.
fn message(bytes: &[u8]) -> bool {
    let Some((tag, body)) = bytes.split_first() else {
        return false;
    };
    let body = Bytes::copy_from_slice(body);
    match tag {
        b'p' => {
            let initial = sasl_initial(body.clone());
            if let Ok((_, data)) = &initial {
                let _ = bearer_token(data);
            }
            let password = password(body);
            initial.is_ok() || password.is_ok()
        }
        tag if is_known(*tag) => Message::parse(*tag, body, None).is_ok(),
        _ => false,
    }
}

/// Returns the parameter types to choose from, both as inferred and as declared by a client.
fn types() -> Vec<DataType> {
    vec![
        DataType::Boolean,
        DataType::Int16,
        DataType::Int32,
        DataType::Int64,
        DataType::Float32,
        DataType::Float64,
        DataType::Decimal128(38, 10),
        DataType::Decimal256(76, 4),
        DataType::Utf8,
        DataType::Binary,
        DataType::Date32,
        DataType::Time64(TimeUnit::Microsecond),
        DataType::Timestamp(TimeUnit::Microsecond, None),
        DataType::Timestamp(TimeUnit::Microsecond, Some("Europe/Berlin".into())),
        DataType::Interval(datafusion::arrow::datatypes::IntervalUnit::MonthDayNano),
        DataType::List(Field::new_list_field(DataType::Int32, true).into()),
        DataType::List(Field::new_list_field(DataType::Utf8, true).into()),
        DataType::Null,
    ]
}

/// Input: one byte for the format, one for the declared type, one for the inferred type, and the
/// value.
fn parameters(bytes: &[u8]) -> bool {
    let [format, declared, inferred, value @ ..] = bytes else {
        return false;
    };
    let types = types();
    let any = |selector: &u8| types[usize::from(*selector) % types.len()].clone();
    // Half of the inputs declare no type (0).
    let declared = match declared {
        0..128 => 0,
        other => Parameter {
            declared: 0,
            inferred: any(other),
        }
        .oid(),
    };
    let parameter = Parameter {
        declared,
        inferred: any(inferred),
    };
    let bound = params::bind(
        &[Some(Bytes::copy_from_slice(value))],
        &[i16::from(format % 2)],
        &[parameter],
        Zone::parse("Europe/Berlin"),
    );
    bound.is_ok()
}

/// Input: a COPY statement and, after a zero byte, a value to write with its options.
fn copy(bytes: &[u8]) -> bool {
    let mut parts = bytes.splitn(2, |byte| *byte == 0);
    let Some(statement) = parts.next().and_then(text) else {
        return false;
    };
    let value = parts.next().unwrap_or_default();
    let Ok(statements) = sql::parse(statement) else {
        return false;
    };
    let mut accepted = false;
    for parsed in statements {
        let ast::Statement::Copy(copy) = parsed.statement else {
            continue;
        };
        let Ok(lines) = Lines::new(&copy, &["a", "b"]) else {
            continue;
        };
        let mut out = BytesMut::from(value);
        lines.finish(&mut out, 0, 0, &mut BytesMut::new());
        lines.delimit(&mut out, 1);
        lines.put_null(&mut out);
        // Escaping adds at most one byte per byte; the rest is quotes, a delimiter and the text for
        // NULL.
        assert!(out.len() <= 2 * value.len() + 3 + statement.len());
        accepted = true;
    }
    accepted
}

/// Input: a COPY FROM statement and, after a zero byte, what the client sends for a table of six
/// columns, in pieces of seven bytes.
fn copy_from(bytes: &[u8]) -> bool {
    let mut parts = bytes.splitn(2, |byte| *byte == 0);
    let Some(statement) = parts.next().and_then(text) else {
        return false;
    };
    let data = parts.next().unwrap_or_default();
    let Ok(statements) = sql::parse(statement) else {
        return false;
    };
    let types = [
        DataType::Int32,
        DataType::Utf8,
        DataType::Decimal128(10, 2),
        DataType::Binary,
        DataType::Timestamp(TimeUnit::Microsecond, None),
        DataType::new_list(DataType::Utf8, true),
    ];
    let names = ["a", "b", "c", "d", "e", "f"];
    let fields = names.iter().zip(types);
    let fields = fields.map(|(name, data_type)| Field::new(*name, data_type, true));
    let schema = Schema::new(fields.collect::<Vec<_>>());
    statements.into_iter().any(|parsed| match parsed.statement {
        ast::Statement::CopyFrom(copy) => decoded(&copy, &schema, data).is_ok(),
        _ => false,
    })
}

fn decoded(copy: &ast::CopyFrom, schema: &Schema, data: &[u8]) -> Result<()> {
    let options = Options::of(copy.format, &copy.options, Direction::In)?;
    let mut decoder = Decoder::new(copy, options, schema, Zone::UTC)?;
    for piece in data.chunks(7) {
        decoder.push(piece);
        while decoder.next()?.is_some() {}
    }
    decoder.end();
    while decoder.next()?.is_some() {}
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn hostile_bytes_are_accepted_or_refused() {
        lakegate_fuzzing::check(&TARGETS, 10_000).unwrap();
    }
}
