//! CREATE TABLE in the grammars of Hive, PostgreSQL and Trino, and DROP TABLE. CREATE TABLE AS is in
//! `write`, CREATE TABLE LIKE in `table_like`.

use super::cursor::{Cursor, Result};
use super::{names, table_like, temporary, types, write};
use crate::ast::{
    ClusteredBy, CreateTable, Delimited, DropTable, RowFormat, SortColumn, Statement,
    StorageFormat, StoredAs, Unsupported,
};

/// Trino's properties of a table, as a clause in messages.
const WITH: &str = "WITH (..)";

/// After `CREATE [OR REPLACE]`.
pub(super) fn create(cursor: &mut Cursor<'_>, or_replace: bool) -> Result<Statement> {
    let external = cursor.eat("EXTERNAL");
    cursor.expect("TABLE")?;
    let if_not_exists = cursor.if_not_exists()?;
    let name = names::table(cursor)?;
    if name.is_temporary() && !external {
        let table = write::NewTable {
            or_replace,
            if_not_exists,
            name,
        };
        return temporary::table(cursor, table);
    }
    if !or_replace && let Some(form) = table_like::form(cursor) {
        return table_like::create(cursor, form, if_not_exists, name);
    }
    if write::is_create_as(cursor) && !external {
        let table = write::NewTable {
            or_replace,
            if_not_exists,
            name,
        };
        return write::create_as(cursor, table);
    }
    if or_replace {
        return Ok(Statement::Unsupported(Unsupported {
            what: "CREATE OR REPLACE TABLE without AS".to_owned(),
            nearest: Some("DROP TABLE and CREATE EXTERNAL TABLE".to_owned()),
        }));
    }
    let mut table = CreateTable {
        external,
        if_not_exists,
        ..CreateTable::named(name)
    };
    if let Some(refused) = refused(cursor, external) {
        return Ok(refused);
    }
    if cursor.is_sign('(') {
        match types::columns(cursor) {
            Ok(columns) => table.columns = columns,
            Err(refused) => return refused.statement(),
        }
    }
    let mut seen = Vec::new();
    while !cursor.at_end() {
        if let Some(refused) = refused(cursor, external) {
            return Ok(refused);
        }
        let before = *cursor;
        let clause = clause(cursor, &mut table)?;
        if seen.contains(&clause) {
            return Err(before.error(format!("{clause} is given twice")));
        }
        seen.push(clause);
    }
    let mut others = seen
        .iter()
        .filter(|clause| !matches!(**clause, WITH | "COMMENT"));
    if seen.contains(&WITH)
        && let Some(other) = others.next()
    {
        return Err(cursor.error(format!(
            "{WITH} and {other} exclude each other; leave one out"
        )));
    }
    Ok(Statement::CreateTable(Box::new(table)))
}

/// A query behind clauses that CREATE TABLE AS does not have, or Trino's properties of an EXTERNAL
/// table.
fn refused(cursor: &Cursor<'_>, external: bool) -> Option<Statement> {
    let with = external && is_with(cursor);
    if !with && !cursor.is_one_of(&["AS", "SELECT"]) {
        return None;
    }
    Some(Statement::Unsupported(Unsupported {
        what: "CREATE EXTERNAL TABLE .. AS, or AS after Hive's clauses,".to_owned(),
        nearest: Some("CREATE TABLE .. WITH (external_location = '..') AS".to_owned()),
    }))
}

fn is_with(cursor: &Cursor<'_>) -> bool {
    cursor.is_word("WITH") && cursor.is_sign_at(1, '(')
}

/// Parses one clause after the columns; returns its name.
fn clause(cursor: &mut Cursor<'_>, table: &mut CreateTable) -> Result<&'static str> {
    if let Some(comment) = cursor.string_after("COMMENT")? {
        table.comment = Some(comment);
        Ok("COMMENT")
    } else if cursor.eat_all("PARTITIONED BY") {
        partitioned_by(cursor, table)?;
        Ok("PARTITIONED BY")
    } else if table.sorted_by.is_empty() && cursor.eat_all("CLUSTERED BY") {
        clustered_by(cursor, table)?;
        Ok("CLUSTERED BY")
    } else if table.clustered_by.is_none() && cursor.eat_all("SORTED BY") {
        table.sorted_by = sort_columns(cursor)?;
        Ok("SORTED BY")
    } else if cursor.eat_all("ROW FORMAT") {
        table.row_format = Some(row_format(cursor)?);
        Ok("ROW FORMAT")
    } else if cursor.eat_all("STORED AS") {
        table.stored_as = Some(stored_as(cursor)?);
        Ok("STORED AS")
    } else if let Some(location) = cursor.string_after("LOCATION")? {
        table.location = Some(location);
        Ok("LOCATION")
    } else if cursor.eat("TBLPROPERTIES") {
        table.properties = cursor.properties()?;
        Ok("TBLPROPERTIES")
    } else if is_with(cursor) {
        table.with = write::with(cursor)?;
        Ok(WITH)
    } else {
        Err(cursor.expected(
            "COMMENT, PARTITIONED BY, CLUSTERED BY, SORTED BY, ROW FORMAT, STORED AS, LOCATION or TBLPROPERTIES",
        ))
    }
}

fn partitioned_by(cursor: &mut Cursor<'_>, table: &mut CreateTable) -> Result<()> {
    // Iceberg's form lists columns or transforms without a type.
    let untyped = cursor.is_sign('(')
        && (cursor.is_sign_at(2, ',') || cursor.is_sign_at(2, ')') || cursor.is_sign_at(2, '('));
    if untyped {
        cursor.advance();
        let mut error = cursor
            .error("a partition column needs a type, as in PARTITIONED BY (dt date)".to_owned());
        error.hint = Some(
            "columns without a type and transforms are Iceberg's, which is not supported yet"
                .to_owned(),
        );
        return Err(error);
    }
    let before = *cursor;
    let columns = types::columns(cursor);
    table.partitioned_by = columns.map_err(|refused| refused.error(&before))?;
    Ok(())
}

fn clustered_by(cursor: &mut Cursor<'_>, table: &mut CreateTable) -> Result<()> {
    let columns = cursor.names_in_parentheses("a column's name")?;
    if cursor.eat_all("SORTED BY") {
        table.sorted_by = sort_columns(cursor)?;
    }
    cursor.expect("INTO")?;
    let before = *cursor;
    let buckets = cursor
        .number()
        .and_then(|number| number.parse().ok())
        .filter(|buckets| *buckets > 0)
        .ok_or_else(|| before.expected("a number of buckets"))?;
    cursor.expect("BUCKETS")?;
    table.clustered_by = Some(ClusteredBy { columns, buckets });
    Ok(())
}

/// The columns in parentheses after SORTED BY.
fn sort_columns(cursor: &mut Cursor<'_>) -> Result<Vec<SortColumn>> {
    cursor.expect_sign('(')?;
    let columns = cursor.list(|cursor| {
        let name = cursor.name("a column's name")?;
        let ascending = !cursor.eat("DESC");
        if ascending {
            cursor.eat("ASC");
        }
        Ok(SortColumn { name, ascending })
    })?;
    cursor.expect_sign(')')?;
    Ok(columns)
}

fn row_format(cursor: &mut Cursor<'_>) -> Result<RowFormat> {
    if cursor.eat("SERDE") {
        let class = cursor.string("a SerDe's class as a string")?;
        let properties = if cursor.eat_all("WITH SERDEPROPERTIES") {
            cursor.properties()?
        } else {
            Vec::new()
        };
        return Ok(RowFormat::SerDe { class, properties });
    }
    if !cursor.eat("DELIMITED") {
        return Err(cursor.expected("DELIMITED or SERDE after ROW FORMAT"));
    }
    let mut format = Delimited::default();
    loop {
        let (slot, words) = if cursor.is_word("FIELDS") {
            (&mut format.fields, "FIELDS TERMINATED BY")
        } else if cursor.is_word("ESCAPED") {
            (&mut format.escaped, "ESCAPED BY")
        } else if cursor.is_word("COLLECTION") {
            (
                &mut format.collection_items,
                "COLLECTION ITEMS TERMINATED BY",
            )
        } else if cursor.is_word("MAP") {
            (&mut format.map_keys, "MAP KEYS TERMINATED BY")
        } else if cursor.is_word("LINES") {
            (&mut format.lines, "LINES TERMINATED BY")
        } else if cursor.is_word("NULL") {
            (&mut format.null_defined_as, "NULL DEFINED AS")
        } else {
            return Ok(RowFormat::Delimited(format));
        };
        cursor.expect_all(words)?;
        *slot = Some(cursor.string(&format!("a string after {words}"))?);
    }
}

fn stored_as(cursor: &mut Cursor<'_>) -> Result<StoredAs> {
    if cursor.eat("INPUTFORMAT") {
        let input = cursor.string("an input format's class as a string")?;
        cursor.expect("OUTPUTFORMAT")?;
        let output = cursor.string("an output format's class as a string")?;
        return Ok(StoredAs::InputOutput { input, output });
    }
    let format = match cursor.word_at(0).map(str::to_ascii_uppercase).as_deref() {
        Some("SEQUENCEFILE") => StorageFormat::SequenceFile,
        Some("TEXTFILE") => StorageFormat::TextFile,
        Some("JSONFILE") => StorageFormat::JsonFile,
        Some("RCFILE") => StorageFormat::RcFile,
        Some("ORC") => StorageFormat::Orc,
        Some("PARQUET") => StorageFormat::Parquet,
        Some("AVRO") => StorageFormat::Avro,
        Some("ION") => StorageFormat::Ion,
        _ => {
            return Err(cursor.expected(
                "SEQUENCEFILE, TEXTFILE, JSONFILE, RCFILE, ORC, PARQUET, AVRO, ION or INPUTFORMAT after STORED AS",
            ));
        }
    };
    cursor.advance();
    Ok(StoredAs::Format(format))
}

pub(super) fn drop(cursor: &mut Cursor<'_>) -> Result<Statement> {
    let if_exists = cursor.if_exists()?;
    let names = cursor.list(names::table)?;
    if !cursor.eat("PURGE") {
        cursor.eat_any(&["RESTRICT", "CASCADE"]);
    }
    Ok(Statement::DropTable(DropTable { if_exists, names }))
}
