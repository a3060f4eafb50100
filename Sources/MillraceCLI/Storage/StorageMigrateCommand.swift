import ArgumentParser
import Domain
import Foundation

struct StorageMigrateCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "migrate",
        abstract: "Moves objects to another provider, while viewers watch.",
        discussion: """
            Each object is copied, read back and compared with its checksum, and then the catalogue names its new place. The
            old copy is deleted ten minutes later. All storage workers share the work. The command may be
            stopped at any time, with kill -9 as well, and started again: what has been moved is not moved again.

              millrace storage migrate --to s3 --dry-run
              millrace storage migrate --from filesystem --to s3 --rate 50MB

            The exit code is 0 when every object is where it should be, 1 when one is not.
            """)

    @Option(help: "The provider that the objects move to. The workers must have its variables.")
    var to: String

    @Option(help: "The provider that they move from. Default: wherever they are.")
    var from: String?

    @Option(help: "How many bytes a second are read at the most: 500kB, 50MB, 1GB. Objects then move one by one.")
    var rate: ByteRate?

    @Option(help: "How many objects are moved at once (1 to 64). Default: 4, and 1 with --rate.")
    var parallel: Int?

    @Flag(help: "Only says what would be moved.")
    var dryRun = false

    @OptionGroup var stack: StackOptions

    func validate() throws {
        if let parallel, !(1...64).contains(parallel) { throw ValidationError("--parallel is a number from 1 to 64.") }
        if from == to { throw ValidationError("--from and --to name the same provider.") }
    }

    func run() async throws {
        let migration = Migration(
            source: from, target: to, rate: rate?.bytesPerSecond, parallel: parallel ?? (rate == nil ? 4 : 1),
            timeout: .seconds(stack.timeout))
        let failures = FailureList()
        try await Stack.with(stack) { connection in
            try await migration.check(connection.administration)
            if !dryRun { try await migration.adopt(connection.administration) }
            let pass = migration.pass(over: connection.administration) { failures.add($0, $1) }
            let work = migration.work(with: connection.administration)
            let total = try await pass.count(work)
            let what = "\(total.objects) object\(total.objects == 1 ? "" : "s"), \(ProgressBar.size(total.bytes))"
            guard !dryRun else { return print("To move to \(to): \(what). Nothing was changed.") }
            guard total.objects > 0 else { return print("Nothing is to be moved to \(to).") }
            let done = try await pass.run(work, of: total)
            print("Moved \(done.objects) of \(what) to \(to); \(done.failures) failed.")
        }
        failures.tell()
        guard failures.isEmpty else { throw ExitCode(1) }
    }
}

/// What a migration does, apart from the terminal.
struct Migration: Sendable {
    let source: String?
    let target: String
    /// Bytes a second in all.
    let rate: Int64?
    let parallel: Int
    /// How long a quick answer may take.
    let timeout: Duration

    /// Refuses what cannot go well before anything is changed.
    func check(_ administration: any StorageAdministration) async throws {
        let providers = try await administration.providers(deadline: .after(timeout))
        for name in [target] + (source.map { [$0] } ?? []) {
            guard let provider = providers.first(where: { $0.name == name }) else {
                let known = providers.map(\.name).joined(separator: ", ")
                throw ImportFault("the workers have no provider \"\(name)\", only \(known); set its variables")
            }
            if let problem = provider.problem { throw ImportFault("\(name) cannot be used: \(problem)") }
        }
    }

    /// Enters what was put into the source by hand and nobody has asked for yet, so that it is moved as well.
    func adopt(_ administration: any StorageAdministration) async throws {
        let names: [String]
        if let source {
            names = [source]
        } else {
            names = try await administration.providers(deadline: .after(timeout)).map(\.name).filter { $0 != target }
        }
        for name in names {
            var cursor: String?
            repeat {
                let after = cursor
                let page = try await Patience.standard.run { () throws(ServiceError) in
                    try await administration.adopt(in: name, after: after, deadline: .after(.seconds(120)))
                }
                cursor = page.next
            } while cursor != nil
        }
    }

    /// Which objects move, and how one does.
    func work(with administration: any StorageAdministration) -> ObjectPass.Work {
        let (source, target, share) = (source, target, share)
        return ObjectPass.Work(label: "moved") { object in
            object.provider != target && (source == nil || object.provider == source)
        } perform: { object throws(ServiceError) in
            var move = ObjectMove(key: object.key, source: source, target: target, bytesPerSecond: share)
            do throws(ServiceError) {
                // However long it takes: a move that stops fails.
                while try await administration.move(move, deadline: .forLongCall) == .underWay {
                    move.isContinued = true
                }
            } catch {
                // Deleted since it was listed.
                guard error.code == .notFound else { throw error }
            }
        }
    }

    func pass(
        over administration: any StorageAdministration,
        onFailure: @escaping @Sendable (StoredObject, ServiceError) -> Void
    ) -> ObjectPass {
        ObjectPass(
            administration, timeout: timeout, parallel: parallel, showsMoves: true, onFailure: onFailure)
    }

    /// What one of the objects that are moved at once gets of the rate.
    private var share: Int64? { rate.map { max(1, $0 / Int64(parallel)) } }
}

extension Deadline {
    /// For a call that may take long.
    static var forLongCall: Deadline { .after(.seconds(StorageAdministrationLimits.maxCallSeconds)) }
}
