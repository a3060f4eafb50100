import Crypto
import NIOCore

/// The checksum of an object's bytes, as the catalogue has it: `sha256:` and 64 lower-case hexadecimal digits.
struct Checksum: Sendable {
    private static let prefix = "sha256:"
    private var hash = SHA256()

    /// Whether a text is a checksum.
    static func isWellFormed(_ text: String) -> Bool {
        guard text.hasPrefix(prefix) else { return false }
        let digits = text.utf8.dropFirst(prefix.utf8.count)
        return digits.count == 64
            && digits.allSatisfy { byte in
                (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
                    || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains(byte)
            }
    }

    /// Takes the next bytes.
    mutating func update(_ bytes: ByteBuffer) {
        bytes.withUnsafeReadableBytes { hash.update(bufferPointer: $0) }
    }

    /// The checksum of all bytes that were taken.
    var text: String {
        let digits = Array("0123456789abcdef".utf8)
        var text = Self.prefix
        for byte in hash.finalize() {
            text.unicodeScalars.append(Unicode.Scalar(digits[Int(byte >> 4)]))
            text.unicodeScalars.append(Unicode.Scalar(digits[Int(byte & 0xF)]))
        }
        return text
    }
}
