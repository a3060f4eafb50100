import ArgumentParser
import Domain

struct StorageVerifyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify",
        abstract: "Reads every object back and compares it with its checksum.",
        discussion: """
            It changes nothing. All storage workers share the work. An object without a checksum (a file that was put
            there by hand) is only read. The exit code is 0 when all objects are well, 1 when one is not.
            """)

    @Option(help: "Only the objects in this provider.")
    var provider: String?

    @Option(help: "How many bytes a second are read at the most: 500kB, 50MB, 1GB. Objects are then read one by one.")
    var rate: ByteRate?

    @Option(help: "How many objects are read at once (1 to 64). Default: 4, and 1 with --rate.")
    var parallel: Int?

    @OptionGroup var stack: StackOptions

    func validate() throws {
        if let parallel, !(1...64).contains(parallel) { throw ValidationError("--parallel is a number from 1 to 64.") }
    }

    func run() async throws {
        let parallel = parallel ?? (rate == nil ? 4 : 1)
        let failures = FailureList()
        try await Stack.with(stack) { connection in
            let pass = ObjectPass(
                connection.administration, timeout: .seconds(stack.timeout), parallel: parallel
            ) { failures.add($0, $1) }
            let work = Self.work(
                connection.administration, in: provider, rate: rate.map { max(1, $0.bytesPerSecond / Int64(parallel)) })
            let total = try await pass.count(work)
            let done = try await pass.run(work, of: total)
            print(
                "Verified \(done.objects) of \(total.objects) object\(total.objects == 1 ? "" : "s"), "
                    + "\(ProgressBar.size(done.bytes)); \(done.failures) not well.")
        }
        failures.tell()
        guard failures.isEmpty else { throw ExitCode(1) }
    }

    /// What is done with each object: a finding that is not well becomes a failure for good.
    static func work(
        _ administration: any StorageAdministration, in provider: String?, rate: Int64?
    ) -> ObjectPass.Work {
        ObjectPass.Work(label: "verified") { object in
            provider == nil || object.provider == provider
        } perform: { object throws(ServiceError) in
            var found: VerifiedObject
            do throws(ServiceError) {
                repeat {
                    found = try await administration.verify(object.key, bytesPerSecond: rate, deadline: .forLongCall)
                } while found.condition == .underWay
            } catch {
                // Deleted since it was listed.
                guard error.code == .notFound else { throw error }
                return
            }
            switch found.condition {
            case .intact, .unchecked: return
            case .damaged, .missing, .unreadable, .underWay:
                throw ServiceError(.corrupt, "\(found.condition.rawValue): \(found.detail ?? "no more is known")")
            }
        }
    }
}
