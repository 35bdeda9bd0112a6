// knex, TypeORM and Drizzle against a running demo.
import { client, end, forever, lakeTable, refused, require, same, settings } from "./runner.mjs";

const pg = require("pg");
const makeKnex = require("knex");
require("reflect-metadata");
const typeorm = require("typeorm");
const { drizzle } = require("drizzle-orm/node-postgres");
const { and, desc, eq, gte, relations, sql, sum } = require("drizzle-orm");
const { date, decimal, integer, pgSchema, text, timestamp } = require("drizzle-orm/pg-core");

const AT = new Date("2024-02-29T12:34:56.789Z");
const admin = new pg.Client(settings());
await admin.connect();
const query = async (text) => (await admin.query(text)).rows;
const [{ n: ofTheDay }] = await query("SELECT count(*)::int AS n FROM curated.orders WHERE order_date = DATE '2024-05-05'");

{
  const check = client("knex", "knex");
  const knex = makeKnex({ client: "pg", connection: settings(), pool: { min: 0, max: 2 } });
  await check("simple query", async () => same((await knex.raw("SELECT 1::int AS one")).rows, [{ one: 1 }]));
  await check("parameters of all types", async () => {
    const [{ n }] = await knex("curated.orders").where({ order_date: "2024-05-05" }).andWhere("quantity", ">=", 1).count("* as n");
    same(Number(n), ofTheDay);
    const rows = await knex("curated.orders").select("order_id").whereIn("quantity", [1, 2, 3]).orderBy("order_id").limit(5).offset(2);
    same(rows.length, 5);
    same((await knex.withSchema("curated").from("products").first("product_id")) !== undefined, true);
  });
  await check("reading a result in pieces", async () => {
    let seen = 0;
    for await (const row of knex.raw("SELECT x::int AS x FROM generate_series(1, 500) t(x)").stream()) seen += row.x;
    same(seen, 125250);
  });
  await check("tables and columns", async () => {
    same(await knex.schema.withSchema("curated").hasTable("orders"), true);
    same(await knex.schema.withSchema("curated").hasTable("no_such"), false);
    const columns = await knex("orders").withSchema("curated").columnInfo();
    same([columns.quantity.type, columns.order_date.type], ["integer", "date"]);
  });
  await check("transaction with rollback", () =>
    lakeTable(query, "of_knex", async () => {
      await refused(
        knex.transaction(async (tx) => {
          await tx("of_knex.things").insert({ id: 1 });
          throw new Error("no");
        }),
        (error) => same(error.message, "no"),
      );
      same(await knex("of_knex.things").select("id"), []);
    }));
  await check("bulk load", () =>
    lakeTable(query, "of_knex", async () => {
      await knex.batchInsert("of_knex.things", [{ id: 1, name: "one", at: AT }, { id: 2, name: null }, { id: 3 }], 2);
      same(await knex("of_knex.things").select("id", "name").orderBy("id"), [
        { id: 1, name: "one" }, { id: 2, name: null }, { id: 3, name: null },
      ]);
    }));
  await check("timeout", () =>
    refused(knex.raw(forever("knex-timeout")).timeout(300, { cancel: true }), (error) => same(error.name, "KnexTimeoutError")));
  await knex.destroy();
}

{
  const check = client("TypeORM", "typeorm");
  const Thing = new typeorm.EntitySchema({
    name: "Thing",
    tableName: "things",
    schema: "of_typeorm",
    columns: {
      id: { type: "int", primary: true },
      name: { type: "text", nullable: true },
      price: { type: "decimal", precision: 10, scale: 2, nullable: true },
      at: { type: "timestamp", nullable: true },
    },
  });
  const { host, port, user, password, database, ssl } = settings();
  const source = new typeorm.DataSource({
    type: "postgres", host, port, username: user, password, database, ssl, entities: [Thing], synchronize: false, installExtensions: false,
  });
  await check("TLS with certificate verification", async () => {
    await source.initialize();
    same(await source.query("SELECT $1::int AS one", [1]), [{ one: 1 }]);
  });
  await check("tables and columns", () =>
    lakeTable(query, "of_typeorm", async () => {
      const runner = source.createQueryRunner();
      try {
        const table = await runner.getTable("of_typeorm.things");
        same(table.columns.map((column) => [column.name, column.type]), [
          ["id", "integer"], ["name", "text"], ["price", "numeric"], ["at", "timestamp without time zone"],
        ]);
        same([table.foreignKeys, table.indices], [[], []]);
        same(await runner.hasTable("curated.orders"), true);
        same((await runner.getSchemas([])).includes("curated") || (await runner.hasSchema("curated")), true);
      } finally {
        await runner.release();
      }
    }));
  await check("bulk load", () =>
    lakeTable(query, "of_typeorm", async () => {
      const things = source.getRepository(Thing);
      await things.createQueryBuilder().insert().values([{ id: 1, name: "one", price: "12.50", at: AT }, { id: 2 }]).execute();
      const found = await things.find({ where: { name: typeorm.Like("o%"), at: typeorm.LessThanOrEqual(AT) } });
      same(found.map((thing) => [thing.id, thing.name, thing.price]), [[1, "one", "12.50"]]);
      same(await things.count(), 2);
      const [page, total] = await things.findAndCount({ order: { id: "DESC" }, take: 1, skip: 1 });
      same([page[0].id, total], [1, 2]);
    }));
  await check("transaction with rollback", () =>
    lakeTable(query, "of_typeorm", async () => {
      await refused(
        source.transaction(async (manager) => {
          await manager.createQueryBuilder().insert().into(Thing).values({ id: 1 }).execute();
          throw new Error("no");
        }),
        (error) => same(error.message, "no"),
      );
      same(await source.getRepository(Thing).count(), 0);
    }));
  await check("reading a result in pieces", async () => {
    // It needs pg-query-stream.
    const runner = source.createQueryRunner();
    const stream = await runner.stream("SELECT x::int AS x FROM generate_series(1, 500) t(x)");
    let seen = 0;
    for await (const row of stream) seen += row.x;
    await runner.release();
    same(seen, 125250);
  });
  if (source.isInitialized) await source.destroy();
}

{
  const check = client("Drizzle", "drizzle-orm");
  const pool = new pg.Pool({ ...settings(), max: 2 });
  const db = drizzle(pool);
  const orders = pgSchema("curated").table("orders", {
    orderId: text("order_id"), customerId: text("customer_id"), quantity: integer(), total: decimal(), day: date("order_date"),
  });
  const things = pgSchema("of_drizzle").table("things", { id: integer(), name: text(), price: decimal(), at: timestamp() });
  await check("simple query", async () => same((await db.execute(sql`SELECT ${1}::int AS one`)).rows, [{ one: 1 }]));
  await check("parameters of all types", async () => {
    same(await db.$count(orders, eq(orders.day, "2024-05-05")), ofTheDay);
    const best = await db
      .select({ customer: orders.customerId, spent: sum(orders.total) })
      .from(orders)
      .where(and(gte(orders.quantity, 1), eq(orders.day, "2024-05-05")))
      .groupBy(orders.customerId)
      .orderBy(desc(sum(orders.total)))
      .limit(3);
    const rows = await query(
      "SELECT customer_id AS customer, sum(total) AS spent FROM curated.orders WHERE order_date = DATE '2024-05-05' GROUP BY 1 ORDER BY 2 DESC LIMIT 3",
    );
    same(best.map((row) => row.spent), rows.map((row) => row.spent));
  });
  await check("parameters of all types", async () => {
    // Rows within rows: LATERAL, aggregates of JSON, and limits that are parameters.
    const customers = pgSchema("curated").table("customers", { customerId: text("customer_id"), region: text() });
    const one = relations(orders, ({ one }) => ({ customer: one(customers, { fields: [orders.customerId], references: [customers.customerId] }) }));
    const many = relations(customers, ({ many }) => ({ orders: many(orders) }));
    const related = drizzle(pool, { schema: { customers, orders, one, many } });
    const found = await related.query.customers.findMany({
      with: { orders: { limit: 2, orderBy: [orders.orderId], with: { customer: true } } }, orderBy: [customers.customerId], limit: 2,
    });
    const rows = await query(
      "SELECT c.customer_id, c.region, o.order_id, o.order_date::text AS day FROM (SELECT * FROM curated.customers ORDER BY customer_id LIMIT 2) c" +
        " JOIN LATERAL (SELECT * FROM curated.orders o WHERE o.customer_id = c.customer_id ORDER BY order_id LIMIT 2) o ON true ORDER BY 1, 3",
    );
    same(found.flatMap((customer) => customer.orders.map((order) => [order.customerId, order.customer.region, order.orderId, order.day])),
      rows.map((row) => [row.customer_id, row.region, row.order_id, row.day]));
  });
  await check("bulk load", () =>
    lakeTable(query, "of_drizzle", async () => {
      await db.insert(things).values([{ id: 1, name: "one", price: "12.50", at: AT }, { id: 2 }]);
      same(await db.select().from(things).orderBy(things.id), [
        { id: 1, name: "one", price: "12.50", at: AT }, { id: 2, name: null, price: null, at: null },
      ]);
    }));
  await check("transaction with rollback", () =>
    lakeTable(query, "of_drizzle", async () => {
      await refused(
        db.transaction(async (tx) => {
          await tx.insert(things).values({ id: 1 });
          tx.rollback();
        }),
        (error) => same(error.constructor.name, "TransactionRollbackError"),
      );
      same(await db.$count(things), 0);
    }));
  await check("prepared statement", async () => {
    const prepared = db.select({ day: orders.day }).from(orders).where(eq(orders.day, sql.placeholder("day"))).limit(1).prepare("by_day");
    for (const day of ["2024-05-05", "2024-05-06"]) same(await prepared.execute({ day }), [{ day }]);
  });
  await pool.end();
}

await admin.end();
end();
