import au.com.bytecode.opencsv.CSVReader;
import java.io.PrintStream;
import java.io.StringReader;
import java.nio.charset.StandardCharsets;
import java.util.Random;

/**
 * Prints random lines, and below each the fields that opencsv finds in it: what src/lake/format/tests/opencsv-2.3.txt holds.
 *
 *   mvn dependency:copy -Dartifact=net.sf.opencsv:opencsv:2.3 -DoutputDirectory=.
 *   java -cp opencsv-2.3.jar Fields.java 600 > ../../../src/lake/format/tests/opencsv-2.3.txt
 */
public class Fields {
    private static final String[] PIECES = {
        ",", ",", ",", "\"", "\"", "\"", "\\", "\\", "a", "b", "5", " ", "\t", "é", "😀", "\u00a0", "\u2003"
    };

    public static void main(String[] arguments) throws Exception {
        PrintStream out = new PrintStream(System.out, false, StandardCharsets.UTF_8);
        Random random = new Random(7);
        for (int i = 0; i < Integer.parseInt(arguments[0]); i++) {
            StringBuilder line = new StringBuilder();
            for (int length = 1 + random.nextInt(14); length > 0; length--) {
                line.append(PIECES[random.nextInt(PIECES.length)]);
            }
            out.print(">" + line + "\n");
            // One reader a row, as OpenCSVSerde has it.
            String[] fields = new CSVReader(new StringReader(line.toString()), ',', '"', '\\').readNext();
            for (String field : fields == null ? new String[0] : fields) {
                out.print("=" + field + "\n");
            }
        }
        out.flush();
    }
}
