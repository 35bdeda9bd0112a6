//! No password survives redaction.

use super::redact;

#[test]
fn a_password_is_replaced_and_the_rest_kept() {
    for (sql, shown) in [
        (
            "CREATE USER u WITH PASSWORD 'hunter2'",
            "CREATE USER u WITH PASSWORD '***'",
        ),
        (
            "create user u password 'hunter2';",
            "create user u password '***';",
        ),
        (
            "ALTER USER u PASSWORD 'it''s hunter2'",
            "ALTER USER u PASSWORD '***'",
        ),
        (
            "ALTER USER CURRENT_USER PaSsWoRd \"hunter2\"",
            "ALTER USER CURRENT_USER PaSsWoRd '***'",
        ),
        (
            "ALTER USER u PASSWORD E'hun\\'ter2'",
            "ALTER USER u PASSWORD '***'",
        ),
        (
            "ALTER USER u PASSWORD $$hunter2$$",
            "ALTER USER u PASSWORD '***'",
        ),
        (
            "ALTER USER u PASSWORD $a$hunter2$$;'$a$",
            "ALTER USER u PASSWORD '***'",
        ),
        (
            "ALTER USER u /* new */ PASSWORD /* x */ = -- y\n 'hunter2'",
            "ALTER USER u /* new */ PASSWORD /* x */ = -- y\n '***'",
        ),
        (
            "ALTER USER u PASSWORD 'hunter2' TERMINATE SESSIONS",
            "ALTER USER u PASSWORD '***' TERMINATE SESSIONS",
        ),
        (
            "ALTER USER u PASSWORD 'hunter2' /* hunter2 */ TERMINATE -- hunter2\n sessions -- hunter2\n; SELECT 1",
            "ALTER USER u PASSWORD '***' TERMINATE SESSIONS; SELECT 1",
        ),
        (
            "ALTER USER u PASSWORD 'hunter2' TERMINATE hunter2",
            "ALTER USER u PASSWORD '***'",
        ),
        (
            "ALTER USER u SET PASSWORD TO 'hunter2'",
            "ALTER USER u SET PASSWORD TO '***'",
        ),
        (
            "CREATE USER u PASSWORD 'a;hunter2'; SELECT 1",
            "CREATE USER u PASSWORD '***'; SELECT 1",
        ),
        (
            "SELECT 'x'; CREATE USER u PASSWORD 'hunter2'; ALTER USER v PASSWORD 'hunter2'",
            "SELECT 'x'; CREATE USER u PASSWORD '***'; ALTER USER v PASSWORD '***'",
        ),
        (
            "CREATE USER u PASSWORD 'hunter2' -- hunter2",
            "CREATE USER u PASSWORD '***'",
        ),
        (
            "CREATE USER u PASSWORD 'hunter2' /* hunter2 */ ; SELECT 1",
            "CREATE USER u PASSWORD '***'; SELECT 1",
        ),
        (
            "CREATE USER u IDENTIFIED BY 'hunter2'",
            "CREATE USER u IDENTIFIED BY '***'",
        ),
        (
            "CRATE USER u PASSWORD 'hunter2'",
            "CRATE USER u PASSWORD '***'",
        ),
        (
            "PREPARE p AS ALTER USER u PASSWORD 'hunter2'",
            "PREPARE p AS ALTER USER u PASSWORD '***'",
        ),
        ("SET password = 'hunter2'", "SET password = '***'"),
        (
            "SELECT * FROM t WHERE password = 'hunter2' AND a = 'b'",
            "SELECT * FROM t WHERE password = '***' AND a = 'b'",
        ),
        (
            "ALTER TABLE t SET TBLPROPERTIES ('jdbc.password'='hunter2', 'a'='b')",
            "ALTER TABLE t SET TBLPROPERTIES ('jdbc.password'='***', 'a'='b')",
        ),
        (
            "ALTER USER ü PASSWORD 'hunter2é'",
            "ALTER USER ü PASSWORD '***'",
        ),
    ] {
        assert_eq!(redact(sql), shown);
    }
}

#[test]
fn what_holds_no_password_is_kept_as_it_is() {
    for sql in [
        "",
        "SELECT 1",
        "SELECT password, 'a' FROM users -- x",
        "GRANT SELECT (password) ON TABLE t TO r",
        "CREATE TABLE t (user string, password string COMMENT 'c')",
        "ALTER USER u SET WORKGROUP 'w'",
        "select 'the user said: password?'",
        " ; ; select 'é'; /* x */ show tables ; ",
        "CREATE USER u",
    ] {
        assert_eq!(redact(sql), sql);
    }
}

#[test]
fn where_a_password_ends_is_in_doubt_the_rest_is_taken_out() {
    for sql in [
        "CREATE USER u PASSWORD 'it's hunter2'; SELECT 'hunter2'",
        "CREATE USER u PASSWORD 'hunter2",
        "CREATE USER u PASSWORD \"hunter2",
        "CREATE USER u PASSWORD $$hunter2",
        "CREATE USER u PASSWORD $x$hunter2$y$",
        "CREATE USER u PASSWORD hunter2",
        "CREATE USER u PASSWORD hunter2; SELECT hunter2",
        "CREATE USER u PASSWORD 'a' 'hunter2'",
        "CREATE USER u PASSWORD 'a' hunter2",
        "CREATE USER u PASSWORD ('hunter2')",
        "CREATE USER 'u PASSWORD 'hunter2'",
        "CREATE USER \"u PASSWORD 'hunter2'",
        "CREATE USER u /* PASSWORD 'hunter2'",
        "CREATE USER 'u PASSWORD 'x', 'hunter2'",
        "CREATE USER u PASSWORD 'a\\'hunter2'",
        "PASSWORD 'x' hunter2",
        "ALTER ROLE u WITH LOGIN PASSWORD hunter2 VALID UNTIL 'x'",
        "ALTER USER u PASSWORD `hunter2`",
        "ALTER USER u PASSWORD 1hunter2",
        "SELECT 1; ALTER USER u SET PASSWORD TO\n hunter2",
        "SELECT 'a' WHERE password = 'hunter2",
        "SET password = 'hunter2",
        "ALTER USER u PASSWORD U&'hunter2'",
        "ALTER USER u PASSWORD B'hunter2'",
        "/* a */ ALTER /* b */ USER /* c */ u PASSWORD /* 'd' */ 'hunter2' 'hunter2'",
        "ALTER USER u PASSWORD\u{a0}'hunter2'",
        "ALTER USER u PASSWORD:'hunter2'",
    ] {
        let shown = redact(sql);
        assert!(!shown.contains("hunter2"), "{sql}: {shown}");
        assert!(shown.contains("***"), "{sql}: {shown}");
    }
}

#[test]
fn redacting_twice_changes_nothing_more() {
    for sql in [
        "CREATE USER u PASSWORD 'x'; SELECT 1",
        "CREATE USER u PASSWORD x",
        "CREATE USER u PASSWORD 'x",
    ] {
        let once = redact(sql);
        assert_eq!(redact(&once), once);
    }
}

#[test]
fn text_without_a_mark_stays_as_it_is() {
    for sql in [
        "",
        "SELECT 1; SELECT 'pass', \"wd\", p, i FROM paswd -- 'x",
        "SELECT 'it''s /* open",
        "ALTER USER u SET PASS\u{212a}WORD 'x'",
    ] {
        assert_eq!(redact(sql), sql);
    }
}
