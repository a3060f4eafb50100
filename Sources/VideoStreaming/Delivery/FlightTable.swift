import Domain

/// Who waits for what: at most one fetch on its way for each key that may be joined, and any number of waiters for it. A value;
/// it starts, ends and resumes nothing itself.
struct FlightTable<Key: Hashable & Sendable>: Sendable {
    /// One fetch.
    typealias FlightID = UInt64
    /// One who waits.
    typealias WaiterID = UInt64

    private struct Flight {
        var key: Key
        var began: ContinuousClock.Instant
        /// When the fetch itself gives up.
        var deadline: Deadline
        var waiters: [WaiterID: Deadline]
    }

    /// What has ended.
    struct Ending: Equatable {
        /// What was fetched.
        var key: Key
        /// When it was asked for.
        var began: ContinuousClock.Instant
        /// Who waited for it.
        var waiters: [WaiterID]
        /// Whether the answer may be remembered: nothing has made it out of date since it was asked for.
        var isCurrent: Bool
    }

    /// How long a fetch may take to say that its deadline has passed: a question to the broker, on a busy machine.
    static var grace: Duration { .milliseconds(500) }

    private var flights: [FlightID: Flight] = [:]
    private var joinable: [Key: FlightID] = [:]
    private var flightOfWaiter: [WaiterID: FlightID] = [:]
    private var nextID: UInt64 = 0

    /// How many fetches are on their way.
    var count: Int { flights.count }
    /// How many wait.
    var waiterCount: Int { flightOfWaiter.count }
    /// The fetches that are on their way.
    var flightIDs: [FlightID] { Array(flights.keys) }

    /// Takes one in who waits until the deadline.
    ///
    /// - Returns: The waiter, and the fetch that has to be begun for it, unless one is on its way that it can join.
    mutating func join(_ key: Key, deadline: Deadline, now: ContinuousClock.Instant) -> (WaiterID, begin: FlightID?) {
        nextID += 1
        let waiter = nextID
        if let flight = joinable[key] {
            flights[flight]?.waiters[waiter] = deadline
            flightOfWaiter[waiter] = flight
            return (waiter, nil)
        }
        nextID += 1
        let flight = nextID
        flights[flight] = Flight(key: key, began: now, deadline: deadline, waiters: [waiter: deadline])
        joinable[key] = flight
        flightOfWaiter[waiter] = flight
        return (waiter, flight)
    }

    /// Takes note that a fetch has ended; `nil` when nobody waited for it any more.
    mutating func end(_ id: FlightID) -> Ending? {
        guard let flight = flights.removeValue(forKey: id) else { return nil }
        let isCurrent = joinable[flight.key] == id
        if isCurrent { joinable[flight.key] = nil }
        for waiter in flight.waiters.keys { flightOfWaiter[waiter] = nil }
        return Ending(
            key: flight.key, began: flight.began, waiters: Array(flight.waiters.keys), isCurrent: isCurrent)
    }

    /// Takes one out who waits no longer.
    ///
    /// - Returns: The fetch that nobody waits for now, and that is to be cancelled.
    mutating func leave(_ waiter: WaiterID) -> FlightID? {
        guard let id = flightOfWaiter.removeValue(forKey: waiter), var flight = flights[id] else { return nil }
        flight.waiters[waiter] = nil
        guard flight.waiters.isEmpty else {
            flights[id] = flight
            return nil
        }
        flights[id] = nil
        if joinable[flight.key] == id { joinable[flight.key] = nil }
        return id
    }

    /// What is on its way for such a key is out of date: who waits for it gets it, nobody else does.
    mutating func outdate(_ isOutdated: (Key) -> Bool) {
        joinable = joinable.filter { !isOutdated($0.key) }
    }

    /// Those whose deadline has passed. They are still in the table. Whose deadline is that of the fetch has ``grace`` left:
    /// the fetch knows why no answer came, and says so.
    func overdue(now: ContinuousClock.Instant) -> [WaiterID] {
        flights.values.flatMap { flight in
            flight.waiters.filter { waiter in
                let isTheFetchs = waiter.value.instant >= flight.deadline.instant
                return waiter.value.hasPassed(at: isTheFetchs ? now - Self.grace : now)
            }.map(\.key)
        }
    }
}
