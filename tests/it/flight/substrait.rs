//! Substrait plans in a server that was built with them; in others, an error that says so.
#![allow(clippy::disallowed_methods)]

use arrow_flight::sql::{
    ActionCreatePreparedStatementResult, ActionCreatePreparedSubstraitPlanRequest,
    CommandStatementSubstraitPlan, SubstraitPlan,
};

use super::*;

fn command(plan: Vec<u8>) -> CommandStatementSubstraitPlan {
    CommandStatementSubstraitPlan {
        plan: Some(SubstraitPlan {
            plan: plan.into(),
            version: String::new(),
        }),
        transaction_id: None,
    }
}

async fn info(
    flight: &mut Flight,
    plan: Vec<u8>,
) -> Result<arrow_flight::FlightInfo, tonic::Status> {
    let descriptor = FlightDescriptor::new_cmd(command(plan).as_any().encode_to_vec());
    let request = flight.request(descriptor);
    let info = flight.sql.inner_mut().get_flight_info(request).await?;
    Ok(info.into_inner())
}

async fn prepare(
    flight: &mut Flight,
    plan: Vec<u8>,
) -> Result<ActionCreatePreparedStatementResult, tonic::Status> {
    let asked = ActionCreatePreparedSubstraitPlanRequest {
        plan: command(plan).plan,
        transaction_id: None,
    };
    let answer = flight
        .act(
            "CreatePreparedSubstraitPlan",
            asked.as_any().encode_to_vec(),
        )
        .await?;
    let any = Any::decode(answer[0].clone()).unwrap();
    Ok(any.unpack().unwrap().unwrap())
}

#[cfg(not(feature = "substrait"))]
#[tokio::test]
async fn server_without_substrait_says_so() {
    let mut flight = Server::shared().flight("admin").await;
    for refused in [
        info(&mut flight, vec![1, 2, 3]).await.unwrap_err(),
        prepare(&mut flight, vec![1, 2, 3]).await.unwrap_err(),
    ] {
        assert_eq!(refused.code(), Code::Unimplemented, "{refused:?}");
        assert!(refused.message().contains("send SQL"), "{refused:?}");
    }
}

#[cfg(feature = "substrait")]
mod with_the_feature {
    use arrow::datatypes::Field;
    use arrow_flight::sql::{CommandGetSqlInfo, CommandPreparedStatementQuery};
    use datafusion::datasource::empty::EmptyTable;
    use datafusion::prelude::SessionContext;
    use datafusion_substrait::logical_plan::producer::to_substrait_plan;

    use super::*;

    /// Returns a plan of a query over the columns of `curated.orders` that clients know.
    async fn plan(server: &Server, sql: &str) -> Vec<u8> {
        plan_over(server, "curated.orders", sql).await
    }

    async fn plan_over(server: &Server, table_name: &str, sql: &str) -> Vec<u8> {
        let mut admin = server.flight("admin").await;
        let known = admin.info(&format!("SELECT * FROM {table_name}")).await;
        let known = known.unwrap();
        let known = known.try_decode_schema().unwrap();
        let fields: Vec<Field> = known
            .fields()
            .iter()
            .map(|field| Field::new(field.name(), field.data_type().clone(), true))
            .collect();
        let table = Arc::new(EmptyTable::new(Arc::new(Schema::new(fields))));
        let context = SessionContext::new();
        let (schema, _) = table_name.split_once('.').unwrap();
        let create = format!("CREATE SCHEMA {schema}");
        context.sql(&create).await.unwrap();
        context.register_table(table_name, table).unwrap();
        let plan = context.sql(sql).await.unwrap().into_unoptimized_plan();
        let plan = to_substrait_plan(&plan, &context.state()).unwrap();
        plan.encode_to_vec()
    }

    #[tokio::test]
    async fn plan_gives_the_rows_of_its_query_and_is_recorded() {
        let server = Server::shared();
        let sql = "SELECT order_date, count(*) AS orders, sum(quantity) AS items FROM curated.orders
                   WHERE order_date >= DATE '2024-05-01' GROUP BY order_date ORDER BY order_date LIMIT 7";
        let mut flight = server.flight("admin").await;
        let plan = plan(server, sql).await;
        let bytes = plan.len();
        let flight_info = info(&mut flight, plan).await.unwrap();
        let schema = flight_info.clone().try_decode_schema().unwrap();
        assert_eq!(schema.field(1).name(), "orders");
        let fetched = flight
            .fetch(flight_info.endpoint[0].ticket.clone().unwrap())
            .await
            .unwrap();
        assert_eq!(fetched.rows(), flight.run(sql).await.rows());
        assert_eq!(fetched.rows().len(), 7);
        let admin = server.connect("admin").await;
        let recorded = admin
            .text(&format!(
                "SELECT query, state, rows, protocol FROM system.queries WHERE query_id = '{}'",
                fetched.usage["query_id"].as_str().unwrap()
            ))
            .await;
        assert_eq!(
            recorded,
            format!("substrait plan, {bytes} bytes|SUCCEEDED|7|flight_sql")
        );
    }

    #[tokio::test]
    async fn second_time_is_a_hit_for_plans_too() {
        let server = Server::shared();
        let plan = plan(server, "SELECT min(order_id) AS first FROM curated.orders").await;
        let mut flight = server.flight("admin").await;
        let mut hits = Vec::new();
        for _ in 0..2 {
            let flight_info = info(&mut flight, plan.clone()).await.unwrap();
            let ticket = flight_info.endpoint[0].ticket.clone().unwrap();
            hits.push(flight.fetch(ticket).await.unwrap().usage["cache_hit"].clone());
        }
        assert_eq!(hits[1], true);
    }

    #[tokio::test]
    async fn column_that_is_not_granted_is_not_there_for_a_plan() {
        let server = Server::shared();
        let admin = server.connect("admin").await;
        admin
            .run(
                "CREATE USER substrait_ann WITH PASSWORD 'a long enough secret';
                 GRANT SELECT (order_id, order_date) ON TABLE curated.orders TO substrait_ann",
            )
            .await;
        let mut ann = server.flight_anonymous().await;
        ann.sql
            .handshake("substrait_ann", "a long enough secret")
            .await
            .unwrap();
        let whole = plan(server, "SELECT order_id, total FROM curated.orders").await;
        let refused = info(&mut ann, whole.clone()).await.unwrap_err();
        let as_sql = ann
            .info("SELECT order_id, total FROM curated.orders")
            .await
            .unwrap_err();
        assert_eq!(refused.code(), as_sql.code(), "{refused:?}");
        let prepared = prepare(&mut ann, whole.clone()).await.unwrap_err();
        assert_eq!(prepared.code(), Code::NotFound);
        // The ticket of a user with the privilege is useless to a user without it.
        let mut flight = server.flight("admin").await;
        let flight_info = info(&mut flight, whole).await.unwrap();
        let ticket = flight_info.endpoint[0].ticket.clone().unwrap();
        assert!(ann.fetch(ticket).await.is_err());
    }

    #[tokio::test]
    async fn plan_over_a_view_learns_no_more_than_sql() {
        let server = Server::shared();
        let admin = server.connect("admin").await;
        admin
            .run(
                "CREATE USER substrait_eve WITH PASSWORD 'a long enough secret';
                 CREATE DATABASE substrait_views;
                 CREATE VIEW substrait_views.v AS SELECT order_id, quantity, total FROM curated.orders WHERE quantity = 2;
                 GRANT SELECT (order_id, quantity) ON TABLE substrait_views.v TO substrait_eve",
            )
            .await;
        let mut eve = server.flight_anonymous().await;
        eve.sql
            .handshake("substrait_eve", "a long enough secret")
            .await
            .unwrap();
        let view = "substrait_views.v";
        let whole = plan_over(server, view, "SELECT total FROM substrait_views.v").await;
        assert!(info(&mut eve, whole).await.is_err());
        // Orders of another quantity would divide by zero.
        let sql = "SELECT count(*) AS n FROM substrait_views.v WHERE 10 / (quantity - 1) = 10";
        let divided = plan_over(server, view, sql).await;
        let flight_info = info(&mut eve, divided).await.unwrap();
        let ticket = flight_info.endpoint[0].ticket.clone().unwrap();
        let counted = eve.fetch(ticket).await.unwrap().value();
        let visible = eve.run("SELECT count(*) FROM substrait_views.v").await;
        assert_eq!(counted, visible.value());
        let table = plan(server, "SELECT order_id FROM curated.orders").await;
        assert!(info(&mut eve, table).await.is_err());
    }

    #[tokio::test]
    async fn prepared_plan_runs_as_often_as_one_likes() {
        let server = Server::shared();
        let mut flight = server.flight("admin").await;
        let sql = "SELECT count(*) AS n FROM curated.orders";
        let prepared = prepare(&mut flight, plan(server, sql).await).await.unwrap();
        assert!(!prepared.dataset_schema.is_empty());
        let query = CommandPreparedStatementQuery {
            prepared_statement_handle: prepared.prepared_statement_handle,
        };
        let count = flight.run(sql).await.value();
        for _ in 0..2 {
            let descriptor = FlightDescriptor::new_cmd(query.as_any().encode_to_vec());
            let request = flight.request(descriptor);
            let response = flight.sql.inner_mut().get_flight_info(request).await;
            let ticket = response.unwrap().into_inner().endpoint[0].ticket.clone();
            assert_eq!(flight.fetch(ticket.unwrap()).await.unwrap().value(), count);
        }
    }

    #[tokio::test]
    async fn server_tells_which_plans_it_runs_and_refuses_nonsense() {
        let mut flight = Server::shared().flight("admin").await;
        let asked = CommandGetSqlInfo {
            info: vec![5, 6, 7],
        };
        let descriptor = FlightDescriptor::new_cmd(asked.as_any().encode_to_vec());
        let request = flight.request(descriptor);
        let response = flight.sql.inner_mut().get_flight_info(request).await;
        let ticket = response.unwrap().into_inner().endpoint[0].ticket.clone();
        let facts = flight.fetch(ticket.unwrap()).await.unwrap().rows();
        assert_eq!(facts.len(), 3, "{facts:?}");
        assert!(facts[0][1].contains("true"), "{facts:?}");
        for bytes in [
            vec![],
            vec![0xff; 100],
            b"SELECT 1".to_vec(),
            vec![0; 600_000],
        ] {
            let refused = info(&mut flight, bytes).await.unwrap_err();
            assert_eq!(refused.code(), Code::InvalidArgument, "{refused:?}");
        }
        flight.run("SELECT 1").await;
    }
}
