import Glibc

/// TCP ports that nothing listens at.
enum FreePort {
    struct NoneLeft: Error {}

    /// A port outside the range from which the kernel takes the ports of outgoing connections: so it stays free until a
    /// service has been started, or started again.
    static func find() throws -> Int {
        for _ in 0..<1_000 {
            let port = UInt16.random(in: 15_000..<32_000)
            if isFree(port) { return Int(port) }
        }
        throw NoneLeft()
    }

    private static func isFree(_ port: UInt16) -> Bool {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        return withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
                bind(descriptor, pointer, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
    }
}
