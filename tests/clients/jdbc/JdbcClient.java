import java.math.BigDecimal;
import java.nio.charset.StandardCharsets;
import java.sql.Connection;
import java.sql.Date;
import java.sql.DatabaseMetaData;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.ResultSetMetaData;
import java.sql.SQLException;
import java.sql.Statement;
import java.sql.Time;
import java.sql.Timestamp;
import java.sql.Types;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Set;

/**
 * The Flight SQL JDBC driver against a running demo. Arguments: the URL, the CA's file, the passwords of admin and
 * scientist, then the analyst's token, certificate and key.
 *
 * <p>What was seen to work, and what fails as expected, is written to $LAKEGATE_SHOWN, a line of JSON each.
 */
public final class JdbcClient extends Runner {
    private static final String FOREVER =
            "SELECT /* jdbc */ count(*) FROM generate_series(1, 100000) a(x), generate_series(1, 100000) b(y),"
                    + " generate_series(1, 100000) c(z) WHERE x + y > z";

    public static void main(String[] arguments) throws Exception {
        begin("JDBC", "tlsRootCerts", arguments);
        works("TLS with certificate verification", connection -> same(1, value(connection, "SELECT 1")));
        works("user and password", connection -> same("admin", value(connection, "SELECT current_user")));
        works("error for a wrong password", connection ->
                fails("password authentication failed", () -> connect("nobody_jdbc", "wrong").close()));
        works("token of an identity provider", connection -> {
            try (Connection analyst = connectBy("token", token)) {
                same("analyst", value(analyst, "SELECT current_user"));
            }
            fails("not accepted", () -> value(connectBy("token", token + "x"), "SELECT 1"));
        });
        works("client certificate", connection -> {
            try (Connection analyst = connectBy("clientCertificate", certificate, "clientKey", key)) {
                same("analyst", value(analyst, "SELECT current_user"));
            }
        });
        works("query", JdbcClient::rowsComeAsJavaValues);
        works("nested types", JdbcClient::nestedTypes);
        works("reading a result in pieces", JdbcClient::resultInPieces);
        works("statement that returns no rows", JdbcClient::statementsWithoutRows);
        cannot("row limit", "setMaxRows counts the rows of each batch separately, so a result of several batches is not limited; use LIMIT",
                JdbcClient::rowLimit);
        works("message and position of an error", JdbcClient::errorsSayWhat);
        works("SQLSTATE of an error", JdbcClient::sqlstateIsInTheCause);
        works("cancel", JdbcClient::cancelFromAnotherThread);
        works("timeout", JdbcClient::timeoutEndsTheQuery);
        works("prepared statement", JdbcClient::preparedStatement);
        works("schema of a result without execution", connection -> {
            try (PreparedStatement prepared = connection.prepareStatement(FOREVER)) {
                same(Types.BIGINT, prepared.getMetaData().getColumnType(1));
            }
        });
        works("parameters of all types", JdbcClient::parametersOfEveryType);
        cannot("several rows of parameters",
                "executeBatch is for updates, such as INSERT; for a query, it returns no rows",
                connection -> same(2, batchOfQueries(connection).length));
        cannot("batch of statements", "the driver does not implement Statement.addBatch", connection -> {
            Statement statement = connection.createStatement();
            statement.addBatch("CREATE DATABASE jdbc_batch");
            statement.executeBatch();
        });
        works("catalogs, databases, tables", JdbcClient::catalogsSchemasTables);
        works("columns", JdbcClient::columns);
        works("table types", connection -> same(
                Set.of("TABLE", "VIEW", "SYSTEM TABLE"), column(connection.getMetaData().getTableTypes(), "TABLE_TYPE")));
        works("primary and foreign keys (always empty)", JdbcClient::keys);
        cannot("type information of the server", "the driver answers getTypeInfo itself, with an empty result", connection ->
                holds(column(connection.getMetaData().getTypeInfo(), "TYPE_NAME"), "bigint"));
        works("information about the server", JdbcClient::factsOfTheServer);
        works("columns without a grant are hidden", JdbcClient::scientistSeesThreeColumns);
        works("current catalog and database", JdbcClient::useHolds);
        cannot("setSchema", "the driver does not send the name to the server; use the statement USE", connection -> {
            connection.setSchema("curated");
            value(connection, "SELECT count(*) FROM products");
        });
        works("session settings", connection -> {
            run(connection, "SET statement_timeout = '30s'");
            same("30s", value(connection, "SHOW statement_timeout"));
        });
        cannot("error for a transaction",
                "the driver's setAutoCommit(false), commit and rollback do nothing and raise no error", connection ->
                        fails("transaction", () -> connection.setAutoCommit(false)));
        works("DBeaver's calls", JdbcClient::asDBeaver);
        end();
    }

    static void rowsComeAsJavaValues(Connection connection) throws SQLException {
        String sql = "SELECT 1::smallint, 2::int, 3::bigint, 2.5::double precision, 'dß', true, NULL::int, DATE '2024-02-29',"
                + " TIMESTAMP '2024-02-29 12:34:56.789', CAST('12.50' AS DECIMAL(10,2)), '\\x00ff'::bytea, ARRAY[1, 2]";
        try (Statement statement = connection.createStatement(); ResultSet rows = statement.executeQuery(sql)) {
            same(true, rows.next());
            Object[] expected = {
                (short) 1, 2, 3L, 2.5, "dß", true, null, Date.valueOf("2024-02-29"),
                Timestamp.valueOf("2024-02-29 12:34:56.789"), new BigDecimal("12.50"),
            };
            for (int i = 0; i < expected.length; i++) {
                same(expected[i], rows.getObject(i + 1));
            }
            same("[0, -1]", Arrays.toString(rows.getBytes(11)));
            same("[1, 2]", Arrays.toString((Object[]) rows.getArray(12).getArray()));
            same(false, rows.next());
        }
        try (Statement statement = connection.createStatement();
                ResultSet rows = statement.executeQuery("SELECT total, order_id FROM curated.orders WHERE false")) {
            ResultSetMetaData columns = rows.getMetaData();
            same("total DECIMAL 10 2", columns.getColumnLabel(1) + " " + columns.getColumnTypeName(1) + " "
                    + columns.getPrecision(1) + " " + columns.getScale(1));
            same(false, rows.next());
        }
    }

    static void nestedTypes(Connection connection) throws SQLException {
        try (Statement statement = connection.createStatement();
                ResultSet rows = statement.executeQuery("SELECT shipping, items, attributes FROM raw.orders LIMIT 1")) {
            rows.next();
            same(true, rows.getString(1).contains("\"city\"") && rows.getString(2).contains("\"sku\""));
            same(true, rows.getObject(3) instanceof java.util.Map);
        }
    }

    static void resultInPieces(Connection connection) throws SQLException {
        String sql = "SELECT a.x FROM generate_series(1, 1000000) a(x), generate_series(1, 1000000) b(y)";
        try (Statement statement = connection.createStatement(); ResultSet rows = statement.executeQuery(sql)) {
            for (int i = 0; i < 50_000; i++) {
                same(true, rows.next());
            }
        }
    }

    static void statementsWithoutRows(Connection connection) throws SQLException {
        try (Statement statement = connection.createStatement()) {
            same(false, statement.execute("CREATE DATABASE jdbc_made"));
            same(0, statement.getUpdateCount());
            fails("already exists", () -> statement.execute("CREATE DATABASE jdbc_made"));
            same(0, statement.executeUpdate("DROP DATABASE jdbc_made"));
        }
    }

    static void rowLimit(Connection connection) throws SQLException {
        try (Statement statement = connection.createStatement()) {
            statement.setMaxRows(200);
            statement.setFetchSize(100);
            int count = 0;
            try (ResultSet rows = statement.executeQuery("SELECT * FROM curated.orders")) {
                while (rows.next()) {
                    count++;
                }
            }
            same(200, count);
        }
    }

    static void errorsSayWhat(Connection connection) throws SQLException {
        String[][] wrong = {
            {"SELECT * FROM curated.absent", "relation \"curated.absent\" does not exist"},
            {"SELECT no_such FROM curated.orders", "column \"no_such\" does not exist"},
            {"SELECT total / (quantity - quantity) FROM curated.orders", "division by zero"},
            {"SELECT 1; SELECT 2", "one by one"},
        };
        for (String[] one : wrong) {
            fails(one[1], () -> value(connection, one[0]));
        }
        same(1, value(connection, "SELECT 1"));
    }

    /** getSQLState has nothing. The classes of the cause are shaded into the driver, so they are asked by name. */
    static void sqlstateIsInTheCause(Connection connection) throws Exception {
        Throwable cause = refused(connection, "SELECT * FROM curated.absent").getCause();
        Object status = cause.getClass().getMethod("status").invoke(cause);
        Object metadata = status.getClass().getMethod("metadata").invoke(status);
        same("42P01", metadata.getClass().getMethod("get", String.class).invoke(metadata, "sqlstate"));
    }

    static void cancelFromAnotherThread(Connection connection) throws Exception {
        try (Statement statement = connection.createStatement()) {
            Thread canceller = new Thread(() -> {
                try {
                    Thread.sleep(500);
                    statement.cancel();
                } catch (InterruptedException | SQLException e) {
                    throw new IllegalStateException(e);
                }
            });
            canceller.start();
            long started = System.nanoTime();
            fails("ancel", () -> first(statement.executeQuery(FOREVER)));
            canceller.join();
            same(true, System.nanoTime() - started < 30_000_000_000L);
        }
        endsOnTheServer(connection);
    }

    static void timeoutEndsTheQuery(Connection connection) throws Exception {
        try (Connection other = connect("admin", adminPassword); Statement statement = other.createStatement()) {
            statement.setQueryTimeout(1);
            fails("timed out", () -> first(statement.executeQuery(FOREVER)));
        }
        // The driver only gives up waiting: the query ends with its connection. The server has a limit of its own.
        endsOnTheServer(connection);
        run(connection, "SET statement_timeout = '1s'");
        fails("statement timeout", () -> value(connection, FOREVER));
        run(connection, "RESET statement_timeout");
    }

    static void preparedStatement(Connection connection) throws SQLException {
        String sql = "SELECT order_id, order_date FROM curated.orders WHERE order_date = ? AND quantity >= ? AND total < ?"
                + " ORDER BY 1 LIMIT 2";
        try (PreparedStatement prepared = connection.prepareStatement(sql)) {
            same(3, prepared.getParameterMetaData().getParameterCount());
            same(Types.DATE, prepared.getParameterMetaData().getParameterType(1));
            same("order_date", prepared.getMetaData().getColumnLabel(2));
            for (String day : List.of("2024-05-05", "2024-05-06")) {
                prepared.setDate(1, Date.valueOf(day));
                prepared.setInt(2, 1);
                prepared.setBigDecimal(3, new BigDecimal("100000.00"));
                try (ResultSet rows = prepared.executeQuery()) {
                    same(true, rows.next());
                    same(Date.valueOf(day), rows.getDate(2));
                }
            }
        }
    }

    static void parametersOfEveryType(Connection connection) throws SQLException {
        Object[][] values = {
            {"smallint", (short) 7}, {"int", 7}, {"bigint", 1L << 40}, {"double precision", 2.5},
            {"decimal(10,2)", new BigDecimal("12.50")}, {"boolean", true}, {"string", "dß 'quoted'"},
            {"date", Date.valueOf("2024-02-29")}, {"timestamp", Timestamp.valueOf("2024-02-29 12:34:56.789")},
        };
        for (Object[] one : values) {
            try (PreparedStatement prepared = connection.prepareStatement("SELECT CAST(? AS " + one[0] + ")")) {
                prepared.setObject(1, one[1]);
                same(one[1], first(prepared.executeQuery()));
                prepared.setNull(1, Types.NULL);
                same(null, first(prepared.executeQuery()));
            }
        }
        try (PreparedStatement prepared = connection.prepareStatement("SELECT CAST(? AS bytea), CAST(CAST(? AS time) AS string)")) {
            prepared.setBytes(1, "ab".getBytes(StandardCharsets.UTF_8));
            prepared.setTime(2, Time.valueOf("12:34:56"));
            try (ResultSet rows = prepared.executeQuery()) {
                rows.next();
                same("ab", new String(rows.getBytes(1), StandardCharsets.UTF_8));
                same("12:34:56", rows.getString(2));
            }
        }
    }

    static int[] batchOfQueries(Connection connection) throws SQLException {
        try (PreparedStatement prepared = connection.prepareStatement("SELECT order_id FROM curated.orders WHERE quantity = ?")) {
            for (int quantity : List.of(1, 2)) {
                prepared.setInt(1, quantity);
                prepared.addBatch();
            }
            return prepared.executeBatch();
        }
    }

    static void catalogsSchemasTables(Connection connection) throws SQLException {
        DatabaseMetaData metadata = connection.getMetaData();
        same(Set.of("awsdatacatalog"), column(metadata.getCatalogs(), "TABLE_CAT"));
        Set<String> schemas = column(metadata.getSchemas(), "TABLE_SCHEM");
        for (String schema : List.of("raw", "curated", "analytics", "system")) {
            holds(schemas, schema);
        }
        same(Set.of("curated"), column(metadata.getSchemas("awsdatacatalog", "cur%"), "TABLE_SCHEM"));
        holds(column(metadata.getTables(null, "curated", "%", null), "TABLE_NAME"), "customers");
        String[] tables = {"TABLE"};
        same(Set.of("orders"), column(metadata.getTables("awsdatacatalog", "curated", "ord%", tables), "TABLE_NAME"));
        same(Set.of(), column(metadata.getTables(null, "curated", "%", new String[] {"VIEW"}), "TABLE_NAME"));
    }

    static void columns(Connection connection) throws SQLException {
        List<String> seen = new ArrayList<>();
        try (ResultSet rows = connection.getMetaData().getColumns("awsdatacatalog", "curated", "orders", "%")) {
            while (rows.next()) {
                seen.add(String.join(" ", rows.getString("COLUMN_NAME"), rows.getString("TYPE_NAME"),
                        rows.getString("DATA_TYPE"), rows.getString("COLUMN_SIZE"), rows.getString("IS_NULLABLE")));
                same(seen.size(), rows.getInt("ORDINAL_POSITION"));
            }
        }
        holds(seen, "quantity int " + Types.INTEGER + " 10 YES");
        holds(seen, "total decimal(10,2) " + Types.DECIMAL + " 10 YES");
        same(true, seen.get(seen.size() - 1).startsWith("order_date date " + Types.DATE));
        same(Set.of("total"), column(connection.getMetaData().getColumns(null, "curated", "orders", "tot%"), "COLUMN_NAME"));
    }

    static void keys(Connection connection) throws SQLException {
        DatabaseMetaData metadata = connection.getMetaData();
        for (ResultSet keys : List.of(
                metadata.getPrimaryKeys(null, "curated", "orders"),
                metadata.getImportedKeys(null, "curated", "orders"),
                metadata.getExportedKeys(null, "curated", "orders"),
                metadata.getCrossReference(null, "curated", "orders", null, "curated", "customers"),
                metadata.getIndexInfo(null, "curated", "orders", false, false))) {
            try (keys) {
                same(false, keys.next());
            }
        }
    }

    static void factsOfTheServer(Connection connection) throws Exception {
        DatabaseMetaData metadata = connection.getMetaData();
        same("Lakegate", metadata.getDatabaseProductName());
        same("\"", metadata.getIdentifierQuoteString());
        same("database", metadata.getSchemaTerm());
        holds(List.of(metadata.getSQLKeywords().split(", ")), "MSCK");
        holds(List.of(metadata.getNumericFunctions().split(", ")), "round");
        same(false, metadata.supportsTransactions());
        same(false, metadata.isReadOnly());
        same(Connection.TRANSACTION_NONE, metadata.getDefaultTransactionIsolation());
        same(true, metadata.supportsConvert());
        // None of the other questions without arguments, which tools ask at random, may fail.
        for (var question : DatabaseMetaData.class.getMethods()) {
            if (question.getParameterCount() == 0 && question.getReturnType() != ResultSet.class) {
                question.invoke(metadata);
            }
        }
    }

    static void scientistSeesThreeColumns(Connection admin) throws SQLException {
        try (Connection connection = connect("scientist", scientistPassword)) {
            DatabaseMetaData metadata = connection.getMetaData();
            Set<String> granted = Set.of("customer_id", "segment", "region");
            same(granted, column(metadata.getColumns(null, "curated", "customers", "%"), "COLUMN_NAME"));
            fails("\"email\" does not exist", () -> value(connection, "SELECT email FROM curated.customers"));
        }
    }

    static void useHolds(Connection connection) throws SQLException {
        connection.setCatalog("awsdatacatalog");
        same("awsdatacatalog", connection.getCatalog());
        run(connection, "USE curated");
        same("curated", value(connection, "SHOW search_path"));
        same(true, (Long) value(connection, "SELECT count(*) FROM products") > 0);
    }

    /** What DBeaver's generic connection asks for, in its order: the server, the tree, a table's page, then its editor. */
    static void asDBeaver(Connection connection) throws SQLException {
        same(true, connection.isValid(5));
        DatabaseMetaData metadata = connection.getMetaData();
        same("Lakegate", metadata.getDatabaseProductName());
        metadata.getDatabaseProductVersion();
        metadata.getDriverName();
        metadata.getSQLKeywords();
        metadata.getIdentifierQuoteString();
        metadata.getSearchStringEscape();
        metadata.getExtraNameCharacters();
        metadata.supportsBatchUpdates();
        metadata.getTypeInfo().close();
        connection.setAutoCommit(true);
        connection.getTransactionIsolation();
        for (String catalog : column(metadata.getCatalogs(), "TABLE_CAT")) {
            for (String schema : column(metadata.getSchemas(catalog, null), "TABLE_SCHEM")) {
                Set<String> tables = column(metadata.getTables(catalog, schema, "%", null), "TABLE_NAME");
                same(false, tables.isEmpty());
                Set<String> described = column(metadata.getColumns(catalog, schema, "%", "%"), "TABLE_NAME");
                same(true, described.containsAll(tables));
                metadata.getProcedures(catalog, schema, "%").close();
                metadata.getFunctions(catalog, schema, "%").close();
            }
        }
        for (String table : List.of("curated.orders", "raw.orders")) {
            String[] parts = table.split("\\.");
            metadata.getPrimaryKeys("awsdatacatalog", parts[0], parts[1]).close();
            metadata.getIndexInfo("awsdatacatalog", parts[0], parts[1], false, true).close();
            metadata.getImportedKeys("awsdatacatalog", parts[0], parts[1]).close();
            String sql = "SELECT * FROM awsdatacatalog." + table;
            try (Statement statement =
                    connection.createStatement(ResultSet.TYPE_FORWARD_ONLY, ResultSet.CONCUR_READ_ONLY)) {
                statement.setMaxRows(200);
                statement.setFetchSize(200);
                same(true, statement.execute(sql));
                int count = 0;
                try (ResultSet rows = statement.getResultSet()) {
                    int width = rows.getMetaData().getColumnCount();
                    // It counts for itself, and closes what it does not show.
                    while (count < 200 && rows.next()) {
                        count++;
                        for (int i = 1; i <= width; i++) {
                            rows.getObject(i);
                        }
                    }
                }
                same(200, count);
                same(-1, statement.getUpdateCount());
                same(null, statement.getWarnings());
            }
        }
    }
}
