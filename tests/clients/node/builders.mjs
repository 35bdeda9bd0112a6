// Sequelize and Kysely against a running demo.
import { client, distrusting, end, forever, lakeTable, refused, require, same, settings } from "./runner.mjs";

const pg = require("pg");
const { DataTypes, Op, Sequelize, fn, col } = require("sequelize");
const { Kysely, PostgresDialect, sql } = require("kysely");
const { jsonArrayFrom, jsonObjectFrom } = require("kysely/helpers/postgres");

const AT = new Date("2024-02-29T12:34:56.789Z");
const admin = new pg.Client(settings());
await admin.connect();
const query = async (text) => (await admin.query(text)).rows;
const [{ n: ofTheDay }] = await query("SELECT count(*)::int AS n FROM curated.orders WHERE order_date = DATE '2024-05-05'");
const sums = await query(
  "SELECT quantity, count(*)::int AS n, sum(total) AS total FROM curated.orders WHERE order_date = DATE '2024-05-05' GROUP BY 1 ORDER BY 1",
);

{
  const check = client("Sequelize", "sequelize");
  const connected = (more = {}) => {
    const { host, port, user, password, database, ssl } = { ...settings(), ...more };
    return new Sequelize(database, user, password, {
      dialect: "postgres", dialectModule: pg, host, port, logging: false, pool: { max: 2 }, dialectOptions: { ssl, ...more.options },
      define: { timestamps: false },
    });
  };
  const sequelize = connected();
  const Order = sequelize.define(
    "Order",
    {
      id: { type: DataTypes.TEXT, primaryKey: true, field: "order_id" },
      customer: { type: DataTypes.TEXT, field: "customer_id" },
      quantity: DataTypes.INTEGER,
      total: DataTypes.DECIMAL(10, 2),
      day: { type: DataTypes.DATEONLY, field: "order_date" },
    },
    { schema: "curated", tableName: "orders" },
  );
  const Thing = sequelize.define(
    "Thing",
    { id: { type: DataTypes.INTEGER, primaryKey: true }, name: DataTypes.TEXT, price: DataTypes.DECIMAL(10, 2), at: DataTypes.DATE },
    { schema: "of_sequelize", tableName: "things" },
  );
  await check("TLS with certificate verification", async () => {
    await sequelize.authenticate();
    const refusing = connected({ ssl: distrusting().ssl });
    await refused(refusing.authenticate(), (error) => same(error.name, "SequelizeConnectionError"));
    await refusing.close();
  });
  await check("error for a wrong password", async () => {
    const unknown = connected({ password: "wrong" });
    await refused(unknown.authenticate(), (error) => same(error.original.code, "28P01"));
    await unknown.close();
  });
  await check("simple query", async () => {
    same(await sequelize.query("SELECT 1::int AS one", { type: "SELECT" }), [{ one: 1 }]);
    same(await sequelize.databaseVersion(), (await query("SHOW server_version"))[0].server_version);
  });
  await check("parameters of all types", async () => {
    same(await Order.count({ where: { day: "2024-05-05", quantity: { [Op.gte]: 0 } } }), ofTheDay);
    const bound = "SELECT $1::int AS a, $2::text AS b, $3::date::text AS c, $4::text AS d";
    same(await sequelize.query(bound, { bind: [7, "d'ß", "2024-02-29", null], type: "SELECT" }), [{ a: 7, b: "d'ß", c: "2024-02-29", d: null }]);
    const replaced = "SELECT order_id FROM curated.orders WHERE order_date = :day AND quantity IN (:some) ORDER BY order_id LIMIT 2";
    const rows = await sequelize.query(replaced, { replacements: { day: "2024-05-05", some: [1, 2, 3] }, type: "SELECT" });
    const { count, rows: page } = await Order.findAndCountAll({
      where: { day: "2024-05-05", [Op.or]: [{ quantity: [1, 2, 3] }, { id: { [Op.iLike]: "no such%" } }] }, order: [["id", "ASC"]], limit: 2,
    });
    same(page.map((order) => order.id), rows.map((row) => row.order_id));
    same(count > 2, true);
    const groups = await Order.findAll({
      attributes: ["quantity", [fn("COUNT", col("*")), "n"], [fn("SUM", col("total")), "total"]],
      where: { day: "2024-05-05" }, group: ["quantity"], order: [["quantity", "ASC"]], raw: true,
    });
    same(groups.map((group) => [group.quantity, Number(group.n), group.total]), sums.map((row) => [row.quantity, row.n, row.total]));
    same((await Order.findByPk(page[0].id)).id, page[0].id);
  });
  await check("tables and columns", async () => {
    const queries = sequelize.getQueryInterface();
    const table = { tableName: "orders", schema: "curated" };
    const columns = await queries.describeTable(table);
    same(["order_id", "quantity", "total", "created_at", "order_date"].map((name) => [columns[name].type, columns[name].allowNull, columns[name].primaryKey]), [
      ["TEXT", true, false], ["INTEGER", true, false], ["NUMERIC", true, false], ["TIMESTAMP WITHOUT TIME ZONE", true, false], ["DATE", true, false],
    ]);
    same([await queries.showIndex(table), await queries.getForeignKeyReferencesForTable(table)], [[], []]);
    same([await queries.tableExists(table), await queries.tableExists({ ...table, tableName: "no_such" })], [true, false]);
    same((await queries.showAllSchemas()).includes("curated"), true);
  });
  await check("bulk load", () =>
    lakeTable(query, "of_sequelize", async () => {
      await Thing.bulkCreate([{ id: 1, name: "one", price: "12.50", at: AT }, { id: 2 }]);
      const three = await Thing.create({ id: 3, name: "d'ß" });
      same([three.id, three.name], [3, "d'ß"]);
      same((await Thing.findAll({ order: ["id"] })).map((thing) => [thing.id, thing.name, thing.price]), [
        [1, "one", "12.50"], [2, null, null], [3, "d'ß", null],
      ]);
      await refused(three.update({ name: "other" }), (error) => same(error.original.code, "0A000"));
    }));
  await check("transaction with rollback", () =>
    lakeTable(query, "of_sequelize", async () => {
      const failing = sequelize.transaction({ isolationLevel: "REPEATABLE READ" }, async (transaction) => {
        await Thing.create({ id: 1 }, { transaction });
        same(await Thing.count({ transaction }), 1);
        throw new Error("no");
      });
      await refused(failing, (error) => same(error.message, "no"));
      same(await Thing.count(), 0);
    }));
  await check("SQLSTATE and position of an error", () =>
    refused(sequelize.query("SELECT no_such FROM curated.orders"), (error) => same([error.original.code, error.original.position], ["42703", "8"])));
  await check("timeout", async () => {
    const limited = connected({ options: { statement_timeout: 300 } });
    await refused(limited.query(forever("sequelize-timeout")), (error) => same(error.original.code, "57014"));
    await limited.close();
  });
  await sequelize.close();
}

{
  const check = client("Kysely", "kysely");
  const pool = new pg.Pool({ ...settings(), max: 2 });
  const Cursor = require("pg-cursor");
  const db = new Kysely({ dialect: new PostgresDialect({ pool, cursor: Cursor }) });
  const orders = db.withSchema("curated").selectFrom("orders");
  await check("simple query", async () => same((await sql`SELECT 1::int AS one`.execute(db)).rows, [{ one: 1 }]));
  await check("parameters of all types", async () => {
    const groups = await orders
      .select((e) => ["quantity", e.fn.countAll().as("n"), e.fn.sum("total").as("total")])
      .where("order_date", "=", "2024-05-05").where("quantity", ">=", 1).where("total", "<", "1000000.00")
      .where((e) => e.or([e("quantity", "in", [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]), e("order_id", "like", "no such%")]))
      .groupBy("quantity").orderBy("quantity").execute();
    const expected = sums.filter((row) => row.quantity >= 1 && row.quantity <= 12);
    same(groups.map((group) => [group.quantity, Number(group.n), group.total]), expected.map((row) => [row.quantity, row.n, row.total]));
    // Rows within rows, by aggregates of JSON in correlated subqueries.
    const nested = await db.withSchema("curated").selectFrom("customers as c").orderBy("c.customer_id").limit(2).select((e) => [
      "c.customer_id",
      jsonArrayFrom(e.selectFrom("orders as o").select(["o.order_id", "o.quantity"]).whereRef("o.customer_id", "=", "c.customer_id").orderBy("o.order_id").limit(2)).as("orders"),
      jsonObjectFrom(e.selectFrom("customers as d").select("d.region").whereRef("d.customer_id", "=", "c.customer_id")).as("self"),
    ]).execute();
    const flat = await query(
      "SELECT c.customer_id, c.region, o.order_id, o.quantity FROM (SELECT * FROM curated.customers ORDER BY customer_id LIMIT 2) c" +
        " JOIN LATERAL (SELECT * FROM curated.orders o WHERE o.customer_id = c.customer_id ORDER BY order_id LIMIT 2) o ON true ORDER BY 1, 3",
    );
    same(nested.flatMap((row) => row.orders.map((order) => [row.customer_id, row.self.region, order.order_id, order.quantity])),
      flat.map((row) => [row.customer_id, row.region, row.order_id, row.quantity]));
    const { rows } = await sql`SELECT ${7}::int AS a, ${"d'ß"}::text AS b, ${AT}::timestamptz AS c, ${null}::text AS d,
      ${[1, 2]}::int[] AS e, ${Buffer.from([0, 255])}::bytea AS f`.execute(db);
    same(rows, [{ a: 7, b: "d'ß", c: AT, d: null, e: [1, 2], f: Buffer.from([0, 255]) }]);
  });
  await check("reading a result in pieces", async () => {
    let seen = 0;
    for await (const row of orders.select("order_id").stream(100)) seen += row.order_id ? 1 : 0;
    same(String(seen), (await query("SELECT count(*) AS n FROM curated.orders"))[0].n);
  });
  await check("tables and columns", () =>
    lakeTable(query, "of_kysely", async () => {
      const tables = (await db.introspection.getTables()).filter((table) => table.schema === "of_kysely");
      same(tables.map((table) => [table.name, table.isView]).sort(), [["named", true], ["things", false]]);
      same(tables.find((table) => table.name === "things").columns.map((column) => [column.name, column.dataType, column.isNullable, column.comment]), [
        ["id", "int4", true, "the key"], ["name", "text", true, undefined], ["price", "numeric", true, undefined], ["at", "timestamp", true, undefined],
      ]);
      same((await db.introspection.getSchemas()).some((schema) => schema.name === "curated"), true);
    }));
  await check("bulk load", () =>
    lakeTable(query, "of_kysely", async () => {
      const inserted = await db.withSchema("of_kysely").insertInto("things").values([{ id: 1, name: "one", price: "12.50", at: AT }, { id: 2, name: null }]).executeTakeFirst();
      same(inserted.numInsertedOrUpdatedRows, 2n);
      const kept = await db.withSchema("of_kysely").insertInto("things").values({ id: 3 }).returning(["id", "name"]).execute();
      same(kept, [{ id: 3, name: null }]);
      same((await db.withSchema("of_kysely").selectFrom("things").selectAll().orderBy("id").execute()).map((row) => row.id), [1, 2, 3]);
    }));
  await check("transaction with rollback", () =>
    lakeTable(query, "of_kysely", async () => {
      const failing = db.transaction().setIsolationLevel("serializable").setAccessMode("read write").execute(async (tx) => {
        await tx.withSchema("of_kysely").insertInto("things").values({ id: 1 }).execute();
        throw new Error("no");
      });
      await refused(failing, (error) => same(error.message, "no"));
      same(await query("SELECT id FROM of_kysely.things"), []);
    }));
  await check("creating a table", () =>
    lakeTable(query, "of_kysely", async () => {
      const schema = db.withSchema("of_kysely").schema;
      await schema.createTable("made").addColumn("id", "integer", (c) => c.notNull()).addColumn("name", "varchar(40)").addColumn("price", sql`numeric(10,2)`).execute();
      await schema.alterTable("made").addColumn("at", "timestamp").execute();
      await db.withSchema("of_kysely").insertInto("made").values({ id: 1, name: "one", price: "1.25", at: AT }).execute();
      same(await query("SELECT id, name, price FROM of_kysely.made"), [{ id: 1, name: "one", price: "1.25" }]);
      await schema.dropTable("made").execute();
    }));
  await db.destroy();
}

await admin.end();
end();
