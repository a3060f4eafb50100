public import Domain
public import RPC

/// The storage service as its callers see it: each call is an RPC to any of its workers.
public struct StorageClient: StorageService {
    private let rpc: any RPCCalling

    /// Makes a client.
    public init(_ rpc: any RPCCalling) {
        self.rpc = rpc
    }

    /// See ``Domain/StorageService``.
    public func stat(_ key: StorageKey, deadline: Deadline) async throws(ServiceError) -> ObjectFacts {
        let request = StatRequest(key: key.description)
        let reply = try await rpc.call(StorageWire.stat, .json(request), deadline: deadline)
        return try reply.decode(StatReply.self, orThrow: .internal).facts(of: key)
    }

    /// See ``Domain/StorageService``.
    public func read(_ chunk: ChunkAddress, deadline: Deadline) async throws(ServiceError) -> Chunk {
        try Chunk(await rpc.call(StorageWire.read, chunk.payload, deadline: deadline), of: chunk)
    }

    /// See ``Domain/StorageService``.
    public func read(
        together chunks: [ChunkAddress], deadline: Deadline
    ) async throws(ServiceError) -> [Result<Chunk, ServiceError>] {
        try StorageLimits.checkTogether(chunks)
        let reply = try await rpc.call(
            StorageWire.readTogether, ReadTogetherRequest(chunks: chunks).payload, deadline: deadline)
        return try ReadTogetherReply(reply, to: chunks).results
    }

    /// See ``Domain/StorageService``.
    public func open(
        _ key: StorageKey, at start: ReadStart, deadline: Deadline
    ) async throws(ServiceError) -> OpenedObject {
        let request = OpenRequest(key: key, start: start)
        return try OpenedObject(await rpc.call(StorageWire.open, request.payload, deadline: deadline), to: request)
    }
}

extension RPCRouter {
    /// Offers a storage service to callers.
    public static func storage(_ service: any StorageService) -> RPCRouter {
        var router = RPCRouter()
        router.on(StorageWire.stat) { (payload, context) throws(ServiceError) in
            let request = try payload.decode(StatRequest.self, orThrow: .invalidArgument)
            let facts = try await service.stat(StorageKey(request.key), deadline: context.deadline)
            return try .json(StatReply(facts))
        }
        router.on(StorageWire.read) { (payload, context) throws(ServiceError) in
            try await service.read(ChunkAddress(payload), deadline: context.deadline).payload
        }
        router.on(StorageWire.readTogether) { (payload, context) throws(ServiceError) in
            let chunks = try ReadTogetherRequest(payload).chunks
            let results = try await service.read(together: chunks, deadline: context.deadline)
            return ReadTogetherReply(results: results).payload
        }
        router.on(StorageWire.open) { (payload, context) throws(ServiceError) in
            let request = try OpenRequest(payload)
            return try await service.open(request.key, at: request.start, deadline: context.deadline).payload
        }
        return router
    }
}
