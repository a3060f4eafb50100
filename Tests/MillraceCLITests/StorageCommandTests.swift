import ArgumentParser
import Domain
import Foundation
import TestKit
import Testing

@testable import MillraceCLI

struct StorageCommandTests {
    private let service = InMemoryStorageAdministration()

    private func object(
        _ key: String, _ size: Int64 = 1_000, in provider: String = "filesystem"
    ) throws -> StoredObject {
        StoredObject(
            key: try StorageKey(key), version: try #require(ObjectVersion("v")), size: size, provider: provider,
            location: try StorageKey(key), contentType: nil, checksum: nil, committedAt: Date(timeIntervalSince1970: 0))
    }

    private func put(_ objects: [StoredObject]) {
        service.change {
            $0.objects = objects
            $0.providers = [
                ProviderStatus(name: "filesystem", isPrimary: false, problem: nil),
                ProviderStatus(name: "s3", isPrimary: true, problem: nil),
                ProviderStatus(name: "azure", isPrimary: false, problem: "it is gone"),
            ]
        }
    }

    private func migration(
        from source: String? = nil, to target: String = "s3", rate: Int64? = nil, parallel: Int = 4
    ) -> Migration {
        Migration(source: source, target: target, rate: rate, parallel: parallel, timeout: .seconds(10))
    }

    /// Moves everything, and says what came of it.
    private func run(_ migration: Migration) async throws -> (summary: ObjectPass.Summary, failures: [String]) {
        let failures = FailureList()
        let pass = migration.pass(over: service) { failures.add($0, $1) }
        let work = migration.work(with: service)
        let done = try await pass.run(work, of: try await pass.count(work))
        return (done, failures.lines)
    }

    @Test func everyObjectMovesOnceOverAllPages() async throws {
        put(try (0..<10).map { try object("\($0)", 100) })
        let (summary, failures) = try await run(migration())
        #expect(summary == ObjectPass.Summary(objects: 10, bytes: 1_000, failures: 0) && failures.isEmpty)
        #expect(Set(service.now.moves.map(\.key)).count == 10 && service.now.moves.count == 10)
        #expect(service.now.maxRunning <= 4)
        #expect(try await run(migration()).summary == ObjectPass.Summary())
    }

    @Test func onlyTheObjectsOfTheSourceMove() async throws {
        put([try object("a"), try object("b", in: "gridfs"), try object("c", in: "s3")])
        _ = try await run(migration(from: "gridfs"))
        #expect(service.now.moves.map(\.key.description) == ["b"])
        #expect(service.now.moves.first?.source == "gridfs")
    }

    @Test func aPassingFailureIsTriedAgainAndALastingOneIsTold() async throws {
        put([try object("a"), try object("b"), try object("c")])
        let (a, b, c) = (try StorageKey("a"), try StorageKey("b"), try StorageKey("c"))
        service.change {
            $0.failures = [
                a: [.init(.unavailable, "no worker"), .init(.conflict, "changed")],
                b: [.init(.corrupt, "not the bytes of its checksum")],
                c: [.init(.notFound, "deleted meanwhile")],
            ]
        }
        let (summary, failures) = try await run(migration())
        #expect(summary == ObjectPass.Summary(objects: 2, bytes: 2_000, failures: 1))
        #expect(failures == ["b: not the bytes of its checksum"])
        #expect(service.now.moves.count { $0.key == a } == 3)
    }

    @Test func whatNobodyHasAskedForIsAdoptedFirst() async throws {
        put([])
        let (one, two) = (try object("one"), try object("two"))
        service.change { $0.unknown = ["filesystem": [one, two], "s3": [two]] }
        try await migration().adopt(service)
        #expect(service.now.objects == [one, two])
        #expect(service.now.unknown["s3"]?.count == 1, "what is in the target is there already")
    }

    @Test(arguments: [("s3", "nowhere"), ("nowhere", nil), ("azure", nil)] as [(String, String?)])
    func aProviderThatCannotBeUsedIsRefusedBeforeAnythingIsDone(target: String, source: String?) async throws {
        put([try object("a")])
        await #expect(throws: ImportFault.self) { try await migration(from: source, to: target).check(service) }
        try await migration(from: "filesystem").check(service)
    }

    @Test func theRateIsShared() async throws {
        put([try object("large", 100_000_000_000), try object("small", 1_000)])
        let (summary, _) = try await run(migration(rate: 8_000_000, parallel: 2))
        #expect(service.now.moves.map(\.bytesPerSecond) == [4_000_000, 4_000_000])
        #expect(summary.objects == 2 && summary.failures == 0)
    }

    @Test func anObjectThatTakesLongerThanACallIsWaitedFor() async throws {
        put([try object("large"), try object("small")])
        let large = try StorageKey("large")
        service.change { $0.underWay = [large: 3] }
        let (summary, failures) = try await run(migration())
        #expect(summary.objects == 2 && failures.isEmpty)
        #expect(service.now.moves.filter { $0.key == large }.map(\.isContinued) == [false, true, true, true])

        service.change {
            $0.underWay = [large: 2]
            $0.conditions = [large: .damaged]
        }
        let pass = ObjectPass(service, timeout: .seconds(10), parallel: 2) { _, _ in }
        let work = StorageVerifyCommand.work(service, in: nil, rate: nil)
        let done = try await pass.run(work, of: try await pass.count(work))
        #expect(done.objects == 1 && done.failures == 1)
        #expect(service.now.underWay == [large: 0])
    }

    @Test func whatIsNotWellIsTold() async throws {
        put([try object("a"), try object("b"), try object("c"), try object("d", in: "s3")])
        let (b, c) = (try StorageKey("b"), try StorageKey("c"))
        service.change { $0.conditions = [b: .damaged, c: .unchecked] }
        let failures = FailureList()
        let pass = ObjectPass(service, timeout: .seconds(10), parallel: 2) { failures.add($0, $1) }
        let work = StorageVerifyCommand.work(service, in: "filesystem", rate: nil)
        let done = try await pass.run(work, of: try await pass.count(work))
        #expect(done == ObjectPass.Summary(objects: 2, bytes: 2_000, failures: 1))
        #expect(failures.lines == ["b: damaged: a detail"])
    }

    @Test func aLongListOfFailuresIsCutShort() throws {
        let failures = FailureList()
        #expect(failures.isEmpty)
        for number in 0..<60 { failures.add(try StorageKey("\(number)"), "reason") }
        #expect(failures.lines.count == 51 && failures.lines.last == "… and 10 more")
    }

    @Test(
        arguments: [
            ("1", 1), ("500kB", 500_000), ("500KB", 500_000), ("20MB", 20_000_000), ("1.5GB", 1_500_000_000), ("7B", 7),
        ] as [(String, Int64)])
    func aRateIsReadWithItsUnit(text: String, bytes: Int64) {
        #expect(ByteRate(argument: text)?.bytesPerSecond == bytes)
    }

    @Test(arguments: ["", "0", "-1", "MB", "1e3", "0x10", "1..5MB", "nan", "inf", "1TB", "99999999999999999999GB"])
    func whatIsNoRateIsRefused(text: String) {
        #expect(ByteRate(argument: text) == nil)
    }

    @Test func theCommandsAreReadWithTheirOptions() throws {
        let migrate = try #require(
            try Millrace.parseAsRoot([
                "storage", "migrate", "--to", "s3", "--from", "filesystem", "--rate", "20MB", "--dry-run",
            ]) as? StorageMigrateCommand)
        #expect(migrate.to == "s3" && migrate.from == "filesystem" && migrate.dryRun)
        #expect(migrate.rate?.bytesPerSecond == 20_000_000)
        #expect(try Millrace.parseAsRoot(["storage", "collect", "--delete"]) is StorageCollectCommand)
        #expect(try Millrace.parseAsRoot(["storage", "verify", "--parallel", "2"]) is StorageVerifyCommand)
        #expect(try Millrace.parseAsRoot(["storage", "providers"]) is StorageProvidersCommand)
        #expect(try Millrace.parseAsRoot(["storage", "list", "--provider", "s3"]) is StorageListCommand)
    }

    @Test(arguments: [
        ["migrate"], ["migrate", "--to", "s3", "--from", "s3"], ["migrate", "--to", "s3", "--rate", "fast"],
        ["migrate", "--to", "s3", "--parallel", "0"], ["verify", "--parallel", "65"],
    ])
    func whatCannotBeUnderstoodIsRefused(words: [String]) {
        #expect {
            try Millrace.parseAsRoot(["storage"] + words)
        } throws: { error in
            Millrace.exitCode(for: error) == .validationFailure
        }
    }

    @Test func aLineOfTheListIsForPeople() throws {
        var object = try object("films/a\u{202E}b.mp4", 1_500_000, in: "s3")
        #expect(StorageListCommand.line(object) == "  1.5 MB  s3          -                    films/a\u{FFFD}b.mp4")
        object.checksum = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
        #expect(StorageListCommand.line(object).contains("  sha256:0123456789ab  "))
    }
}
