package segell.conformance.dss;

public final class Judge {
    private Judge() {}

    public static void main(String[] args) {}
}
