//! Queries captured from clients.

use super::*;

struct Captured {
    title: String,
    sql: String,
    parameters: Vec<String>,
}

fn captured(text: &str) -> Vec<Captured> {
    text.split("\n--- ")
        .skip(1)
        .map(|part| {
            let (title, rest) = part.split_once('\n').unwrap();
            let (parameters, sql) = match rest.strip_prefix("-- parameters: ") {
                Some(rest) => {
                    let (line, sql) = rest.split_once('\n').unwrap();
                    (line.split('|').map(str::to_owned).collect(), sql)
                }
                None => (vec![], rest),
            };
            Captured {
                title: title.to_owned(),
                sql: sql.trim().to_owned(),
                parameters,
            }
        })
        .collect()
}

/// Runs every query that a client sends; returns the results by title.
async fn all_of(text: &str, unsupported: &[&str]) -> HashMap<String, Vec<Rows>> {
    let mut failures = Vec::new();
    let mut answers: HashMap<String, Vec<Rows>> = HashMap::new();
    for captured in captured(text) {
        let parameters: Vec<&str> = captured.parameters.iter().map(String::as_str).collect();
        let expected_failure = unsupported.contains(&captured.title.as_str());
        match run_with(&Arc::default(), &captured.sql, &parameters).await {
            Ok((_, rows)) => {
                assert!(
                    !expected_failure,
                    "{} is supported now: take it off the list",
                    captured.title
                );
                answers.entry(captured.title).or_default().push(rows);
            }
            Err(_) if expected_failure => {}
            Err(error) => failures.push(format!(
                "## {}\n{}\n-> {error}",
                captured.title, captured.sql
            )),
        }
    }
    assert!(
        failures.is_empty(),
        "{} failed\n{}",
        failures.len(),
        failures.join("\n\n")
    );
    answers
}

#[tokio::test]
async fn psql_gets_an_answer_to_all_that_it_sends() {
    let answers = all_of(include_str!("../fixtures/psql.sql"), &[]).await;
    assert_eq!(
        answers["\\d"][0],
        [
            ["curated", "orders", "table", "lakegate"],
            ["curated", "users", "table", "lakegate"]
        ]
    );
}

#[tokio::test]
async fn sqlalchemy_gets_an_answer_to_all_that_it_sends() {
    all_of(include_str!("../fixtures/sqlalchemy.sql"), &[]).await;
}

#[tokio::test]
async fn pgjdbc_gets_an_answer_to_all_that_it_sends() {
    all_of(include_str!("../fixtures/pgjdbc.sql"), &[]).await;
}

#[tokio::test]
async fn psycopg_gets_an_answer_to_all_that_it_sends() {
    all_of(include_str!("../fixtures/psycopg.sql"), &[]).await;
}

#[tokio::test]
async fn d_of_a_table_shows_its_columns_with_the_wires_types() {
    let answers = all_of(include_str!("../fixtures/psql.sql"), &[]).await;
    let shown: Vec<(String, String)> = answers["\\d curated.orders"][2]
        .iter()
        .map(|row| (row[0].clone(), row[1].clone()))
        .collect();
    let expected = [
        ("order_id", "text"),
        ("quantity", "integer"),
        ("price", "numeric(10,2)"),
        ("created_at", "timestamp without time zone"),
        ("tags", "text[]"),
        ("extra", "json"),
        ("order_date", "date"),
    ];
    assert_eq!(
        shown,
        expected.map(|(name, of)| (name.to_owned(), of.to_owned()))
    );
}
