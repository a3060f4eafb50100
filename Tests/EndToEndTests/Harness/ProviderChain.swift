import Domain
import Foundation
import Logging
import NIOHTTP1
import Testing

@testable import VideoStorage

/// The providers that the objects of a stack move through, each with a place of its own that nothing else uses.
struct ProviderChain: Sendable {
    /// A provider, by the word of `STORAGE_PROVIDER`, in the order of the chain.
    enum Link: String, CaseIterable {
        case filesystem, s3, azure, gridfs
    }

    private let stack: TestStack
    private let bucket: S3Bucket
    private let container: AzureContainer
    private let variables: [Link: [String: String]]

    private static let logger: Logger = {
        var logger = Logger(label: "end-to-end")
        logger.logLevel = .critical
        return logger
    }()
    private static var deadline: Deadline { .after(.seconds(60)) }

    /// Makes a bucket and a container, runs a test, and removes what it can.
    static func with(_ stack: TestStack, _ body: (ProviderChain) async throws -> Void) async throws {
        let connections = ServiceConnections(maxConnections: 4)
        do {
            let chain = try ProviderChain(stack, connections)
            #expect(try await chain.bucket.send(.PUT, deadline: deadline).status == 200)
            let whole = [HTTPQueryItem("restype", "container")]
            #expect(try await chain.container.send(.PUT, query: whole, deadline: deadline).status == 201)
            try await body(chain)
            _ = try await chain.container.send(.DELETE, query: whole, deadline: deadline)
        } catch {
            await connections.shutdown()
            throw error
        }
        await connections.shutdown()
    }

    private init(_ stack: TestStack, _ connections: ServiceConnections) throws {
        let place = "end-to-end-\(UUID().uuidString.lowercased())"
        let s3 = try TestEnvironment.value(
            "S3_TEST_ENDPOINT", meaning: "the address of a server that speaks as S3 does")
        let azure = try TestEnvironment.value("AZURE_TEST_ENDPOINT", meaning: "the address of an Azure test server")
        let account = try TestEnvironment.value("AZURE_TEST_ACCOUNT", meaning: "that server's account")
        let key = try TestEnvironment.value("AZURE_TEST_KEY", meaning: "that account's key")
        self.stack = stack
        bucket = S3Bucket(
            try S3Configuration(
                endpoint: ServiceEndpoint(s3), region: "us-east-1", bucket: place, accessKey: "tests",
                secretKey: "secret", addressing: .path),
            connections: connections, logger: Self.logger)
        container = try AzureContainer(
            endpoint: ServiceEndpoint(azure), container: place,
            key: try #require(SharedKey(account: account, key: key)),
            connections: connections, logger: Self.logger)
        variables = [
            .filesystem: ["STORAGE_DIRECTORY": stack.storageFolder.path],
            .s3: [
                "S3_BUCKET": place, "S3_ENDPOINT": s3, "AWS_ACCESS_KEY_ID": "tests", "AWS_SECRET_ACCESS_KEY": "secret",
            ],
            .azure: [
                "STORAGE_CONTAINER": place, "STORAGE_ENDPOINT": azure, "STORAGE_ACCOUNT_NAME": account,
                "STORAGE_ACCESS_KEY": key,
            ],
        ]
    }

    /// What a worker needs that knows these providers and no other but GridFS, which is always there.
    func settings(of links: [Link], primary: Link) -> [String: String] {
        // An empty one counts as missing; without it a worker of a stack has the folder.
        var settings = ["STORAGE_DIRECTORY": "", "STORAGE_PROVIDER": primary.rawValue]
        for link in links { settings.merge(variables[link] ?? [:]) { $1 } }
        return settings
    }

    /// How many blobs a provider holds, the checksums of blobs included; none of GridFS, which is in the workers' database.
    func blobs(in link: Link) async throws -> Int {
        switch link {
        // Without the folders that the provider keeps for itself.
        case .filesystem:
            try FileManager.default.contentsOfDirectory(atPath: stack.storageFolder.path)
                .count { $0.hasSuffix(".mp4") }
        case .s3: try await Self.count(S3Provider(bucket: bucket))
        case .azure: try await Self.count(AzureProvider(container: container, comparesMD5: false))
        case .gridfs: 0
        }
    }

    private static func count(_ provider: any StorageProvider) async throws -> Int {
        try await provider.list(after: nil, limit: ProviderLimits.maxPageSize, deadline: deadline).entries.count
    }
}
