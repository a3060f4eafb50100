import Domain

/// Goes over all objects once and does something with each, some at a time, and shows how far it has come.
struct ObjectPass: Sendable {
    /// What is to be done with one object.
    struct Work: Sendable {
        /// What the progress is called.
        var label: String
        /// Which objects it is about.
        var concerns: @Sendable (StoredObject) -> Bool
        /// Does it; what it throws is the object's failure, and the pass goes on.
        var perform: @Sendable (StoredObject) async throws(ServiceError) -> Void
    }

    /// What came of it.
    struct Summary: Sendable, Equatable {
        /// Objects that were done.
        var objects = 0
        /// Their bytes.
        var bytes: Int64 = 0
        /// The objects that failed.
        var failures = 0
    }

    private struct Ended: Sendable {
        let object: StoredObject
        let failure: ServiceError?
    }

    private let administration: any StorageAdministration
    private let timeout: Duration
    private let parallel: Int
    private let showsMoves: Bool
    private let onFailure: @Sendable (StoredObject, ServiceError) -> Void

    /// Prepares a pass.
    ///
    /// - Parameters:
    ///   - administration: The service.
    ///   - timeout: How long a page may take.
    ///   - parallel: How many objects are done at once.
    ///   - showsMoves: Whether to ask how far moves have come.
    ///   - onFailure: Told of each object that failed.
    init(
        _ administration: any StorageAdministration, timeout: Duration, parallel: Int, showsMoves: Bool = false,
        onFailure: @escaping @Sendable (StoredObject, ServiceError) -> Void
    ) {
        self.administration = administration
        self.timeout = timeout
        self.parallel = max(1, parallel)
        self.showsMoves = showsMoves
        self.onFailure = onFailure
    }

    /// Counts what there is to do.
    func count(_ work: Work) async throws -> Summary {
        var total = Summary()
        try await ObjectPages(administration, timeout: timeout).visit { object in
            guard work.concerns(object) else { return }
            total.objects += 1
            total.bytes += object.size
        }
        return total
    }

    /// Does it.
    func run(_ work: Work, of total: Summary) async throws -> Summary {
        let display = PassDisplay(work.label, total)
        let done = try await withThrowingTaskGroup(of: Void.self) { watchers in
            if showsMoves { watchers.addTask { await watch(display) } }
            watchers.addTask { await display.redraw() }
            defer { watchers.cancelAll() }
            return try await perform(work, display)
        }
        await display.finish()
        return done
    }

    private func perform(_ work: Work, _ display: PassDisplay) async throws -> Summary {
        try await withThrowingTaskGroup(of: Ended.self) { group in
            var running = 0
            try await ObjectPages(administration, timeout: timeout).visit { object in
                guard work.concerns(object) else { return }
                if running == parallel, let ended = try await group.next() {
                    running -= 1
                    await tell(ended, display)
                }
                await display.begin(object)
                group.addTask { await Self.attempt(object, work) }
                running += 1
            }
            for try await ended in group { await tell(ended, display) }
            return await display.done
        }
    }

    private static func attempt(_ object: StoredObject, _ work: Work) async -> Ended {
        do throws(ServiceError) {
            try await Patience.standard.run { () throws(ServiceError) in try await work.perform(object) }
            return Ended(object: object, failure: nil)
        } catch {
            return Ended(object: object, failure: error)
        }
    }

    private func tell(_ ended: Ended, _ display: PassDisplay) async {
        await display.end(ended.object, failed: ended.failure != nil)
        if let failure = ended.failure { onFailure(ended.object, failure) }
    }

    /// Asks now and then how far the moves have come; that nobody answers for a while is no reason to stop.
    private func watch(_ display: PassDisplay) async {
        while !Task.isCancelled {
            try? await Task.sleep(for: .seconds(1))
            guard let moves = try? await administration.movesUnderWay(deadline: .after(.seconds(2))) else { continue }
            await display.saw(moves)
        }
    }
}

/// What a pass shows.
private actor PassDisplay {
    private let label: String
    private let total: ObjectPass.Summary
    private var bar: ProgressBar
    /// Objects that are being done, with the bytes of each that have been.
    private var running: [StorageKey: Int64] = [:]
    private var ended: Int64 = 0
    private(set) var done = ObjectPass.Summary()

    init(_ label: String, _ total: ObjectPass.Summary) {
        self.label = label
        self.total = total
        bar = ProgressBar(label, total: total.bytes)
    }

    func begin(_ object: StoredObject) {
        running[object.key] = 0
    }

    func end(_ object: StoredObject, failed: Bool) {
        running[object.key] = nil
        ended += object.size
        if failed {
            bar.finish()
            done.failures += 1
        } else {
            done.objects += 1
            done.bytes += object.size
        }
        draw()
    }

    func saw(_ moves: [MoveProgress]) {
        for move in moves where running[move.key] != nil {
            running[move.key] = max(running[move.key] ?? 0, move.bytes)
        }
        draw()
    }

    /// The rate and the time left change while nothing else does.
    func redraw() async {
        while !Task.isCancelled {
            draw()
            try? await Task.sleep(for: .seconds(1))
        }
    }

    func finish() {
        bar.finish()
    }

    private func draw() {
        let objects = done.objects + done.failures
        let bytes = running.values.reduce(ended, +)
        bar.update(min(bytes, total.bytes), label: "\(label) \(objects) of \(total.objects)")
    }
}
