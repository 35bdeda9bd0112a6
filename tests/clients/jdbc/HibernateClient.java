import com.zaxxer.hikari.HikariConfig;
import com.zaxxer.hikari.HikariDataSource;
import jakarta.persistence.Column;
import jakarta.persistence.Entity;
import jakarta.persistence.Id;
import jakarta.persistence.Table;
import java.math.BigDecimal;
import java.sql.Connection;
import java.sql.SQLException;
import java.time.LocalDate;
import java.time.LocalDateTime;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.logging.Level;
import java.util.logging.Logger;
import java.util.stream.Stream;
import org.hibernate.SessionFactory;
import org.hibernate.Version;
import org.hibernate.cfg.Configuration;
import org.hibernate.query.Query;

/** Hibernate over HikariCP's pool against a running demo, with the arguments of {@link PostgresClient}. */
public final class HibernateClient extends Runner {
    private static final LocalDate DAY = LocalDate.of(2024, 5, 5);
    private static final LocalDateTime AT = LocalDateTime.of(2024, 2, 29, 12, 34, 56, 789_000_000);
    private static final String FOREVER =
            "SELECT /* hibernate */ count(*) FROM generate_series(1, 100000) a(x), generate_series(1, 100000) b(y),"
                    + " generate_series(1, 100000) c(z) WHERE x + y > z";

    @Entity(name = "Thing")
    @Table(name = "things", schema = "of_hibernate")
    static class Thing {
        @Id Integer id;
        Long big;
        Boolean ok;
        Double ratio;
        @Column(precision = 10, scale = 2) BigDecimal price;
        String name;
        LocalDate day;
        LocalDateTime at;
        byte[] bytes;

        Thing() {}

        Thing(int id, String name) {
            this.id = id;
            this.name = name;
        }
    }

    @Entity(name = "Order")
    @Table(name = "orders", schema = "curated")
    static class Order {
        @Id @Column(name = "order_id") String id;
        @Column(name = "customer_id") String customer;
        Integer quantity;
        @Column(precision = 10, scale = 2) BigDecimal total;
        @Column(name = "created_at") LocalDateTime createdAt;
        @Column(name = "order_date") LocalDate day;
    }

    /** It has a column that the table lacks. */
    @Entity(name = "Other")
    @Table(name = "products", schema = "curated")
    static class Other {
        @Id @Column(name = "product_id") String id;
        @Column(name = "no_such") String missing;
    }

    record Sum(Integer quantity, Long count, BigDecimal total) {}

    interface Work {
        void run(SessionFactory factory) throws Exception;
    }

    public static void main(String[] arguments) throws Exception {
        Logger.getLogger("").setLevel(Level.OFF);
        System.setProperty("slf4j.internal.verbosity", "ERROR");
        begin("Hibernate", "sslrootcert", Arrays.copyOf(arguments, 4));
        version = Version.getVersionString();
        String url = arguments[0] + "&sslrootcert=" + arguments[1];
        works("TLS with certificate verification", connection -> with(url, "none", List.of(Order.class), factory ->
                same("admin", factory.fromSession(s -> s.createNativeQuery("SELECT current_user::text", String.class).getSingleResult()))));
        works("error for a wrong password", connection -> {
            try (HikariDataSource pool = pool(url, "wrong")) {
                throw new AssertionError("should not connect: " + pool);
            } catch (RuntimeException expected) {
                same("28P01", state(expected));
            }
        });
        works("simple query", connection -> with(url, "none", List.of(Order.class), HibernateClient::queries));
        works("parameters of all types", connection -> with(url, "none", List.of(Order.class), HibernateClient::parameters));
        works("tables and columns", connection -> inDatabase(connection, () -> {
            with(url, "validate", List.of(Order.class, Thing.class), factory -> same(true, factory.isOpen()));
            fails("no_such", () -> with(url, "validate", List.of(Other.class), factory -> same(true, false)));
        }));
        works("results of all types", connection -> inDatabase(connection, () -> with(url, "none", List.of(Thing.class), HibernateClient::values)));
        works("bulk load", connection -> inDatabase(connection, () -> with(url, "none", List.of(Thing.class), HibernateClient::batches)));
        works("transaction with rollback", connection -> inDatabase(connection, () -> with(url, "none", List.of(Thing.class), HibernateClient::rollsBack)));
        works("reading a result in pieces", connection -> with(url, "none", List.of(Order.class), HibernateClient::pieces));
        works("SQLSTATE and position of an error", connection -> with(url, "none", List.of(Order.class), factory -> {
            same("42703", failure(factory, "SELECT no_such FROM curated.orders"));
            same("42P01", failure(factory, "SELECT 1 FROM curated.no_such"));
        }));
        works("timeout", connection -> with(url, "none", List.of(Order.class), factory -> {
            same("57014", failure(factory, FOREVER));
            endsOnTheServer(connection, "hibernate");
        }));
        works("pool", connection -> {
            try (HikariDataSource pool = pool(url, adminPassword)) {
                ExecutorService threads = Executors.newFixedThreadPool(4);
                List<Callable<Object>> asked = new ArrayList<>();
                for (int i = 0; i < 12; i++) {
                    asked.add(() -> {
                        try (Connection pooled = pool.getConnection()) {
                            pooled.setReadOnly(true);
                            return value(pooled, "SELECT 7::int");
                        }
                    });
                }
                for (Future<Object> answer : threads.invokeAll(asked)) {
                    same(7, answer.get());
                }
                threads.shutdown();
            }
        });
        end();
    }

    static HikariDataSource pool(String url, String password) {
        HikariConfig config = new HikariConfig();
        config.setJdbcUrl(url);
        config.setUsername("admin");
        config.setPassword(password);
        config.setMaximumPoolSize(2);
        return new HikariDataSource(config);
    }

    static void with(String url, String schema, List<Class<?>> entities, Work work) throws Exception {
        try (HikariDataSource pool = pool(url, adminPassword)) {
            Configuration configuration = new Configuration()
                    .setProperty("hibernate.hbm2ddl.auto", schema)
                    .setProperty("hibernate.jdbc.batch_size", "10")
                    .setProperty("hibernate.bytecode.provider", "bytebuddy");
            configuration.getProperties().put("hibernate.connection.datasource", pool);
            entities.forEach(configuration::addAnnotatedClass);
            try (SessionFactory factory = configuration.buildSessionFactory()) {
                work.run(factory);
            }
        }
    }

    /** The SQLSTATE of the driver's error. */
    static String state(Throwable error) {
        Throwable cause = error;
        while (cause != null && !(cause instanceof SQLException)) {
            cause = cause.getCause();
        }
        return cause == null ? error.toString() : ((SQLException) cause).getSQLState();
    }

    static String failure(SessionFactory factory, String sql) {
        try {
            factory.inSession(s -> s.createNativeQuery(sql, Object.class).setTimeout(1).getResultList());
        } catch (RuntimeException expected) {
            return state(expected);
        }
        throw new AssertionError("should fail: " + sql);
    }

    static Object ask(SessionFactory factory, String sql) {
        return factory.fromSession(s -> s.createNativeQuery(sql, Object.class).getSingleResult());
    }

    static void queries(SessionFactory factory) {
        factory.inSession(s -> {
            Long all = s.createQuery("select count(o) from Order o", Long.class).getSingleResult();
            same(ask(factory, "SELECT count(*) FROM curated.orders"), all);
            List<String> best = s.createQuery("select o.id from Order o order by o.total desc, o.id", String.class)
                    .setFirstResult(2).setMaxResults(3).getResultList();
            same(s.createNativeQuery("SELECT order_id FROM curated.orders ORDER BY total DESC, order_id OFFSET 2 LIMIT 3", String.class).getResultList(), best);
            same(best.get(0), s.find(Order.class, best.get(0)).id);
            same(null, s.find(Order.class, "no_such"));
            List<Sum> sums = s.createQuery("select o.quantity, count(*), sum(o.total) from Order o group by o.quantity having count(*) > 0"
                    + " order by o.quantity nulls first", Sum.class).getResultList();
            same(all, sums.stream().mapToLong(Sum::count).sum());
            same(ask(factory, "SELECT sum(total) FROM curated.orders"), sums.stream().map(Sum::total).reduce(BigDecimal.ZERO, BigDecimal::add));
            same(1L, s.createQuery("select count(*) from Order o where o.id = (select max(p.id) from Order p)", Long.class).getSingleResult());
            same(all, s.createQuery("select count(*) from Order o join Order p on p.id = o.id where year(o.day) > 2000 and"
                    + " lower(o.id) like '%' and coalesce(o.total, 0) >= 0 and extract(month from o.createdAt) between 1 and 12", Long.class).getSingleResult());
        });
    }

    static void parameters(SessionFactory factory) {
        factory.inSession(s -> {
            Query<Long> counted = s.createQuery("select count(o) from Order o where o.day = :day and o.quantity in (:some) and o.total < :most"
                    + " and o.createdAt < :now and o.customer is not null", Long.class);
            counted.setParameter("day", DAY).setParameter("some", List.of(1, 2, 3)).setParameter("most", new BigDecimal("1000000.00"))
                    .setParameter("now", LocalDateTime.of(2030, 1, 1, 0, 0));
            Object expected = ask(factory, "SELECT count(*) FROM curated.orders WHERE order_date = DATE '2024-05-05' AND quantity BETWEEN 1 AND 3");
            for (int i = 0; i < 7; i++) {
                // The driver prepares the statement once it ran five times.
                same(expected, counted.getSingleResult());
            }
        });
    }

    static void values(SessionFactory factory) {
        Thing full = new Thing(1, "d'ß");
        full.big = 9007199254740993L;
        full.ok = true;
        full.ratio = 2.5;
        full.price = new BigDecimal("12.50");
        full.day = LocalDate.of(2024, 2, 29);
        full.at = AT;
        full.bytes = new byte[] {0, (byte) 255};
        factory.inTransaction(s -> {
            s.persist(full);
            s.persist(new Thing(2, null));
        });
        factory.inSession(s -> {
            Thing found = s.find(Thing.class, 1);
            same(List.of(1, 9007199254740993L, true, 2.5, new BigDecimal("12.50"), "d'ß", full.day, AT),
                    List.of(found.id, found.big, found.ok, found.ratio, found.price, found.name, found.day, found.at));
            same("[0, -1]", Arrays.toString(found.bytes));
            Thing empty = s.createQuery("from Thing t where t.name is null and t.day is null", Thing.class).getSingleResult();
            same(Arrays.asList(2, null, null, null), Arrays.asList(empty.id, empty.big, empty.at, empty.bytes));
        });
    }

    static void batches(SessionFactory factory) {
        factory.inTransaction(s -> {
            for (int i = 1; i <= 12; i++) {
                s.persist(new Thing(i, "n" + i));
            }
        });
        same(12L, factory.fromSession(s -> s.createQuery("select count(*) from Thing", Long.class).getSingleResult()));
        // Nothing changes rows in place.
        try {
            factory.inTransaction(s -> s.find(Thing.class, 1).name = "other");
            throw new AssertionError("should not update");
        } catch (RuntimeException expected) {
            same("0A000", state(expected));
        }
    }

    static void rollsBack(SessionFactory factory) {
        fails("no", () -> factory.inTransaction(s -> {
            s.persist(new Thing(1, "one"));
            s.flush();
            same(1L, s.createQuery("select count(*) from Thing", Long.class).getSingleResult());
            throw new IllegalStateException("no");
        }));
        same(0L, factory.fromSession(s -> s.createQuery("select count(*) from Thing", Long.class).getSingleResult()));
    }

    static void pieces(SessionFactory factory) {
        factory.inTransaction(s -> {
            try (Stream<Order> orders = s.createQuery("from Order o order by o.id", Order.class).setFetchSize(100).getResultStream()) {
                same(ask(factory, "SELECT count(*) FROM curated.orders"), orders.peek(s::detach).count());
            }
        });
    }

    static void inDatabase(Connection connection, Action action) throws Exception {
        run(connection, "DROP DATABASE IF EXISTS of_hibernate CASCADE");
        run(connection, "CREATE DATABASE of_hibernate");
        run(connection, "CREATE EXTERNAL TABLE of_hibernate.things (id int, big bigint, ok boolean, ratio double, price decimal(10,2), name string,"
                + " day date, at timestamp, bytes binary) STORED AS PARQUET LOCATION 's3://datalake/of_hibernate/" + UUID.randomUUID() + "/'");
        try {
            action.run();
        } finally {
            run(connection, "DROP DATABASE of_hibernate CASCADE");
        }
    }
}
