import Testing

/// Real processes of the built services, over real sockets, against a real broker and a real database.
///
/// They run one after the other: the names of the queues are fixed, so one virtual host holds one stack at a time. What the
/// services logged is shown with the first thing that goes wrong in a test.
@Suite(
    .serialized, .timeLimit(.minutes(TestEnvironment.longTestsAreWanted ? 20 : 5)),
    .compactMapIssues { TestStack.explained($0) }
)
struct EndToEndTests {}
