import ad.segell.ApiClient;
import ad.segell.ApiException;
import ad.segell.ApiResponse;
import ad.segell.api.DocumentsApi;
import ad.segell.api.RequestsApi;
import ad.segell.model.BodyCoverageCertificate;
import ad.segell.model.Problem;
import ad.segell.model.RequestState;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import jakarta.validation.ConstraintViolation;
import jakarta.validation.Validation;
import jakarta.validation.Validator;
import java.io.File;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.time.LocalDate;
import java.util.HexFormat;
import java.util.TreeSet;
import java.util.UUID;
import org.hibernate.validator.messageinterpolation.ParameterMessageInterpolator;

/**
 * Asks for a coverage certificate with the generated client, follows it until it is issued and downloads it.
 *
 * <p>Usage: {@code Walk REQUEST.json}, with the press's address in {@code SEGELL_DOOR} and a token in {@code SEGELL_TOKEN}.
 * Prints the length of the document in bytes. Ends with 1 where anything is not as the description says.
 */
public final class Walk {
    private static final Validator VALIDATOR = Validation.byDefaultProvider().configure()
        .messageInterpolator(new ParameterMessageInterpolator()) // needs no expression language
        .buildValidatorFactory().getValidator();

    private final ObjectMapper mapper;
    private final DocumentsApi documents;
    private final RequestsApi requests;

    private Walk(String door, String token) {
        ApiClient client = new ApiClient();
        client.updateBaseUri(door);
        client.setRequestInterceptor(request -> request.header("Authorization", "Bearer " + token));
        mapper = client.getObjectMapper();
        documents = new DocumentsApi(client);
        requests = new RequestsApi(client);
    }

    public static void main(String[] args) throws Exception {
        Walk walk = new Walk(System.getenv("SEGELL_DOOR"), System.getenv("SEGELL_TOKEN"));
        BodyCoverageCertificate body = walk.read(new File(args[0]));
        UUID id = walk.ask(body);
        RequestState issued = walk.follow(id);
        byte[] pdf = walk.download(issued);
        walk.beRefused(body);
        System.out.println(pdf.length);
    }

    /** Reads a request, and wants the generated classes to hold all of it and nothing more. */
    private BodyCoverageCertificate read(File file) throws Exception {
        JsonNode written = mapper.readTree(file);
        BodyCoverageCertificate body = mapper.treeToValue(written, BodyCoverageCertificate.class);
        want(written.equals(mapper.readTree(mapper.writeValueAsBytes(body))), "the generated classes do not hold the whole request");
        return body;
    }

    /** Asks twice with one key, as after an answer that was lost: it is one request. */
    private UUID ask(BodyCoverageCertificate body) throws Exception {
        String key = UUID.randomUUID().toString();
        ApiResponse<RequestState> first = documents.requestCoverageCertificateWithHttpInfo(key, body, null);
        want(first.getStatusCode() == 202, "asking was answered with " + first.getStatusCode());
        UUID id = checked(first.getData()).getId();
        want(checked(documents.requestCoverageCertificate(key, body, null)).getId().equals(id), "the same key gave another request");
        return id;
    }

    private RequestState follow(UUID id) throws Exception {
        for (int asked = 0; asked < 10; asked++) {
            RequestState state = checked(requests.getRequest(id, null, "wait=20"));
            switch (state.getState()) {
                case ISSUED:
                    return state;
                case ACCEPTED, RENDERING, SEALING, STORING, RETRYING:
                    break;
                default:
                    throw new IllegalStateException("the request ended as " + state.getState());
            }
        }
        throw new IllegalStateException("the request is not issued after 200 s");
    }

    /** The generated client calls the redirect an error, and that is well: the token must not go to the store. */
    private byte[] download(RequestState issued) throws Exception {
        URI file = null;
        try {
            requests.getRequestContent(issued.getId());
        } catch (ApiException e) {
            if (e.getCode() != 303) {
                throw e;
            }
            file = URI.create(e.getResponseHeaders().firstValue("Location").orElseThrow());
        }
        want(file != null, "the content was not a redirect");
        HttpResponse<byte[]> answer = HttpClient.newHttpClient().send(HttpRequest.newBuilder(file).build(), HttpResponse.BodyHandlers.ofByteArray());
        want(answer.statusCode() == 200, "the store answered with " + answer.statusCode());
        byte[] pdf = answer.body();
        want(new String(pdf, 0, 5, StandardCharsets.US_ASCII).equals("%PDF-"), "the file is no PDF");
        want(pdf.length == issued.getDocument().getSize(), "the file has another length than the state says");
        String sum = HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(pdf));
        want(sum.equals(issued.getDocument().getSha256()), "the file is another than the state says");
        return pdf;
    }

    /** A request that cannot become a document is refused with a problem that names the field. */
    private void beRefused(BodyCoverageCertificate body) throws Exception {
        body.setDataAsOf(LocalDate.of(2200, 1, 1));
        try {
            documents.requestCoverageCertificate(UUID.randomUUID().toString(), body, null);
        } catch (ApiException e) {
            want(e.getCode() == 422, "data of the future were answered with " + e.getCode());
            Problem problem = checked(mapper.readValue(e.getResponseBody(), Problem.class));
            want(problem.getErrors().get(0).getPointer().equals("/data_as_of"), "the problem names another field");
            return;
        }
        throw new IllegalStateException("data of the future were accepted");
    }

    /** Wants an answer to hold what its generated class must have. What else it holds is not looked at. */
    private static <T> T checked(T answer) {
        TreeSet<String> faults = new TreeSet<>();
        for (ConstraintViolation<T> fault : VALIDATOR.validate(answer)) {
            faults.add(fault.getPropertyPath() + " " + fault.getMessage());
        }
        want(faults.isEmpty(), "an answer is no " + answer.getClass().getSimpleName() + ": " + faults);
        return answer;
    }

    private static void want(boolean holds, String otherwise) {
        if (!holds) {
            throw new IllegalStateException(otherwise);
        }
    }
}
