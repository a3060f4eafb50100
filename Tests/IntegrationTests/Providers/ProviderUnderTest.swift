import Domain
import Foundation
import Logging
import NIOCore
import NIOHTTP1
import Testing

@testable import VideoStorage

/// The providers that the conformance suite runs on, each with a place of its own that nothing else uses.
enum ProviderUnderTest: String, CaseIterable, Sendable, CustomTestStringConvertible {
    case filesystem
    case gridfs
    /// As it is composed, with checksums of our own and retries around it: moto fails with 500 now and then when calls about
    /// one blob come at once.
    case s3
    case azure

    /// Why a test against a server cannot run.
    struct MissingServer: Error, CustomStringConvertible {
        let variable: String
        var description: String { "\(variable) names no server to test against; run ./ops/test" }
    }

    var testDescription: String { rawValue }

    /// What a block gets whose upload is over; `nil` is success. Azure has no uploads: such a block opens one anew. Amazon's S3 says
    /// that there is no such upload, and moto, which stands for it here, fails with 500.
    var answersToLateBlocks: [ServiceError.Code?] {
        switch self {
        case .filesystem, .gridfs: [.notFound]
        case .s3: [.notFound, .unavailable]
        case .azure: [nil]
        }
    }

    /// Whether uploads are listed with their times. S3 does; moto, which stands for it here, gives one of 2010.
    var tellsWhenUploadsBegan: Bool { self != .s3 }

    /// Runs a test on an empty provider, and removes what it has left.
    func withProvider(_ body: (any StorageProvider) async throws -> Void) async throws {
        switch self {
        case .filesystem: try await Self.withFilesystem(body)
        case .gridfs: try await Self.withGridFS(body)
        case .s3: try await Self.withS3 { try await body(RetryingProvider(CheckedProvider($0))) }
        case .azure: try await Self.withAzure { try await body($0) }
        }
    }

    private static func withFilesystem(_ body: (any StorageProvider) async throws -> Void) async throws {
        let path = FileManager.default.temporaryDirectory.path + "/millrace-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: path) }
        let threads = BlockingThreads(count: 4)
        let provider = try FilesystemProvider(
            root: path, threads: threads, metrics: StorageMetrics(), logger: MongoFixture.logger)
        try await body(provider)
        await threads.shutdown()
    }

    private static func withGridFS(_ body: (any StorageProvider) async throws -> Void) async throws {
        try await MongoFixture.withClient { client in
            let provider = GridFSProvider(client: client)
            try await provider.prepare(deadline: .patient)
            try await body(provider)
        }
    }

    /// A bucket of its own at the server that S3_TEST_ENDPOINT names.
    ///
    /// - Parameters:
    ///   - port: Where the server is reached instead, through a proxy.
    ///   - addressing: How the bucket is named in requests.
    ///   - body: The test.
    /// - Throws: What the test throws.
    static func withS3(
        port: Int? = nil, addressing: S3Configuration.Addressing = .path, _ body: (S3Provider) async throws -> Void
    ) async throws {
        let name = "test-\(UUID().uuidString.lowercased())"
        let endpoint = try ServiceEndpoint(try variable("S3_TEST_ENDPOINT"))
        try await withConnections { connections in
            func bucket(_ endpoint: ServiceEndpoint, _ addressing: S3Configuration.Addressing) throws -> S3Bucket {
                let configuration = try S3Configuration(
                    endpoint: endpoint, region: "us-east-1", bucket: name, accessKey: "tests", secretKey: "secret",
                    addressing: addressing)
                return S3Bucket(configuration, connections: connections, logger: MongoFixture.logger)
            }
            let made = try await bucket(endpoint, .path).send(.PUT, deadline: .patient)
            #expect(made.status == 200)
            try await body(S3Provider(bucket: try bucket(try endpoint.at(port: port), addressing)))
        }
    }

    /// A container of its own at the server that AZURE_TEST_ENDPOINT names.
    ///
    /// - Parameters:
    ///   - port: Where the server is reached instead, through a proxy.
    ///   - key: The key to sign with instead of the right one.
    ///   - body: The test.
    /// - Throws: What the test throws.
    static func withAzure(
        port: Int? = nil, key: String? = nil, _ body: (CheckedProvider) async throws -> Void
    ) async throws {
        let name = "test-\(UUID().uuidString.lowercased())"
        let endpoint = try ServiceEndpoint(try variable("AZURE_TEST_ENDPOINT"))
        let account = try variable("AZURE_TEST_ACCOUNT")
        let rightKey = try variable("AZURE_TEST_KEY")
        try await withConnections { connections in
            func container(_ endpoint: ServiceEndpoint, _ key: String) throws -> AzureContainer {
                try AzureContainer(
                    endpoint: endpoint, container: name,
                    key: try #require(SharedKey(account: account, key: key)), connections: connections,
                    logger: MongoFixture.logger)
            }
            let query = [HTTPQueryItem("restype", "container")]
            let whole = try container(endpoint, rightKey)
            let made = try await whole.send(.PUT, query: query, deadline: .patient)
            #expect(made.status == 201)
            let tested = try container(try endpoint.at(port: port), key ?? rightKey)
            try await body(AzureProvider.checked(in: tested))
            _ = try await whole.send(.DELETE, query: query, deadline: .patient)
        }
    }

    private static func withConnections(_ body: (ServiceConnections) async throws -> Void) async throws {
        let connections = ServiceConnections(maxConnections: 32)
        do {
            try await body(connections)
        } catch {
            await connections.shutdown()
            throw error
        }
        await connections.shutdown()
    }

    /// A variable that `ops/test` sets.
    static func variable(_ name: String) throws -> String {
        guard let value = ProcessInfo.processInfo.environment[name], !value.isEmpty else {
            throw MissingServer(variable: name)
        }
        return value
    }
}

extension ServiceEndpoint {
    /// The same path at another port of this machine.
    fileprivate func at(port: Int?) throws -> ServiceEndpoint {
        guard let port else { return self }
        return try ServiceEndpoint("http://127.0.0.1:\(port)\(basePath)")
    }
}
