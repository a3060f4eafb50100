import Testing

/// The rules themselves, fed with what they have to find.
@Suite struct HouseRulesTests {
    private func faults(_ target: String, _ path: String, _ text: String) -> [String] {
        HouseRules.faults(of: SourceFile(target: target, path: path, text: text))
    }

    @Test(arguments: [
        ("Domain", "Video.swift", "internal import Contracts"),
        ("Domain", "Video.swift", "public import struct RPC.RPCPayload"),
        ("AMQP", "Topology.swift", "import Domain"),
        ("AMQP", "Topology.swift", "internal import CMongoC"),
        ("Mongo", "Client/MongoClient.swift", "internal import CRabbitMQ"),
        ("RPC", "Client/RPCClient.swift", "public import AMQP"),
        ("RPC", "AMQPTransport.swift", "public import AMQP"),
        ("Contracts", "Wire.swift", "@preconcurrency import AMQP"),
        ("ServiceKit", "Settings.swift", "import Domain"),
        ("VideoStreaming", "Delivery/ChunkReader.swift", "import RPC"),
        ("VideoStreaming", "Delivery/VideoStreaming.swift", "import AMQP"),
        ("VideoStreaming", "VideoStreaming.swift", "import Mongo"),
        ("VideoStreaming", "VideoStreaming.swift", "import VideoStorage"),
        ("VideoMetadata", "VideoRules.swift", "import Mongo"),
        ("VideoMetadata", "RepositoryCopy/VideoRules.swift", "import Mongo"),
        ("VideoMetadata", "Repository/VideoRepository.swift", "import AMQP"),
        ("VideoStorage", "Objects/ObjectStorage.swift", "import Mongo"),
        ("VideoStorage", "Objects/ObjectStorage.swift", "import NIOPosix"),
        ("VideoStorage", "Providers/S3/S3Bucket.swift", "import AsyncHTTPClient"),
        ("VideoStorage", "Providers/S3/S3Bucket.swift", "import Mongo"),
        ("VideoStorage", "VideoStorage.swift", "import VideoMetadata"),
        ("VideoMetadata", "VideoMetadata.swift", "import NIOPosix"),
        ("MillraceCLI", "Stack.swift", "import Mongo"),
        ("MillraceCLI", "Stack.swift", "import VideoStorage"),
        ("MillraceCLI", "Stack.swift", "import TestKit"),
        ("MillraceCLI", "Stack.swift", "@testable import Domain"),
    ])
    func anImportThatTheTableDoesNotAllowIsFound(_ target: String, _ path: String, _ text: String) {
        #expect(faults(target, path, text).count == 1)
    }

    @Test(arguments: [
        ("RPC", "Transport/AMQP/MessageCoding.swift", "public import AMQP"),
        ("AMQP", "Connection/RawConnection.swift", "internal import CRabbitMQ"),
        ("VideoStreaming", "VideoStreaming.swift", "import AMQP\nimport RPC"),
        ("VideoMetadata", "Repository/VideoRepository.swift", "import Mongo"),
        ("VideoStorage", "Providers/Filesystem/BlockingThreads.swift", "import NIOPosix"),
        ("VideoStorage", "Catalogue/MongoCatalogue.swift", "import Domain\nimport Mongo"),
        ("VideoStorage", "Providers/GridFS/GridFSProvider.swift", "import Mongo"),
        ("VideoStorage", "Providers/HTTP/ServiceConnections.swift", "import AsyncHTTPClient"),
        ("MillraceCLI", "Stack.swift", "import AMQP\nimport Foundation"),
        ("Domain", "Video.swift", "public import NIOCore\nimport Synchronization"),
    ])
    func anImportThatTheTableAllowsIsNot(_ target: String, _ path: String, _ text: String) {
        #expect(faults(target, path, text).isEmpty)
    }

    @Test(arguments: ["import CRabbitMQ", "public import CRabbitMQ", "package import CRabbitMQ"])
    func cIsOnlyImportedAsInternal(_ text: String) {
        #expect(faults("AMQP", "Connection/RawConnection.swift", text).count == 1)
    }

    @Test func fullFoundationIsForTheFallbackAlone() {
        let fallback =
            "#if canImport(FoundationEssentials)\nimport FoundationEssentials\n#else\nimport Foundation\n#endif"
        #expect(faults("VideoStorage", "Catalogue/Catalogue.swift", fallback).isEmpty)
        #expect(faults("VideoStorage", "Catalogue/Catalogue.swift", "import Foundation").count == 1)
        #expect(faults("Domain", "Video.swift", "public import struct Foundation.Date").count == 1)
        #expect(faults("ServiceKit", "Settings.swift", "import FoundationNetworking").count == 1)
    }

    @Test func aTargetThatIsNotInTheTableIsFound() {
        #expect(faults("VideoThumbnails", "Thumbnail.swift", "") == ["the target VideoThumbnails is not in the table"])
    }

    @Test func everyFaultOfAFileIsTold() {
        let text = "import Mongo\nimport AMQP\nimport VideoStorage\n"
        #expect(faults("VideoStreaming", "HTTP/Route.swift", text).count == 3)
    }

    @Test func aFileOverTheLimitIsFound() {
        let line = "let a = 1\n"
        let longest = SourceFile(
            target: "Domain", path: "A.swift", text: String(repeating: line, count: HouseRules.maxLines))
        #expect(HouseRules.lengthFault(of: longest) == nil)
        let longer = SourceFile(target: "Domain", path: "A.swift", text: longest.text + line)
        #expect(HouseRules.lengthFault(of: longer) == "Domain/A.swift has 401 lines")
    }

    @Test func foldersWhoseNamesSayNothingAreFound() {
        #expect(HouseRules.isMeaningless(folder: "VideoStorage/Utils"))
        #expect(HouseRules.isMeaningless(folder: "common/Objects"))
        #expect(!HouseRules.isMeaningless(folder: "VideoStorage/Newspapers"))
    }

    @Test(arguments: [
        ("return (index, .success(try await read(index)))", 1),
        ("group.addTask { (name, try await check()) }", 1),
        ("map { item in (try item.name(), [1, 2]) }", 1),
        ("return (name, 1)", 0),
        ("return (try name(1, 2))", 0),
        ("{ (left, right) in try compare(left, right) }", 0),
        ("return try read((1, 2))", 0),
        ("// return (1, try name())", 0),
    ])
    func aTupleThatIsReturnedAroundATryIsFound(_ text: String, _ count: Int) {
        #expect(HouseRules.tupleFaults(of: SourceFile(target: "RPC", path: "A.swift", text: text)).count == count)
    }

    @Test(arguments: [
        ("let a = Mutex<(@Sendable (Int) -> Void)?>(nil)", 1),
        ("let a: Mutex<() -> Void>", 1),
        ("let a = Mutex<Handler?>(nil); let b: () -> Void", 0),
        ("let a = Mutex<[Int]>([]); func b() -> Int { 1 }", 0),
        ("// Mutex<() -> Void>", 0),
    ])
    func aClosureInAMutexIsFound(_ text: String, _ count: Int) {
        #expect(HouseRules.mutexFaults(of: SourceFile(target: "RPC", path: "A.swift", text: text)).count == count)
    }
}
