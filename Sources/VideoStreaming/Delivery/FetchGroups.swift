import Domain

/// When fetches wait for each other, and how many are made together.
struct FetchLimits: Sendable {
    /// As long as fewer calls than this are under way, a fetch is made at once.
    var callsBeforeWaiting: Int
    /// How many fetches a call is for at the most …
    var maxCount: Int
    /// … and how many bytes, where it is for more than one.
    var maxBytes: Int

    /// Each by a call of its own, at once.
    static let alone = FetchLimits(callsBeforeWaiting: .max, maxCount: 1, maxBytes: 0)
}

/// Which fetches are made together, by one call: those that come while enough calls are under way wait for one of them to end. So a
/// source that keeps up is asked for each at once, and one that does not is asked less often for more. A value; it starts and ends
/// nothing itself.
struct FetchGroups<Key: Hashable & Sendable>: Sendable {
    /// One call.
    typealias GroupID = UInt64

    /// What is to be fetched.
    struct Fetch: Equatable {
        var flight: FlightTable<Key>.FlightID
        var key: Key
        var deadline: Deadline
    }

    /// What one call is for.
    struct Group: Equatable {
        var id: GroupID
        /// At least one, in the order in which they came.
        var fetches: [Fetch]

        /// When the last of them gives up.
        var deadline: Deadline { fetches.map(\.deadline).max() ?? .after(.zero) }
    }

    private let limits: FetchLimits
    private var waiting: [Fetch] = []
    private var waitingBytes = 0
    /// How many of a call's fetches somebody waits for.
    private var wanted: [GroupID: Int] = [:]
    private var groupOfFlight: [FlightTable<Key>.FlightID: GroupID] = [:]
    private var lastGroup: GroupID = 0

    /// Groups within limits.
    init(_ limits: FetchLimits) {
        self.limits = limits
    }

    /// How many calls are under way.
    var callCount: Int { wanted.count }
    /// How many fetches wait.
    var waitingCount: Int { waiting.count }

    /// Takes a fetch in.
    ///
    /// - Parameters:
    ///   - fetch: The fetch.
    ///   - bytes: How large its answer is.
    /// - Returns: The calls to make now.
    mutating func add(_ fetch: Fetch, bytes: Int) -> [Group] {
        var groups: [Group] = []
        if !waiting.isEmpty, waiting.count >= limits.maxCount || waitingBytes + bytes > limits.maxBytes {
            groups.append(takeWaiting())
        }
        waiting.append(fetch)
        waitingBytes += bytes
        if callCount < limits.callsBeforeWaiting { groups.append(takeWaiting()) }
        return groups
    }

    /// Takes in what is to be fetched by one call, whatever else is under way.
    ///
    /// - Parameter fetches: At least one.
    /// - Returns: The call to make now.
    mutating func add(together fetches: [Fetch]) -> Group {
        lastGroup += 1
        let group = Group(id: lastGroup, fetches: fetches)
        wanted[group.id] = fetches.count
        for fetch in fetches { groupOfFlight[fetch.flight] = group.id }
        return group
    }

    /// Takes note that a call has ended.
    ///
    /// - Returns: The call to make in its place.
    mutating func ended(_ group: Group) -> Group? {
        wanted[group.id] = nil
        for fetch in group.fetches { groupOfFlight[fetch.flight] = nil }
        return waiting.isEmpty || callCount >= limits.callsBeforeWaiting ? nil : takeWaiting()
    }

    /// Takes note that nobody waits for a fetch any more.
    ///
    /// - Returns: The call of which nobody wants anything now, and that is to be cancelled.
    mutating func leave(_ flight: FlightTable<Key>.FlightID) -> GroupID? {
        guard let group = groupOfFlight.removeValue(forKey: flight), let count = wanted[group] else {
            // Its bytes stay counted: the next call is no larger for that.
            waiting.removeAll { $0.flight == flight }
            return nil
        }
        wanted[group] = count - 1
        return count == 1 ? group : nil
    }

    /// Takes note that those that wait have waited long enough.
    ///
    /// - Returns: The call to make.
    mutating func takeAll() -> Group? {
        waiting.isEmpty ? nil : takeWaiting()
    }

    private mutating func takeWaiting() -> Group {
        defer {
            waiting = []
            waitingBytes = 0
        }
        return add(together: waiting)
    }
}
