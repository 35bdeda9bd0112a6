//! Settings, transactions, prepared statements and cursors, as drivers send them.

use super::*;
use crate::ast::*;

fn set(sql: &str) -> (SetScope, String, SetValue) {
    match one(sql) {
        Statement::Set(set) => (set.scope, set.name, set.value),
        other => panic!("{sql}: {other:?}"),
    }
}

fn values(list: &[&str]) -> SetValue {
    SetValue::Values(list.iter().map(|value| (*value).to_owned()).collect())
}

#[test]
fn prepared_statements_can_be_described() {
    let described = |side| {
        Statement::DescribePrepared(DescribePrepared {
            side,
            name: "p".to_owned(),
        })
    };
    assert_eq!(one("DESCRIBE INPUT P"), described(PreparedSide::Input));
    assert_eq!(one("describe output p"), described(PreparedSide::Output));
    // Tables of these names.
    assert!(matches!(one("DESCRIBE input"), Statement::Describe(_)));
    assert!(matches!(one("DESCRIBE output.t"), Statement::Describe(_)));
}

#[test]
fn set_takes_the_forms_that_clients_send() {
    use SetScope::{Local, Session};
    for (sql, scope, name, value) in [
        (
            "SET extra_float_digits = 3",
            Session,
            "extra_float_digits",
            values(&["3"]),
        ),
        (
            "SET application_name TO 'DBeaver 1'",
            Session,
            "application_name",
            values(&["DBeaver 1"]),
        ),
        (
            "SET DateStyle = ISO, MDY",
            Session,
            "datestyle",
            values(&["iso", "mdy"]),
        ),
        (
            "SET search_path = \"$user\", Public",
            Session,
            "search_path",
            values(&["$user", "public"]),
        ),
        (
            "SET SESSION statement_timeout = -1",
            Session,
            "statement_timeout",
            values(&["-1"]),
        ),
        (
            "SET LOCAL statement_timeout = 5min",
            Local,
            "statement_timeout",
            values(&["5min"]),
        ),
        (
            "SET TIME ZONE 'Europe/Berlin'",
            Session,
            "timezone",
            values(&["Europe/Berlin"]),
        ),
        (
            "SET LOCAL TIME ZONE UTC",
            Local,
            "timezone",
            values(&["utc"]),
        ),
        ("SET TIME ZONE -7", Session, "timezone", values(&["-7"])),
        (
            "SET TIME ZONE LOCAL",
            Session,
            "timezone",
            SetValue::Default,
        ),
        (
            "SET TIME ZONE INTERVAL '-08:00' HOUR TO MINUTE",
            Session,
            "timezone",
            values(&["-08:00"]),
        ),
        (
            "SET TIME ZONE INTERVAL -'08:30' HOUR TO MINUTE",
            Session,
            "timezone",
            values(&["-08:30"]),
        ),
        (
            "SET TIME ZONE INTERVAL '10' HOUR",
            Session,
            "timezone",
            values(&["+10:00"]),
        ),
        (
            "SET TIME ZONE INTERVAL '3' MINUTE",
            Session,
            "timezone",
            values(&["INTERVAL '3 minute'"]),
        ),
        (
            "SET TIME ZONE INTERVAL '1 month'",
            Session,
            "timezone",
            values(&["INTERVAL '1 month'"]),
        ),
        ("SET NAMES", Session, "client_encoding", SetValue::Default),
        (
            "SET LOCAL XML OPTION DOCUMENT",
            Local,
            "xmloption",
            values(&["document"]),
        ),
        (
            "SET LOCAL SESSION AUTHORIZATION DEFAULT",
            Local,
            "session_authorization",
            SetValue::Default,
        ),
        (
            "SET SESSION SESSION AUTHORIZATION DEFAULT",
            Session,
            "session_authorization",
            SetValue::Default,
        ),
        (
            "SET NAMES 'utf8'",
            Session,
            "client_encoding",
            values(&["utf8"]),
        ),
        ("SET ROLE r", Session, "role", values(&["r"])),
        (
            "SET SESSION AUTHORIZATION DEFAULT",
            Session,
            "session_authorization",
            SetValue::Default,
        ),
        ("SET SCHEMA 'x'", Session, "search_path", values(&["x"])),
        ("SET workgroup = 'w'", Session, "workgroup", values(&["w"])),
        (
            "SET result_reuse = off",
            Session,
            "result_reuse",
            values(&["off"]),
        ),
        ("SET x TO DEFAULT", Session, "x", SetValue::Default),
        (
            "SET datafusion.execution.batch_size = 1024",
            Session,
            "datafusion.execution.batch_size",
            values(&["1024"]),
        ),
        (
            "SET SESSION query_max_run_time = '1h'",
            Session,
            "query_max_run_time",
            values(&["1h"]),
        ),
        (
            "SET standard_conforming_strings = ON",
            Session,
            "standard_conforming_strings",
            values(&["on"]),
        ),
    ] {
        assert_eq!(set(sql), (scope, name.to_owned(), value), "{sql}");
    }
    assert!(said("SET x 1").contains("expected = or TO"));
}

#[test]
fn transaction_modes_are_read() {
    assert_eq!(
        one("SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL READ UNCOMMITTED"),
        Statement::SetTransaction(SetTransaction {
            session: true,
            modes: TransactionModes {
                isolation: Some(Isolation::ReadUncommitted),
                ..TransactionModes::default()
            }
        })
    );
    let Statement::SetTransaction(set) =
        one("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ WRITE NOT DEFERRABLE")
    else {
        panic!()
    };
    assert_eq!(set.modes.read_only, Some(false));
    assert_eq!(set.modes.deferrable, Some(false));
    for sql in [
        "SET LOCAL TRANSACTION READ ONLY",
        "SET SESSION TRANSACTION READ ONLY",
    ] {
        let Statement::SetTransaction(set) = one(sql) else {
            panic!("{sql}")
        };
        assert!(!set.session, "{sql}");
        assert_eq!(set.modes.read_only, Some(true), "{sql}");
    }
    assert!(said("SET SESSION CHARACTERISTICS AS TRANSACTION").contains("end of input"));
    assert!(said("SET XML OPTION").contains("end of input"));
    let Statement::Begin(begin) = one("START TRANSACTION READ ONLY") else {
        panic!()
    };
    assert!(begin.start);
    assert_eq!(begin.modes.read_only, Some(true));
    for (sql, tag) in [
        ("BEGIN", "BEGIN"),
        ("begin work", "BEGIN"),
        ("BEGIN TRANSACTION READ ONLY", "BEGIN"),
        ("BEGIN READ ONLY", "BEGIN"),
        ("START TRANSACTION", "START TRANSACTION"),
        ("COMMIT WORK", "COMMIT"),
        ("END", "COMMIT"),
        ("COMMIT AND NO CHAIN", "COMMIT"),
        ("ROLLBACK", "ROLLBACK"),
        ("ABORT TRANSACTION", "ROLLBACK"),
        ("SAVEPOINT _EXEC_SVP_1", "SAVEPOINT"),
        ("RELEASE SAVEPOINT s", "RELEASE"),
        ("RELEASE s", "RELEASE"),
        ("ROLLBACK TO SAVEPOINT s", "ROLLBACK"),
        ("ROLLBACK WORK TO s", "ROLLBACK"),
    ] {
        assert_eq!(one(sql).tag(), tag, "{sql}");
        assert_eq!(one(sql).kind(), StatementKind::Transaction, "{sql}");
    }
    assert!(matches!(one("ROLLBACK TO \"Sp\""), Statement::RollbackTo(s) if s.name == "Sp"));
    assert!(matches!(
        one("COMMIT AND CHAIN"),
        Statement::Commit(EndTransaction { chain: true })
    ));
}

#[test]
fn show_and_reset_know_settings_of_several_words() {
    for (sql, name) in [
        ("SHOW TRANSACTION ISOLATION LEVEL", "transaction_isolation"),
        ("show transaction_isolation", "transaction_isolation"),
        ("show time zone", "timezone"),
        ("show timezone;", "timezone"),
        ("SHOW server_version_num", "server_version_num"),
        ("show max_identifier_length", "max_identifier_length"),
        ("SHOW \"DateStyle\"", "datestyle"),
        (
            "SHOW datafusion.execution.batch_size",
            "datafusion.execution.batch_size",
        ),
    ] {
        assert_eq!(
            one(sql),
            Statement::Show(Show::Setting(name.to_owned())),
            "{sql}"
        );
    }
    assert_eq!(one("SHOW ALL"), Statement::Show(Show::All));
    assert_eq!(one("RESET ALL"), Statement::Reset(Reset::All));
    assert_eq!(
        one("RESET TIME ZONE"),
        Statement::Reset(Reset::Setting("timezone".to_owned()))
    );
}

#[test]
fn a_pool_s_reset_and_a_driver_s_batch_parse() {
    let sql = "SELECT pg_advisory_unlock_all(); CLOSE ALL; UNLISTEN *; RESET ALL;";
    let tags: Vec<_> = parse(sql)
        .unwrap()
        .iter()
        .map(|p| p.statement.tag())
        .collect();
    assert_eq!(tags, ["SELECT", "CLOSE CURSOR ALL", "UNLISTEN", "RESET"]);
    let sql = "SET DateStyle = 'ISO';SET extra_float_digits = 2;show transaction_isolation";
    assert_eq!(parse(sql).unwrap().len(), 3);
    assert_eq!(one("DISCARD ALL").tag(), "DISCARD ALL");
    assert_eq!(one("DISCARD PLANS").tag(), "DISCARD PLANS");
    assert_eq!(one("DISCARD TEMPORARY").tag(), "DISCARD TEMP");
    assert_eq!(one("DISCARD SEQUENCES").tag(), "DISCARD SEQUENCES");
}

#[test]
fn prepared_statements_of_postgres_and_athena() {
    let Statement::Prepare(prepared) = one("PREPARE p (int, pg_catalog.text) AS SELECT $1 + 1")
    else {
        panic!()
    };
    assert_eq!(
        (
            prepared.name.as_str(),
            prepared.types.len(),
            prepared.text.as_str()
        ),
        ("p", 2, "SELECT $1 + 1")
    );
    let Statement::Prepare(prepared) = one("PREPARE p FROM SELECT * FROM t WHERE a = ? AND b = ?")
    else {
        panic!()
    };
    let Statement::Query(query) = *prepared.statement else {
        panic!()
    };
    assert_eq!(query.to_string(), "SELECT * FROM t WHERE a = $1 AND b = $2");
    for (sql, count) in [
        ("EXECUTE p", 0),
        ("EXECUTE p ()", 0),
        ("EXECUTE p (1, 'a', NULL)", 3),
        ("EXECUTE p USING 1, DATE '2024-01-01'", 2),
        ("EXECUTE p (f(1, 2), (3))", 2),
    ] {
        assert!(
            matches!(one(sql), Statement::Execute(e) if e.parameters.len() == count),
            "{sql}"
        );
    }
    assert_eq!(
        one("DEALLOCATE PREPARE p"),
        Statement::Deallocate(Deallocate {
            name: Some("p".to_owned())
        })
    );
    assert_eq!(one("DEALLOCATE ALL").tag(), "DEALLOCATE ALL");
    for refused in [
        "PREPARE a AS EXECUTE a",
        "PREPARE a FROM EXECUTE b USING 1",
        "PREPARE a AS EXPLAIN EXECUTE a",
        "PREPARE a AS PREPARE b AS SELECT 1",
        "PREPARE a AS FETCH ALL FROM c",
        "PREPARE a AS DECLARE c CURSOR FOR SELECT 1",
        "PREPARE a AS DEALLOCATE ALL",
        "PREPARE a AS SET x.y = 1",
        "PREPARE a AS COMMIT",
        "DECLARE c CURSOR FOR EXECUTE a",
        "COPY (EXECUTE a) TO STDOUT",
    ] {
        assert!(said(refused).contains("syntax error"), "{refused}");
    }
    assert!(
        said(
            "PREPARE p AS PREPARE p AS PREPARE p AS PREPARE p AS PREPARE p AS PREPARE p AS SELECT 1"
        )
        .contains("nest")
    );
}

#[test]
fn cursors_of_every_driver() {
    let Statement::DeclareCursor(declared) =
        one("declare \"SQL_CUR0x1\" cursor with hold for select 1")
    else {
        panic!()
    };
    assert_eq!(
        (
            declared.name.as_str(),
            declared.hold,
            declared.text.as_str()
        ),
        ("SQL_CUR0x1", true, "select 1")
    );
    let Statement::DeclareCursor(declared) =
        one("DECLARE c BINARY NO SCROLL CURSOR WITHOUT HOLD FOR VALUES (1)")
    else {
        panic!()
    };
    assert_eq!(
        (declared.binary, declared.scroll, declared.hold),
        (true, Some(false), false)
    );
    for (sql, direction) in [
        ("FETCH c", FetchDirection::Next),
        ("FETCH FROM c", FetchDirection::Next),
        ("FETCH NEXT FROM c", FetchDirection::Next),
        ("FETCH 100 IN c", FetchDirection::Forward(100)),
        ("FETCH 100 c", FetchDirection::Forward(100)),
        ("FETCH FORWARD 100 FROM c", FetchDirection::Forward(100)),
        ("FETCH FORWARD FROM c", FetchDirection::Forward(1)),
        ("FETCH ALL FROM c", FetchDirection::ForwardAll),
        ("FETCH FORWARD ALL FROM c", FetchDirection::ForwardAll),
        ("FETCH BACKWARD ALL FROM c", FetchDirection::BackwardAll),
        ("FETCH BACKWARD 2 FROM c", FetchDirection::Backward(2)),
        ("FETCH ABSOLUTE -1 FROM c", FetchDirection::Absolute(-1)),
        ("FETCH RELATIVE 0 FROM c", FetchDirection::Relative(0)),
        ("FETCH LAST FROM c", FetchDirection::Last),
        ("FETCH PRIOR c", FetchDirection::Prior),
    ] {
        assert_eq!(
            one(sql),
            Statement::Fetch(Fetch {
                name: "c".to_owned(),
                direction
            }),
            "{sql}"
        );
    }
    assert_eq!(one("MOVE 5 IN c").tag(), "MOVE");
    assert!(
        matches!(one("CLOSE \"C\""), Statement::CloseCursor(c) if c.name.as_deref() == Some("C"))
    );
    assert!(said("FETCH 99999999999999999999 FROM c").contains("64 bits"));
}

#[test]
fn constraints_are_all_or_named() {
    for (sql, named) in [
        ("SET CONSTRAINTS ALL DEFERRED", None),
        ("set constraints all immediate", None),
        ("SET CONSTRAINTS s.a, \"B\" DEFERRED", Some("s.a")),
    ] {
        let named = named.map(str::to_owned);
        assert_eq!(one(sql), Statement::SetConstraints(named), "{sql}");
    }
    assert!(said("SET CONSTRAINTS ALL").contains("DEFERRED or IMMEDIATE"));
}

#[test]
fn locks_of_readers_are_those_of_tables() {
    for (sql, tables) in [
        ("LOCK TABLE d.t IN ACCESS SHARE MODE", 1),
        ("lock only T, \"u\" in access share mode nowait", 2),
    ] {
        match one(sql) {
            Statement::LockTables(found) => assert_eq!(found.len(), tables, "{sql}"),
            other => panic!("{sql}: parsed as {other:?}"),
        }
    }
    for sql in [
        "LOCK TABLE t",
        "LOCK TABLE t IN EXCLUSIVE MODE",
        "LOCK TABLE t IN ACCESS EXCLUSIVE MODE NOWAIT",
    ] {
        assert!(refused(sql).contains("IN ACCESS SHARE MODE"), "{sql}");
    }
}

#[test]
fn kinds_tell_what_a_transaction_block_refuses() {
    for (sql, kind) in [
        ("CREATE DATABASE d", StatementKind::Ddl),
        ("GRANT r TO u", StatementKind::Access),
        ("SELECT 1", StatementKind::Dml),
        ("SHOW TABLES", StatementKind::Utility),
        ("SET a = b", StatementKind::Session),
        ("INSERT INTO t VALUES (1)", StatementKind::Dml),
        ("UNLOAD (SELECT 1) TO 's3://b/'", StatementKind::Dml),
        ("CREATE TABLE t AS SELECT 1", StatementKind::Ddl),
    ] {
        assert_eq!(one(sql).kind(), kind, "{sql}");
    }
    for sql in [
        "CREATE TABLE t AS SELECT 1",
        "INSERT INTO t VALUES (1)",
        "ALTER TABLE t RENAME TO u",
        "DROP VIEW v",
        "GRANT SELECT ON TABLE t TO u",
    ] {
        let statement = one(sql);
        assert!(statement.is_kept_for_commit(), "{sql}");
        assert!(!statement.is_refused_in_transaction(), "{sql}");
    }
    for sql in [
        "UNLOAD (SELECT 1) TO 's3://b/'",
        "MSCK REPAIR TABLE t",
        "GRANT r TO u",
        "DROP USER u",
    ] {
        let statement = one(sql);
        assert!(statement.is_refused_in_transaction(), "{sql}");
        assert!(!statement.is_kept_for_commit(), "{sql}");
    }
    for sql in ["SELECT 1", "SHOW TABLES", "BEGIN"] {
        let statement = one(sql);
        assert!(!statement.is_refused_in_transaction(), "{sql}");
        assert!(!statement.is_kept_for_commit(), "{sql}");
    }
}
