internal import CRabbitMQ
import Glibc
internal import NIOCore

/// Frames on their way to the broker: encoded by librabbitmq, gathered here, and written together.
///
/// librabbitmq writes each frame with a system call of its own (three for a message), waits without a limit when the socket
/// has no room, and holds back the end of some messages. Here a round of work is one system call, which never waits; what the
/// socket does not take stays here for the next one. Without TLS a large body is not copied: the kernel takes it from where
/// it lies.
///
/// It belongs to the connection's thread. As long as it holds bytes, the library must not write: the frames would mix.
final class FrameWriter {
    /// A run of bytes in the order of writing.
    private enum Piece {
        /// Bytes of the block, from an offset.
        case encoded(start: Int, count: Int)
        /// A part of a body, kept alive until it is written.
        case body(UnsafeRawBufferPointer, Unmanaged<AnyObject>)

        var count: Int {
            switch self {
            case .encoded(_, let count): count
            case .body(let bytes, _): bytes.count
            }
        }
    }

    /// Smaller bodies are copied, since each piece has its price, too.
    private static let minBytesNotCopied = 8_192
    /// How many pieces one system call gets.
    private static let maxPiecesPerCall = 64
    /// Type, channel, size; and the end mark (AMQP 0-9-1, section 2.3.5).
    private static let prefixBytes = 7
    private static let frameEnd: UInt8 = 0xCE
    /// Class, weight and body size, before the properties.
    private static let headerBytes = 12
    /// More than the arguments of a method without a table: three texts of 255 bytes, and some numbers.
    private static let maxMethodBytes = 1_024

    private let maxFrameBytes: Int
    private let destination: ByteStream
    private let minBytesNotCopied: Int
    private var block: UnsafeMutableRawPointer
    private var capacity: Int
    private var used = 0
    private var pieces: [Piece] = []
    private var firstPiece = 0

    /// How many bytes the socket has not taken yet.
    private(set) var pendingBytes = 0

    /// - Parameters:
    ///   - destination: Where the bytes go.
    ///   - maxFrameBytes: The largest frame, as agreed with the broker.
    init(to destination: ByteStream, maxFrameBytes: Int) {
        self.destination = destination
        self.maxFrameBytes = maxFrameBytes
        // OpenSSL writes one piece at a time, and copies it when it encrypts it.
        if case .session = destination { minBytesNotCopied = .max } else { minBytesNotCopied = Self.minBytesNotCopied }
        capacity = 65_536
        block = .allocate(byteCount: capacity, alignment: 16)
    }

    deinit {
        forgetPieces()
        block.deallocate()
    }

    // MARK: Encoding

    /// Adds a method frame.
    ///
    /// - Parameters:
    ///   - method: Which method.
    ///   - arguments: Its structure.
    ///   - hasTable: Whether it carries a table, which may fill a frame.
    ///   - channel: Where.
    /// - Throws: `invalidConfiguration` when it does not fit into a frame; then nothing is added.
    func add(
        method: amqp_method_number_t, _ arguments: UnsafeMutableRawPointer, hasTable: Bool = false, on channel: UInt16
    ) throws(AMQPError) {
        let maxBytes = hasTable ? maxFrameBytes - Self.prefixBytes - 1 : Self.maxMethodBytes
        try addFrame(AMQP_FRAME_METHOD, channel, payloadBytes: maxBytes) { payload in
            payload.storeBytes(of: method.bigEndian, as: UInt32.self)
            let room = amqp_bytes_t(len: maxBytes - 4, bytes: payload + 4)
            let count = amqp_encode_method(method, arguments, room)
            return count < 0 ? nil : 4 + Int(count)
        }
    }

    /// Adds the frames of a message, or nothing when its properties do not fit into a frame.
    func add(
        _ publish: inout amqp_basic_publish_t, _ properties: inout amqp_basic_properties_t, _ body: ByteBuffer,
        on channel: UInt16
    ) throws(AMQPError) {
        let before = used
        try add(method: UInt32(AMQP_BASIC_PUBLISH_METHOD), &publish, on: channel)
        do {
            try addHeader(&properties, bodyBytes: body.readableBytes, on: channel)
        } catch {
            withdrawEncoded(used - before)
            throw error
        }
        addBody(body, on: channel)
    }

    private func addHeader(
        _ properties: inout amqp_basic_properties_t, bodyBytes: Int, on channel: UInt16
    ) throws(AMQPError) {
        let room = maxFrameBytes - Self.prefixBytes - 1
        try addFrame(AMQP_FRAME_HEADER, channel, payloadBytes: room) { payload in
            payload.storeBytes(of: UInt16(AMQP_BASIC_CLASS).bigEndian, as: UInt16.self)
            payload.storeBytes(of: 0, toByteOffset: 2, as: UInt16.self)
            payload.storeBytes(of: UInt64(bodyBytes).bigEndian, toByteOffset: 4, as: UInt64.self)
            let place = amqp_bytes_t(len: room - Self.headerBytes, bytes: payload + Self.headerBytes)
            let count = amqp_encode_properties(UInt16(AMQP_BASIC_CLASS), &properties, place)
            return count < 0 ? nil : Self.headerBytes + Int(count)
        }
    }

    /// None for an empty body.
    private func addBody(_ body: ByteBuffer, on channel: UInt16) {
        let maxBytes = maxFrameBytes - Self.prefixBytes - 1
        body.withUnsafeReadableBytesWithStorageManagement { bytes, storage in
            var start = 0
            while start < bytes.count {
                let part = UnsafeRawBufferPointer(rebasing: bytes[start..<min(start + maxBytes, bytes.count)])
                addPrefix(AMQP_FRAME_BODY, channel, payloadBytes: part.count)
                if part.count < minBytesNotCopied {
                    addEncoded(part)
                } else {
                    pieces.append(.body(part, storage.retain()))
                    pendingBytes += part.count
                }
                withUnsafeBytes(of: Self.frameEnd) { addEncoded($0) }
                start += part.count
            }
        }
    }

    /// Adds a heartbeat.
    func addHeartbeat() {
        addPrefix(AMQP_FRAME_HEARTBEAT, 0, payloadBytes: 0)
        withUnsafeBytes(of: Self.frameEnd) { addEncoded($0) }
    }

    /// Adds a frame whose payload is at most so long; `encode` says how long, or `nil` when it does not fit.
    private func addFrame(
        _ type: Int32, _ channel: UInt16, payloadBytes: Int, _ encode: (UnsafeMutableRawPointer) -> Int?
    ) throws(AMQPError) {
        makeRoom(Self.prefixBytes + payloadBytes + 1)
        guard let count = encode(block + used + Self.prefixBytes) else {
            throw AMQPError(
                .invalidConfiguration,
                "It cannot be sent: its properties or arguments do not fit into a frame of \(maxFrameBytes) bytes.")
        }
        writePrefix(type, channel, payloadBytes: count)
        (block + used + Self.prefixBytes + count).storeBytes(of: Self.frameEnd, as: UInt8.self)
        extendEncoded(Self.prefixBytes + count + 1)
    }

    private func addPrefix(_ type: Int32, _ channel: UInt16, payloadBytes: Int) {
        makeRoom(Self.prefixBytes)
        writePrefix(type, channel, payloadBytes: payloadBytes)
        extendEncoded(Self.prefixBytes)
    }

    private func writePrefix(_ type: Int32, _ channel: UInt16, payloadBytes: Int) {
        let place = block + used
        place.storeBytes(of: UInt8(type), as: UInt8.self)
        place.storeBytes(of: channel.bigEndian, toByteOffset: 1, as: UInt16.self)
        place.storeBytes(of: UInt32(payloadBytes).bigEndian, toByteOffset: 3, as: UInt32.self)
    }

    private func addEncoded(_ bytes: UnsafeRawBufferPointer) {
        guard let base = bytes.baseAddress else { return }
        makeRoom(bytes.count)
        (block + used).copyMemory(from: base, byteCount: bytes.count)
        extendEncoded(bytes.count)
    }

    private func extendEncoded(_ count: Int) {
        if case .encoded(let start, let before)? = pieces.last, start + before == used {
            pieces[pieces.count - 1] = .encoded(start: start, count: before + count)
        } else {
            pieces.append(.encoded(start: used, count: count))
        }
        used += count
        pendingBytes += count
    }

    /// Takes back what was added last.
    private func withdrawEncoded(_ count: Int) {
        guard case .encoded(let start, let total)? = pieces.last else { return }
        pieces.removeLast()
        if total > count { pieces.append(.encoded(start: start, count: total - count)) }
        used -= count
        pendingBytes -= count
    }

    private func makeRoom(_ count: Int) {
        guard used + count > capacity else { return }
        capacity = max(2 * capacity, used + count)
        let larger = UnsafeMutableRawPointer.allocate(byteCount: capacity, alignment: 16)
        larger.copyMemory(from: block, byteCount: used)
        block.deallocate()
        block = larger
    }

    // MARK: Writing

    /// Writes as much as the socket takes; never waits.
    ///
    /// - Returns: How many bytes it took; ``pendingBytes`` says how many it did not.
    /// - Throws: `connectionLost`.
    func flush() throws(AMQPError) -> Int {
        var total = 0
        while pendingBytes > 0 {
            let count =
                switch destination {
                case .socket(let descriptor): try send(to: descriptor)
                case .session(let session): try write(to: session)
                }
            guard count > 0 else { break }
            total += count
            taken(count)
        }
        return total
    }

    /// - Returns: How many bytes the session took; 0 when it has no room.
    private func write(to session: OpaquePointer) throws(AMQPError) -> Int {
        guard case .encoded(let start, let count) = pieces[firstPiece] else { return 0 }
        // What an earlier call has left there would be taken for this one's.
        ERR_clear_error()
        let taken = SSL_write(session, block + start, Int32(clamping: count))
        if taken > 0 { return Int(taken) }
        switch SSL_get_error(session, taken) {
        case SSL_ERROR_WANT_WRITE, SSL_ERROR_WANT_READ: return 0
        case let fault:
            throw AMQPError(.connectionLost, "The TLS session broke while it was written to (OpenSSL error \(fault)).")
        }
    }

    /// - Returns: How many bytes the socket took; 0 when it has no room.
    private func send(to descriptor: Int32) throws(AMQPError) -> Int {
        while true {
            let count = sendPieces(to: descriptor)
            if count >= 0 { return count }
            let fault = errno
            if fault == EAGAIN || fault == EWOULDBLOCK { return 0 }
            guard fault == EINTR else {
                throw AMQPError(
                    .connectionLost,
                    "The connection broke while it was written to: \(String(cString: strerror(fault))).")
            }
        }
    }

    private func sendPieces(to descriptor: Int32) -> Int {
        withUnsafeTemporaryAllocation(of: iovec.self, capacity: Self.maxPiecesPerCall) { vectors in
            let count = min(pieces.count - firstPiece, Self.maxPiecesPerCall)
            for index in 0..<count {
                switch pieces[firstPiece + index] {
                case .encoded(let start, let count):
                    vectors[index] = iovec(iov_base: block + start, iov_len: count)
                case .body(let bytes, _):
                    vectors[index] = iovec(
                        iov_base: UnsafeMutableRawPointer(mutating: bytes.baseAddress), iov_len: bytes.count)
                }
            }
            var message = msghdr()
            message.msg_iov = vectors.baseAddress
            message.msg_iovlen = count
            return sendmsg(descriptor, &message, Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT))
        }
    }

    /// Forgets what the socket has taken.
    private func taken(_ count: Int) {
        pendingBytes -= count
        var left = count
        while firstPiece < pieces.count, left >= pieces[firstPiece].count {
            left -= pieces[firstPiece].count
            release(pieces[firstPiece])
            firstPiece += 1
        }
        guard firstPiece < pieces.count else { return forgetPieces() }
        switch pieces[firstPiece] {
        case .encoded(let start, let count):
            pieces[firstPiece] = .encoded(start: start + left, count: count - left)
        case .body(let bytes, let storage):
            pieces[firstPiece] = .body(UnsafeRawBufferPointer(rebasing: bytes[left...]), storage)
        }
    }

    private func forgetPieces() {
        for piece in pieces[firstPiece...] { release(piece) }
        pieces.removeAll(keepingCapacity: true)
        firstPiece = 0
        used = 0
    }

    private func release(_ piece: Piece) {
        if case .body(_, let storage) = piece { storage.release() }
    }
}
