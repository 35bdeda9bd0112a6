#![allow(clippy::unwrap_used, clippy::panic)]
use datafusion::prelude::SessionContext;

use super::*;

async fn checked(sql: &str) -> Result<()> {
    let context = SessionContext::new();
    context.sql("CREATE TABLE t (x TEXT, y BIGINT)").await?;
    let plan = context.state().create_logical_plan(sql).await?;
    check(&plan)
}

/// `WITH c0 AS (SELECT x, y FROM t), c1 AS (<step>), …`, where `{}` is the previous one.
fn chain(steps: usize, step: &str, end: &str) -> String {
    let mut sql = "WITH c0 AS (SELECT x, y FROM t)".to_owned();
    for number in 1..=steps {
        let step = step.replace("{}", &format!("c{}", number - 1));
        sql += &format!(", c{number} AS ({step})");
    }
    format!("{sql} {}", end.replace("{}", &format!("c{steps}")))
}

#[tokio::test]
async fn plans_that_double_are_refused() {
    let end = "SELECT count(*) FROM {} WHERE x = 'a'";
    for (steps, step) in [
        (20, "SELECT x || x AS x, y FROM {}"),
        (
            20,
            "SELECT CASE WHEN x = 'a' THEN x ELSE x || 'b' END AS x, y FROM {}",
        ),
        (20, "SELECT x || x AS x, y FROM {} ORDER BY y"),
        (14, "SELECT a.x, a.y FROM {} a, {} b"),
        (14, "SELECT x, y FROM {} UNION ALL SELECT x, y FROM {}"),
        (
            20,
            &format!("SELECT x || {} AS x, y FROM {{}}", ["y"; 400].join(" || ")),
        ),
    ] {
        let error = checked(&chain(steps, step, end)).await.unwrap_err();
        let error = lakegate_error::from_engine(error);
        assert_eq!(error.code(), Code::TooComplex, "{step}: {error}");
    }
}

#[tokio::test]
async fn nested_cases_are_refused() {
    let nested = |levels: usize, step: &str| {
        let expression = (0..levels).fold("y".to_owned(), |inner, _| step.replace("{}", &inner));
        format!("SELECT {expression} FROM t")
    };
    let chained = |levels: usize, step: &str| {
        chain(
            levels,
            &format!("SELECT {step} AS y, x FROM {{}}"),
            "SELECT x FROM {} WHERE y > 1",
        )
    };
    let coalesce = "coalesce({} + 1, y + 1)";
    let by_another = "SELECT y FROM {} WHERE x = 'a'";
    let step = "SELECT coalesce(y + 1, 5 * 2) AS y, x FROM {}";
    checked(&chain(30, step, by_another)).await.unwrap();
    checked(&nested(5, coalesce)).await.unwrap();
    checked(&nested(24, "coalesce({} + 1, y)")).await.unwrap();
    checked(&nested(10, "CASE WHEN y > 1 THEN {} END"))
        .await
        .unwrap();
    checked(&nested(20, "CASE WHEN y > 1 THEN 1 ELSE {} END"))
        .await
        .unwrap();
    checked(&chained(5, "coalesce(y + 1, y * 2)"))
        .await
        .unwrap();
    let of_computed = nested(12, "coalesce({} + 1, z)");
    for query in [
        of_computed.replace("FROM t", "FROM (SELECT y, 1 / 0 AS z FROM t) u"),
        nested(12, coalesce),
        chained(12, "coalesce(y + 1, y * 2)"),
        chained(15, "CASE WHEN y > 1 THEN y ELSE 2 END"),
    ] {
        let error = checked(&query).await.unwrap_err();
        let error = lakegate_error::from_engine(error);
        assert_eq!(error.code(), Code::TooComplex, "{query}: {error}");
    }
}

#[tokio::test]
async fn honest_plans_pass() {
    let wide: Vec<String> = (0..500).map(|n| format!("y + {n} AS y{n}")).collect();
    for sql in [
        chain(50, "SELECT x || 'a' AS x, y FROM {}", "SELECT * FROM {}"),
        chain(
            40,
            "SELECT max(x || x) AS x, y FROM {} GROUP BY y",
            "SELECT * FROM {}",
        ),
        chain(
            8,
            "SELECT x, y FROM {} UNION ALL SELECT x, y FROM {}",
            "SELECT * FROM {}",
        ),
        format!("SELECT {} FROM t", wide.join(", ")),
        vec!["SELECT x FROM t"; 100].join(" UNION ALL "),
    ] {
        checked(&sql).await.unwrap();
    }
}

#[tokio::test]
async fn what_the_optimizer_copies_is_refused_if_it_is_nested() {
    let nested = |levels: usize, step: &str| {
        let expression =
            (0..levels).fold("y = 1".to_owned(), |inner, _| step.replace("{}", &inner));
        format!("SELECT {expression} FROM t")
    };
    let chained = |levels: usize, step: &str| {
        let first = "SELECT y = 1 AS b, y, x FROM {}";
        let chain = chain(
            levels,
            &format!("SELECT {step} AS b, y, x FROM {{}}"),
            "SELECT x FROM {} WHERE b",
        );
        chain.replacen("SELECT x, y FROM t", &first.replace("{}", "t"), 1)
    };
    let between = "({} BETWEEN false AND (y = 2))";
    let nullif = "nullif({}, y = 2)";
    for query in [
        nested(8, between),
        nested(8, nullif),
        // A condition that is a CASE is not copied.
        nested(20, "CASE WHEN {} THEN y > 1 ELSE y > 2 END"),
        chained(6, "b BETWEEN false AND (y = 2)"),
        chained(5, "b IN (y = 2, y = 3)"),
        chained(40, "b IN (y = 2, y = 3, y = 4, y = 5)"),
    ] {
        checked(&query)
            .await
            .unwrap_or_else(|error| panic!("{query}: {error}"));
    }
    for query in [
        nested(20, between),
        nested(20, nullif),
        chained(20, "b BETWEEN false AND (y = 2)"),
        chained(20, "b IN (y = 2, y = 3)"),
    ] {
        let error = checked(&query).await.unwrap_err();
        let error = lakegate_error::from_engine(error);
        assert_eq!(error.code(), Code::TooComplex, "{query}: {error}");
    }
}

#[tokio::test]
async fn types_that_double_are_refused() {
    let rows = |steps: usize| {
        chain(
            steps,
            "SELECT first_value(struct(x, x)) OVER () AS x, y FROM {}",
            "SELECT y FROM {}",
        )
    };
    checked(&rows(6)).await.unwrap();
    let error = checked(&rows(15)).await.unwrap_err();
    let error = lakegate_error::from_engine(error);
    assert_eq!(error.code(), Code::TooComplex, "{error}");
    assert!(error.message().contains("type"), "{error}");
}

#[test]
fn copies_have_as_many_parts_as_are_counted() {
    use datafusion::logical_expr::{col, lit};

    let sum = (0..99).fold(col("x"), |sum, _| sum + lit(1));
    // 99 operators, their literals and the column.
    assert!(check_copies(&sum, 50).is_ok());
    let error = check_copies(&sum, 51).unwrap_err();
    let error = lakegate_error::from_engine(error);
    assert_eq!(error.code(), Code::TooComplex, "{error}");
    assert!(check_copies(&sum, 1).is_ok());
    assert!(check_copies(&col("x"), usize::MAX).is_ok());
}
