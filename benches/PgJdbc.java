import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.ResultSet;
import java.sql.Statement;

/**
 * Reads a query's rows by PostgreSQL's JDBC driver. Arguments: the query, then the URL of each server. Each line of the
 * standard input is the number of a server and a fetch size; the answer to it is the number of rows.
 */
public final class PgJdbc {
    public static void main(String[] arguments) throws Exception {
        Connection[] connections = new Connection[arguments.length - 1];
        for (int i = 0; i < connections.length; i++) {
            connections[i] = DriverManager.getConnection(arguments[i + 1]);
            // With autocommit, the driver ignores the fetch size.
            connections[i].setAutoCommit(false);
        }
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            String[] words = line.split(" ");
            System.out.println(read(connections[Integer.parseInt(words[0])], arguments[0], Integer.parseInt(words[1])));
        }
    }

    private static long read(Connection connection, String query, int fetchSize) throws Exception {
        long rows = 0;
        try (Statement statement = connection.createStatement()) {
            statement.setFetchSize(fetchSize);
            try (ResultSet result = statement.executeQuery(query)) {
                int columns = result.getMetaData().getColumnCount();
                while (result.next()) {
                    for (int column = 1; column <= columns; column++) {
                        result.getObject(column);
                    }
                    rows++;
                }
            }
        }
        connection.commit();
        return rows;
    }
}
