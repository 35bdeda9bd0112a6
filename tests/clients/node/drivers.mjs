// node's pg with pg-cursor and pg-query-stream, and postgres.js, against a running demo.
import { client, distrusting, end, forever, lakeTable, refused, require, running, same, settings } from "./runner.mjs";

const pg = require("pg");
const Cursor = require("pg-cursor");
const QueryStream = require("pg-query-stream");
const postgres = require("postgres");

const ID = "6ba7b810-9dad-11d1-80b4-00c04fd430c8";
const AT = new Date("2024-02-29T12:34:56.789Z");


const admin = new pg.Client(settings());
await admin.connect();
const query = async (sql) => (await admin.query(sql)).rows;

async function connected(check, user) {
  const connection = new pg.Client(settings(user));
  await connection.connect();
  try {
    return await check(connection);
  } finally {
    await connection.end();
  }
}

const RESULTS =
  "SELECT NULL::int AS a, true AS b, 7::int AS c, 9007199254740993::bigint AS d, 2.5::double precision AS e," +
  " CAST('12.50' AS numeric(10,2)) AS f, 'dß€😀'::text AS g, TIMESTAMP '2024-02-29 12:34:56.789' AS h," +
  " '2024-02-29 12:34:56.789+00'::timestamptz AS i, '\\x00ff'::bytea AS j, '{\"a\": [1, null]}'::json AS k," +
  " ARRAY[1::int, 2::int, NULL] AS l, ARRAY['a', 'b,c', NULL] AS m, ARRAY[9007199254740993::bigint] AS n";

{
  const check = client("node pg", "pg");
  await check("TLS with certificate verification", async () => {
    same(await connected((c) => c.query("SELECT 1::int AS one").then((r) => r.rows)), [{ one: 1 }]);
    await refused(new pg.Client(distrusting()).connect(), (error) => same(/certificate|self-signed/.test(error.message), true));
  });
  await check("error for a wrong password", async () => {
    await refused(new pg.Client({ ...settings(), password: "wrong" }).connect(), (error) => {
      same([error.code, error.severity], ["28P01", "FATAL"]);
      same(error.message, 'password authentication failed for user "admin"');
    });
  });
  await check("simple query", async () => {
    const result = await admin.query("SELECT current_user AS u; SELECT 2::int AS two");
    same(result.map((r) => r.rows), [[{ u: "admin" }], [{ two: 2 }]]);
  });
  await check("results of all types", async () => {
    const [row] = await query(RESULTS);
    same(Object.values(row), [
      null, true, 7, "9007199254740993", 2.5, "12.50", "dß€😀", AT, AT, Buffer.from([0, 255]), { a: [1, null] },
      [1, 2, null], ["a", "b,c", null], ["9007199254740993"],
    ]);
    const [{ i, d }] = await query("SELECT INTERVAL '1 day 2 hours' AS i, DATE '2024-02-29' AS d");
    same([i.days, i.hours, d.toISOString().slice(0, 10)], [1, 2, "2024-02-29"]);
  });
  await check("parameters of all types", async () => {
    const sql =
      "SELECT $1::int AS a, $2::bigint AS b, $3::double precision AS c, $4::text AS d, $5::boolean AS e, $6::timestamptz AS f," +
      " $7::date::text AS g, $8::bytea AS h, $9::json AS i, $10::int[] AS j, $11::text[] AS k, $12::numeric AS l, $13::uuid AS m," +
      " $14::int IS NULL AS n, $15::interval::text AS o";
    const values = [
      7, "9007199254740993", 2.5, "d'ß\\", true, AT, "2024-02-29", Buffer.from([0, 255]), { a: 1 }, [1, null], ['b"c', null],
      "1.5", ID, null, "1 day 2 hours",
    ];
    const [row] = (await admin.query(sql, values)).rows;
    same(Number(row.l), 1.5);
    same(Object.values({ ...row, l: "1.5" }), [...values.slice(0, 13), true, "1 day 02:00:00"]);
    // Types are known from the columns.
    const count = "SELECT count(*)::int AS n FROM curated.orders WHERE order_date = $1 AND quantity >= $2 AND total < $3 AND order_id = ANY($4)";
    const [{ order_id }] = await query("SELECT order_id FROM curated.orders WHERE order_date = DATE '2024-05-05' LIMIT 1");
    same((await admin.query(count, ["2024-05-05", 1, "1000000.00", [order_id]])).rows, [{ n: 1 }]);
    const page = "SELECT order_id FROM curated.orders ORDER BY order_id LIMIT $1 OFFSET $2";
    same((await admin.query(page, ["2", "1"])).rows.length, 2);
  });
  await check("prepared statement", async () => {
    for (const n of [1, 2]) {
      const result = await admin.query({ name: "twice", text: "SELECT $1::int AS given", values: [n] });
      same(result.rows, [{ given: n }]);
    }
  });
  await check("transaction with rollback", () =>
    lakeTable(query, "of_node_pg", async () => {
      await query("BEGIN");
      await admin.query("INSERT INTO of_node_pg.things (id, name) VALUES ($1, $2)", [1, "one"]);
      await query("ROLLBACK");
      same(await query("SELECT id FROM of_node_pg.things"), []);
    }));
  await check("bulk load", () =>
    lakeTable(query, "of_node_pg", async () => {
      await admin.query("INSERT INTO of_node_pg.things (id, name, at) VALUES ($1, $2, $3), ($4, $5, $6)", [1, "one", AT, 2, null, null]);
      same(await query("SELECT id, name, at FROM of_node_pg.things ORDER BY id"), [{ id: 1, name: "one", at: AT }, { id: 2, name: null, at: null }]);
    }));
  await check("SQLSTATE and position of an error", () =>
    refused(query("SELECT order_id, no_such FROM curated.orders"), (error) => same([error.code, error.position], ["42703", "18"])));
  await check("cancel by pg_cancel_backend", () =>
    connected(async (connection) => {
      const { pid } = (await connection.query("SELECT pg_backend_pid() AS pid")).rows[0];
      same(pid, connection.processID);
      const stopped = refused(connection.query(forever("node-pg-cancel")), (error) => same(error.code, "57014"));
      await running(query, "node-pg-cancel", 1);
      same((await admin.query("SELECT pg_cancel_backend($1) AS done", [pid])).rows, [{ done: true }]);
      await stopped;
      same((await connection.query("SELECT 1::int AS one")).rows, [{ one: 1 }]);
    }));
  await check("timeout", async () => {
    const connection = new pg.Client({ ...settings(), statement_timeout: 300 });
    await connection.connect();
    await refused(connection.query(forever("node-pg-timeout")), (error) => same([error.code, /statement timeout/.test(error.message)], ["57014", true]));
    await connection.end();
  });
  await check("pool", async () => {
    const pool = new pg.Pool({ ...settings(), max: 3 });
    const sums = await Promise.all([1, 2, 3, 4, 5, 6].map((n) => pool.query("SELECT $1::int + 1 AS n", [n])));
    same(sums.map((result) => Number(result.rows[0].n)), [2, 3, 4, 5, 6, 7]);
    await pool.end();
  });
  await check("columns without a grant are hidden", () =>
    connected(async (scientist) => {
      const result = await scientist.query("SELECT * FROM curated.customers LIMIT 1");
      same(result.fields.map((field) => field.name), ["customer_id", "segment", "region"]);
    }, "scientist"));
}

{
  const check = client("pg-cursor", "pg-cursor");
  await check("reading a result in pieces", () =>
    connected(async (connection) => {
      const cursor = connection.query(new Cursor("SELECT x::int AS x FROM generate_series(1, $1::int) t(x) ORDER BY x", [250]));
      const sizes = [];
      for (let rows = await cursor.read(100); rows.length > 0; rows = await cursor.read(100)) sizes.push(rows.length, rows[0].x);
      same(sizes, [100, 1, 100, 101, 50, 201]);
      const other = connection.query(new Cursor("SELECT x FROM generate_series(1, 100000000) t(x)"));
      same((await other.read(10)).length, 10);
      await other.close();
      same((await connection.query("SELECT 1::int AS one")).rows, [{ one: 1 }]);
    }));
}

{
  const check = client("pg-query-stream", "pg-query-stream");
  await check("reading a result in pieces", () =>
    connected(async (connection) => {
      let sum = 0;
      for await (const row of connection.query(new QueryStream("SELECT x::int AS x FROM generate_series(1, 1000) t(x)", [], { batchSize: 64 }))) sum += row.x;
      same(sum, 500500);
      // Stopped in the middle.
      let seen = 0;
      for await (const row of connection.query(new QueryStream("SELECT x FROM generate_series(1, 100000000) t(x)"))) {
        same(row.x !== undefined, true);
        if (++seen === 300) break;
      }
      same((await connection.query("SELECT 1::int AS one")).rows, [{ one: 1 }]);
    }));
}

{
  const check = client("postgres.js", "postgres");
  const options = (user) => ({ ...settings(user), username: user ?? "admin", max: 1, onnotice: () => {} });
  const sql = postgres(options());
  await check("TLS with certificate verification", async () => {
    same([...(await sql`SELECT current_user AS u`)], [{ u: "admin" }]);
    const other = postgres({ ...options(), ...distrusting() });
    await refused(other`SELECT 1`, (error) => same(/certificate|self-signed/.test(error.message), true));
    await other.end();
  });
  await check("error for a wrong password", async () => {
    const other = postgres({ ...options(), password: "wrong" });
    await refused(other`SELECT 1`, (error) => same(error.code, "28P01"));
    await other.end();
  });
  await check("simple query", async () => {
    const results = await sql.unsafe("SELECT 1::int AS one; SELECT 2::int AS two").simple();
    same(results.map((rows) => [...rows]), [[{ one: 1 }], [{ two: 2 }]]);
  });
  await check("results of all types", async () => {
    const [row] = await sql.unsafe(RESULTS);
    same(Object.values(row).slice(0, 7), [null, true, 7, "9007199254740993", 2.5, "12.50", "dß€😀"]);
    same([row.h, row.i, [...row.j], row.k], [AT, AT, [0, 255], { a: [1, null] }]);
    // The driver itself reads NULL in an array as a text.
    same([row.l.slice(0, 2), row.m.slice(0, 2), [...row.n]], [[1, 2], ["a", "b,c"], ["9007199254740993"]]);
  });
  await check("parameters of all types", async () => {
    const [row] = await sql`
      SELECT ${7}::int AS a, ${"9007199254740993"}::bigint AS b, ${2.5}::double precision AS c, ${"d'ß"}::text AS d, ${true}::boolean AS e,
        ${AT}::timestamptz AS f, ${"2024-02-29"}::date::text AS g, ${Buffer.from([0, 255])}::bytea AS h, ${sql.json({ a: 1 })}::json AS i,
        ${[1, 2]}::int[] AS j, ${["a", 'b"c']}::text[] AS k, ${null}::int IS NULL AS l`;
    same({ ...row, h: [...row.h], j: [...row.j], k: [...row.k] }, {
      a: 7, b: "9007199254740993", c: 2.5, d: "d'ß", e: true, f: AT, g: "2024-02-29", h: [0, 255], i: { a: 1 }, j: [1, 2],
      k: ["a", 'b"c'], l: true,
    });
    const days = ["2024-05-05", "2024-05-06"];
    const [{ n }] = await sql`SELECT count(*)::int AS n FROM curated.orders WHERE order_date IN ${sql(days)} AND quantity >= ${1}`;
    const [{ m }] = await sql`SELECT count(*)::int AS m FROM curated.orders WHERE order_date = ANY(${days}::date[])`;
    same([n > 0, n], [true, m]);
  });
  await check("prepared statement", async () => {
    for (const n of [1, 2]) same([...(await sql`SELECT ${n}::int AS given`)], [{ given: n }]);
  });
  await check("reading a result in pieces", async () => {
    const sizes = [];
    await sql`SELECT x::int AS x FROM generate_series(1, 250) t(x) ORDER BY x`.cursor(100, (rows) => void sizes.push(rows.length, rows[0].x));
    same(sizes, [100, 1, 100, 101, 50, 201]);
    for await (const [row] of sql`SELECT x::int AS x FROM generate_series(1, 100000000) t(x)`.cursor()) {
      same(row.x > 0, true);
      break;
    }
    same([...(await sql`SELECT 1::int AS one`)], [{ one: 1 }]);
  });
  await check("transaction with rollback", () =>
    lakeTable(query, "of_postgres_js", async () => {
      await refused(
        sql.begin(async (tx) => {
          await tx`INSERT INTO of_postgres_js.things (id) VALUES (${1})`;
          throw new Error("no");
        }),
        (error) => same(error.message, "no"),
      );
      await sql.begin(async (tx) => {
        await refused(tx.savepoint((sp) => sp`SELECT 1 / 0`), (error) => same(error.code, "22012"));
        await tx`INSERT INTO of_postgres_js.things (id) VALUES (${2})`;
      });
      same([...(await sql`SELECT id FROM of_postgres_js.things`)], [{ id: 2 }]);
    }));
  await check("SQLSTATE and position of an error", () =>
    refused(sql`SELECT order_id, no_such FROM curated.orders`, (error) => same([error.code, error.position], ["42703", "18"])));
  await check("cancel", async () => {
    const pending = sql.unsafe(forever("postgres-js-cancel"));
    const stopped = refused(pending, (error) => same(error.code, "57014"));
    await running(query, "postgres-js-cancel", 1);
    pending.cancel();
    await stopped;
    await running(query, "postgres-js-cancel", 0);
    same([...(await sql`SELECT 1::int AS one`)], [{ one: 1 }]);
  });
  await check("timeout", async () => {
    const other = postgres({ ...options(), connection: { statement_timeout: 300 } });
    await refused(other.unsafe(forever("postgres-js-timeout")), (error) => same(error.code, "57014"));
    await other.end();
  });
  await check("bulk load", () =>
    lakeTable(query, "of_postgres_js", async () => {
      await sql`INSERT INTO of_postgres_js.things ${sql([{ id: 1, name: "one" }, { id: 2, name: null }])}`;
      const into = await sql`COPY of_postgres_js.things (id, name) FROM STDIN`.writable();
      await new Promise((resolve, reject) => {
        into.on("error", reject).on("finish", resolve);
        into.end("3\tthree\n");
      });
      same([...(await sql`SELECT id, name FROM of_postgres_js.things ORDER BY id`)], [
        { id: 1, name: "one" }, { id: 2, name: null }, { id: 3, name: "three" },
      ]);
    }));
  await check("COPY TO", async () => {
    const parts = [];
    for await (const part of await sql`COPY (SELECT 1, 'a,b') TO STDOUT (FORMAT csv)`.readable()) parts.push(part);
    same(Buffer.concat(parts).toString(), '1,"a,b"\n');
  });
  await check("columns without a grant are hidden", async () => {
    const scientist = postgres(options("scientist"));
    const [row] = await scientist`SELECT * FROM curated.customers LIMIT 1`;
    same(Object.keys(row), ["customer_id", "segment", "region"]);
    await scientist.end();
  });
  await sql.end();
}

await admin.end();
end();
