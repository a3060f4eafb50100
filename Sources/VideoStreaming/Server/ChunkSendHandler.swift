import NIOCore

/// Next to the socket: sends what lies in ``ChunkMemory`` from there, without a copy (sendfile(2)). All else, and what is less than
/// ``ChunkMemory/leastBytes``, goes as it is.
///
/// The bytes stay where they are until the kernel has taken them; what it does with them afterwards is said there.
final class ChunkSendHandler: ChannelOutboundHandler, RemovableChannelHandler {
    typealias OutboundIn = IOData
    typealias OutboundOut = IOData

    private let memory: ChunkMemory
    /// Made when it is needed: most connections of a busy gateway are idle. It is this connection's own, since NIO lets a
    /// file be used in one place at a time.
    private var file: NIOFileHandle?

    /// A handler for one connection.
    init(_ memory: ChunkMemory) {
        self.memory = memory
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        guard case .byteBuffer(let bytes) = unwrapOutboundIn(data), bytes.readableBytes >= ChunkMemory.leastBytes,
            let place = memory.place(of: bytes)
        else { return context.write(data, promise: promise) }
        let file = file ?? NIOFileHandle(_deprecatedTakingOwnershipOfDescriptor: memory.descriptor)
        self.file = file
        let promise = promise ?? context.eventLoop.makePromise()
        promise.futureResult.assumeIsolated().whenComplete { _ in withExtendedLifetime(bytes) {} }
        let region = FileRegion(fileHandle: file, readerIndex: place.lowerBound, endIndex: place.upperBound)
        context.write(wrapOutboundOut(.fileRegion(region)), promise: promise)
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        // The file is the memory's, and stays open.
        _ = try? file?.takeDescriptorOwnership()
        file = nil
    }
}
