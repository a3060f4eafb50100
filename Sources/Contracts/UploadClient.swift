public import Domain
public import RPC

/// The storage service's side for uploads as its callers see it: each call is an RPC to any of its workers.
public struct UploadClient: UploadService {
    private let rpc: any RPCCalling

    /// Makes a client.
    public init(_ rpc: any RPCCalling) {
        self.rpc = rpc
    }

    /// See ``Domain/UploadService``.
    public func begin(_ upload: NewUpload, deadline: Deadline) async throws(ServiceError) -> UploadPlan {
        let reply = try await rpc.call(StorageWire.begin, .json(BeginRequest(upload)), deadline: deadline)
        return try reply.decode(BeginReply.self, orThrow: .internal).plan()
    }

    /// See ``Domain/UploadService``.
    public func stage(_ block: UploadBlock, deadline: Deadline) async throws(ServiceError) -> StagedBlock {
        let reply = try await rpc.call(StorageWire.stage, block.payload, deadline: deadline)
        return try reply.decode(StageReply.self, orThrow: .internal).receipt(of: block)
    }

    /// See ``Domain/UploadService``.
    public func commit(_ upload: FinishedUpload, deadline: Deadline) async throws(ServiceError) -> ObjectFacts {
        let reply = try await rpc.call(StorageWire.commit, .json(CommitRequest(upload)), deadline: deadline)
        return try reply.decode(CommitReply.self, orThrow: .internal).checked()
    }

    /// See ``Domain/UploadService``.
    public func abort(_ upload: UploadID, deadline: Deadline) async throws(ServiceError) {
        _ = try await rpc.call(StorageWire.abort, .json(AbortRequest(id: upload.description)), deadline: deadline)
    }
}

extension RPCRouter {
    /// Offers a service for uploads to callers.
    public static func uploads(_ service: any UploadService) -> RPCRouter {
        var router = RPCRouter()
        router.on(StorageWire.begin) { (payload, context) throws(ServiceError) in
            let request = try payload.decode(BeginRequest.self, orThrow: .invalidArgument)
            return try .json(BeginReply(await service.begin(request.upload(), deadline: context.deadline)))
        }
        router.on(StorageWire.stage) { (payload, context) throws(ServiceError) in
            try .json(StageReply(await service.stage(UploadBlock(payload), deadline: context.deadline)))
        }
        router.on(StorageWire.commit) { (payload, context) throws(ServiceError) in
            let request = try payload.decode(CommitRequest.self, orThrow: .invalidArgument)
            return try .json(CommitReply(await service.commit(request.upload(), deadline: context.deadline)))
        }
        router.on(StorageWire.abort) { (payload, context) throws(ServiceError) in
            let request = try payload.decode(AbortRequest.self, orThrow: .invalidArgument)
            try await service.abort(.read(request.id), deadline: context.deadline)
            return try .json(AbortReply())
        }
        return router
    }
}
