import Foundation
import Glibc
import NIOCore
import TestKit

/// A video whose bytes are known.
struct TestVideo: Sendable {
    let id: String
    let file: URL
    let size: Int64

    /// Where its bytes are read.
    var target: String { "/video?id=\(id)" }

    /// Writes pseudo-random bytes, a MiB at a time; no two stretches of a file, or of files with different seeds, are equal.
    static func write(bytes: Int64, seed: UInt64, to file: URL) throws {
        guard FileManager.default.createFile(atPath: file.path, contents: nil) else {
            throw CocoaError(.fileWriteUnknown)
        }
        let handle = try FileHandle(forWritingTo: file)
        defer { try? handle.close() }
        var random = SeededRandom(seed: seed)
        var words = [UInt64](repeating: 0, count: 1 << 17)
        var left = bytes
        while left > 0 {
            words.withUnsafeMutableBufferPointer { words in
                var index = 0
                while index < words.count {
                    words[index] = random.next()
                    index += 1
                }
            }
            let data = words.withUnsafeBytes { Data($0.prefix(Int(min(left, Int64($0.count))))) }
            try handle.write(contentsOf: data)
            left -= Int64(data.count)
        }
    }

    /// Opens the file to compare with.
    func opened() throws -> OpenedVideo {
        OpenedVideo(handle: try FileHandle(forReadingFrom: file))
    }
}

/// A file that bytes are compared with, without ever being read whole.
struct OpenedVideo {
    fileprivate let handle: FileHandle

    /// Whether these are the file's bytes from an offset on.
    func matches(_ bytes: ByteBuffer, at offset: Int64) throws -> Bool {
        try handle.seek(toOffset: UInt64(offset))
        guard bytes.readableBytes > 0 else { return true }
        guard let expected = try handle.read(upToCount: bytes.readableBytes), expected.count == bytes.readableBytes
        else { return false }
        return bytes.withUnsafeReadableBytes { got in
            expected.withUnsafeBytes { expected in
                guard let one = got.baseAddress, let other = expected.baseAddress else { return false }
                return memcmp(one, other, got.count) == 0
            }
        }
    }
}
