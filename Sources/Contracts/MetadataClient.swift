public import Domain
public import RPC

/// The metadata service as its callers see it: each call is an RPC to any of its workers.
public struct MetadataClient: MetadataService {
    private let rpc: any RPCCalling

    /// Makes a client.
    public init(_ rpc: any RPCCalling) {
        self.rpc = rpc
    }

    /// See ``Domain/MetadataService``.
    public func find(_ id: VideoID, deadline: Deadline) async throws(ServiceError) -> Video {
        let reply = try await rpc.call(MetadataWire.find, .json(FindRequest(id: id)), deadline: deadline)
        return try reply.decode(VideoPayload.self, orThrow: .internal).video
    }

    /// See ``Domain/MetadataService``.
    public func list(after cursor: VideoID?, limit: Int, deadline: Deadline) async throws(ServiceError) -> VideoPage {
        let request = ListRequest(after: cursor, limit: limit)
        let reply = try await rpc.call(MetadataWire.list, .json(request), deadline: deadline)
        let page = try reply.decode(ListReply.self, orThrow: .internal)
        return VideoPage(videos: page.videos.map(\.video), next: page.next)
    }

    /// See ``Domain/MetadataService``.
    public func create(_ video: NewVideo, deadline: Deadline) async throws(ServiceError) -> Video {
        let reply = try await rpc.call(MetadataWire.create, .json(CreateRequest(video)), deadline: deadline)
        return try reply.decode(VideoPayload.self, orThrow: .internal).video
    }

    /// See ``Domain/MetadataService``.
    public func update(
        _ id: VideoID, _ change: VideoChange, revision: Int64?, command: CommandID, deadline: Deadline
    ) async throws(ServiceError) -> Video {
        let request = UpdateRequest(id: id, change, revision: revision, command: command)
        let reply = try await rpc.call(MetadataWire.update, .json(request), deadline: deadline)
        return try reply.decode(VideoPayload.self, orThrow: .internal).video
    }

    /// See ``Domain/MetadataService``.
    public func delete(
        _ id: VideoID, revision: Int64?, command: CommandID, deadline: Deadline
    ) async throws(ServiceError) {
        let request = DeleteRequest(id: id, command: command.description, revision: revision)
        _ = try await rpc.call(MetadataWire.delete, .json(request), deadline: deadline)
    }

    /// See ``Domain/MetadataService``.
    public func contentCommitted(
        _ content: CommittedContent, deadline: Deadline
    ) async throws(ServiceError) -> [Video] {
        let request = ContentCommittedRequest(content)
        let reply = try await rpc.call(MetadataWire.contentCommitted, .json(request), deadline: deadline)
        return try reply.decode(ContentCommittedReply.self, orThrow: .internal).videos.map(\.video)
    }
}

extension RPCRouter {
    /// Offers a metadata service to callers.
    public static func metadata(_ service: any MetadataService) -> RPCRouter {
        var router = RPCRouter()
        router.on(MetadataWire.find) { (payload, context) throws(ServiceError) in
            let request = try payload.decode(FindRequest.self, orThrow: .invalidArgument)
            return try .json(VideoPayload(await service.find(request.id, deadline: context.deadline)))
        }
        router.on(MetadataWire.list) { (payload, context) throws(ServiceError) in
            let request = try payload.decode(ListRequest.self, orThrow: .invalidArgument)
            let page = try await service.list(after: request.after, limit: request.limit, deadline: context.deadline)
            return try .json(ListReply(videos: page.videos.map(VideoPayload.init), next: page.next))
        }
        router.on(MetadataWire.create) { (payload, context) throws(ServiceError) in
            let request = try payload.decode(CreateRequest.self, orThrow: .invalidArgument)
            return try .json(VideoPayload(await service.create(request.video, deadline: context.deadline)))
        }
        router.addCommands(of: service)
        return router
    }

    private mutating func addCommands(of service: any MetadataService) {
        on(MetadataWire.update) { (payload, context) throws(ServiceError) in
            let request = try payload.decode(UpdateRequest.self, orThrow: .invalidArgument)
            let video = try await service.update(
                request.id, request.change(), revision: request.revision, command: .read(request.command),
                deadline: context.deadline)
            return try .json(VideoPayload(video))
        }
        on(MetadataWire.delete) { (payload, context) throws(ServiceError) in
            let request = try payload.decode(DeleteRequest.self, orThrow: .invalidArgument)
            try await service.delete(
                request.id, revision: request.revision, command: .read(request.command), deadline: context.deadline)
            return try .json(DeleteReply())
        }
        on(MetadataWire.contentCommitted) { (payload, context) throws(ServiceError) in
            let request = try payload.decode(ContentCommittedRequest.self, orThrow: .invalidArgument)
            let videos = try await service.contentCommitted(request.committed(), deadline: context.deadline)
            return try .json(ContentCommittedReply(videos: videos.map(VideoPayload.init)))
        }
    }
}
