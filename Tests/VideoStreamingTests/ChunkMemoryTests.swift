import Glibc
import NIOCore
import NIOEmbedded
import TestKit
import Testing

@testable import VideoStreaming

/// Memory that the kernel sends from: what it holds, and that what was sent stays what it was.
struct ChunkMemoryTests {
    private static let chunkBytes = ChunkMemory.leastBytes
    private let memory: ChunkMemory

    init() throws {
        memory = try #require(ChunkMemory(capacityBytes: 1 << 20))
    }

    private func chunk(_ byte: UInt8, bytes: Int = chunkBytes) -> ByteBuffer {
        ByteBuffer(repeating: byte, count: bytes)
    }

    /// What the file has there.
    private func contents(_ place: Range<Int>) -> [UInt8] {
        var found = [UInt8](repeating: 0, count: place.count)
        let count = pread(memory.descriptor, &found, place.count, off_t(place.lowerBound))
        return Array(found.prefix(max(0, count)))
    }

    @Test(arguments: [128 * 1_024, 128 * 1_024 + 1, 135_167, 1_000_003])
    func bytesAndTheirSlicesAreInTheFileAsTheyAreInMemory(count: Int) throws {
        let bytes = GatewayFixture.pattern(count)
        let taken = memory.taking(bytes)
        #expect(taken == bytes)
        #expect(contents(try #require(memory.place(of: taken))) == Array(bytes.readableBytesView))
        let slice = try #require(taken.getSlice(at: count / 3, length: count / 2))
        #expect(contents(try #require(memory.place(of: slice))) == Array(slice.readableBytesView))
        #expect(memory.place(of: bytes) == nil)
        #expect(memory.taking(taken) == taken)
        #expect(memory.count == 1)
    }

    @Test func memoryIsGivenBackWithTheLastSlice() throws {
        var slice: ByteBuffer?
        do {
            let taken = memory.taking(chunk(1))
            slice = taken.getSlice(at: 10, length: 10)
        }
        #expect(memory.count == 1)
        #expect(slice == ByteBuffer(repeating: 1, count: 10))
        slice = nil
        #expect(memory.count == 0)
    }

    @Test func aBufferOutlivesTheMemorysOwner() throws {
        var other = ChunkMemory(capacityBytes: 1 << 20)
        let taken = try #require(other).taking(chunk(9))
        weak let left = other
        other = nil
        #expect(left != nil)
        #expect(taken == chunk(9))
    }

    @Test func whereThereIsNoRoomBytesStayWhereTheyAre() throws {
        let taken = (0..<80).map { memory.taking(chunk($0)) }
        #expect(taken.contains { memory.place(of: $0) == nil })
        for (number, bytes) in taken.enumerated() { #expect(bytes == chunk(UInt8(number))) }
    }

    @Test func whatIsTooSmallStaysWhereItIs() {
        let small = chunk(1, bytes: Self.chunkBytes - 1)
        #expect(memory.place(of: memory.taking(small)) == nil)
        #expect(memory.count == 0)
    }

    @Test func whoWritesToABufferWritesElsewhere() throws {
        var grown = memory.taking(chunk(3))
        grown.writeRepeatingByte(4, count: 100_000)
        #expect(memory.place(of: grown) == nil)
        #expect(memory.count == 0)
        #expect(grown.readSlice(length: Self.chunkBytes) == chunk(3))
        #expect(grown == ByteBuffer(repeating: 4, count: 100_000))
    }

    /// The kernel reads what it has been given to send whenever it likes. A region that was written anew in the same pages would
    /// reach the first viewer as the bytes of another film.
    @Test func whatASocketHoldsIsNotWhatComesToItsPlaceLater() throws {
        let sockets = try SocketPair()
        var film: ByteBuffer? = memory.taking(chunk(0xAA))
        let place = try #require(film.flatMap(memory.place))
        var offset = off_t(place.lowerBound)
        while offset < place.upperBound {
            #expect(sendfile(sockets.sender, memory.descriptor, &offset, place.upperBound - Int(offset)) > 0)
        }
        film = nil
        #expect(memory.count == 0)
        let other = memory.taking(chunk(0xBB))
        #expect(memory.place(of: other) == place)
        #expect(try sockets.received(Self.chunkBytes) == [UInt8](repeating: 0xAA, count: Self.chunkBytes))
        #expect(contents(place) == [UInt8](repeating: 0xBB, count: Self.chunkBytes))
    }

    // MARK: - The handler next to the socket

    @Test func whatLiesInTheMemoryIsSentFromItsFileAndHeldUntilThen() throws {
        let channel = EmbeddedChannel(handler: ChunkSendHandler(memory))
        let whole = memory.taking(chunk(1))
        let small = try #require(whole.getSlice(at: 1, length: Self.chunkBytes - 1))
        let place: Range<Int>
        do {
            let large = memory.taking(chunk(2))
            place = try #require(memory.place(of: large))
            for bytes in [small, chunk(3), large] { channel.write(IOData.byteBuffer(bytes), promise: nil) }
        }
        #expect(memory.count == 2)
        channel.flush()
        #expect(memory.count == 1)
        #expect(try channel.readOutbound(as: IOData.self) == .byteBuffer(small))
        #expect(try channel.readOutbound(as: IOData.self) == .byteBuffer(chunk(3)))
        guard case .fileRegion(let region) = try channel.readOutbound(as: IOData.self) else {
            Issue.record("not sent from the file")
            return
        }
        #expect(region.readerIndex..<region.endIndex == place)
        #expect(try region.fileHandle.withUnsafeFileDescriptor { $0 } == memory.descriptor)
        _ = try channel.finish()
        // The connection has ended, and the file is still there.
        #expect(!region.fileHandle.isOpen)
        #expect(contents(0..<1).count == 1)
    }
}

/// Two ends of a TCP connection of this machine, read and written by system calls that wait.
private final class SocketPair {
    let sender: CInt
    private let receiver: CInt

    struct Failed: Error {}

    init() throws {
        let listener = socket(AF_INET, CInt(SOCK_STREAM.rawValue), 0)
        defer { close(listener) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let (sender, receiver) = try withUnsafeMutablePointer(to: &address) { address in
            try address.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                guard bind(listener, address, length) == 0, listen(listener, 1) == 0,
                    getsockname(listener, address, &length) == 0
                else { throw Failed() }
                let sender = socket(AF_INET, CInt(SOCK_STREAM.rawValue), 0)
                guard connect(sender, address, length) == 0 else { throw Failed() }
                return (sender, accept(listener, nil, nil))
            }
        }
        self.sender = sender
        self.receiver = receiver
        // Who waits for what never comes is to be told so.
        var patience = timeval(tv_sec: 10, tv_usec: 0)
        let size = socklen_t(MemoryLayout<timeval>.size)
        for end in [sender, receiver] {
            setsockopt(end, SOL_SOCKET, SO_RCVTIMEO, &patience, size)
            setsockopt(end, SOL_SOCKET, SO_SNDTIMEO, &patience, size)
        }
    }

    func received(_ count: Int) throws -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        guard recv(receiver, &bytes, count, CInt(MSG_WAITALL)) == count else { throw Failed() }
        return bytes
    }

    deinit {
        close(sender)
        close(receiver)
    }
}
