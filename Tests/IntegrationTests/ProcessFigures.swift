import Foundation
import Testing

/// What this process holds, as the kernel counts it.
struct ProcessFigures: Sendable, CustomStringConvertible {
    let residentBytes: Int
    /// How many file descriptors there are of each kind: sockets, eventfds, pipes, and each file by its path.
    let descriptors: [String: Int]
    let threads: Int

    static func now() throws -> ProcessFigures {
        let status = try String(contentsOfFile: "/proc/self/status", encoding: .utf8).split(separator: "\n")
        func number(_ name: String) throws -> Int {
            let line = try #require(status.first { $0.hasPrefix(name) })
            return try #require(Int(line.filter(\.isNumber)))
        }
        let files = FileManager.default
        let targets = try files.contentsOfDirectory(atPath: "/proc/self/fd").compactMap {
            // What has been closed since the folder was read has no target.
            try? files.destinationOfSymbolicLink(atPath: "/proc/self/fd/\($0)")
        }
        // A socket is called `socket:[12345]`.
        let kinds = targets.map { $0.hasPrefix("/") ? $0 : $0.filter { !$0.isNumber } }
        return ProcessFigures(
            residentBytes: try number("VmRSS:") * 1_024,
            descriptors: kinds.reduce(into: [:]) { $0[$1, default: 0] += 1 },
            threads: try number("Threads:"))
    }

    /// The kinds of descriptors of which there are more than there were.
    func moreDescriptors(than before: ProcessFigures) -> [String: Int] {
        descriptors.filter { $0.value > before.descriptors[$0.key, default: 0] }
    }

    var description: String {
        "\(residentBytes / 1_000_000) MB, \(descriptors.values.reduce(0, +)) file descriptors, \(threads) threads"
    }
}
