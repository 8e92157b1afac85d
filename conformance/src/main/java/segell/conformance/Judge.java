package segell.conformance;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.logging.Level;
import java.util.logging.LogManager;
import java.util.logging.Logger;

import org.verapdf.gf.foundry.VeraGreenfieldFoundryProvider;
import org.verapdf.pdfa.Foundries;
import org.verapdf.pdfa.PDFAParser;
import org.verapdf.pdfa.PDFAValidator;
import org.verapdf.pdfa.flavours.PDFAFlavour;
import org.verapdf.pdfa.results.TestAssertion;
import org.verapdf.pdfa.results.ValidationResult;

/**
 * Judges PDF files with veraPDF.
 *
 * <p>Reads lines {@code <profile>[,<profile>…]<TAB><path>} from standard input, or takes {@code <profiles> <path>…}
 * as arguments, and prints one line per document and profile:
 *
 * <pre>
 * pass⇥2a⇥certificate.pdf⇥
 * FAIL⇥ua1⇥certificate.pdf⇥7.3-1 Figure tags shall include an alternative representation (2×)
 * </pre>
 *
 * <p>The fields are separated by tabs; the first is pass, FAIL, or ERROR for what could not be judged.
 *
 * <p>Profiles are veraPDF's own identifiers: 1a, 1b, 2a, 2b, 2u, 3a, 3b, 3u, ua1, … Exit status: 0 when every document
 * passes every profile asked of it, 1 when one does not, 2 when a file or a profile could not be read.
 */
public final class Judge {
    private record Case(String profile, Path file) {}

    private Judge() {}

    public static void main(String[] args) throws IOException {
        LogManager.getLogManager().reset();
        Logger.getLogger("").setLevel(Level.OFF);
        VeraGreenfieldFoundryProvider.initialise();
        PrintStream out = new PrintStream(System.out, true, StandardCharsets.UTF_8);

        List<Case> cases = args.length == 0 ? fromStandardInput(System.in) : fromArguments(args);
        if (cases.isEmpty()) {
            System.err.println("nothing to judge: give <profiles> <file>… or lines <profiles><TAB><file> on standard input");
            System.exit(2);
        }
        int status = 0;
        for (Case c : cases) {
            status = Math.max(status, judge(c, out));
        }
        System.exit(status);
    }

    private static List<Case> fromArguments(String[] args) {
        List<Case> cases = new ArrayList<>();
        for (int i = 1; i < args.length; i++) {
            for (String profile : args[0].split(",")) {
                cases.add(new Case(profile, Path.of(args[i])));
            }
        }
        return cases;
    }

    private static List<Case> fromStandardInput(InputStream in) throws IOException {
        List<Case> cases = new ArrayList<>();
        BufferedReader lines = new BufferedReader(new InputStreamReader(in, StandardCharsets.UTF_8));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            if (line.isBlank()) {
                continue;
            }
            String[] parts = line.split("\t", 2);
            if (parts.length != 2) {
                System.err.println("a line must be <profiles><TAB><file>");
                System.exit(2);
            }
            for (String profile : parts[0].split(",")) {
                cases.add(new Case(profile, Path.of(parts[1])));
            }
        }
        return cases;
    }

    private static int judge(Case c, PrintStream out) {
        PDFAFlavour flavour = PDFAFlavour.fromString(c.profile());
        if (flavour == PDFAFlavour.NO_FLAVOUR) {
            say(out, "ERROR", c, "no such profile");
            return 2;
        }
        try (InputStream in = Files.newInputStream(c.file());
                PDFAParser parser = Foundries.defaultInstance().createParser(in, flavour);
                PDFAValidator validator = Foundries.defaultInstance().createValidator(flavour, false)) {
            ValidationResult result = validator.validate(parser);
            if (result.isCompliant()) {
                say(out, "pass", c, "");
                return 0;
            }
            say(out, "FAIL", c, broken(result));
            return 1;
        } catch (Exception e) {
            say(out, "ERROR", c, String.valueOf(e.getMessage()));
            return 2;
        }
    }

    private static void say(PrintStream out, String verdict, Case c, String detail) {
        out.println(String.join("\t", verdict, c.profile(), c.file().toString(), detail.replaceAll("\\s+", " ")));
    }

    /** The rules that failed, by clause and test number, with what the first failure says and how often it came. */
    private static String broken(ValidationResult result) {
        Map<String, String> said = new TreeMap<>();
        Map<String, Integer> times = new TreeMap<>();
        for (TestAssertion a : result.getTestAssertions()) {
            if (a.getStatus() != TestAssertion.Status.FAILED) {
                continue;
            }
            String rule = a.getRuleId().getClause() + "-" + a.getRuleId().getTestNumber();
            said.putIfAbsent(rule, a.getMessage());
            times.merge(rule, 1, Integer::sum);
        }
        List<String> parts = new ArrayList<>();
        said.forEach((rule, message) -> parts.add(
                rule + " " + message.replaceAll("\\s+", " ").strip() + " (" + times.get(rule) + "×)"));
        return String.join("; ", parts);
    }
}
