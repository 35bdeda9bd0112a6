//! Users, roles, grants and workgroups.

use super::*;
use crate::ast::*;

fn named(name: &str) -> Grantee {
    Grantee::Named(name.to_owned())
}

#[test]
fn users_are_created_altered_and_dropped() {
    let Statement::CreateUser(user) =
        one("CREATE USER IF NOT EXISTS \"Ann\" WITH ENCRYPTED PASSWORD 'p''q'")
    else {
        panic!()
    };
    assert!(user.if_not_exists);
    assert_eq!((user.name.as_str(), user.password.expose()), ("ann", "p'q"));
    assert!(!format!("{user:?}").contains("p'q"));
    for sql in [
        "CREATE USER ann PASSWORD \"p\"",
        "CREATE USER 'ann' PASSWORD E'\\x70'",
        "CREATE USER ann PASSWORD $$p$$",
    ] {
        assert!(
            matches!(one(sql), Statement::CreateUser(u) if u.name == "ann" && u.password.expose() == "p"),
            "{sql}"
        );
    }
    let altered = |sql: &str| match one(sql) {
        Statement::AlterUser(altered) => altered,
        other => panic!("{other:?}"),
    };
    assert_eq!(
        altered("ALTER USER CURRENT_USER PASSWORD 'x'").user,
        UserRef::CurrentUser
    );
    assert_eq!(
        altered("ALTER USER u WITH PASSWORD 'x'").change,
        UserChange::SetPassword(Secret::new("x"))
    );
    assert_eq!(
        altered("ALTER USER u SET PASSWORD = 'x'").change,
        UserChange::SetPassword(Secret::new("x"))
    );
    for sql in [
        "ALTER USER u SET WORKGROUP w",
        "ALTER USER u SET WORKGROUP = 'W'",
        "ALTER USER u SET WORKGROUP TO \"w\"",
    ] {
        assert_eq!(
            altered(sql).change,
            UserChange::SetWorkgroup(Some("w".to_owned())),
            "{sql}"
        );
    }
    assert_eq!(
        altered("ALTER USER u RESET WORKGROUP").change,
        UserChange::SetWorkgroup(None)
    );
    for (sql, method) in [
        ("SET AUTHENTICATION password", UserAuthentication::Password),
        ("SET AUTHENTICATION = OAuth", UserAuthentication::OAuth),
        ("SET AUTHENTICATION TO scram", UserAuthentication::Scram),
        ("SET AUTHENTICATION DEFAULT", UserAuthentication::Scram),
        ("RESET AUTHENTICATION", UserAuthentication::Scram),
    ] {
        assert_eq!(
            altered(&format!("ALTER USER u {sql}")).change,
            UserChange::SetAuthentication(method),
            "{sql}"
        );
    }
    match one("ALTER USER u SET AUTHENTICATION md5") {
        Statement::Unsupported(md5) => assert!(md5.message().contains("inside TLS")),
        other => panic!("{other:?}"),
    }
    error("ALTER USER u SET AUTHENTICATION trust");
    assert_eq!(
        altered("ALTER USER u SET WORKGROUP TO DEFAULT").change,
        UserChange::SetWorkgroup(None)
    );
    for (sql, change) in [
        ("ALTER USER u DISABLE", UserChange::Disable),
        ("ALTER USER u ENABLE", UserChange::Enable),
        (
            "ALTER USER CURRENT_USER TERMINATE SESSIONS",
            UserChange::TerminateSessions,
        ),
    ] {
        assert_eq!(altered(sql).change, change, "{sql}");
        assert!(!altered(sql).terminate_sessions, "{sql}");
    }
    let reset = altered("ALTER USER u WITH PASSWORD 'x' TERMINATE SESSIONS");
    assert_eq!(reset.change, UserChange::SetPassword(Secret::new("x")));
    assert!(reset.terminate_sessions);
    assert!(!altered("ALTER USER u PASSWORD 'x'").terminate_sessions);
    assert!(
        matches!(one("DROP USER IF EXISTS u"), Statement::DropUser(d) if d.if_exists && d.name == "u")
    );
    assert!(refused("ALTER USER u RENAME TO v").contains("ALTER USER .. PASSWORD"));
    assert!(refused("CREATE ROLE r WITH LOGIN PASSWORD 'x'").contains("CREATE USER"));
}

#[test]
fn options_that_hold_for_each_role_may_be_written() {
    for sql in [
        "CREATE ROLE r NOSUPERUSER NOCREATEDB NOCREATEROLE INHERIT NOLOGIN NOREPLICATION NOBYPASSRLS CONNECTION LIMIT -1",
        "CREATE ROLE r WITH nologin",
    ] {
        assert!(
            matches!(one(sql), Statement::CreateRole(role) if role.name == "r"),
            "{sql}"
        );
    }
    for sql in [
        "CREATE USER u WITH LOGIN NOSUPERUSER PASSWORD 'x'",
        "CREATE USER u PASSWORD 'x' NOCREATEDB CONNECTION LIMIT -1",
    ] {
        let Statement::CreateUser(user) = one(sql) else {
            panic!("{sql}")
        };
        assert_eq!(user.password, Secret::new("x"), "{sql}");
    }
    for sql in [
        // The program createuser.
        "CREATE ROLE r NOSUPERUSER NOCREATEDB NOCREATEROLE INHERIT LOGIN NOREPLICATION NOBYPASSRLS",
        "CREATE ROLE r SUPERUSER",
        "CREATE ROLE r CONNECTION LIMIT 5",
        "CREATE ROLE r ROLE s",
        "CREATE ROLE r PASSWORD 'x'",
    ] {
        assert!(
            refused(sql).contains("CREATE USER .. PASSWORD for a login"),
            "{sql}"
        );
    }
    for sql in [
        "CREATE USER u CREATEDB PASSWORD 'x'",
        "CREATE USER u NOLOGIN",
        "CREATE USER u IN ROLE r",
    ] {
        assert!(refused(sql).contains("then GRANT"), "{sql}");
    }
    assert!(refused("ALTER ROLE r WITH NOSUPERUSER").contains("ALTER USER .. PASSWORD"));
    error("CREATE ROLE r NOSUCH");
    error("CREATE USER u PASSWORD 'x' SUPERUSER");
}

#[test]
fn roles_are_granted_to_users_and_roles() {
    let Statement::GrantRole(granted) =
        one("GRANT r, S TO u, ROLE t, USER \"V\", CURRENT_USER WITH ADMIN OPTION")
    else {
        panic!()
    };
    assert_eq!(granted.roles, ["r", "s"]);
    assert_eq!(
        granted.grantees,
        [
            named("u"),
            Grantee::Role("t".to_owned()),
            Grantee::User("v".to_owned()),
            Grantee::CurrentUser
        ]
    );
    assert!(granted.with_admin_option);
    let Statement::RevokeRole(revoked) = one("REVOKE ADMIN OPTION FOR ROLE r FROM u CASCADE")
    else {
        panic!()
    };
    assert!(revoked.admin_option_only);
    assert_eq!(revoked.roles, ["r"]);
    assert!(
        matches!(one("GRANT role TO role"), Statement::GrantRole(g) if g.roles == ["role"] && g.grantees == [named("role")])
    );
}

#[test]
fn privileges_are_granted_on_every_kind_of_resource() {
    let grant = |sql: &str| match one(sql) {
        Statement::Grant(grant) => grant,
        other => panic!("{sql}: {other:?}"),
    };
    let columns = grant("GRANT SELECT (A, `b`), DESCRIBE ON TABLE Db.T TO r WITH GRANT OPTION");
    assert_eq!(columns.privileges[0].privilege, PrivilegeKind::Select);
    assert_eq!(columns.privileges[0].columns, ["a", "b"]);
    assert_eq!(columns.privileges[1].privilege, PrivilegeKind::Describe);
    assert_eq!(
        columns.resource,
        GrantResource::Table(TableName::in_database("db", "t"))
    );
    assert!(columns.with_grant_option);
    let database = GrantResource::Database(DatabaseName::bare("d"));
    for (sql, resource) in [
        ("GRANT ALL ON DATABASE d TO r", database.clone()),
        (
            "GRANT DATA_LOCATION ON 's3://b/it''s/' TO r",
            GrantResource::Location("s3://b/it's/".to_owned()),
        ),
        (
            "GRANT DATA_LOCATION_ACCESS ON LOCATION 's3://b/' TO r",
            GrantResource::Location("s3://b/".to_owned()),
        ),
        (
            "GRANT SELECT ON \"s3\" TO r",
            GrantResource::Table(TableName::bare("s3")),
        ),
        (
            "GRANT SELECT ON location TO r",
            GrantResource::Table(TableName::bare("location")),
        ),
        ("GRANT ALL PRIVILEGES ON SCHEMA d TO r", database.clone()),
        ("GRANT SELECT ON ALL TABLES IN SCHEMA d TO r", database),
        (
            "GRANT SELECT ON d.t TO r",
            GrantResource::Table(TableName::in_database("d", "t")),
        ),
        (
            "GRANT SELECT ON t TO r",
            GrantResource::Table(TableName::bare("t")),
        ),
        (
            "GRANT USAGE ON WORKGROUP W TO r",
            GrantResource::Workgroup("w".to_owned()),
        ),
        ("GRANT SELECT ON CATALOG TO r", GrantResource::Catalog(None)),
        (
            "GRANT SELECT ON CATALOG awsdatacatalog TO r",
            GrantResource::Catalog(Some("awsdatacatalog".to_owned())),
        ),
    ] {
        assert_eq!(grant(sql).resource, resource, "{sql}");
    }
    for (sql, privilege) in [
        (
            "GRANT CREATE TABLE ON DATABASE d TO r",
            PrivilegeKind::CreateTable,
        ),
        (
            "GRANT CREATE_TABLE ON DATABASE d TO r",
            PrivilegeKind::CreateTable,
        ),
        (
            "GRANT CREATE ON DATABASE d TO r",
            PrivilegeKind::CreateTable,
        ),
        (
            "GRANT CREATE ON CATALOG TO r",
            PrivilegeKind::CreateDatabase,
        ),
        (
            "GRANT CREATE DATABASE ON CATALOG TO r",
            PrivilegeKind::CreateDatabase,
        ),
        ("GRANT DELETE ON TABLE t TO r", PrivilegeKind::Delete),
        ("GRANT ALTER ON TABLE t TO r", PrivilegeKind::Alter),
        ("GRANT DROP ON TABLE t TO r", PrivilegeKind::Drop),
        ("GRANT INSERT ON TABLE t TO r", PrivilegeKind::Insert),
    ] {
        assert_eq!(grant(sql).privileges[0].privilege, privilege, "{sql}");
    }
    assert!(
        error("GRANT FLY ON TABLE t TO r")
            .hint
            .unwrap()
            .contains("SELECT, DESCRIBE")
    );
    assert!(said("GRANT SELECT TO r").contains("expected ON"));
}

#[test]
fn privileges_are_revoked() {
    let Statement::Revoke(revoked) =
        one("REVOKE GRANT OPTION FOR SELECT (a) ON TABLE d.t FROM ROLE r, u RESTRICT")
    else {
        panic!()
    };
    assert!(revoked.grant_option_only);
    assert_eq!(
        revoked.grantees,
        [Grantee::Role("r".to_owned()), named("u")]
    );
}

#[test]
fn grants_and_roles_are_shown_by_principal_and_resource() {
    let shown = |sql: &str| match one(sql) {
        Statement::ShowGrants(shown) => shown,
        other => panic!("{sql}: {other:?}"),
    };
    assert!(shown("SHOW GRANTS").principal.is_none());
    for sql in [
        "SHOW GRANTS FOR r",
        "SHOW GRANTS TO r",
        "SHOW GRANTS OF r",
        "SHOW GRANT r",
    ] {
        assert_eq!(shown(sql).principal, Some(named("r")), "{sql}");
    }
    let both = shown("SHOW GRANTS FOR ROLE r ON TABLE d.t");
    assert_eq!(both.principal, Some(Grantee::Role("r".to_owned())));
    assert_eq!(
        both.resource,
        Some(GrantResource::Table(TableName::in_database("d", "t")))
    );
    assert_eq!(
        shown("SHOW GRANTS ON DATABASE d FOR r").principal,
        Some(named("r"))
    );
    assert_eq!(
        shown("SHOW GRANTS ON CATALOG").resource,
        Some(GrantResource::Catalog(None))
    );
    assert!(
        matches!(one("SHOW ROLES FOR u"), Statement::ShowRoles(s) if s.principal == Some(named("u")))
    );
    assert_eq!(one("SHOW USERS"), Statement::ShowUsers);
}

#[test]
fn workgroups_take_options_of_every_kind() {
    let Statement::CreateWorkgroup(created) = one(
        "CREATE WORKGROUP IF NOT EXISTS \"W\" WITH (Bytes_Scanned_Cutoff_Per_Query = 1048576, a = -0.5, b = 'x', c = TRUE, d = off, e = NULL)",
    ) else {
        panic!()
    };
    assert_eq!(created.name, "w");
    let options: Vec<_> = created
        .options
        .iter()
        .map(|(name, value)| (name.as_str(), value.clone()))
        .collect();
    assert_eq!(
        options,
        [
            (
                "bytes_scanned_cutoff_per_query",
                OptionValue::Number("1048576".to_owned())
            ),
            ("a", OptionValue::Number("-0.5".to_owned())),
            ("b", OptionValue::String("x".to_owned())),
            ("c", OptionValue::Bool(true)),
            ("d", OptionValue::Bool(false)),
            ("e", OptionValue::Default),
        ]
    );
    let change = |sql: &str| match one(sql) {
        Statement::AlterWorkgroup(altered) => altered.change,
        other => panic!("{sql}: {other:?}"),
    };
    let five = vec![("a".to_owned(), OptionValue::Number("5".to_owned()))];
    for sql in [
        "ALTER WORKGROUP w SET (a = 5)",
        "ALTER WORKGROUP w WITH (a = 5)",
        "ALTER WORKGROUP w SET a = 5",
    ] {
        assert_eq!(change(sql), WorkgroupChange::Set(five.clone()), "{sql}");
    }
    assert_eq!(
        change("ALTER WORKGROUP w RESET (a)"),
        WorkgroupChange::Set(vec![("a".to_owned(), OptionValue::Default)])
    );
    assert_eq!(change("ALTER WORKGROUP w ENABLE"), WorkgroupChange::Enable);
    assert_eq!(
        change("ALTER WORKGROUP w DISABLE"),
        WorkgroupChange::Disable
    );
    assert!(
        matches!(one("DROP WORKGROUP IF EXISTS w"), Statement::DropWorkgroup(d) if d.if_exists)
    );
    assert!(matches!(one("KILL QUERY 'Ab-1'"), Statement::Kill(k) if k.query_id == "Ab-1"));
    assert!(matches!(one("KILL 'x'"), Statement::Kill(_)));
}
