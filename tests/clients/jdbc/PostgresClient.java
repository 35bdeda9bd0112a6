import java.io.StringReader;
import java.io.StringWriter;
import java.math.BigDecimal;
import java.sql.Connection;
import java.sql.DatabaseMetaData;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.ResultSetMetaData;
import java.sql.SQLException;
import java.sql.Savepoint;
import java.sql.Statement;
import java.sql.Types;
import java.time.LocalDate;
import java.time.LocalDateTime;
import java.time.LocalTime;
import java.time.OffsetDateTime;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.UUID;
import org.postgresql.PGConnection;
import org.postgresql.copy.CopyManager;
import org.postgresql.util.PGInterval;
import org.postgresql.util.PSQLException;

/**
 * PostgreSQL's JDBC driver against a running demo. Arguments: the URL, the CA's file, the passwords of admin and
 * scientist, and the file of another CA.
 *
 * <p>What was seen to work is written to $LAKEGATE_SHOWN, a line of JSON each.
 */
public final class PostgresClient extends Runner {
    private static final String FOREVER =
            "SELECT /* jdbc */ count(*) FROM generate_series(1, 100000) a(x), generate_series(1, 100000) b(y),"
                    + " generate_series(1, 100000) c(z) WHERE x + y > z";
    private static final LocalDateTime AT = LocalDateTime.of(2024, 2, 29, 12, 34, 56, 789_000_000);

    public static void main(String[] arguments) throws Exception {
        String otherCa = arguments[4];
        begin("pgjdbc", "sslrootcert", Arrays.copyOf(arguments, 4));
        works("TLS with certificate verification", connection -> {
            same("admin", value(connection, "SELECT current_user::text"));
            fails("", () -> connectBy("user", "admin", "password", adminPassword, "sslrootcert", otherCa).close());
        });
        works("error for a wrong password", connection -> {
            SQLException error = caught(() -> connect("admin", "wrong").close());
            same("28P01", error.getSQLState());
        });
        works("simple query", PostgresClient::simpleQueries);
        works("results of all types", PostgresClient::resultsOfEveryType);
        works("parameters of all types", PostgresClient::parametersOfEveryType);
        works("prepared statement", PostgresClient::preparedStatement);
        works("reading a result in pieces", PostgresClient::resultsInPieces);
        works("transaction with rollback", PostgresClient::transactions);
        works("SQLSTATE and position of an error", connection -> {
            PSQLException error = (PSQLException) refused(connection, "SELECT order_id, no_such FROM curated.orders");
            same("42703", error.getSQLState());
            same(18, error.getServerErrorMessage().getPosition());
        });
        works("cancel", PostgresClient::cancelFromAnotherThread);
        works("timeout", PostgresClient::timeouts);
        works("tables and columns", PostgresClient::metadata);
        works("tables and columns", PostgresClient::everyMethodOfTheMetadata);
        works("views and comments", connection -> inDatabase(connection, "of_jdbc", () -> {
            DatabaseMetaData metadata = connection.getMetaData();
            same("[named]", column(metadata.getTables(null, "of_jdbc", "%", new String[] {"VIEW"}), "TABLE_NAME").toString());
            same("[all the things]", column(metadata.getTables(null, "of_jdbc", "things", null), "REMARKS").toString());
            same("the key", firstOf(metadata.getColumns(null, "of_jdbc", "things", "id"), "REMARKS"));
        }));
        works("columns without a grant are hidden", connection -> {
            try (Connection scientist = connect("scientist", scientistPassword)) {
                same("[customer_id, region, segment]",
                        column(scientist.getMetaData().getColumns(null, "curated", "customers", "%"), "COLUMN_NAME").toString());
            }
        });
        works("bulk load", PostgresClient::loads);
        works("COPY TO", connection -> {
            StringWriter out = new StringWriter();
            same(1L, copies(connection).copyOut("COPY (SELECT 1, 'a,b', NULL) TO STDOUT (FORMAT csv)", out));
            same("1,\"a,b\",\n", out.toString());
        });
        end();
    }

    static void simpleQueries(Connection connection) throws SQLException {
        try (Statement statement = connection.createStatement()) {
            same(true, statement.execute("SELECT 1::int; SELECT 'two'::text"));
            same(1, first(statement.getResultSet()));
            same(true, statement.getMoreResults());
            same("two", first(statement.getResultSet()));
            statement.setMaxRows(3);
            same(3, count(statement.executeQuery("SELECT x FROM generate_series(1, 10) t(x)")));
        }
        try (Connection simple = connectBy("user", "admin", "password", adminPassword, "preferQueryMode", "simple")) {
            try (PreparedStatement prepared = simple.prepareStatement("SELECT ?::int + 1, ?::text")) {
                prepared.setInt(1, 41);
                prepared.setString(2, "d'ß");
                try (ResultSet rows = prepared.executeQuery()) {
                    same(true, rows.next());
                    same(42, rows.getInt(1));
                    same("d'ß", rows.getString(2));
                }
            }
        }
    }

    static void resultsOfEveryType(Connection connection) throws SQLException {
        String sql = "SELECT NULL::int, true, (-32768)::smallint, 7::int, (-9223372036854775808)::bigint, 1.5::real, 2.5::double precision,"
                + " CAST('12.50' AS numeric(10,2)), 'dß€😀'::text, DATE '2024-02-29', TIMESTAMP '2024-02-29 12:34:56.789',"
                + " '2024-02-29 12:34:56.789+00'::timestamptz, TIME '12:34:56', INTERVAL '1 day 2 hours', '\\x00ff'::bytea,"
                + " '{\"a\": 1}'::json, ARRAY[1::int, 2::int, NULL], ARRAY['a', 'b,c', NULL]";
        // The driver asks for binary values from the fifth execution on.
        try (PreparedStatement prepared = connection.prepareStatement(sql)) {
            for (int i = 0; i < 8; i++) {
                try (ResultSet rows = prepared.executeQuery()) {
                    same(true, rows.next());
                    same(null, rows.getObject(1));
                    same(true, rows.wasNull());
                    same(true, rows.getObject(2));
                    same(-32768, rows.getObject(3));
                    same(7, rows.getObject(4));
                    same(Long.MIN_VALUE, rows.getObject(5));
                    same(1.5f, rows.getObject(6));
                    same(2.5, rows.getObject(7));
                    same(new BigDecimal("12.50"), rows.getBigDecimal(8));
                    same("dß€😀", rows.getString(9));
                    same(LocalDate.of(2024, 2, 29), rows.getObject(10, LocalDate.class));
                    same(AT, rows.getObject(11, LocalDateTime.class));
                    same(AT.atOffset(ZoneOffset.UTC), rows.getObject(12, OffsetDateTime.class));
                    same(LocalTime.of(12, 34, 56), rows.getObject(13, LocalTime.class));
                    PGInterval interval = (PGInterval) rows.getObject(14);
                    same("1 2", interval.getDays() + " " + interval.getHours());
                    same("[0, -1]", Arrays.toString(rows.getBytes(15)));
                    same("{\"a\": 1}", rows.getString(16));
                    same("[1, 2, null]", Arrays.toString((Object[]) rows.getArray(17).getArray()));
                    same("[a, b,c, null]", Arrays.toString((Object[]) rows.getArray(18).getArray()));
                }
            }
        }
        try (Statement statement = connection.createStatement();
                ResultSet rows = statement.executeQuery("SELECT total, quantity FROM curated.orders WHERE false")) {
            ResultSetMetaData columns = rows.getMetaData();
            same("total numeric 10 2", columns.getColumnLabel(1) + " " + columns.getColumnTypeName(1) + " "
                    + columns.getPrecision(1) + " " + columns.getScale(1));
            same(Types.INTEGER, columns.getColumnType(2));
            // The driver asks pg_attribute.
            same(false, columns.isAutoIncrement(2));
        }
    }

    static void parametersOfEveryType(Connection connection) throws SQLException {
        String sql = "SELECT ?::boolean, ?::smallint, ?::int, ?::bigint, ?::real, ?::double precision, ?::numeric, ?::text, ?::date, ?::timestamp,"
                + " ?::timestamptz, ?::bytea, ?::int[], ?::int IS NULL";
        try (PreparedStatement prepared = connection.prepareStatement(sql)) {
            for (int i = 0; i < 8; i++) {
                prepared.setBoolean(1, true);
                prepared.setShort(2, (short) 7);
                prepared.setInt(3, Integer.MIN_VALUE);
                prepared.setLong(4, 9007199254740993L);
                prepared.setFloat(5, 1.5f);
                prepared.setDouble(6, 2.5);
                prepared.setBigDecimal(7, new BigDecimal("12345.678"));
                prepared.setString(8, "d'ß\\");
                prepared.setObject(9, LocalDate.of(2024, 2, 29));
                prepared.setObject(10, AT);
                prepared.setObject(11, AT.atOffset(ZoneOffset.UTC));
                prepared.setBytes(12, new byte[] {0, -1});
                prepared.setArray(13, connection.createArrayOf("int4", new Object[] {1, null}));
                prepared.setNull(14, Types.INTEGER);
                try (ResultSet rows = prepared.executeQuery()) {
                    same(true, rows.next());
                    same(true, rows.getObject(1));
                    same(7, rows.getInt(2));
                    same(Integer.MIN_VALUE, rows.getObject(3));
                    same(9007199254740993L, rows.getObject(4));
                    same(1.5f, rows.getObject(5));
                    same(2.5, rows.getObject(6));
                    same(0, new BigDecimal("12345.678").compareTo(rows.getBigDecimal(7)));
                    same("d'ß\\", rows.getString(8));
                    same(LocalDate.of(2024, 2, 29), rows.getObject(9, LocalDate.class));
                    same(AT, rows.getObject(10, LocalDateTime.class));
                    same(AT.atOffset(ZoneOffset.UTC), rows.getObject(11, OffsetDateTime.class));
                    same("[0, -1]", Arrays.toString(rows.getBytes(12)));
                    same("[1, null]", Arrays.toString((Object[]) rows.getArray(13).getArray()));
                    same(true, rows.getBoolean(14));
                }
            }
        }
        try (PreparedStatement prepared = connection.prepareStatement(
                "SELECT count(*) FROM curated.orders WHERE order_date = ? AND quantity >= ? AND total < ? AND created_at > ?")) {
            prepared.setObject(1, LocalDate.of(2024, 5, 5));
            prepared.setInt(2, 1);
            prepared.setBigDecimal(3, new BigDecimal("1000000.00"));
            prepared.setTimestamp(4, java.sql.Timestamp.valueOf("2000-01-01 00:00:00"));
            same(value(connection, "SELECT count(*) FROM curated.orders WHERE order_date = DATE '2024-05-05'"), first(prepared.executeQuery()));
            same("[date, int4, numeric]", List.of(
                    prepared.getParameterMetaData().getParameterTypeName(1),
                    prepared.getParameterMetaData().getParameterTypeName(2),
                    prepared.getParameterMetaData().getParameterTypeName(3)).toString());
        }
        UUID id = UUID.fromString("6ba7b810-9dad-11d1-80b4-00c04fd430c8");
        try (PreparedStatement prepared = connection.prepareStatement("SELECT ?::uuid::text, ?::interval::text")) {
            prepared.setObject(1, id);
            prepared.setObject(2, new PGInterval(0, 0, 1, 2, 0, 0));
            try (ResultSet rows = prepared.executeQuery()) {
                same(true, rows.next());
                same(id.toString() + " 1 day 02:00:00", rows.getString(1) + " " + rows.getString(2));
            }
        }
    }

    static void preparedStatement(Connection connection) throws SQLException {
        try (PreparedStatement prepared = connection.prepareStatement("SELECT ?::int AS given")) {
            same("given", prepared.getMetaData().getColumnLabel(1));
            same(Types.INTEGER, prepared.getMetaData().getColumnType(1));
            for (int i = 0; i < 12; i++) {
                prepared.setInt(1, i);
                same(i, first(prepared.executeQuery()));
            }
        }
    }

    static void resultsInPieces(Connection connection) throws SQLException {
        connection.setAutoCommit(false);
        try (Statement one = connection.createStatement(); Statement other = connection.createStatement()) {
            one.setFetchSize(100);
            other.setFetchSize(10);
            // Two results at once, one of which is closed early.
            ResultSet rows = one.executeQuery("SELECT x::int FROM generate_series(1, 1000) t(x) ORDER BY x");
            ResultSet more = other.executeQuery("SELECT x::int FROM generate_series(1, 100000000) t(x)");
            for (int i = 1; i <= 500; i++) {
                same(true, rows.next());
                same(i, rows.getInt(1));
            }
            for (int i = 1; i <= 25; i++) {
                same(true, more.next());
            }
            more.close();
            int seen = 500;
            while (rows.next()) {
                same(++seen, rows.getInt(1));
            }
            same(1000, seen);
        }
        try (PreparedStatement prepared = connection.prepareStatement("SELECT x::int FROM generate_series(1, ?::int) t(x)")) {
            prepared.setFetchSize(7);
            prepared.setInt(1, 50);
            same(50, count(prepared.executeQuery()));
            same(50, count(prepared.executeQuery()));
        }
        connection.commit();
    }

    static void transactions(Connection connection) throws Exception {
        inDatabase(connection, "of_jdbc", () -> {
            connection.setAutoCommit(false);
            run(connection, "INSERT INTO of_jdbc.things (id) VALUES (1)");
            connection.rollback();
            run(connection, "INSERT INTO of_jdbc.things (id) VALUES (2)");
            Savepoint savepoint = connection.setSavepoint("before");
            same("22012", refused(connection, "SELECT 1 / 0").getSQLState());
            same("25P02", refused(connection, "SELECT 1").getSQLState());
            connection.rollback(savepoint);
            connection.commit();
            connection.setAutoCommit(true);
            same(2, value(connection, "SELECT id FROM of_jdbc.things"));
        });
        connection.setReadOnly(true);
        connection.setTransactionIsolation(Connection.TRANSACTION_READ_COMMITTED);
        same(Connection.TRANSACTION_READ_COMMITTED, connection.getTransactionIsolation());
        connection.setReadOnly(false);
    }

    static void cancelFromAnotherThread(Connection connection) throws Exception {
        try (Statement statement = connection.createStatement(); Connection other = connect("admin", adminPassword)) {
            Thread thread = new Thread(() -> {
                try {
                    String sql = "SELECT count(*) FROM system.queries WHERE state = 'RUNNING' AND query LIKE '%/* jdbc */%'"
                            + " AND query NOT LIKE '%system.queries%'";
                    for (int i = 0; i < 600 && (Long) value(other, sql) == 0; i++) {
                        Thread.sleep(100);
                    }
                    statement.cancel();
                } catch (Exception problem) {
                    problem.printStackTrace();
                }
            });
            thread.start();
            same("57014", caught(() -> statement.executeQuery(FOREVER)).getSQLState());
            thread.join();
            endsOnTheServer(other);
        }
        same(1, value(connection, "SELECT 1::int"));
    }

    static void timeouts(Connection connection) throws SQLException {
        try (Statement statement = connection.createStatement()) {
            statement.setQueryTimeout(1);
            same("57014", caught(() -> statement.executeQuery(FOREVER)).getSQLState());
        }
        same(1, value(connection, "SELECT 1::int"));
        try (Connection other = connectBy("user", "admin", "password", adminPassword, "options", "-c statement_timeout=300")) {
            same("57014", caught(() -> value(other, FOREVER)).getSQLState());
            same(true, other.isValid(5));
            same("7s", setAndShow(other));
        }
    }

    static Object setAndShow(Connection connection) throws SQLException {
        run(connection, "SET statement_timeout = '7s'");
        return value(connection, "SHOW statement_timeout");
    }

    static void metadata(Connection connection) throws SQLException {
        DatabaseMetaData metadata = connection.getMetaData();
        same("PostgreSQL", metadata.getDatabaseProductName());
        holds(column(metadata.getCatalogs(), "TABLE_CAT"), "awsdatacatalog");
        Set<String> schemas = column(metadata.getSchemas(), "TABLE_SCHEM");
        holds(schemas, "curated");
        holds(schemas, "pg_catalog");
        same("[customers, orders, products, users]",
                column(metadata.getTables(null, "curated", "%", new String[] {"TABLE"}), "TABLE_NAME").toString());
        holds(column(metadata.getTableTypes(), "TABLE_TYPE"), "VIEW");
        Map<String, String> columns = new TreeMap<>();
        try (ResultSet rows = metadata.getColumns(null, "curated", "orders", "%")) {
            while (rows.next()) {
                columns.put(rows.getString("COLUMN_NAME"), rows.getInt("DATA_TYPE") + " " + rows.getString("TYPE_NAME") + " "
                        + rows.getInt("COLUMN_SIZE") + " " + rows.getInt("DECIMAL_DIGITS"));
            }
        }
        same(Types.NUMERIC + " numeric 10 2", columns.get("total"));
        same(Types.INTEGER + " int4 10 0", columns.get("quantity"));
        same(Types.DATE + " date 13 0", columns.get("order_date"));
        for (ResultSet none : List.of(
                metadata.getPrimaryKeys(null, "curated", "orders"), metadata.getImportedKeys(null, "curated", "orders"),
                metadata.getExportedKeys(null, "curated", "orders"), metadata.getIndexInfo(null, "curated", "orders", false, false),
                metadata.getCrossReference(null, "curated", "orders", null, "curated", "customers"))) {
            same(0, count(none));
        }
        holds(column(metadata.getTypeInfo(), "TYPE_NAME"), "int4");
        holds(column(metadata.getFunctions(null, null, "lower"), "FUNCTION_NAME"), "lower");
    }

    /** Every method of the metadata that needs nothing but patterns answers. */
    static void everyMethodOfTheMetadata(Connection connection) throws Exception {
        DatabaseMetaData metadata = connection.getMetaData();
        List<String> failed = new ArrayList<>();
        Set<String> asked = new TreeSet<>();
        for (java.lang.reflect.Method method : DatabaseMetaData.class.getMethods()) {
            Object[] arguments = new Object[method.getParameterCount()];
            for (int i = 0; i < arguments.length; i++) {
                Class<?> kind = method.getParameterTypes()[i];
                arguments[i] = kind == int.class ? (Object) 1 : kind == boolean.class ? (Object) false : kind == String.class && i == 1 ? "curated"
                        : kind == String.class && i > 1 ? "orders" : null;
            }
            try {
                Object answer = method.invoke(metadata, arguments);
                asked.add(method.getName());
                if (answer instanceof ResultSet) {
                    count((ResultSet) answer);
                }
            } catch (java.lang.reflect.InvocationTargetException problem) {
                boolean unimplemented = problem.getCause() instanceof java.sql.SQLFeatureNotSupportedException
                        || !(problem.getCause() instanceof SQLException);
                if (!unimplemented) {
                    failed.add(method.getName() + ": " + problem.getCause().getMessage());
                }
            }
        }
        same("[]", failed.toString());
        holds(asked, "getTables");
    }

    static void loads(Connection connection) throws Exception {
        inDatabase(connection, "of_jdbc", () -> {
            try (PreparedStatement prepared = connection.prepareStatement("INSERT INTO of_jdbc.things (id, name, price, at) VALUES (?, ?, ?, ?)")) {
                for (int i = 1; i <= 3; i++) {
                    prepared.setInt(1, i);
                    prepared.setString(2, i == 2 ? null : "n" + i);
                    prepared.setBigDecimal(3, new BigDecimal("12.50"));
                    prepared.setObject(4, AT);
                    prepared.addBatch();
                }
                same("[1, 1, 1]", Arrays.toString(prepared.executeBatch()));
            }
            same(2L, copies(connection).copyIn("COPY of_jdbc.things (id, name) FROM STDIN (FORMAT csv)", new StringReader("4,\"a,b\"\n5,\n")));
            try (Statement statement = connection.createStatement();
                    ResultSet rows = statement.executeQuery("SELECT id, name, price, at FROM of_jdbc.things ORDER BY id")) {
                List<String> seen = new ArrayList<>();
                while (rows.next()) {
                    seen.add(rows.getInt(1) + " " + rows.getString(2) + " " + rows.getBigDecimal(3) + " " + rows.getObject(4, LocalDateTime.class));
                }
                same("[1 n1 12.50 " + AT + ", 2 null 12.50 " + AT + ", 3 n3 12.50 " + AT + ", 4 a,b null null, 5 null null null]",
                        seen.toString());
            }
        });
    }

    static CopyManager copies(Connection connection) throws SQLException {
        return connection.unwrap(PGConnection.class).getCopyAPI();
    }

    /** Runs the action while there are a table `things` and a view over it in a database of their own. */
    static void inDatabase(Connection connection, String database, Action action) throws Exception {
        run(connection, "DROP DATABASE IF EXISTS " + database + " CASCADE");
        run(connection, "CREATE DATABASE " + database);
        run(connection, "CREATE EXTERNAL TABLE " + database + ".things (id int COMMENT 'the key', name string, price decimal(10,2), at timestamp)"
                + " STORED AS PARQUET LOCATION 's3://datalake/" + database + "/" + UUID.randomUUID() + "/'");
        run(connection, "COMMENT ON TABLE " + database + ".things IS 'all the things'");
        run(connection, "CREATE VIEW " + database + ".named AS SELECT id, name FROM " + database + ".things WHERE name IS NOT NULL");
        try {
            action.run();
        } finally {
            if (!connection.getAutoCommit()) {
                connection.rollback();
                connection.setAutoCommit(true);
            }
            run(connection, "DROP DATABASE " + database + " CASCADE");
        }
    }

    static SQLException caught(Action action) {
        try {
            action.run();
        } catch (SQLException expected) {
            return expected;
        } catch (Exception other) {
            throw new AssertionError("not an SQLException", other);
        }
        throw new AssertionError("should fail");
    }

    static int count(ResultSet result) throws SQLException {
        int count = 0;
        try (ResultSet rows = result) {
            while (rows.next()) {
                count++;
            }
        }
        return count;
    }

    static Object firstOf(ResultSet result, String label) throws SQLException {
        try (ResultSet rows = result) {
            same(true, rows.next());
            return rows.getString(label);
        }
    }
}
