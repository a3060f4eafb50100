import Foundation
import NIOCore
import NIOPosix

/// A file's bytes, piece by piece, read on threads that may wait. No more than a piece is in memory at a time.
struct FileBytes: AsyncSequence, Sendable {
    typealias Element = ByteBuffer

    /// Why it cannot be read.
    struct ReadFailure: Error, CustomStringConvertible {
        let description: String
    }

    /// 256 KiB: large enough that the cost of a call does not show.
    static let pieceBytes = 262_144

    /// The file.
    let file: URL
    /// Told of how many bytes have been read after each piece.
    var onProgress: @Sendable (Int64) -> Void = { _ in }

    func makeAsyncIterator() -> Iterator {
        Iterator(file: file, onProgress: onProgress)
    }

    struct Iterator: AsyncIteratorProtocol {
        fileprivate let file: URL
        fileprivate let onProgress: @Sendable (Int64) -> Void
        private var handle: FileHandle?
        private var count: Int64 = 0

        fileprivate init(file: URL, onProgress: @escaping @Sendable (Int64) -> Void) {
            self.file = file
            self.onProgress = onProgress
        }

        mutating func next() async throws -> ByteBuffer? {
            let (file, known) = (file, handle)
            let read: Piece
            do {
                read = try await NIOThreadPool.singleton.runIfActive {
                    let handle = try known ?? FileHandle(forReadingFrom: file)
                    return Piece(handle: handle, data: try handle.read(upToCount: FileBytes.pieceBytes))
                }
            } catch {
                throw ReadFailure(description: "\(file.path.printable) cannot be read: \(error.localizedDescription)")
            }
            handle = read.handle
            guard let data = read.data, !data.isEmpty else { return nil }
            count += Int64(data.count)
            onProgress(count)
            return ByteBuffer(bytes: data)
        }
    }

    private struct Piece: Sendable {
        var handle: FileHandle
        var data: Data?
    }
}
