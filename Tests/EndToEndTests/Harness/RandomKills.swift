import Glibc
import TestKit

/// Kills processes of a stack with `kill -9` at random moments, one or two at a time, and starts them again.
struct RandomKills {
    /// Who may be killed.
    enum Victim: String, CaseIterable {
        case gateway
        case storage
        case metadata
        case database
    }

    let stack: TestStack
    let victims: [Victim]
    var random: SeededRandom
    /// The pauses before a kill; all that were killed are back by then.
    var pause = Duration.milliseconds(50)...Duration.milliseconds(700)
    /// Who is yet to be killed before anybody is killed once more.
    private var next: [Victim] = []
    private(set) var counts: [String: Int] = [:]

    /// Kills among these victims.
    init(_ stack: TestStack, _ victims: [Victim], seed: UInt64) {
        self.stack = stack
        self.victims = victims
        random = SeededRandom(seed: seed)
    }

    /// Kills so many processes.
    ///
    /// - Parameters:
    ///   - total: How many.
    ///   - onKill: Called right before each.
    /// - Throws: When one does not come back.
    mutating func run(_ total: Int, onKill: () -> Void) async throws {
        var done = 0
        while done < total {
            try await Task.sleep(for: moment(in: pause))
            if next.isEmpty { next = victims.shuffled(using: &random) }
            let round = next.suffix(min(total - done, Int.random(in: 0..<4, using: &random) == 0 ? 2 : 1))
            next.removeLast(round.count)
            var ended: [ServiceUnderTest] = []
            for victim in round {
                onKill()
                counts[victim.rawValue, default: 0] += 1
                if let service = await kill(victim) { ended.append(service) }
                try await Task.sleep(for: moment(in: .zero ... .milliseconds(200)))
            }
            if round.contains(.database) { try await stack.privateDatabase?.start() }
            // A gateway is not ready before a worker of each kind is there.
            var started: [ServiceUnderTest] = []
            for service in ended { started.append(try await stack.startAgain(service)) }
            for service in started { try await service.ready() }
            done += round.count
        }
    }

    private mutating func kill(_ victim: Victim) async -> ServiceUnderTest? {
        let kind: ServiceKind
        switch victim {
        case .database:
            await stack.privateDatabase?.kill()
            return nil
        case .gateway: kind = .gateway
        case .storage: kind = .storage
        case .metadata: kind = .metadata
        }
        // Another one than was killed a moment ago.
        let service = stack.all(kind).filter { $0.process.exit == nil }.randomElement(using: &random)
        await service?.kill()
        return service
    }

    private mutating func moment(in range: ClosedRange<Duration>) -> Duration {
        range.lowerBound + (range.upperBound - range.lowerBound) * Double.random(in: 0...1, using: &random)
    }
}
