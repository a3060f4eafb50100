#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#endif

/// What the kernel says of this process, under the names that Prometheus' own libraries give it.
enum ProcessFigures {
    /// What `/proc/self/stat` says (proc_pid_stat(5)), in clock ticks, bytes and pages.
    struct Statistics: Equatable {
        var cpuTicks: UInt64
        var startTicks: UInt64
        var virtualBytes: UInt64
        var residentPages: UInt64

        /// Reads the line. A program's name stands in parentheses and may contain some, so the last one counts.
        init?(_ line: String) {
            guard let end = line.lastIndex(of: ")") else { return nil }
            let fields = line[line.index(after: end)...].split(separator: " ")
            // The first of these is the third of the manual.
            guard fields.count > 21, let user = UInt64(fields[11]), let system = UInt64(fields[12]),
                let start = UInt64(fields[19]), let virtual = UInt64(fields[20]), let resident = UInt64(fields[21])
            else { return nil }
            cpuTicks = user + system
            startTicks = start
            virtualBytes = virtual
            residentPages = resident
        }
    }

    /// Writes what can be found out.
    static func write(to text: inout MetricText) {
        let ticks = Double(max(1, sysconf(Int32(_SC_CLK_TCK))))
        if let statistics = read("/proc/self/stat").flatMap({ Statistics($0) }) {
            write("process_cpu_seconds_total", .counter, Double(statistics.cpuTicks) / ticks, &text)
            let pageBytes = Double(sysconf(Int32(_SC_PAGESIZE)))
            write("process_resident_memory_bytes", .gauge, Double(statistics.residentPages) * pageBytes, &text)
            write("process_virtual_memory_bytes", .gauge, Double(statistics.virtualBytes), &text)
            if let boot = read("/proc/stat").flatMap({ value(after: "btime ", in: $0) }) {
                write("process_start_time_seconds", .gauge, boot + Double(statistics.startTicks) / ticks, &text)
            }
        }
        if let open = openFiles() { write("process_open_fds", .gauge, Double(open), &text) }
        if let most = read("/proc/self/limits").flatMap({ value(after: "Max open files", in: $0) }) {
            write("process_max_fds", .gauge, most, &text)
        }
    }

    private static func write(_ name: String, _ kind: MetricKind, _ value: Double, _ text: inout MetricText) {
        text.begin(name, kind: kind, help: MetricCatalogue.help[name])
        text.line(name, "", MetricText.number(value))
    }

    /// The number that follows a text at the beginning of a line.
    private static func value(after prefix: String, in text: String) -> Double? {
        for line in text.split(separator: "\n") where line.hasPrefix(prefix) {
            return line.dropFirst(prefix.count).split(separator: " ").first.flatMap { Double($0) }
        }
        return nil
    }

    private static func openFiles() -> Int? {
        guard let folder = opendir("/proc/self/fd") else { return nil }
        defer { closedir(folder) }
        var count = 0
        while readdir(folder) != nil { count += 1 }
        // Neither ".", nor "..", nor the folder itself.
        return max(0, count - 3)
    }

    /// The most bytes that are read: `/proc/stat` has a line for each processor and a long one of interrupts.
    private static let maxFileBytes = 1 << 20

    private static func read(_ path: String) -> String? {
        let file = open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { return nil }
        defer { close(file) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4_096)
        while bytes.count < maxFileBytes {
            let count = buffer.withUnsafeMutableBytes { systemRead(file, $0.baseAddress, $0.count) }
            guard count > 0 else { break }
            bytes += buffer[..<count]
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}

/// `read(2)`, whose name is taken inside the type above.
private func systemRead(_ file: Int32, _ place: UnsafeMutableRawPointer?, _ count: Int) -> Int {
    read(file, place, count)
}
