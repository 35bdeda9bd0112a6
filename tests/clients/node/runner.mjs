// Runs checks one by one, and notes in $LAKEGATE_SHOWN what each shows of a client: a line of JSON each.
import { strict as assert } from "node:assert";
import { appendFileSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { randomUUID } from "node:crypto";

export const require = createRequire(new URL(process.env.LAKEGATE_NODE_MODULES + "/", "file:"));
const demo = JSON.parse(process.env.LAKEGATE_CONNECTION);
const failures = [];

export function settings(user = "admin", database = "awsdatacatalog") {
  const password = demo.users.find((u) => u.name === user).password;
  return {
    host: demo.postgres.host,
    port: demo.postgres.port,
    user,
    password,
    database,
    ssl: { ca: readFileSync(demo.tls.ca_file), rejectUnauthorized: true },
  };
}

/** Settings that trust nobody, so that the server's certificate is refused. */
export function distrusting() {
  return { ...settings(), ssl: { ca: [], rejectUnauthorized: true } };
}

process.on("unhandledRejection", (error) => failures.push(`nobody waited for: ${error.stack}`));

/** Checks of one client. */
export function client(name, distribution) {
  const version = JSON.parse(readFileSync(`${process.env.LAKEGATE_NODE_MODULES}/${distribution}/package.json`)).version;
  return async (capability, check) => {
    try {
      await check();
    } catch (error) {
      failures.push(`${name}: ${capability}: ${error.stack}\n${error.query ?? ""}`);
      return;
    }
    if (capability && process.env.LAKEGATE_SHOWN) {
      const line = { client: name, version, capability, fails_because: null };
      appendFileSync(process.env.LAKEGATE_SHOWN, JSON.stringify(line) + "\n");
    }
  };
}

export function forever(mark) {
  return (
    `SELECT /* ${mark} */ count(*) FROM generate_series(1, 100000) a(x), generate_series(1, 100000) b(y),` +
    " generate_series(1, 100000) c(z) WHERE x + y > z"
  );
}

/** Waits until as many queries with the mark run: `query` sends a statement and returns its rows. */
export async function running(query, mark, count) {
  const sql =
    "SELECT count(*)::int AS n FROM system.queries WHERE state = 'RUNNING'" +
    ` AND query LIKE '%/* ${mark} */%' AND query NOT LIKE '%system.queries%'`;
  for (let i = 0; i < 600; i++) {
    if ((await query(sql))[0].n === count) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`still not ${count} of ${mark}`);
}

/** Makes a table `things` and a view over it in a database of their own for the time of a check. */
export async function lakeTable(query, database, check) {
  await query(`DROP DATABASE IF EXISTS ${database} CASCADE`);
  await query(`CREATE DATABASE ${database}`);
  await query(
    `CREATE EXTERNAL TABLE ${database}.things (id int COMMENT 'the key', name string, price decimal(10,2), at timestamp)` +
      ` STORED AS PARQUET LOCATION 's3://datalake/${database}/${randomUUID()}/'`,
  );
  await query(`CREATE VIEW ${database}.named AS SELECT id, name FROM ${database}.things WHERE name IS NOT NULL`);
  try {
    await check();
  } finally {
    await query(`DROP DATABASE ${database} CASCADE`);
  }
}

export function same(found, expected) {
  assert.deepEqual(found, expected);
}

export async function refused(promise, check) {
  let error = null;
  try {
    await promise;
  } catch (caught) {
    error = caught;
  }
  assert(error, "should fail");
  check(error);
}

export function end() {
  for (const failure of failures) console.error(failure);
  console.log(failures.length ? `${failures.length} failed` : "all passed");
  process.exit(failures.length ? 1 : 0);
}
