import java.io.FileWriter;
import java.io.Writer;
import java.nio.charset.StandardCharsets;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Objects;
import java.util.Properties;
import java.util.Set;
import java.util.TreeSet;

/** Runs checks one by one, each on a connection of its own, and notes what they show. */
class Runner {
    static String adminPassword;
    static String scientistPassword;
    /** How the demo's analyst logs in without a password: a provider's token, and the files of a certificate and its key. */
    static String token;
    static String certificate;
    static String key;
    private static String client;
    private static String url;
    private static String caProperty;
    private static String ca;
    static String version;
    private static final List<String> failures = new ArrayList<>();

    interface Check {
        void run(Connection connection) throws Exception;
    }

    /** The client's name on its page, and the driver's property for the file with the authority's certificate. */
    static void begin(String name, String property, String[] arguments) throws SQLException {
        client = name;
        caProperty = property;
        url = arguments[0];
        ca = arguments[1];
        adminPassword = arguments[2];
        scientistPassword = arguments[3];
        if (arguments.length > 4) {
            token = arguments[4];
            certificate = arguments[5];
            key = arguments[6];
        }
        try (Connection connection = connect("admin", adminPassword)) {
            version = connection.getMetaData().getDriverVersion();
        }
    }

    static void end() {
        failures.forEach(System.err::println);
        System.out.println(failures.isEmpty() ? "all passed" : failures.size() + " failed");
        // Threads of the driver would keep the process.
        System.exit(failures.isEmpty() ? 0 : 1);
    }

    static Connection connect(String user, String password) throws SQLException {
        return connectBy("user", user, "password", password);
    }

    /** Names and values in turns. */
    static Connection connectBy(String... credentials) throws SQLException {
        Properties properties = new Properties();
        for (int i = 0; i < credentials.length; i += 2) {
            properties.put(credentials[i], credentials[i + 1]);
        }
        properties.putIfAbsent(caProperty, ca);
        return DriverManager.getConnection(url, properties);
    }

    /** Notes that the capability works if the check passes. */
    static void works(String capability, Check check) throws Exception {
        try (Connection connection = connect("admin", adminPassword)) {
            check.run(connection);
            note(capability, null);
        } catch (Exception | AssertionError failure) {
            failures.add(capability + ": " + failure);
            failure.printStackTrace();
        }
    }

    /** Notes why the capability does not work if the check fails; that it passes is a failure. */
    static void cannot(String capability, String why, Check check) throws Exception {
        Connection connection = connect("admin", adminPassword);
        try {
            check.run(connection);
        } catch (Exception | AssertionError expected) {
            note(capability, why);
            return;
        }
        failures.add(capability + ": works now, although the test says: " + why);
    }

    static void note(String capability, String failsBecause) throws Exception {
        String file = System.getenv("LAKEGATE_SHOWN");
        if (file == null) {
            return;
        }
        try (Writer out = new FileWriter(file, StandardCharsets.UTF_8, true)) {
            out.write("{\"client\": " + json(client) + ", \"version\": " + json(version) + ", \"capability\": " + json(capability)
                    + ", \"fails_because\": " + json(failsBecause) + "}\n");
        }
    }

    static String json(String text) {
        return text == null ? "null" : "\"" + text.replace("\\", "\\\\").replace("\"", "\\\"") + "\"";
    }

    interface Action {
        void run() throws Exception;
    }

    static void fails(String message, Action action) {
        try {
            action.run();
        } catch (Exception expected) {
            if (String.valueOf(expected.getMessage()).contains(message)) {
                return;
            }
            throw new AssertionError("should fail with '" + message + "'", expected);
        }
        throw new AssertionError("should fail with '" + message + "'");
    }

    static SQLException refused(Connection connection, String sql) {
        try {
            value(connection, sql);
        } catch (SQLException expected) {
            return expected;
        }
        throw new AssertionError("should fail: " + sql);
    }

    static void endsOnTheServer(Connection connection) throws Exception {
        endsOnTheServer(connection, "jdbc");
    }

    /** No query of those that run forever, with this mark, is left. */
    static void endsOnTheServer(Connection connection, String mark) throws Exception {
        String sql = "SELECT count(*) FROM system.queries WHERE state = 'RUNNING' AND query LIKE '%/* " + mark + " */%'"
                + " AND query NOT LIKE '%system.queries%'";
        for (int i = 0; i < 200 && (Long) value(connection, sql) > 0; i++) {
            Thread.sleep(100);
        }
        same(0L, value(connection, sql));
    }

    static void run(Connection connection, String sql) throws SQLException {
        try (Statement statement = connection.createStatement()) {
            statement.execute(sql);
        }
    }

    static Object value(Connection connection, String sql) throws SQLException {
        try (Statement statement = connection.createStatement()) {
            return first(statement.executeQuery(sql));
        }
    }

    static Object first(ResultSet result) throws SQLException {
        try (ResultSet rows = result) {
            same(true, rows.next());
            return rows.getObject(1);
        }
    }

    static Set<String> column(ResultSet result, String label) throws SQLException {
        Set<String> values = new TreeSet<>();
        try (ResultSet rows = result) {
            while (rows.next()) {
                values.add(rows.getString(label));
            }
        }
        return values;
    }

    static void same(Object expected, Object found) {
        if (!Objects.equals(expected, found)) {
            throw new AssertionError("expected " + expected + ", found " + found);
        }
    }

    static void holds(Collection<?> values, Object wanted) {
        if (!values.contains(wanted)) {
            throw new AssertionError(wanted + " is not among " + values);
        }
    }
}
