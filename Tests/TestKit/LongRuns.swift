import Glibc

/// Whether the tests that take minutes are to run, and those that try something often are to try it more often.
public enum LongRuns {
    /// What MILLRACE_LONG_TESTS says.
    public static var areWanted: Bool {
        guard let value = getenv("MILLRACE_LONG_TESTS") else { return false }
        return String(cString: value) == "1"
    }
}
