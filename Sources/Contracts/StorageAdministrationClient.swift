public import Domain
public import RPC

/// The administration of storage as its callers see it: each call is an RPC to any of its workers.
public struct StorageAdministrationClient: StorageAdministration {
    private let rpc: any RPCCalling

    /// Makes a client.
    public init(_ rpc: any RPCCalling) {
        self.rpc = rpc
    }

    /// See ``Domain/StorageAdministration``.
    public func objects(
        after key: StorageKey?, limit: Int, deadline: Deadline
    ) async throws(ServiceError) -> StoredObjectPage {
        let request = ObjectsRequest(after: key?.description, limit: limit)
        let reply = try await rpc.call(StorageWire.objects, .json(request), deadline: deadline)
        return try reply.decode(ObjectsReply.self, orThrow: .internal).page()
    }

    /// See ``Domain/StorageAdministration``.
    public func providers(deadline: Deadline) async throws(ServiceError) -> [ProviderStatus] {
        let reply = try await rpc.call(StorageWire.providers, .json(ProvidersRequest()), deadline: deadline)
        return try reply.decode(ProvidersReply.self, orThrow: .internal).statuses
    }

    /// See ``Domain/StorageAdministration``.
    public func adopt(
        in provider: String, after cursor: String?, deadline: Deadline
    ) async throws(ServiceError) -> AdoptionPage {
        let request = AdoptRequest(provider: provider, after: cursor)
        let reply = try await rpc.call(StorageWire.adopt, .json(request), deadline: deadline)
        return try reply.decode(AdoptReply.self, orThrow: .internal).page()
    }

    /// See ``Domain/StorageAdministration``.
    public func move(_ move: ObjectMove, deadline: Deadline) async throws(ServiceError) -> MoveOutcome {
        let reply = try await rpc.call(StorageWire.move, .json(MoveRequest(move)), deadline: deadline)
        return try reply.decode(MoveReply.self, orThrow: .internal).checked()
    }

    /// See ``Domain/StorageAdministration``.
    public func movesUnderWay(deadline: Deadline) async throws(ServiceError) -> [MoveProgress] {
        let reply = try await rpc.call(StorageWire.moves, .json(MovesRequest()), deadline: deadline)
        return try reply.decode(MovesReply.self, orThrow: .internal).progress()
    }

    /// See ``Domain/StorageAdministration``.
    public func verify(
        _ key: StorageKey, bytesPerSecond: Int64?, deadline: Deadline
    ) async throws(ServiceError) -> VerifiedObject {
        let request = VerifyRequest(key: key.description, bytesPerSecond: bytesPerSecond)
        let reply = try await rpc.call(StorageWire.verify, .json(request), deadline: deadline)
        return try reply.decode(VerifyReply.self, orThrow: .internal).object(of: key)
    }

    /// See ``Domain/StorageAdministration``.
    public func collect(deadline: Deadline) async throws(ServiceError) -> CollectedCounts {
        let reply = try await rpc.call(StorageWire.collect, .json(CollectRequest()), deadline: deadline)
        return try reply.decode(CollectReply.self, orThrow: .internal).counts
    }

    /// See ``Domain/StorageAdministration``.
    public func orphans(_ search: OrphanSearch, deadline: Deadline) async throws(ServiceError) -> OrphanPage {
        let reply = try await rpc.call(StorageWire.orphans, .json(OrphansRequest(search)), deadline: deadline)
        return try reply.decode(OrphansReply.self, orThrow: .internal).page()
    }
}

extension RPCRouter {
    /// Offers the administration of storage to callers.
    public static func storageAdministration(_ service: any StorageAdministration) -> RPCRouter {
        var router = RPCRouter()
        router.on(StorageWire.objects) { (payload, context) throws(ServiceError) in
            let request = try payload.decode(ObjectsRequest.self, orThrow: .invalidArgument)
            var after: StorageKey?
            if let key = request.after { after = try StorageKey(key) }
            let page = try await service.objects(after: after, limit: request.limit, deadline: context.deadline)
            return try .json(ObjectsReply(page))
        }
        router.on(StorageWire.providers) { (_, context) throws(ServiceError) in
            try .json(ProvidersReply(await service.providers(deadline: context.deadline)))
        }
        router.on(StorageWire.adopt) { (payload, context) throws(ServiceError) in
            let request = try payload.decode(AdoptRequest.self, orThrow: .invalidArgument)
            let page = try await service.adopt(
                in: request.provider, after: request.after, deadline: context.deadline)
            return try .json(AdoptReply(page))
        }
        router.on(StorageWire.move) { (payload, context) throws(ServiceError) in
            let request = try payload.decode(MoveRequest.self, orThrow: .invalidArgument)
            return try .json(MoveReply(await service.move(request.move(), deadline: context.deadline)))
        }
        router.on(StorageWire.moves) { (_, context) throws(ServiceError) in
            try .json(MovesReply(await service.movesUnderWay(deadline: context.deadline)))
        }
        router.on(StorageWire.verify) { (payload, context) throws(ServiceError) in
            let request = try payload.decode(VerifyRequest.self, orThrow: .invalidArgument)
            let found = try await service.verify(
                request.checkedKey(), bytesPerSecond: request.bytesPerSecond, deadline: context.deadline)
            return try .json(VerifyReply(found))
        }
        router.on(StorageWire.collect) { (_, context) throws(ServiceError) in
            try .json(CollectReply(await service.collect(deadline: context.deadline)))
        }
        router.on(StorageWire.orphans) { (payload, context) throws(ServiceError) in
            let request = try payload.decode(OrphansRequest.self, orThrow: .invalidArgument)
            return try .json(OrphansReply(await service.orphans(request.search, deadline: context.deadline)))
        }
        return router
    }
}
