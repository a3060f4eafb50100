internal import CRabbitMQ
import Glibc

/// Cuts what the broker sends into frames.
///
/// librabbitmq decodes methods and headers, and so it gets each of their frames whole. The bytes of bodies do not go through
/// it: it would copy each twice before it can be copied to where it belongs. Those of a large body go from the socket to where
/// they belong by one system call for several frames (``receive(into:)``), since it is known how the broker cuts a body into frames:
/// each is as large as agreed, but the last. Should they be others, for instance of another channel in between, they are put right
/// by a copy.
///
/// What the library reads past the end of a memory area, when a frame is shorter than its kind can be, is refused before the library
/// sees it.
///
/// It belongs to the connection's thread.
final class FrameInput<Source: ByteSource> {
    private enum Place {
        /// Between two payloads, in the end mark or the prefix.
        case prefix
        /// In a frame that the library gets.
        case decoded
        /// In the payload of a body frame.
        case body(leftBytes: Int)
    }

    /// The end mark of the frame before, then type, channel and size (AMQP 0-9-1, section 2.3.5): what stands between two payloads.
    private static var prefixBytes: Int { 8 }
    /// How many frames of a body one system call reads at the most: half a MiB, of the usual size.
    private static var maxFramesPerCall: Int { 4 }
    /// How much is read at once of what is no large body.
    private static var heldBytes: Int { 65_536 }
    /// How much of what follows a body is read with it. Small, since the bytes of the next body that come along are copied.
    private static var bytesBehindBody: Int { 4_096 }
    private static var frameEnd: UInt8 { 0xCE }

    private let source: Source
    private let decoder: amqp_connection_state_t
    private let maxPayloadBytes: Int

    private var place = Place.prefix
    /// What is read, and not yet taken.
    private var held = HeldBytes(capacityBytes: FrameInput.heldBytes)
    /// Prefixes, one after the other; all but the first are only there for the length of a call.
    private let prefixes: UnsafeMutableRawPointer
    /// How much of the first prefix is there.
    private var prefixCount = 1
    /// The channel of the last body, or header.
    private var channel: UInt16 = 0

    /// - Parameters:
    ///   - source: Where the bytes come from.
    ///   - decoder: A connection of librabbitmq that has read whole frames so far, and lives as long as this.
    ///   - maxFrameBytes: The largest frame, as agreed with the broker.
    init(from source: Source, decoder: amqp_connection_state_t, maxFrameBytes: Int) {
        self.source = source
        self.decoder = decoder
        maxPayloadBytes = maxFrameBytes - Self.prefixBytes
        prefixes = .allocate(byteCount: Self.prefixBytes * Self.maxFramesPerCall, alignment: 8)
        // As behind a frame: the library looks after its own end marks.
        prefixes.storeBytes(of: Self.frameEnd, as: UInt8.self)
    }

    deinit {
        prefixes.deallocate()
    }

    /// Whether there is something to work on that `poll` does not see.
    var hasInput: Bool { !held.isEmpty || prefixCount == Self.prefixBytes || source.hasUnseenBytes }

    // MARK: Frames

    /// The next frame, or as much of a body frame as is there.
    ///
    /// - Returns: `nil` when it has not come whole. At most one system call is made.
    /// - Throws: `connectionLost` or `protocolViolation`.
    func receive() throws(AMQPError) -> ReceivedFrame? {
        var mayRead = true
        while true {
            if case .prefix = place, prefixCount == Self.prefixBytes { try begin() }
            if held.isEmpty {
                guard mayRead, try held.fill({ places throws(AMQPError) in try source.read(into: places) }) else {
                    return nil
                }
                mayRead = false
            }
            switch place {
            case .prefix where prefixCount == 0:
                try takeEndMark()
                return .body(UnsafeRawBufferPointer(start: nil, count: 0), endsFrame: true, channel: channel)
            case .prefix:
                prefixCount += held.take(Self.prefixBytes - prefixCount, to: prefixes + prefixCount)
            case .decoded:
                if let frame = try decode() { return .decoded(frame) }
            case .body(let leftBytes):
                let bytes = held.take(leftBytes)
                went(bytes.count, ofBody: leftBytes)
                let endsFrame = bytes.count == leftBytes && !held.isEmpty
                if endsFrame { try takeEndMark() }
                return .body(bytes, endsFrame: endsFrame, channel: channel)
            }
        }
    }

    /// Looks at a prefix that is there whole.
    private func begin() throws(AMQPError) {
        let prefix = Prefix(at: prefixes)
        guard prefix.count <= maxPayloadBytes, prefix.count >= prefix.leastCount else {
            throw AMQPError(
                .protocolViolation,
                "The broker sent what is no frame (type \(prefix.type), channel \(prefix.channel), \(prefix.count) bytes)."
            )
        }
        if prefix.type == UInt8(AMQP_FRAME_BODY) {
            channel = prefix.channel
            return went(0, ofBody: prefix.count)
        }
        var unfinished = amqp_frame_t()
        _ = try decode(UnsafeRawBufferPointer(start: prefixes + 1, count: Self.prefixBytes - 1), &unfinished)
        place = .decoded
        prefixCount = 0
    }

    /// Behind a payload of a body.
    private func takeEndMark() throws(AMQPError) {
        prefixCount += held.take(1, to: prefixes)
        try checkEndMark()
    }

    private func checkEndMark() throws(AMQPError) {
        guard prefixes.load(as: UInt8.self) == Self.frameEnd else {
            throw AMQPError(
                .protocolViolation, "The broker sent a body frame on channel \(channel) without its end mark.")
        }
    }

    /// Gives the library what is held, up to the end of its frame.
    private func decode() throws(AMQPError) -> amqp_frame_t? {
        var frame = amqp_frame_t()
        held.drop(try decode(held.bytes, &frame))
        guard frame.frame_type != 0 else { return nil }
        if Int32(frame.frame_type) == AMQP_FRAME_HEADER { channel = frame.channel }
        betweenPayloads()
        return frame
    }

    private func decode(_ bytes: UnsafeRawBufferPointer, _ frame: inout amqp_frame_t) throws(AMQPError) -> Int {
        let given = amqp_bytes_t(len: bytes.count, bytes: UnsafeMutableRawPointer(mutating: bytes.baseAddress))
        let status = amqp_handle_input(decoder, given, &frame)
        guard status >= 0 else {
            throw AMQPError(
                .connectionLost, "The broker sent a frame that cannot be read: \(RawConnection.text(ofStatus: status))."
            )
        }
        return Int(status)
    }

    private func went(_ count: Int, ofBody leftBytes: Int) {
        place = count < leftBytes ? .body(leftBytes: leftBytes - count) : .prefix
        prefixCount = 0
    }

    /// Behind a frame whose end mark the library has taken.
    private func betweenPayloads() {
        place = .prefix
        prefixes.storeBytes(of: Self.frameEnd, as: UInt8.self)
        prefixCount = 1
    }

    // MARK: Bodies

    /// The channel of which a body is likely to go on with the next bytes; `nil` when bytes are held, which come first.
    var channelInBody: UInt16? {
        guard held.isEmpty else { return nil }
        return switch place {
        case .body: channel
        case .prefix: prefixCount < Self.prefixBytes ? channel : nil
        case .decoded: nil
        }
    }

    /// Reads on in the body of ``channelInBody``, into where it belongs, by one system call.
    ///
    /// - Parameter room: As much as is missing of the body.
    /// - Returns: What has come of it; `nil` when nothing has.
    /// - Throws: `connectionLost` or `protocolViolation`.
    func receive(into room: UnsafeMutableRawBufferPointer) throws(AMQPError) -> ReceivedBody? {
        guard let base = room.baseAddress, room.count > 0 else { return nil }
        let mostVectors = 2 * (Self.maxFramesPerCall + 1)
        return try withUnsafeTemporaryAllocation(of: iovec.self, capacity: mostVectors) {
            vectors throws(AMQPError) -> ReceivedBody? in
            let laid = lay(vectors, over: base, count: room.count)
            guard let count = try source.read(into: UnsafeMutableBufferPointer(rebasing: vectors[..<laid.all])) else {
                return nil
            }
            return try takeOver(count, of: vectors[..<laid.all], ofBody: laid.ofBody)
        }
    }

    /// Lays out what is expected: what is left of the payload, then prefixes and payloads in turn, and where the body ends, what
    /// comes behind it.
    ///
    /// - Returns: How many vectors it takes, and how many of them are for the body and its prefixes.
    private func lay(
        _ vectors: UnsafeMutableBufferPointer<iovec>, over base: UnsafeMutableRawPointer, count: Int
    ) -> (ofBody: Int, all: Int) {
        var (used, offset) = (0, 0)
        func add(_ start: UnsafeMutableRawPointer, _ count: Int) {
            vectors.initializeElement(at: used, to: iovec(iov_base: start, iov_len: count))
            used += 1
        }
        if case .body(let leftBytes) = place {
            offset = min(leftBytes, count)
            add(base, offset)
        }
        for index in 0..<Self.maxFramesPerCall where offset < count {
            let present = index == 0 ? prefixCount : 0
            add(prefixes + index * Self.prefixBytes + present, Self.prefixBytes - present)
            let payload = min(maxPayloadBytes, count - offset)
            add(base + offset, payload)
            offset += payload
        }
        let ofBody = used
        if offset == count {
            let behind = held.room(Self.bytesBehindBody)
            add(behind.start, behind.count)
        }
        return (ofBody, used)
    }

    /// Takes over what has come, vector by vector.
    private func takeOver(
        _ count: Int, of vectors: Slice<UnsafeMutableBufferPointer<iovec>>, ofBody: Int
    ) throws(AMQPError) -> ReceivedBody {
        var (left, placed, index) = (count, 0, 0)
        func next() -> (start: UnsafeMutableRawPointer, count: Int) {
            let vector = vectors[index]
            let taken = min(left, vector.iov_len)
            left -= taken
            index += 1
            return (vector.iov_base, taken)
        }
        while left > 0, index < ofBody {
            if case .body(let leftBytes) = place {
                let payload = next()
                placed += payload.count
                went(payload.count, ofBody: leftBytes)
            } else {
                let prefix = next()
                if prefixCount == 0 { prefixes.copyMemory(from: prefix.start, byteCount: prefix.count) }
                prefixCount += prefix.count
                try checkEndMark()
                guard prefixCount == Self.prefixBytes else { break }
                let found = Prefix(at: prefixes)
                guard found.type == UInt8(AMQP_FRAME_BODY), found.channel == channel,
                    found.count == vectors[index].iov_len
                else {
                    held.hold(left, of: vectors[index...])
                    return ReceivedBody(count: placed, endsFrame: false)
                }
                place = .body(leftBytes: found.count)
                prefixCount = 0
            }
        }
        held.hold(left)
        var endsFrame = false
        if case .prefix = place, prefixCount == 0, left > 0 {
            try takeEndMark()
            endsFrame = true
        }
        return ReceivedBody(count: placed, endsFrame: endsFrame)
    }
}

/// What comes before a payload. Before that is the end mark of the frame before.
private struct Prefix {
    let type: UInt8
    let channel: UInt16
    let count: Int

    init(at start: UnsafeMutableRawPointer) {
        type = start.load(fromByteOffset: 1, as: UInt8.self)
        channel = UInt16(bigEndian: start.loadUnaligned(fromByteOffset: 2, as: UInt16.self))
        count = Int(UInt32(bigEndian: start.loadUnaligned(fromByteOffset: 4, as: UInt32.self)))
    }

    /// The least that a payload of this type has; no payload is as long for a type that there is not.
    var leastCount: Int {
        switch Int32(type) {
        // Class and method; class, weight, size and flags (AMQP 0-9-1, sections 2.3.5.1 and 2.3.5.2).
        case AMQP_FRAME_METHOD: 4
        case AMQP_FRAME_HEADER: 14
        case AMQP_FRAME_BODY, AMQP_FRAME_HEARTBEAT: 0
        default: .max
        }
    }
}
