#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// How many files, and so connections, the process may have open.
enum OpenFileLimit {
    /// What a gateway has open beside its connections: its log, the broker's connections, the event loops' own.
    static let reserved = 64

    /// Raises the limit of this process as far as the system lets it. A shell's own limit is often 1,024.
    ///
    /// - Returns: The limit; 0 when it cannot be found out.
    static func raise() -> Int {
        var limit = rlimit()
        let files = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
        guard getrlimit(files, &limit) == 0 else { return 0 }
        var raised = limit
        raised.rlim_cur = limit.rlim_max
        if setrlimit(files, &raised) == 0 { limit = raised }
        return Int(clamping: limit.rlim_cur)
    }

    /// How many connections there can be with so many files, at most as many as are wanted.
    static func connections(wanted: Int, files: Int) -> Int {
        files == 0 ? wanted : max(1, min(wanted, files - reserved))
    }
}
