internal import CRabbitMQ
import Glibc

/// What bytes come out of. A connection's stream is one; so is anything in memory that a test reads from.
protocol ByteSource {
    /// Reads what is there, as far as there is room; never waits.
    ///
    /// - Parameter places: Filled one after the other. None is empty.
    /// - Returns: How many bytes have come; `nil` when none is there now.
    /// - Throws: `connectionLost` when none will come any more.
    func read(into places: UnsafeMutableBufferPointer<iovec>) throws(AMQPError) -> Int?

    /// Whether bytes have come that `poll` does not see.
    var hasUnseenBytes: Bool { get }
}

/// The two ways to the broker. librabbitmq makes both, so that they do not wait.
enum ByteStream: ByteSource {
    case socket(Int32)
    /// A session of OpenSSL.
    case session(OpaquePointer)

    func read(into places: UnsafeMutableBufferPointer<iovec>) throws(AMQPError) -> Int? {
        switch self {
        case .socket(let descriptor): try Self.receive(from: descriptor, into: places)
        case .session(let session): try Self.read(from: session, into: places)
        }
    }

    var hasUnseenBytes: Bool {
        switch self {
        case .socket: false
        case .session(let session): SSL_pending(session) > 0
        }
    }

    private static func receive(
        from descriptor: Int32, into places: UnsafeMutableBufferPointer<iovec>
    ) throws(AMQPError) -> Int? {
        var message = msghdr()
        message.msg_iov = places.baseAddress
        message.msg_iovlen = places.count
        while true {
            let count = recvmsg(descriptor, &message, Int32(MSG_DONTWAIT))
            if count > 0 { return count }
            if count == 0 { throw AMQPError(.connectionLost, "The broker has closed the socket.") }
            let fault = errno
            if fault == EAGAIN || fault == EWOULDBLOCK { return nil }
            guard fault == EINTR else {
                throw AMQPError(
                    .connectionLost, "The connection broke while it was read: \(String(cString: strerror(fault))).")
            }
        }
    }

    /// OpenSSL gives a record at a time (16 KiB at the most; RFC 8446, section 5.1), and to one place.
    private static func read(
        from session: OpaquePointer, into places: UnsafeMutableBufferPointer<iovec>
    ) throws(AMQPError) -> Int? {
        var total = 0
        for place in places {
            var filled = 0
            while filled < place.iov_len {
                // What an earlier call has left there would be taken for this one's.
                ERR_clear_error()
                let count = SSL_read(session, place.iov_base + filled, Int32(clamping: place.iov_len - filled))
                guard count > 0 else {
                    // What has come is worked on first; the next call meets the fault again.
                    if total > 0 { return total }
                    try check(SSL_get_error(session, count))
                    return nil
                }
                filled += Int(count)
                total += Int(count)
            }
        }
        return total
    }

    private static func check(_ fault: Int32) throws(AMQPError) {
        switch fault {
        case SSL_ERROR_WANT_READ, SSL_ERROR_WANT_WRITE: return
        case SSL_ERROR_ZERO_RETURN: throw AMQPError(.connectionLost, "The broker has closed the TLS session.")
        default: throw AMQPError(.connectionLost, "The TLS session broke while it was read (OpenSSL error \(fault)).")
        }
    }
}
