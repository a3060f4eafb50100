import Glibc

/// Bytes that have been read and not been taken yet: at most as many as one call reads.
struct HeldBytes: ~Copyable {
    private let capacityBytes: Int
    /// Larger than the capacity after bytes have been gathered.
    private var storage: UnsafeMutableRawBufferPointer
    private var range = 0..<0

    /// - Parameter capacityBytes: How many bytes ``fill(_:)`` reads at the most.
    init(capacityBytes: Int) {
        self.capacityBytes = capacityBytes
        storage = .allocate(byteCount: capacityBytes, alignment: 16)
    }

    deinit {
        storage.deallocate()
    }

    var isEmpty: Bool { range.isEmpty }

    var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: storage[range]) }

    // MARK: Putting in

    /// Reads, when nothing is held.
    ///
    /// - Returns: Whether there was something.
    mutating func fill(
        _ read: (UnsafeMutableBufferPointer<iovec>) throws(AMQPError) -> Int?
    ) throws(AMQPError) -> Bool {
        var place = iovec(iov_base: storage.baseAddress, iov_len: capacityBytes)
        let count = try withUnsafeMutablePointer(to: &place) { place throws(AMQPError) in
            try read(UnsafeMutableBufferPointer(start: place, count: 1))
        }
        guard let count else { return false }
        hold(count)
        return true
    }

    /// Where bytes can be put for ``hold(_:)``, when nothing is held.
    func room(_ count: Int) -> (start: UnsafeMutableRawPointer, count: Int) {
        (storage.baseAddress.unsafelyUnwrapped, min(count, capacityBytes))
    }

    /// Holds what has been put into the room.
    mutating func hold(_ count: Int) {
        range = 0..<count
    }

    /// Holds what lies in several places, the last of which may be the room.
    mutating func hold(_ count: Int, of places: Slice<UnsafeMutableBufferPointer<iovec>>) {
        let gathered = UnsafeMutableRawBufferPointer.allocate(byteCount: max(count, storage.count), alignment: 16)
        var offset = 0
        for place in places where offset < count {
            let part = UnsafeRawBufferPointer(start: place.iov_base, count: min(place.iov_len, count - offset))
            UnsafeMutableRawBufferPointer(rebasing: gathered[offset...]).copyMemory(from: part)
            offset += part.count
        }
        storage.deallocate()
        storage = gathered
        range = 0..<count
    }

    // MARK: Taking out

    /// Takes the first bytes, as many as there are up to a number. They stay where they are until something is put in.
    mutating func take(_ most: Int) -> UnsafeRawBufferPointer {
        let taken = range.prefix(most)
        range = taken.upperBound..<range.upperBound
        return UnsafeRawBufferPointer(rebasing: storage[taken])
    }

    /// Takes the first bytes to another place.
    mutating func take(_ most: Int, to place: UnsafeMutableRawPointer) -> Int {
        let taken = take(most)
        UnsafeMutableRawBufferPointer(start: place, count: taken.count).copyMemory(from: taken)
        return taken.count
    }

    mutating func drop(_ count: Int) {
        _ = take(count)
    }
}
