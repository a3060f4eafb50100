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
        return router
    }
}
