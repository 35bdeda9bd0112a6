#![allow(clippy::disallowed_methods, clippy::unwrap_used, clippy::panic)]
use arrow::array::{Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::util::pretty::pretty_format_batches;
use datafusion::datasource::{MemTable, provider_as_source};
use datafusion::logical_expr::{col, lit};
use datafusion::prelude::SessionContext;
use datafusion_substrait::logical_plan::producer::to_substrait_plan;
use datafusion_substrait::substrait::proto::read_rel::{LocalFiles, local_files};
use datafusion_substrait::substrait::proto::rel_common::Emit;
use datafusion_substrait::substrait::proto::{
    ExchangeRel, ExtensionLeafRel, FetchRel, PlanRel, ProjectRel, RelRoot, SetRel, Version,
    WriteRel, expression, plan_rel, set_rel, r#type,
};

use super::*;

fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("id", DataType::Int64, true),
        Field::new("name", DataType::Utf8, true),
        Field::new("secret", DataType::Int64, true),
    ]))
}

/// Returns a session with a table `t` that has these columns of [`schema`].
fn session(columns: &[usize]) -> SessionContext {
    let batch = RecordBatch::try_new(
        schema(),
        vec![
            Arc::new(Int64Array::from(vec![1, 2, 3])),
            Arc::new(StringArray::from(vec!["a", "b", "c"])),
            Arc::new(Int64Array::from(vec![7, 8, 9])),
        ],
    );
    let batch = batch.unwrap().project(columns).unwrap();
    let table = MemTable::try_new(batch.schema(), vec![vec![batch]]).unwrap();
    let context = SessionContext::new();
    context.register_table("t", Arc::new(table)).unwrap();
    context
}

async fn produced(sql: &str) -> Plan {
    let context = session(&[0, 1, 2]);
    let plan = context.sql(sql).await.unwrap().into_unoptimized_plan();
    *to_substrait_plan(&plan, &context.state()).unwrap()
}

async fn consumed(context: &SessionContext, plan: &Plan) -> Result<LogicalPlan> {
    super::plan(&context.state(), &plan.encode_to_vec()).await
}

async fn rows(context: &SessionContext, plan: LogicalPlan) -> String {
    let batches = context.execute_logical_plan(plan).await.unwrap().collect();
    let shown = pretty_format_batches(&batches.await.unwrap());
    shown.unwrap().to_string()
}

async fn refusal(plan: &Plan) -> Error {
    consumed(&session(&[0, 1, 2]), plan).await.unwrap_err()
}

/// Returns the root relation of a plan.
fn rel(plan: &Plan) -> Rel {
    match plan.relations[0].rel_type.clone().unwrap() {
        plan_rel::RelType::Root(root) => root.input.unwrap(),
        plan_rel::RelType::Rel(rel) => rel,
    }
}

/// Returns the first read of a plan with a projection on top.
fn read(plan: &Plan) -> ReadRel {
    match rel(plan).rel_type {
        Some(RelType::Read(read)) => *read,
        Some(RelType::Project(project)) => match project.input.unwrap().rel_type {
            Some(RelType::Read(read)) => *read,
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    }
}

fn of(plan: &Plan, rel: RelType) -> Plan {
    let root = PlanRel {
        rel_type: Some(plan_rel::RelType::Root(RelRoot {
            input: Some(Rel {
                rel_type: Some(rel),
            }),
            names: Vec::new(),
        })),
    };
    Plan {
        relations: vec![root],
        ..plan.clone()
    }
}

#[tokio::test]
async fn plan_gives_the_rows_of_the_query_that_it_was_made_of() {
    let context = session(&[0, 1, 2]);
    for sql in [
        "SELECT * FROM t",
        "SELECT name, id + 1 AS next FROM t WHERE id > 1 ORDER BY id DESC LIMIT 1",
        "SELECT count(*) AS n, sum(secret) AS s FROM t",
        "SELECT name, row_number() OVER (ORDER BY id DESC) AS r FROM t ORDER BY name",
        "SELECT a.name, b.secret FROM t a JOIN t b ON a.id = b.id - 1 ORDER BY 1",
        "SELECT id FROM t WHERE id IN (SELECT max(id) FROM t)",
        "SELECT id FROM t UNION ALL SELECT secret FROM t ORDER BY id",
        "SELECT 1 AS one",
        "SELECT * FROM (VALUES (1, 'x'), (2, 'y')) AS v (a, b)",
    ] {
        let plan = consumed(&context, &produced(sql).await).await;
        let plan = plan.unwrap_or_else(|error| panic!("{sql}: {error}"));
        let asked = context.sql(sql).await.unwrap().into_unoptimized_plan();
        assert_eq!(
            rows(&context, plan).await,
            rows(&context, asked).await,
            "{sql}"
        );
    }
}

/// The table uses filters as hints at most, and the rows are still filtered.
#[tokio::test]
async fn filter_of_a_read_is_applied() {
    let context = session(&[0, 1, 2]);
    let source = provider_as_source(context.table_provider("t").await.unwrap());
    let filters = vec![col("id").gt(lit(2i64))];
    let scan = LogicalPlanBuilder::scan_with_filters("t", source, Some(vec![1, 0]), filters);
    let scan = scan.unwrap().build().unwrap();
    let produced = to_substrait_plan(&scan, &context.state()).unwrap();
    let Some(RelType::Read(read)) = rel(&produced).rel_type else {
        panic!("{produced:?}");
    };
    assert!(read.filter.is_some());
    let plan = consumed(&context, &produced).await.unwrap();
    assert_eq!(
        rows(&context, plan).await,
        "+------+----+\n| name | id |\n+------+----+\n| c    | 3  |\n+------+----+"
    );
}

#[tokio::test]
async fn names_that_are_not_there_are_told_as_for_sql() {
    let seen = session(&[0, 1]);
    let missing = consumed(&seen, &produced("SELECT id, secret FROM t").await).await;
    let missing = missing.unwrap_err();
    assert_eq!(missing.code(), Code::ColumnNotFound);
    assert!(missing.message().contains("secret"), "{missing}");
    // A plan over a table with three columns, one of which does not exist, is refused whatever it
    // does with that column.
    let whole = produced("SELECT id FROM t").await;
    let refused = consumed(&seen, &whole).await.unwrap_err();
    assert_eq!(refused.code(), Code::ColumnNotFound);
    let mut other = read(&whole);
    other.read_type = Some(ReadType::NamedTable(NamedTable {
        names: vec!["no_such_table".to_owned()],
        advanced_extension: None,
    }));
    let refused = refusal(&of(&whole, RelType::Read(Box::new(other)))).await;
    assert_eq!(refused.code(), Code::TableNotFound, "{refused}");
}

#[tokio::test]
async fn relations_that_do_more_than_read_tables_are_refused() {
    let plan = produced("SELECT id FROM t").await;
    let input = || Some(Box::new(rel(&plan)));
    let reading = |read_type| {
        RelType::Read(Box::new(ReadRel {
            base_schema: Some(Default::default()),
            read_type: Some(read_type),
            ..ReadRel::default()
        }))
    };
    let file = local_files::FileOrFiles {
        path_type: Some(local_files::file_or_files::PathType::UriFile(
            "file:///etc/t".to_owned(),
        )),
        ..Default::default()
    };
    for (rel, part) in [
        (
            reading(ReadType::LocalFiles(LocalFiles {
                items: vec![file],
                ..Default::default()
            })),
            "files",
        ),
        (
            reading(ReadType::ExtensionTable(Default::default())),
            "extension table",
        ),
        (
            reading(ReadType::IcebergTable(Default::default())),
            "Iceberg",
        ),
        (
            RelType::ExtensionLeaf(ExtensionLeafRel::default()),
            "extension relation",
        ),
        (
            RelType::Write(Box::new(WriteRel {
                input: input(),
                ..Default::default()
            })),
            "writes",
        ),
        (RelType::Ddl(Box::default()), "DDL"),
        (RelType::Update(Box::default()), "writes"),
        (
            RelType::Exchange(Box::new(ExchangeRel {
                input: input(),
                ..Default::default()
            })),
            "exchange",
        ),
    ] {
        let refused = refusal(&of(&plan, rel)).await;
        assert_eq!(refused.code(), Code::NotSupported, "{part}");
        assert!(refused.message().contains(part), "{refused}");
    }
}

#[tokio::test]
async fn bytes_that_are_no_plan_are_refused() {
    let context = session(&[0, 1, 2]);
    let state = context.state();
    for bytes in [&b""[..], b"SELECT 1", &[0xff; 64], &[0; MAX_BYTES + 1]] {
        let refused = super::plan(&state, bytes).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidQuery, "{refused}");
    }
    let mut newer = produced("SELECT id FROM t").await;
    newer.version = Some(Version {
        major_number: SUBSTRAIT_MAJOR_VERSION + 1,
        ..Version::default()
    });
    let refused = refusal(&newer).await;
    assert!(refused.message().contains("are read"), "{refused}");
    // Errors that the consumer does not check for.
    let plan = produced("SELECT id FROM t").await;
    let out_of_range = RelCommon {
        emit_kind: Some(EmitKind::Emit(Emit {
            output_mapping: vec![99],
        })),
        ..RelCommon::default()
    };
    for rel in [
        RelType::Filter(Box::default()),
        RelType::Cross(Box::default()),
        RelType::Fetch(Box::new(FetchRel {
            common: Some(out_of_range),
            input: Some(Box::new(rel(&plan))),
            ..FetchRel::default()
        })),
    ] {
        let refused = refusal(&of(&plan, rel)).await;
        assert!(
            matches!(refused.code(), Code::InvalidQuery | Code::NotSupported),
            "{refused}"
        );
    }
}

#[tokio::test]
async fn plans_that_nest_deep_or_copy_much_are_refused() {
    let plan = produced("SELECT id FROM t").await;
    let filtered = |rel: Rel| Rel {
        rel_type: Some(RelType::Fetch(Box::new(FetchRel {
            input: Some(Box::new(rel)),
            ..FetchRel::default()
        }))),
    };
    let nested = |depth| (0..depth).fold(rel(&plan), |inner, _| filtered(inner));
    // As deep as the decoder allows, which must fit on the threads' stacks.
    consumed(
        &session(&[0, 1, 2]),
        &of(&plan, nested(40).rel_type.unwrap()),
    )
    .await
    .unwrap();
    let casts = (0..40).fold(literal(), |inner, _| Expression {
        rex_type: Some(expression::RexType::Cast(Box::new(expression::Cast {
            r#type: Some(Type {
                kind: Some(r#type::Kind::I64(r#type::I64::default())),
            }),
            input: Some(Box::new(inner)),
            ..expression::Cast::default()
        }))),
    });
    let cast = RelType::Project(Box::new(ProjectRel {
        input: Some(Box::new(rel(&plan))),
        expressions: vec![casts],
        ..ProjectRel::default()
    }));
    consumed(&session(&[0, 1, 2]), &of(&plan, cast))
        .await
        .unwrap();
    let refused = refusal(&of(&plan, nested(200).rel_type.unwrap())).await;
    assert!(refused.message().contains("recursion"), "{refused}");

    let inputs = vec![rel(&plan); MAX_RELATIONS];
    let union = RelType::Set(SetRel {
        inputs,
        op: set_rel::SetOp::UnionAll.into(),
        ..SetRel::default()
    });
    let refused = refusal(&of(&plan, union)).await;
    assert!(refused.message().contains("relations"), "{refused}");

    let many = expression::SingularOrList {
        value: Some(Box::new(literal())),
        options: vec![literal(); 10_000],
    };
    let copied = RelType::Project(Box::new(ProjectRel {
        common: Some(RelCommon {
            emit_kind: Some(EmitKind::Emit(Emit {
                output_mapping: vec![1; 10_000],
            })),
            ..RelCommon::default()
        }),
        input: Some(Box::new(rel(&plan))),
        expressions: vec![Expression {
            rex_type: Some(expression::RexType::SingularOrList(Box::new(many))),
        }],
        ..ProjectRel::default()
    }));
    let refused = refusal(&of(&plan, copied)).await;
    assert!(refused.message().contains("expressions"), "{refused}");
}

fn literal() -> Expression {
    Expression {
        rex_type: Some(expression::RexType::Literal(expression::Literal {
            literal_type: Some(expression::literal::LiteralType::I64(1)),
            ..expression::Literal::default()
        })),
    }
}

/// Whichever byte is changed, there is an answer.
#[tokio::test]
async fn damaged_plans_are_answered() {
    let context = session(&[0, 1, 2]);
    let sql = "SELECT name, sum(id) FROM t WHERE id IN (1, 2) GROUP BY name ORDER BY 2 LIMIT 5";
    let whole = produced(sql).await.encode_to_vec();
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let mut planned = 0;
    for index in 0..whole.len() {
        for value in [0, 1, 0x7f, 0xff] {
            let mut bytes = whole.clone();
            bytes[index] = value;
            if super::plan(&context.state(), &bytes).await.is_ok() {
                planned += 1;
            }
        }
    }
    std::panic::set_hook(hook);
    assert!(planned > 0);
}
