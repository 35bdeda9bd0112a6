// Prisma against a running demo: its client, and what `prisma db pull` reads. The program `prisma` fetches its engine from
// a place of its own; the packages here have the generator, and the engine as WebAssembly.
import { readFileSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { client, distrusting, end, forever, lakeTable, refused, require, same, settings } from "./runner.mjs";

const pg = require("pg");
const { PrismaPg } = require("@prisma/adapter-pg");
const { PrismaClientJsGenerator } = require("@prisma/client-generator-js");
const { bindMigrationAwareSqlAdapterFactory } = require("@prisma/driver-adapter-utils");
const { getGenerators, loadSchemaContext } = require("@prisma/internals");

const MODULES = process.env.LAKEGATE_NODE_MODULES;
const AT = new Date("2024-02-29T12:34:56.789Z");
const DAY = new Date("2024-05-05T00:00:00Z");
const admin = new pg.Client(settings());
await admin.connect();
const query = async (text) => (await admin.query(text)).rows;
const folder = mkdtempSync(join(tmpdir(), "lakegate-prisma-"));
// The generated client looks for its packages beside itself.
symlinkSync(MODULES, join(folder, "node_modules"));

const head = (schemas) => `
generator client {
  provider        = "prisma-client-js"
  output          = "${folder}/client"
  previewFeatures = ["relationJoins"]
}
datasource db {
  provider = "postgresql"
  schemas  = [${schemas.map((schema) => `"${schema}"`)}]
}
`;
const MODELS = `
model Thing {
  id    Int       @id
  name  String?
  price Decimal?  @db.Decimal(10, 2)
  at    DateTime? @db.Timestamp(6)
  @@map("things")
  @@schema("of_prisma")
}
model Order {
  orderId    String    @id @map("order_id")
  customerId String?   @map("customer_id")
  quantity   Int?
  total      Decimal?  @db.Decimal(10, 2)
  createdAt  DateTime? @map("created_at") @db.Timestamp(6)
  orderDate  DateTime? @map("order_date") @db.Date
  customer   Customer? @relation(fields: [customerId], references: [id])
  @@map("orders")
  @@schema("curated")
}
model Customer {
  id     String  @id @map("customer_id")
  region String?
  orders Order[]
  @@map("customers")
  @@schema("curated")
}
`;

/** The class of the client that `prisma generate` makes of the models. */
async function generated() {
  const file = join(folder, "schema.prisma");
  writeFileSync(file, head(["curated", "of_prisma"]) + MODELS);
  const schemaContext = await loadSchemaContext({ schemaPath: { cliProvidedPath: file }, printLoadMessage: false });
  const runtimePath = join(MODULES, "@prisma/client/runtime");
  const generator = new PrismaClientJsGenerator({ cliCommand: "prisma", shouldResolvePrismaClient: false, runtimePath });
  for (const one of await getGenerators({ schemaContext, registry: { "prisma-client-js": { type: "in-process", generator } } })) {
    await one.generate();
    one.stop();
  }
  return require(join(folder, "client")).PrismaClient;
}

/** The engine of `prisma db pull`, once: the module has one memory. */
async function schemaEngine() {
  const at = join(MODULES, "@prisma/schema-engine-wasm");
  const engine = await import(join(at, "schema_engine_bg.js"));
  const { instance } = await WebAssembly.instantiate(readFileSync(join(at, "schema_engine_bg.wasm")), { "./schema_engine_bg.js": engine });
  engine.__wbg_set_wasm(instance.exports);
  instance.exports.__wbindgen_start();
  return engine.SchemaEngine;
}

/** A pool whose results the adapter reads: it knows no columns of the type "char", which pg_catalog has. */
class CatalogPool extends pg.Pool {
  async query(...statement) {
    const result = await super.query(...statement);
    for (const field of result.fields) if (field.dataTypeID === 18) field.dataTypeID = 25;
    return result;
  }
}

/** The models that `prisma db pull` writes, of a schema, as a user. */
async function pulled(SchemaEngine, schema, user) {
  const pool = new CatalogPool({ ...settings(user), max: 1 });
  try {
    const content = head([schema]);
    const files = [{ path: join(folder, "schema.prisma"), content }];
    // Without its name, Prisma would make the schema `public`.
    const factory = bindMigrationAwareSqlAdapterFactory(new PrismaPg(pool, { schema }));
    const puller = await SchemaEngine.new({ datamodels: [[files[0].path, content]] }, () => {}, factory);
    const found = await puller.introspect({
      schema: { files }, baseDirectoryPath: folder, force: true, compositeTypeDepth: 0, namespaces: [schema],
    });
    return found.schema.files[0].content;
  } finally {
    await pool.end();
  }
}

/** The model's lines, with one space between words. */
function model(schema, name) {
  const [, lines] = schema.match(new RegExp(`model ${name} \\{\\n([^}]*)\\}`));
  return lines.split("\n").map((line) => line.trim().replace(/ +/g, " ")).filter((line) => line && !line.startsWith("@@"));
}

{
  const check = client("Prisma", "@prisma/client");
  const PrismaClient = await generated();
  const SchemaEngine = await schemaEngine();
  const connected = (more, user) => new PrismaClient({ adapter: new PrismaPg({ ...settings(user), max: 2, ...more }) });
  const prisma = connected();

  await check("TLS with certificate verification", async () => {
    same(await prisma.$queryRaw`SELECT 1::int AS one`, [{ one: 1 }]);
    const refusing = connected({ ssl: distrusting().ssl });
    await refused(refusing.order.count(), (error) => same(error.code, "P1011"));
    await refusing.$disconnect();
  });
  await check("error for a wrong password", async () => {
    const unknown = connected({ password: "wrong" });
    await refused(unknown.order.count(), (error) => same(error.code, "P1000"));
    await unknown.$disconnect();
  });
  await check("simple query", async () => {
    same(await prisma.$queryRawUnsafe("SELECT current_user::text AS me"), [{ me: "admin" }]);
    const [{ n }] = await prisma.$queryRaw`SELECT count(*) AS n FROM curated.orders`;
    same(BigInt(await prisma.order.count()), n);
  });
  await check("results of all types", async () => {
    const [row] = await prisma.$queryRaw`SELECT NULL::int AS a, true AS b, (-32768)::smallint AS c, 9007199254740993::bigint AS d,
      2.5::double precision AS e, 1.5::real AS f, CAST('12.50' AS numeric(10,2)) AS g, 'dß€'::text AS h, DATE '2024-02-29' AS i,
      TIMESTAMP '2024-02-29 12:34:56.789' AS j, '2024-02-29 13:34:56.789+01'::timestamptz AS k, TIME '12:34:56' AS l,
      '\\x00ff'::bytea AS m, '{"a": [1, null]}'::json AS n, ARRAY[1::int, 2::int] AS o, ARRAY['a', 'b,c'] AS p,
      '6ba7b810-9dad-11d1-80b4-00c04fd430c8'::uuid AS q`;
    same(
      [row.a, row.b, row.c, row.d, row.e, row.f, row.g.toFixed(2), row.h, row.i, row.j, row.k, row.l, [...row.m], row.n, row.o, row.p, row.q],
      [
        null, true, -32768, 9007199254740993n, 2.5, 1.5, "12.50", "dß€", new Date("2024-02-29T00:00:00Z"), AT, AT,
        new Date("1970-01-01T12:34:56Z"), [0, 255], { a: [1, null] }, [1, 2], ["a", "b,c"], "6ba7b810-9dad-11d1-80b4-00c04fd430c8",
      ],
    );
  });
  await check("parameters of all types", async () => {
    const bytes = Buffer.from([0, 255]);
    const [row] = await prisma.$queryRaw`SELECT ${7}::int AS a, ${9007199254740993n}::bigint AS b, ${2.5}::double precision AS c,
      ${"12.50"}::numeric(10,2) AS d, ${"d'ß\\"}::text AS e, ${AT}::timestamp AS f, ${true}::boolean AS g, ${bytes}::bytea AS h,
      ${[1, 2]}::int[] AS i, ${null}::text AS j, ${{ a: 1 }}::json AS k`;
    same(
      [row.a, row.b, row.c, row.d.toFixed(2), row.e, row.f, row.g, [...row.h], row.i, row.j, row.k],
      [7, 9007199254740993n, 2.5, "12.50", "d'ß\\", AT, true, [0, 255], [1, 2], null, { a: 1 }],
    );
    const where = { orderDate: DAY, quantity: { gte: 1 }, total: { lt: "1000000.00" }, NOT: { customerId: null } };
    const [{ n }] = await query("SELECT count(*)::int AS n FROM curated.orders WHERE order_date = DATE '2024-05-05' AND quantity >= 1");
    same(await prisma.order.count({ where }), n);
    const some = await prisma.order.findMany({
      where: { quantity: { in: [1, 2, 3] }, orderId: { not: "none" }, createdAt: { lte: new Date("2030-01-01T00:00:00Z") } },
      orderBy: [{ total: "desc" }, { orderId: "asc" }], select: { orderId: true, total: true }, take: 3, skip: 1,
    });
    const rows = await query(
      "SELECT order_id, total FROM curated.orders WHERE quantity IN (1, 2, 3) ORDER BY total DESC, order_id LIMIT 3 OFFSET 1",
    );
    same(some.map((row) => [row.orderId, row.total.toFixed(2)]), rows.map((row) => [row.order_id, row.total]));
    same((await prisma.order.findUnique({ where: { orderId: some[0].orderId } })).total.toFixed(2), some[0].total.toFixed(2));
    same(await prisma.order.findFirst({ where: { OR: [{ orderId: { startsWith: "no_such" } }, { orderId: "%" }] } }), null);
    const groups = await prisma.order.groupBy({
      by: ["quantity"], where: { orderDate: DAY }, _count: true, _sum: { total: true }, orderBy: { quantity: "asc" },
    });
    const sums = await query(
      "SELECT quantity, count(*)::int AS n, sum(total) AS total FROM curated.orders WHERE order_date = DATE '2024-05-05' GROUP BY 1 ORDER BY 1",
    );
    same(groups.map((group) => [group.quantity, group._count, group._sum.total.toFixed(2)]), sums.map((row) => [row.quantity, row.n, row.total]));
    // A query for each model, or one with LATERAL and aggregates of JSON.
    const first = await query(
      "SELECT o.order_id, o.total, c.region FROM curated.orders o JOIN curated.customers c USING (customer_id)" +
        " WHERE customer_id = (SELECT min(customer_id) FROM curated.orders) ORDER BY o.order_id LIMIT 2",
    );
    for (const relationLoadStrategy of ["query", "join"]) {
      const customer = await prisma.customer.findFirst({
        relationLoadStrategy, where: { orders: { some: { quantity: { gte: 0 } } } }, orderBy: { id: "asc" },
        include: { orders: { take: 2, orderBy: { orderId: "asc" }, include: { customer: { select: { region: true } } } } },
      });
      same(customer.orders.map((row) => [row.orderId, row.total.toFixed(2), row.customer.region]), first.map((row) => [row.order_id, row.total, row.region]));
    }
    const total = await prisma.order.aggregate({ _max: { total: true, orderDate: true }, _avg: { quantity: true } });
    const [most] = await query("SELECT max(total) AS total, max(order_date)::text AS day FROM curated.orders");
    same([total._max.total.toFixed(2), total._max.orderDate.toISOString().slice(0, 10)], [most.total, most.day]);
  });
  await check("transaction with rollback", () =>
    lakeTable(query, "of_prisma", async () => {
      const failing = prisma.$transaction(
        async (tx) => {
          await tx.thing.createMany({ data: [{ id: 1 }] });
          same(await tx.thing.count(), 1);
          throw new Error("no");
        },
        { isolationLevel: "Serializable" },
      );
      await refused(failing, (error) => same(error.message, "no"));
      const [, counted] = await prisma.$transaction([prisma.thing.createMany({ data: [{ id: 2 }] }), prisma.thing.count()]);
      same(counted, 1);
    }));
  await check("bulk load", () =>
    lakeTable(query, "of_prisma", async () => {
      same(await prisma.thing.createMany({ data: [{ id: 1, name: "one", price: "12.50", at: AT }, { id: 2 }] }), { count: 2 });
      const one = await prisma.thing.create({ data: { id: 3, name: "d'ß", price: 1.25 } });
      same([one.id, one.name, one.price.toFixed(2), one.at], [3, "d'ß", "1.25", null]);
      const rows = await prisma.thing.findMany({ orderBy: { id: "asc" } });
      same(rows.map((row) => [row.id, row.name, row.price?.toFixed(2), row.at]), [
        [1, "one", "12.50", AT], [2, null, undefined, null], [3, "d'ß", "1.25", null],
      ]);
      const next = await prisma.thing.findMany({ cursor: { id: 2 }, take: 2, orderBy: { id: "asc" } });
      same(next.map((row) => row.id), [2, 3]);
      await refused(prisma.thing.updateMany({ data: { name: "none" } }), (error) => same(/INSERT OVERWRITE/.test(error.message), true));
    }));
  await check("SQLSTATE and position of an error", () =>
    refused(prisma.$queryRaw`SELECT no_such FROM curated.orders`, (error) => {
      same(error.code, "P2010");
      same(error.meta.driverAdapterError.cause.originalCode, "42703");
    }));
  await check("timeout", async () => {
    const limited = connected({ options: "-c statement_timeout=300" });
    await refused(limited.$queryRawUnsafe(forever("prisma-timeout")), (error) =>
      same(error.meta.driverAdapterError.cause.originalCode, "57014"));
    await limited.$disconnect();
  });
  await check("pool", async () => {
    const counts = await Promise.all([1, 2, 3, 4, 5].map((quantity) => prisma.order.count({ where: { quantity } })));
    const [{ n }] = await query("SELECT count(*)::int AS n FROM curated.orders WHERE quantity BETWEEN 1 AND 5");
    same(counts.reduce((sum, count) => sum + count), n);
  });
  await check("tables and columns", () =>
    lakeTable(query, "of_prisma", async () => {
      same(model(await pulled(SchemaEngine, "of_prisma", "admin"), "things"), [
        "id Int?", "name String?", "price Decimal? @db.Decimal(10, 2)", "at DateTime? @db.Timestamp(6)",
      ]);
      const orders = model(await pulled(SchemaEngine, "curated", "admin"), "orders");
      same(orders.includes("order_date DateTime? @db.Date") && orders.includes("quantity Int?"), true);
    }));
  await check("columns without a grant are hidden", async () => {
    same(model(await pulled(SchemaEngine, "curated", "scientist"), "customers"), ["customer_id String?", "segment String?", "region String?"]);
  });
  await prisma.$disconnect();
}

rmSync(folder, { recursive: true });
await admin.end();
end();
