//! Relations that are always empty, and plans over them.

use super::*;
use crate::postgres::pg_catalog::pins::RelationPins;
use crate::postgres::pg_catalog::relations::{Input, fill, is_always_empty};

#[tokio::test]
async fn relations_that_are_always_empty_end_what_is_joined_with_them() {
    let sql = "SELECT c.relname, a.attname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhparent \
               JOIN pg_attribute a ON a.attrelid = c.oid";
    let (rows, columns) = columns_asked(sql, &[]).await;
    assert!(rows.is_empty() && columns.is_empty(), "{columns:?}");
    let outer = run(
        "SELECT c.relname, d.adrelid FROM pg_class c LEFT JOIN pg_attrdef d ON d.adrelid = c.oid WHERE c.relname = 'users'",
    );
    assert_eq!(outer.await, [["users", "NULL"]]);
}

#[test]
fn relations_that_are_called_empty_have_no_rows() {
    let input = Input {
        catalog: Arc::new(sample()),
        session: Arc::new(session()),
        pins: RelationPins::default(),
        functions: Vec::new(),
    };
    let empty = PG_CATALOG
        .relations
        .iter()
        .filter(|shape| is_always_empty(shape.name));
    let mut count = 0;
    for shape in empty {
        let batch = fill(&PG_CATALOG, shape, &[0], &input).unwrap();
        assert_eq!(batch.num_rows(), 0, "{}", shape.name);
        count += 1;
    }
    assert_eq!(count, 30);
}

#[tokio::test]
async fn columns_of_empty_relations_keep_their_types() {
    let source: Arc<Sample> = Arc::default();
    for (sql, expected) in [
        (
            "SELECT pg_typeof(d.adrelid)::text, pg_typeof(d.adnum)::text, d.adrelid IS NULL FROM pg_class c \
             LEFT JOIN pg_attrdef d ON d.adrelid = c.oid WHERE c.relname = 'users'",
            ["oid", "smallint", "true"],
        ),
        (
            "SELECT c.relname, i.inhparent::text, (i.inhseqno + 1)::text FROM pg_inherits i \
             RIGHT JOIN pg_class c ON i.inhrelid = c.oid WHERE c.relname = 'users'",
            ["users", "NULL", "NULL"],
        ),
        (
            "SELECT c.relname, (SELECT count(*) FROM pg_index i WHERE i.indrelid = c.oid)::text, \
             EXISTS (SELECT 1 FROM pg_trigger t WHERE t.tgrelid = c.oid)::text \
             FROM pg_class c WHERE c.relname = 'users'",
            ["users", "0", "false"],
        ),
    ] {
        let (_, rows) = run_with(&source, sql, &[]).await.unwrap();
        assert_eq!(rows, [expected], "{sql}");
    }
}

#[tokio::test]
async fn plans_over_relations_that_are_always_empty_have_no_rows() {
    let source: Arc<Sample> = Arc::default();
    for (sql, expected) in [
        (
            "SELECT polname FROM pg_policy WHERE polrelid = 7 ORDER BY 1",
            true,
        ),
        (
            "SELECT c.oid FROM pg_class c, pg_inherits i WHERE c.oid = i.inhparent",
            true,
        ),
        (
            "SELECT c.oid FROM pg_inherits i LEFT JOIN pg_class c ON c.oid = i.inhparent",
            true,
        ),
        (
            "SELECT polname FROM pg_policy UNION SELECT conname FROM pg_constraint",
            true,
        ),
        (
            "SELECT polname, count(*) FROM pg_policy GROUP BY polname",
            true,
        ),
        ("SELECT count(*) FROM pg_policy", false),
        (
            "SELECT c.oid FROM pg_class c LEFT JOIN pg_inherits i ON c.oid = i.inhparent",
            false,
        ),
        (
            "SELECT polname FROM pg_policy UNION SELECT relname FROM pg_class",
            false,
        ),
        (
            "SELECT oid FROM pg_class WHERE oid NOT IN (SELECT inhrelid FROM pg_inherits)",
            false,
        ),
        ("SELECT relname FROM pg_class WHERE oid = 7", false),
    ] {
        let mut statement = Parser::parse_sql(&PostgreSqlDialect {}, sql)
            .unwrap()
            .remove(0);
        let references = rewrite(&mut statement, Names::Postgres).unwrap();
        let system = PgCatalog::open(Arc::new(session()), Arc::clone(&source) as _, &references);
        let system = system.await.unwrap();
        let state = state_of(&system, &references).unwrap();
        let statement = EngineStatement::Statement(Box::new(statement));
        let plan = state.statement_to_plan(statement).await.unwrap();
        assert_eq!(has_no_rows(&plan).unwrap(), expected, "{sql}");
    }
}
