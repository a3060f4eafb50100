internal import NIOCore
public import ServiceLifecycle

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#endif

/// A service that listens at an address, and says which setting is at fault when it cannot.
public struct Listening<Base: Service>: Service {
    private let base: Base
    private let host: String
    private let port: Int
    private let portVariable: String

    /// - Parameters:
    ///   - base: What listens.
    ///   - host: Where, as HOST says.
    ///   - port: At which port.
    ///   - portVariable: The setting that says so.
    public init(_ base: Base, host: String, port: Int, portVariable: String = "PORT") {
        self.base = base
        self.host = host
        self.port = port
        self.portVariable = portVariable
    }

    /// Runs it.
    ///
    /// - Throws: ``SettingError`` when the address cannot be listened at, and whatever else it throws.
    public func run() async throws {
        do {
            try await base.run()
        } catch let error as IOError {
            switch error.errnoCode {
            case EADDRINUSE:
                throw SettingError(
                    portVariable,
                    reason: "\(host):\(port) is in use. Stop what listens there, or choose another port")
            case EACCES:
                throw SettingError(
                    portVariable,
                    reason: "this user may not listen at \(host):\(port). Choose a port above 1023")
            case EADDRNOTAVAIL:
                throw SettingError("HOST", reason: "\(host) is no address of this machine. 0.0.0.0 means all it has")
            default: throw error
            }
        } catch let error as SocketAddressError {
            throw SettingError("HOST", reason: "there is no address for \(host) (\(error)). 0.0.0.0 means all of them")
        }
    }
}
