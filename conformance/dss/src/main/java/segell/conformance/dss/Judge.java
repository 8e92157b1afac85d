package segell.conformance.dss;

import java.io.BufferedReader;
import java.io.File;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.security.Security;
import java.util.ArrayList;
import java.util.List;

import eu.europa.esig.dss.diagnostic.DiagnosticData;
import eu.europa.esig.dss.jaxb.object.Message;
import eu.europa.esig.dss.model.FileDocument;
import eu.europa.esig.dss.service.crl.OnlineCRLSource;
import eu.europa.esig.dss.service.ocsp.OnlineOCSPSource;
import eu.europa.esig.dss.simplereport.SimpleReport;
import eu.europa.esig.dss.spi.DSSUtils;
import eu.europa.esig.dss.spi.validation.CertificateVerifier;
import eu.europa.esig.dss.spi.validation.CommonCertificateVerifier;
import eu.europa.esig.dss.spi.x509.CommonTrustedCertificateSource;
import eu.europa.esig.dss.validation.SignedDocumentValidator;
import eu.europa.esig.dss.validation.reports.Reports;

import org.bouncycastle.jce.provider.BouncyCastleProvider;

/**
 * Judges sealed PDF files with the European Commission's Digital Signature Service, by its own default policy.
 *
 * <p>Reads lines {@code <offline|online><TAB><root.pem><TAB><file>} from standard input and answers each with one line:
 *
 * <pre>
 * PAdES-BASELINE-LTA⇥TOTAL_PASSED⇥⇥2⇥
 * PAdES-BASELINE-T⇥TOTAL_FAILED⇥HASH_FAILURE⇥1⇥the errors, with "; " between them
 * ERROR⇥⇥⇥0⇥what went wrong
 * </pre>
 *
 * <p>The fields are separated by tabs: the level found, the indication, the sub-indication, how many time-stamps are
 * inside, and the errors of the validation, of the signature and of its time-stamps. What DSS finds changed after the
 * signature and can call neither evidence nor a form that was filled in counts as an error too: its default policy only
 * warns of it. Offline nothing is asked of the network: what the file holds must be enough. Online, OCSP responders and
 * revocation lists are asked.
 */
public final class Judge {
    private Judge() {}

    public static void main(String[] args) throws IOException {
        Security.addProvider(new BouncyCastleProvider());
        PrintStream out = new PrintStream(System.out, true, StandardCharsets.UTF_8);
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            String[] parts = line.split("\t", 3);
            String answer;
            try {
                if (parts.length != 3 || !parts[0].equals("offline") && !parts[0].equals("online")) {
                    throw new IllegalArgumentException("a line must be <offline|online><TAB><root.pem><TAB><file>");
                }
                answer = judge(parts[0].equals("online"), new File(parts[1]), new File(parts[2]));
            } catch (Exception e) {
                answer = String.join("\t", "ERROR", "", "", "0", clean(String.valueOf(e)));
            }
            out.println(answer);
        }
    }

    private static String judge(boolean online, File root, File file) {
        CommonTrustedCertificateSource trusted = new CommonTrustedCertificateSource();
        trusted.addCertificate(DSSUtils.loadCertificate(root));
        CertificateVerifier verifier = new CommonCertificateVerifier();
        verifier.setTrustedCertSources(trusted);
        if (online) {
            verifier.setOcspSource(new OnlineOCSPSource());
            verifier.setCrlSource(new OnlineCRLSource());
        } else {
            verifier.setAIASource(null);
        }
        SignedDocumentValidator validator = SignedDocumentValidator.fromDocument(new FileDocument(file));
        validator.setCertificateVerifier(verifier);
        Reports reports = validator.validateDocument();
        SimpleReport simple = reports.getSimpleReport();
        List<String> ids = simple.getSignatureIdList();
        if (ids.size() != 1) {
            return String.join("\t", "ERROR", "", "", "0", ids.size() + " signatures");
        }
        String id = ids.get(0);
        List<String> errors = new ArrayList<>();
        add(errors, "", simple.getAdESValidationErrors(id));
        DiagnosticData diagnostic = reports.getDiagnosticData();
        int changes = diagnostic.getSignatureById(id).getPDFRevision().getPdfUndefinedChanges().size();
        if (changes > 0) {
            errors.add(changes + " undefined changes after the signature");
        }
        List<String> stamps = diagnostic.getTimestampIdList(id);
        for (String stamp : stamps) {
            add(errors, "time-stamp: ", simple.getAdESValidationErrors(stamp));
            if (!"PASSED".equals(String.valueOf(simple.getIndication(stamp)))) {
                errors.add("time-stamp: " + simple.getIndication(stamp) + " " + simple.getSubIndication(stamp));
            }
        }
        return String.join("\t",
                clean(String.valueOf(simple.getSignatureFormat(id))),
                clean(String.valueOf(simple.getIndication(id))),
                simple.getSubIndication(id) == null ? "" : simple.getSubIndication(id).name(),
                String.valueOf(stamps.size()),
                clean(String.join("; ", errors)));
    }

    private static void add(List<String> errors, String prefix, List<Message> messages) {
        for (Message m : messages) {
            errors.add(prefix + m.getValue());
        }
    }

    private static String clean(String s) {
        return s.replace("PAdES_BASELINE_", "PAdES-BASELINE-").replaceAll("\\s+", " ").strip();
    }
}
