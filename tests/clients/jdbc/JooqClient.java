import static org.jooq.impl.DSL.count;
import static org.jooq.impl.DSL.field;
import static org.jooq.impl.DSL.multiset;
import static org.jooq.impl.DSL.name;
import static org.jooq.impl.DSL.row;
import static org.jooq.impl.DSL.rowNumber;
import static org.jooq.impl.DSL.select;
import static org.jooq.impl.DSL.sum;
import static org.jooq.impl.DSL.table;
import static org.jooq.impl.DSL.val;

import java.math.BigDecimal;
import java.sql.Connection;
import java.time.LocalDate;
import java.time.LocalDateTime;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.UUID;
import java.util.stream.Stream;
import org.jooq.Constants;
import org.jooq.Cursor;
import org.jooq.DSLContext;
import org.jooq.Field;
import org.jooq.Record;
import org.jooq.Record1;
import org.jooq.Result;
import org.jooq.SQLDialect;
import org.jooq.Table;
import org.jooq.exception.DataAccessException;
import org.jooq.impl.DSL;
import org.jooq.impl.SQLDataType;

/** jOOQ against a running demo, without generated code, with the arguments of {@link PostgresClient}. */
public final class JooqClient extends Runner {
    private static final LocalDate DAY = LocalDate.of(2024, 5, 5);
    private static final LocalDateTime AT = LocalDateTime.of(2024, 2, 29, 12, 34, 56, 789_000_000);
    private static final Table<Record> ORDERS = table(name("curated", "orders"));
    private static final Field<String> ID = field(name("order_id"), SQLDataType.CLOB);
    private static final Field<Integer> QUANTITY = field(name("quantity"), SQLDataType.INTEGER);
    private static final Field<BigDecimal> TOTAL = field(name("total"), SQLDataType.NUMERIC(10, 2));
    private static final Field<LocalDate> ORDERED = field(name("order_date"), SQLDataType.LOCALDATE);
    private static final Table<Record> THINGS = table(name("of_jooq", "things"));
    private static final Field<Integer> KEY = field(name("id"), SQLDataType.INTEGER);
    private static final Field<String> NAME = field(name("name"), SQLDataType.CLOB);
    private static final Field<LocalDateTime> WHEN = field(name("at"), SQLDataType.LOCALDATETIME);

    public static void main(String[] arguments) throws Exception {
        System.setProperty("org.jooq.no-logo", "true");
        System.setProperty("org.jooq.no-tips", "true");
        System.setProperty("slf4j.internal.verbosity", "ERROR");
        begin("jOOQ", "sslrootcert", Arrays.copyOf(arguments, 4));
        version = Constants.FULL_VERSION;
        works("simple query", connection -> queries(on(connection), connection));
        works("results of all types", connection -> results(on(connection)));
        works("parameters of all types", connection -> parameters(on(connection), connection));
        works("reading a result in pieces", connection -> {
            connection.setAutoCommit(false);
            try (Cursor<Record1<String>> orders = on(connection).select(ID).from(ORDERS).fetchSize(100).fetchLazy();
                    Stream<Record1<String>> rows = orders.stream()) {
                same(value(connection, "SELECT count(*) FROM curated.orders"), rows.count());
            }
            connection.rollback();
            connection.setAutoCommit(true);
        });
        works("transaction with rollback", connection -> inDatabase(connection, () -> {
            fails("no", () -> on(connection).transaction(outer -> {
                outer.dsl().insertInto(THINGS, KEY).values(1).execute();
                try {
                    outer.dsl().transaction(inner -> {
                        inner.dsl().insertInto(THINGS, KEY).values(2).execute();
                        throw new IllegalStateException("inner");
                    });
                } catch (IllegalStateException expected) {
                    same(1, outer.dsl().fetchCount(THINGS));
                }
                throw new IllegalStateException("no");
            }));
            same(0, on(connection).fetchCount(THINGS));
        }));
        works("bulk load", connection -> inDatabase(connection, () -> {
            DSLContext dsl = on(connection);
            same(2, dsl.insertInto(THINGS, KEY, NAME, WHEN).values(1, "d'ß", AT).values(2, null, null).execute());
            same("[1, 1]", Arrays.toString(dsl.batch(
                    dsl.insertInto(THINGS, KEY, NAME).values(3, "three"), dsl.insertInto(THINGS, KEY, NAME).values(4, "four")).execute()));
            same(5, dsl.insertInto(THINGS, KEY).values(5).returning(KEY).fetchOne(KEY));
            same(List.of(1, 2, 3, 4, 5), dsl.select(KEY).from(THINGS).orderBy(KEY).fetch(KEY));
            same(AT, dsl.select(WHEN).from(THINGS).where(KEY.eq(1)).fetchOne(WHEN));
            same("0A000", state(() -> dsl.update(THINGS).set(NAME, "other").execute()));
        }));
        works("creating a table", connection -> inDatabase(connection, () -> {
            DSLContext dsl = on(connection);
            Table<Record> made = table(name("of_jooq", "made"));
            dsl.createTable(made).column(KEY).column(NAME).column(field(name("price"), SQLDataType.NUMERIC(10, 2))).execute();
            dsl.alterTable(made).addColumn(WHEN).execute();
            dsl.insertInto(made, KEY, WHEN).values(1, AT).execute();
            same(AT, dsl.select(WHEN).from(made).fetchOne(WHEN));
            dsl.dropTableIfExists(made).execute();
        }));
        works("tables and columns", connection -> inDatabase(connection, () -> {
            List<Table<?>> tables = on(connection).meta().filterSchemas(schema -> schema.getName().equals("of_jooq")).getTables();
            Map<String, String> columns = new TreeMap<>();
            for (Table<?> table : tables) {
                same(0, table.getIndexes().size() + table.getKeys().size() + table.getReferences().size());
                for (Field<?> column : table.fields()) {
                    columns.put(table.getName() + "." + column.getName(), column.getDataType().getCastTypeName());
                }
            }
            same("{named.id=integer, named.name=clob, things.at=timestamp(6), things.id=integer, things.name=clob,"
                    + " things.price=numeric(10, 2)}", columns.toString());
            same(true, on(connection).meta().getSchemas().stream().anyMatch(schema -> schema.getName().equals("curated")));
        }));
        works("SQLSTATE and position of an error", connection -> {
            same("42703", state(() -> on(connection).fetch("SELECT no_such FROM curated.orders")));
            same("42P01", state(() -> on(connection).fetch("SELECT 1 FROM curated.no_such")));
            same("22012", state(() -> on(connection).fetch("SELECT 1 / x FROM generate_series(0, 1) t(x)")));
        });
        end();
    }

    static DSLContext on(Connection connection) {
        return DSL.using(connection, SQLDialect.POSTGRES);
    }

    static String state(Action action) throws Exception {
        try {
            action.run();
        } catch (DataAccessException expected) {
            return expected.sqlState();
        }
        throw new AssertionError("should fail");
    }

    static void queries(DSLContext dsl, Connection connection) throws Exception {
        Result<?> sums = dsl.select(QUANTITY, count(), sum(TOTAL)).from(ORDERS).groupBy(QUANTITY).having(count().gt(0)).orderBy(QUANTITY.asc().nullsLast()).fetch();
        same(value(connection, "SELECT count(*) FROM curated.orders"), sums.stream().mapToLong(row -> row.get(1, Long.class)).sum());
        // The largest of each quantity: a window function in a derived table.
        Field<Integer> place = rowNumber().over().partitionBy(QUANTITY).orderBy(TOTAL.desc(), ID).as("place");
        Table<?> placed = select(QUANTITY, TOTAL, place).from(ORDERS).asTable("placed");
        Result<?> first = dsl.select(placed.field(TOTAL)).from(placed).where(placed.field(place).eq(1)).orderBy(placed.field(QUANTITY)).fetch();
        same(dsl.fetch("SELECT max(total) FROM curated.orders GROUP BY quantity ORDER BY quantity").getValues(0), first.getValues(0));
        same(true, dsl.fetchExists(dsl.selectOne().from(ORDERS).where(ORDERED.eq(DAY))));
        Field<Integer> n = field(name("n"), SQLDataType.INTEGER);
        same(List.of(1, 2, 3, 4, 5), dsl.withRecursive("t", "n").as(select(val(1)).unionAll(select(n.plus(1)).from(table(name("t"))).where(n.lt(5))))
                .select(n).from(table(name("t"))).orderBy(n).fetch(n));
        same(List.of("a", "b"), dsl.select(field(name("v", "y"), SQLDataType.CLOB))
                .from(DSL.values(row(1, "a"), row(2, "b")).as("v", "x", "y")).orderBy(1).fetch(0, String.class));
    }

    static void results(DSLContext dsl) {
        Record row = dsl.fetchOne("SELECT NULL::int, true, 7::smallint, 9007199254740993::bigint, 2.5::double precision, CAST('12.50' AS numeric(10,2)),"
                + " 'dß'::text, DATE '2024-02-29', TIMESTAMP '2024-02-29 12:34:56.789', '6ba7b810-9dad-11d1-80b4-00c04fd430c8'::uuid, '\\x00ff'::bytea,"
                + " ARRAY[1::int, 2::int], '{\"a\": 1}'::json");
        same(Arrays.asList(null, true, (short) 7, 9007199254740993L, 2.5, new BigDecimal("12.50"), "dß", LocalDate.of(2024, 2, 29), AT,
                UUID.fromString("6ba7b810-9dad-11d1-80b4-00c04fd430c8")), Arrays.asList(row.get(0), row.get(1), row.get(2), row.get(3), row.get(4), row.get(5),
                row.get(6), row.get(7, LocalDate.class), row.get(8, LocalDateTime.class), row.get(9)));
        same("[0, -1]", Arrays.toString((byte[]) row.get(10)));
        same("[1, 2]", Arrays.toString(row.get(11, Integer[].class)));
        same("{\"a\": 1}", String.valueOf(row.get(12)));
    }

    static void parameters(DSLContext dsl, Connection connection) throws Exception {
        Record row = dsl.select(val(7), val(9007199254740993L), val(2.5), val(new BigDecimal("12.50")), val("d'ß\\"), val(DAY), val(AT), val(true),
                val(new byte[] {0, (byte) 255}), val(new Integer[] {1, null}), val((String) null)).fetchOne();
        // A decimal without a precision has ten fractional digits.
        same(0, new BigDecimal("12.50").compareTo((BigDecimal) row.get(3)));
        same(Arrays.asList(7, 9007199254740993L, 2.5, "d'ß\\", DAY, AT, true, null), Arrays.asList(row.get(0), row.get(1), row.get(2), row.get(4), row.get(5),
                row.get(6), row.get(7), row.get(10)));
        same("[0, -1]", Arrays.toString((byte[]) row.get(8)));
        same("[1, null]", Arrays.toString((Integer[]) row.get(9)));
        int found = dsl.fetchCount(ORDERS, ORDERED.eq(DAY).and(QUANTITY.in(1, 2, 3)).and(TOTAL.between(BigDecimal.ZERO, new BigDecimal("1000000.00"))).and(ID.notLike("!_%", '!')));
        same(value(connection, "SELECT count(*) FROM curated.orders WHERE order_date = DATE '2024-05-05' AND quantity IN (1, 2, 3)"), (long) found);
        // Rows within rows: an aggregate of JSON in a correlated subquery, whose limit is a parameter.
        Field<String> customer = field(name("customer_id"), SQLDataType.CLOB);
        Table<?> customers = table(name("curated", "customers")).as("c");
        Field<String> theirs = field(name("c", "customer_id"), SQLDataType.CLOB);
        Result<?> nested = dsl.select(theirs, multiset(select(ID, TOTAL).from(ORDERS).where(customer.eq(theirs)).orderBy(ID).limit(2)).as("orders"))
                .from(customers).where(theirs.in(select(customer).from(ORDERS))).orderBy(theirs).limit(1).fetch();
        Result<?> orders = (Result<?>) nested.get(0).get("orders");
        same(dsl.fetch("SELECT order_id FROM curated.orders WHERE customer_id = ? ORDER BY 1 LIMIT 2", nested.get(0).get(0)).getValues(0), orders.getValues(0));
        same(1, dsl.fetchCount(ORDERS, row(ID, QUANTITY).in(select(ID, QUANTITY).from(ORDERS).orderBy(TOTAL.desc(), ID).limit(1))));
    }

    static void inDatabase(Connection connection, Action action) throws Exception {
        run(connection, "DROP DATABASE IF EXISTS of_jooq CASCADE");
        run(connection, "CREATE DATABASE of_jooq");
        run(connection, "CREATE EXTERNAL TABLE of_jooq.things (id int, name string, price decimal(10,2), at timestamp)"
                + " STORED AS PARQUET LOCATION 's3://datalake/of_jooq/" + UUID.randomUUID() + "/'");
        run(connection, "CREATE VIEW of_jooq.named AS SELECT id, name FROM of_jooq.things WHERE name IS NOT NULL");
        try {
            action.run();
        } finally {
            run(connection, "DROP DATABASE of_jooq CASCADE");
        }
    }
}
