// swift-tools-version: 6.2
import PackageDescription

// Every target speaks the same dialect: Swift 6 mode with the upcoming features that make existentials, import
// visibility and executor hops explicit.
let settings: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
]

let nio: Target.Dependency = .product(name: "NIOCore", package: "swift-nio")
let nioPosix: Target.Dependency = .product(name: "NIOPosix", package: "swift-nio")
let lifecycle: Target.Dependency = .product(name: "ServiceLifecycle", package: "swift-service-lifecycle")
let signals: Target.Dependency = .product(name: "UnixSignals", package: "swift-service-lifecycle")
let logging: Target.Dependency = .product(name: "Logging", package: "swift-log")
let metrics: Target.Dependency = .product(name: "Metrics", package: "swift-metrics")
let coreMetrics: Target.Dependency = .product(name: "CoreMetrics", package: "swift-metrics")
let instrumentation: Target.Dependency = .product(name: "Instrumentation", package: "swift-distributed-tracing")
let tracing: Target.Dependency = .product(name: "Tracing", package: "swift-distributed-tracing")
let inMemoryTracing: Target.Dependency = .product(name: "InMemoryTracing", package: "swift-distributed-tracing")
let serviceContext: Target.Dependency = .product(name: "ServiceContextModule", package: "swift-service-context")
let configuration: Target.Dependency = .product(name: "Configuration", package: "swift-configuration")
let deque: Target.Dependency = .product(name: "DequeModule", package: "swift-collections")
let heap: Target.Dependency = .product(name: "HeapModule", package: "swift-collections")
let hummingbird: Target.Dependency = .product(name: "Hummingbird", package: "hummingbird")
let hummingbirdCore: Target.Dependency = .product(name: "HummingbirdCore", package: "hummingbird")
let hummingbirdHTTP2: Target.Dependency = .product(name: "HummingbirdHTTP2", package: "hummingbird")
let nioSSL: Target.Dependency = .product(name: "NIOSSL", package: "swift-nio-ssl")
let httpTypes: Target.Dependency = .product(name: "HTTPTypes", package: "swift-http-types")
let systemPackage: Target.Dependency = .product(name: "SystemPackage", package: "swift-system")
let asyncHTTPClient: Target.Dependency = .product(name: "AsyncHTTPClient", package: "async-http-client")
let crypto: Target.Dependency = .product(name: "Crypto", package: "swift-crypto")
let nioHTTPTypes: Target.Dependency = .product(name: "NIOHTTPTypes", package: "swift-nio-extras")
let nioEmbedded: Target.Dependency = .product(name: "NIOEmbedded", package: "swift-nio")
let nioHTTP1: Target.Dependency = .product(name: "NIOHTTP1", package: "swift-nio")
let histogram: Target.Dependency = .product(name: "Histogram", package: "hdrhistogram-swift")
let arguments: Target.Dependency = .product(name: "ArgumentParser", package: "swift-argument-parser")

func unitTests(_ name: String, _ dependencies: [Target.Dependency], exclude: [String] = []) -> Target {
    .testTarget(name: name, dependencies: dependencies, exclude: exclude, swiftSettings: settings)
}

let package = Package(
    name: "millrace",
    products: [
        .executable(name: "video-streaming", targets: ["VideoStreaming"]),
        .executable(name: "video-metadata", targets: ["VideoMetadata"]),
        .executable(name: "video-storage", targets: ["VideoStorage"]),
        .executable(name: "millrace", targets: ["MillraceCLI"]),
        // Not shipped: Millrace's half of ops/bench rpc.
        .executable(name: "rpc-benchmark", targets: ["RPCBenchmark"]),
    ],
    dependencies: [
        // Without the FullFoundation trait a static binary carries no ICU data, which is most of its size.
        .package(url: "https://github.com/hummingbird-project/hummingbird.git", from: "2.28.1", traits: []),
        .package(url: "https://github.com/apple/swift-argument-parser.git", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-collections.git", from: "1.3.0"),
        .package(url: "https://github.com/apple/swift-crypto.git", from: "4.5.2"),
        .package(url: "https://github.com/apple/swift-configuration.git", from: "1.4.0", traits: []),
        .package(url: "https://github.com/apple/swift-distributed-tracing.git", from: "1.7.0"),
        .package(url: "https://github.com/apple/swift-http-types.git", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-log.git", from: "1.16.0"),
        .package(url: "https://github.com/apple/swift-metrics.git", from: "2.13.0"),
        .package(url: "https://github.com/apple/swift-nio.git", from: "2.101.0"),
        .package(url: "https://github.com/apple/swift-nio-extras.git", from: "1.35.0"),
        .package(url: "https://github.com/apple/swift-nio-ssl.git", from: "2.37.0"),
        .package(url: "https://github.com/apple/swift-service-context.git", from: "1.3.0"),
        .package(url: "https://github.com/apple/swift-system.git", from: "1.5.0"),
        .package(url: "https://github.com/HdrHistogram/hdrhistogram-swift.git", from: "0.2.0"),
        .package(url: "https://github.com/swift-server/async-http-client.git", from: "1.37.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle.git", from: "2.13.0"),
    ],
    targets: [
        // C libraries, as Debian packages them. A shim holds only what Swift cannot import.
        .systemLibrary(name: "CRabbitMQ", pkgConfig: "librabbitmq", providers: [.apt(["librabbitmq-dev"])]),
        .systemLibrary(name: "CLinux"),
        .systemLibrary(name: "CMongoC", pkgConfig: "libmongoc-1.0", providers: [.apt(["libmongoc-dev"])]),
        .systemLibrary(name: "CISAL", pkgConfig: "libisal", providers: [.apt(["libisal-dev"])]),

        // Libraries, in the order of the house: each may import only those above it (ArchitectureTests has the table).
        .target(name: "Domain", dependencies: [nio], swiftSettings: settings),
        .target(
            name: "AMQP",
            dependencies: ["CRabbitMQ", nio, deque, lifecycle, logging, metrics],
            swiftSettings: settings),
        .target(name: "Mongo", dependencies: ["CMongoC", logging, metrics], swiftSettings: settings),
        .target(
            name: "RPC",
            dependencies: [
                "Domain", "AMQP", nio, heap, lifecycle, logging, metrics, instrumentation, tracing, serviceContext,
            ],
            swiftSettings: settings),
        .target(name: "Contracts", dependencies: ["Domain", "RPC", "CISAL", nio, logging], swiftSettings: settings),
        .target(
            name: "ServiceKit",
            dependencies: [
                "CLinux", configuration, hummingbird, httpTypes, nio, nioPosix, lifecycle, signals, logging, metrics,
                coreMetrics, instrumentation, tracing, serviceContext,
            ],
            exclude: ["METRICS.md"],
            swiftSettings: settings),

        // Services and the operator's tool. Services never import one another.
        .executableTarget(
            name: "VideoStreaming",
            dependencies: [
                "CLinux", "Domain", "Contracts", "RPC", "AMQP", "ServiceKit", hummingbird, hummingbirdCore,
                hummingbirdHTTP2, httpTypes, nio, nioSSL, nioHTTPTypes, crypto, deque, lifecycle, logging, metrics,
                configuration, serviceContext,
            ],
            exclude: ["HTTP/CONFORMANCE.md"],
            swiftSettings: settings),
        .executableTarget(
            name: "VideoMetadata",
            dependencies: [
                "Domain", "Contracts", "RPC", "AMQP", "Mongo", "ServiceKit", nio, lifecycle, logging, metrics,
                configuration,
            ],
            swiftSettings: settings),
        .executableTarget(
            name: "VideoStorage",
            dependencies: [
                "Domain", "Contracts", "RPC", "AMQP", "Mongo", "ServiceKit", nio, nioPosix, nioHTTP1, asyncHTTPClient,
                crypto, deque, lifecycle, logging, metrics, configuration,
            ],
            swiftSettings: settings),
        .executableTarget(
            name: "MillraceCLI",
            dependencies: [
                "Domain", "Contracts", "RPC", "AMQP", "ServiceKit", arguments, systemPackage, nio, nioPosix, nioHTTP1,
                asyncHTTPClient, crypto, lifecycle, logging, configuration,
            ],
            swiftSettings: settings),

        // What ops/bench measures.
        .executableTarget(
            name: "RPCBenchmark",
            dependencies: [
                "Domain", "RPC", "AMQP", arguments, systemPackage, nio, lifecycle, signals, logging, histogram,
            ],
            swiftSettings: settings),

        // Test tools, used by several test targets.
        .target(
            name: "TestKit",
            dependencies: ["Domain", nio, nioPosix, nioHTTP1, asyncHTTPClient],
            path: "Tests/TestKit",
            swiftSettings: settings),

        // Unit tests: no server, no network.
        unitTests("ArchitectureTests", []),
        unitTests("DomainTests", ["Domain"]),
        unitTests("AMQPTests", ["AMQP", "CRabbitMQ", "TestKit", nio]),
        unitTests("MongoTests", ["Mongo", "TestKit"]),
        unitTests(
            "RPCTests",
            ["RPC", "AMQP", "Domain", "TestKit", nio, logging, lifecycle, tracing, inMemoryTracing]),
        unitTests(
            "ContractsTests", ["AMQP", "Contracts", "Domain", "RPC", "TestKit", nio],
            exclude: ["RecordedWire/wire.json"]),
        unitTests(
            "ServiceKitTests",
            [
                "ServiceKit", "TestKit", configuration, lifecycle, logging, nio, nioPosix, metrics, coreMetrics,
                tracing,
                serviceContext,
            ]),
        unitTests(
            "VideoStreamingTests",
            [
                "VideoStreaming", "Domain", "ServiceKit", "TestKit", hummingbird, httpTypes, nio, nioEmbedded,
                nioHTTPTypes, crypto, logging, serviceContext,
            ]),
        unitTests("VideoMetadataTests", ["VideoMetadata", "Contracts", "Domain", "Mongo", "RPC", "TestKit", logging]),
        unitTests(
            "VideoStorageTests",
            [
                "VideoStorage", "Contracts", "Domain", "Mongo", "RPC", "ServiceKit", "TestKit", nio, nioHTTP1, crypto,
                configuration, logging, metrics,
            ]),
        unitTests("MillraceCLITests", ["MillraceCLI", "Domain", "TestKit", arguments, nio, nioPosix]),

        // Against a real RabbitMQ and a real mongod, found through RABBIT and DBHOST in the environment.
        unitTests(
            "IntegrationTests",
            [
                "AMQP", "Mongo", "RPC", "Contracts", "Domain", "VideoMetadata", "VideoStorage", "TestKit", nio,
                nioPosix, nioHTTP1, crypto, logging, lifecycle,
            ]),
        // Real processes of the built services over real sockets.
        unitTests("EndToEndTests", ["AMQP", "Domain", "Mongo", "VideoStorage", "TestKit", nio, nioHTTP1, logging]),
    ],
    swiftLanguageModes: [.v6]
)
