//! Functions about what sessions do, as queries of the tables that show it.
//!
//! ```text
//! current_query()                     (SELECT query FROM pg_catalog.pg_stat_activity WHERE pid = pg_backend_pid())
//! FROM pg_stat_get_activity(t.x) a    FROM LATERAL (SELECT * FROM (…) AS "__activity" WHERE … t.x …) AS a
//! ```

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, DataType, Expr, Ident, ObjectName, SetExpr, Statement, TableAlias, TableFactor,
    VisitorMut,
};
use lakegate_error::Error;
use lakegate_sql::walk::{walk_mut, walk_own_expressions};

use super::functions::strip_schema;
use super::{build, copies, last_part};

const CURRENT_QUERY: &str =
    "SELECT query FROM pg_catalog.pg_stat_activity WHERE pid = pg_backend_pid()";

/// The name of the sessions beside the argument of `pg_stat_get_activity`.
const SESSIONS: &str = "__activity";

/// The columns of `pg_stat_get_activity`, in their order. Names in its argument mean none of the
/// relations in here.
const ACTIVITY: &str = "SELECT * FROM (SELECT a.datid, a.pid, a.usesysid, a.application_name, a.state, a.query, \
     a.wait_event_type, a.wait_event, a.xact_start, a.query_start, a.backend_start, a.state_change, \
     a.client_addr, a.client_hostname, a.client_port, a.backend_xid, a.backend_xmin, \
     a.backend_type, s.ssl, s.version AS sslversion, s.cipher AS sslcipher, s.bits AS sslbits, \
     s.client_dn AS ssl_client_dn, s.client_serial AS ssl_client_serial, \
     s.issuer_dn AS ssl_issuer_dn, g.gss_authenticated AS gss_auth, g.principal AS gss_princ, \
     g.encrypted AS gss_enc, g.credentials_delegated AS gss_delegation, a.leader_pid, a.query_id \
     FROM pg_catalog.pg_stat_activity AS a \
     LEFT JOIN pg_catalog.pg_stat_ssl AS s ON s.pid = a.pid \
     LEFT JOIN pg_catalog.pg_stat_gssapi AS g ON g.pid = a.pid) AS \"__activity\"";

/// Writes the calls as queries.
///
/// # Errors
///
/// An argument is too large to be written twice, or has a column without the name of its table.
pub(super) fn rewrite(statement: &mut Statement) -> Result<(), Error> {
    struct Calls;
    impl VisitorMut for Calls {
        type Break = Error;

        fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<Error> {
            result(table(factor))
        }

        fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Error> {
            result(value(expr))
        }
    }
    match walk_mut(statement, &mut Calls) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(error) => Err(error),
    }
}

fn result(of: Result<(), Error>) -> ControlFlow<Error> {
    match of {
        Ok(()) => ControlFlow::Continue(()),
        Err(error) => ControlFlow::Break(error),
    }
}

fn value(expr: &mut Expr) -> Result<(), Error> {
    let Expr::Function(function) = expr else {
        return Ok(());
    };
    let is_it = is_called(&function.name, "current_query")
        && build::arguments(&function.args).is_some_and(|args| args.is_empty());
    if is_it {
        *expr = Expr::Subquery(Box::new(build::query(CURRENT_QUERY)?));
    }
    Ok(())
}

/// Returns whether a function of PostgreSQL is called by this name.
fn is_called(name: &ObjectName, function: &str) -> bool {
    last_part(name).is_some_and(|last| last == function)
        && strip_schema(&mut name.clone()).is_some()
}

fn table(factor: &mut TableFactor) -> Result<(), Error> {
    let (name, args, alias, mut lateral) = match factor {
        TableFactor::Table {
            name,
            args: Some(args),
            with_ordinality: false,
            alias,
            ..
        } => {
            let args: Option<Vec<Expr>> = args.args.iter().map(build::argument).collect();
            (name, args, alias, false)
        }
        TableFactor::Function {
            name,
            args,
            with_ordinality: false,
            alias,
            lateral,
            ..
        } => {
            let args: Option<Vec<Expr>> = args.iter().map(build::argument).collect();
            (name, args, alias, *lateral)
        }
        _ => return Ok(()),
    };
    let Some([pid]) = args.as_deref() else {
        return Ok(());
    };
    if !is_called(name, "pg_stat_get_activity") {
        return Ok(());
    }
    copies::check(pid, 2)?;
    let bare = walk_own_expressions(pid, |part| match part {
        // It may be the name of a column of the sessions.
        Expr::Identifier(name) => ControlFlow::Break(name.to_string()),
        Expr::CompoundIdentifier(_) => {
            lateral = true;
            ControlFlow::Continue(())
        }
        _ => ControlFlow::Continue(()),
    });
    if let ControlFlow::Break(name) = bare {
        let message =
            format!("pg_stat_get_activity({name}) of a column without its table is not supported");
        return Err(Error::not_supported(message).with_hint(format!("write t.{name}")));
    }
    let pid = build::cast(build::nested(pid.clone()), DataType::Integer(None));
    let of_all = Expr::IsNull(Box::new(pid.clone()));
    let of_one = build::binary(build::column(SESSIONS, "pid"), BinaryOperator::Eq, pid);
    let mut subquery = build::query(ACTIVITY)?;
    if let SetExpr::Select(select) = subquery.body.as_mut() {
        select.selection = Some(build::binary(of_all, BinaryOperator::Or, of_one));
    }
    let alias = alias.take().unwrap_or_else(|| TableAlias {
        explicit: true,
        name: Ident::new("pg_stat_get_activity"),
        columns: vec![],
        at: None,
    });
    *factor = TableFactor::Derived {
        lateral,
        subquery: Box::new(subquery),
        alias: Some(alias),
        sample: None,
    };
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use lakegate_error::Code;

    use super::super::testing::with_statement;
    use super::*;

    fn rewritten(sql: &str) -> String {
        with_statement(sql, |statement| rewrite(statement).unwrap())
    }

    #[test]
    fn the_running_statement_is_a_subquery() {
        let expected = format!("SELECT length(({CURRENT_QUERY}))");
        for sql in [
            "SELECT length(current_query())",
            "SELECT length(pg_catalog.current_query())",
        ] {
            assert_eq!(rewritten(sql), expected);
        }
        let other = "SELECT current_query(1), current_query, f.current_query()";
        assert_eq!(rewritten(other), other);
    }

    #[test]
    fn sessions_are_a_table() {
        for (call, condition, alias) in [
            (
                "pg_stat_get_activity(NULL) AS x",
                "(NULL)::INTEGER IS NULL OR \"__activity\".\"pid\" = (NULL)::INTEGER",
                "x",
            ),
            (
                "pg_catalog.pg_stat_get_activity(7)",
                "(7)::INTEGER IS NULL OR \"__activity\".\"pid\" = (7)::INTEGER",
                "pg_stat_get_activity",
            ),
        ] {
            assert_eq!(
                rewritten(&format!("SELECT pid FROM {call}")),
                format!("SELECT pid FROM ({ACTIVITY} WHERE {condition}) AS {alias}")
            );
        }
        let of_columns = rewritten("SELECT * FROM t, pg_stat_get_activity(t.pid) AS a");
        assert!(
            of_columns.contains("FROM t, LATERAL (SELECT"),
            "{of_columns}"
        );
    }

    #[test]
    fn an_argument_has_no_bare_column() {
        with_statement(
            "SELECT 1 FROM t, pg_stat_get_activity(leader_pid)",
            |statement| {
                assert_eq!(rewrite(statement).unwrap_err().code(), Code::NotSupported);
            },
        );
    }
}
