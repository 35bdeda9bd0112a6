//! What other sessions see of a write in progress, and what remains of a write that does not
//! complete.

use super::*;

#[tokio::test]
async fn rows_are_seen_together_when_they_are_committed() {
    let server = Server::private(LITTLE_MEMORY);
    let admin = server.connect("admin").await;
    let folder = sales_table(&server, &admin, "ing_atomic").await;
    let count = "SELECT count(*) FROM ing_atomic.sales";
    let command = into("ing_atomic.sales", Mode::Append);
    let (mut sender, call) = slowly(server.flight("admin").await, command);
    sender.send(Ok(long_sales(1_500))).await.unwrap();
    eventually("files are written", async || {
        let found = files(&folder.path);
        let ended = |file: &&String| file.ends_with(".parquet");
        (found.iter().filter(ended).count() > 100).then_some(())
    })
    .await;
    assert_eq!(admin.text(count).await, "1");
    // A repair during the write finds the folders, but no rows in them.
    admin.run("MSCK REPAIR TABLE ing_atomic.sales").await;
    assert_eq!(admin.text(count).await, "1");
    drop(sender);
    assert_eq!(call.await.unwrap().unwrap(), 1_500);
    assert_eq!(admin.text(count).await, "1501");
    assert_eq!(files(&folder.path).len(), 1_501);
}

#[tokio::test]
async fn broken_and_cancelled_streams_leave_nothing() {
    let server = Arc::new(Server::private(LITTLE_MEMORY));
    let admin = server.connect("admin").await;
    let folder = sales_table(&server, &admin, "ing_broken").await;
    let before = files(&folder.path);
    let rows = || Ok::<_, FlightError>(long_sales(1_100));
    let written = || {
        let folder = folder.path.clone();
        async move { (files(&folder).len() > 200).then_some(()) }
    };
    let append = || into("ing_broken.sales", Mode::Append);

    // The client disconnects.
    let elsewhere = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let (command, of_client) = (append(), Arc::clone(&server));
    let (mut sender, call) = elsewhere
        .spawn(async move { slowly(of_client.flight("admin").await, command) })
        .await
        .unwrap();
    sender.send(rows()).await.unwrap();
    eventually("files are written", written).await;
    elsewhere.shutdown_background();
    assert!(call.await.unwrap_err().is_cancelled());
    eventually("the files are gone", async || {
        (files(&folder.path) == before).then_some(())
    })
    .await;
    drop(sender);

    // The query is killed.
    let (mut sender, call) = slowly(server.flight("admin").await, append());
    sender.send(rows()).await.unwrap();
    eventually("files are written", written).await;
    let id = admin
        .text("SELECT query_id FROM system.queries WHERE query LIKE 'INSERT INTO ing_broken.sales%' AND state = 'RUNNING'")
        .await;
    admin.run(&format!("KILL '{id}'")).await;
    let stopped = call.await.unwrap().unwrap_err();
    assert_eq!(stopped.code(), Code::Cancelled, "{stopped:?}");
    drop(sender);
    assert_eq!(files(&folder.path), before);

    // Valid rows are followed by a message that is not a batch.
    let mut flight = server.flight("admin").await;
    let descriptor = FlightDescriptor::new_cmd(append().as_any().encode_to_vec());
    let mut data: Vec<FlightData> = FlightDataEncoderBuilder::new()
        .with_flight_descriptor(Some(descriptor))
        .build(futures::stream::iter([rows()]))
        .try_collect()
        .await
        .unwrap();
    data.push(FlightData::new().with_data_header("garbage"));
    let request = flight.request(futures::stream::iter(data));
    let refused = flight.sql.inner_mut().do_put(request).await.unwrap_err();
    assert!(refused.message().contains("malformed"), "{refused:?}");
    assert_eq!(files(&folder.path), before);
    assert_eq!(
        admin.text("SELECT count(*) FROM ing_broken.sales").await,
        "1"
    );
    let folders = fs::read_dir(folder.path.join("sales")).unwrap().count();
    assert_eq!(folders, 1, "empty folders are left");
    let open = admin
        .number("SELECT count(*) FROM system.queries WHERE query LIKE 'INSERT INTO ing_broken.sales%' AND state = 'RUNNING'")
        .await;
    assert_eq!(open, 0);
}

#[tokio::test]
async fn table_that_changes_while_rows_come_is_not_written_to() {
    let server = Server::shared();
    let admin = server.connect("admin").await;
    let folder = sales_table(server, &admin, "ing_changed").await;
    let before = files(&folder.path);
    let command = into("ing_changed.sales", Mode::Append);
    let (mut sender, call) = slowly(server.flight("admin").await, command);
    sender.send(Ok(sales(&[19_800], &[2]))).await.unwrap();
    eventually("the write has begun", async || {
        let running = admin.number("SELECT count(*) FROM system.queries WHERE query LIKE 'INSERT INTO ing_changed.sales%' AND state = 'RUNNING'");
        (running.await == 1).then_some(())
    })
    .await;
    admin
        .run("ALTER TABLE ing_changed.sales ADD COLUMNS (extra INT)")
        .await;
    drop(sender);
    let refused = call.await.unwrap().unwrap_err();
    assert_eq!(refused.metadata().get("sqlstate").unwrap(), "40001");
    assert!(
        refused.message().contains("ing_changed.sales"),
        "{refused:?}"
    );
    assert_eq!(files(&folder.path), before);
}

#[tokio::test]
async fn query_that_reads_a_replaced_table_reads_it_to_its_end() {
    let server = Server::shared();
    let admin = server.connect("admin").await;
    let folder = Folder::new(server, "ing_reader");
    admin
        .run(&format!(
            "CREATE DATABASE ing_reader LOCATION '{}'",
            folder.location
        ))
        .await;
    let mut flight = server.flight("admin").await;
    let rows = |from: i64| {
        let numbers: Vec<i64> = (from..from + 200_000).collect();
        batch(&[("n", Values::Int(&numbers))])
    };
    let many = (0..10).map(|n| rows(n * 200_000)).collect();
    let command = into("ing_reader.t", Mode::Create);
    assert_eq!(ingest(&mut flight, command, many).await.unwrap(), 2_000_000);
    flight.run("SET result_reuse = off").await;
    let ticket = flight
        .ticket("SELECT n, n + 1, n + 2, n + 3 FROM ing_reader.t")
        .await
        .unwrap();
    let mut reading = flight.sql.do_get(ticket).await.unwrap();
    let mut seen = reading.next().await.unwrap().unwrap().num_rows();
    let mut other = server.flight("admin").await;
    let command = into("ing_reader.t", Mode::Replace);
    assert_eq!(
        ingest(&mut other, command, vec![rows(0)]).await.unwrap(),
        200_000
    );
    assert_eq!(
        admin.text("SELECT count(*) FROM ing_reader.t").await,
        "200000"
    );
    while let Some(batch) = reading.next().await {
        seen += batch.unwrap().num_rows();
    }
    assert_eq!(seen, 2_000_000);
    drop(reading);
    eventually("the old files are gone", async || {
        (files(&folder.path).len() == 1).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn write_that_a_kill_interrupts_is_cleared_at_the_next_start() {
    let temp = lake::copy(&Options::small());
    let dir = temp.path().join("lake");
    let mut server = Server::demo(&dir, &Options::small(), LITTLE_MEMORY);
    let admin = server.connect("admin").await;
    let folder = sales_table(&server, &admin, "ing_killed").await;
    // A partition at another location is written to as well.
    let elsewhere = Folder::new(&server, "elsewhere");
    admin
        .run(&format!(
            "ALTER TABLE ing_killed.sales ADD PARTITION (day = '1970-01-02') LOCATION '{}'",
            elsewhere.location
        ))
        .await;
    let before = files(&folder.path);
    let command = into("ing_killed.sales", Mode::Append);
    let (mut sender, call) = slowly(server.flight("admin").await, command);
    sender.send(Ok(long_sales(1_500))).await.unwrap();
    eventually("files are written", async || {
        let elsewhere = files(&elsewhere.path).len();
        (files(&folder.path).len() > 200 && elsewhere > 0).then_some(())
    })
    .await;
    server.kill();
    assert!(call.await.unwrap().is_err());
    assert!(files(&folder.path).len() > before.len());
    let server = Server::demo(&dir, &Options::small(), &[]);
    let admin = server.connect("admin").await;
    assert_eq!(
        admin.text("SELECT count(*) FROM ing_killed.sales").await,
        "1"
    );
    eventually("the files are gone", async || {
        (files(&folder.path) == before && files(&elsewhere.path).is_empty()).then_some(())
    })
    .await;
    // Rows of the partition at another location are written there.
    let mut flight = server.flight("admin").await;
    let command = into("ing_killed.sales", Mode::Append);
    let written = ingest(&mut flight, command, vec![sales(&[1], &[3])]).await;
    assert_eq!(written.unwrap(), 1);
    assert_eq!(files(&elsewhere.path).len(), 1);
    assert_eq!(
        admin.text("SELECT sum(amount) FROM ing_killed.sales").await,
        "4"
    );
}
