/// Hands out regions of an address space, and takes them back. A value; it touches no memory.
///
/// A region is as large as the next power of two, starts at a multiple of its size, and is used again only for one of the same
/// size: nothing is cut and nothing is joined, so both operations take constant time. What is wasted is addresses, not
/// memory, where memory is there only once it is written: so the space has to be several times as large as what it
/// will hold.
///
/// Guaranteed: regions that are out at the same time have no page in common, and no region is handed out while it is out.
struct RegionAllocator {
    /// How much memory the machine hands out at the least.
    static let pageBytes = 4_096

    private let spaceBytes: Int
    /// Where what was never handed out begins.
    private var untouched = 0
    /// Regions that were given back, by their size.
    private var free: [Int: [Int]] = [:]
    /// The sizes of the regions that are out, by where they begin.
    private var out: [Int: Int] = [:]

    /// An allocator for so many bytes of addresses.
    init(spaceBytes: Int) {
        self.spaceBytes = spaceBytes
    }

    /// How many regions are out.
    var count: Int { out.count }

    /// Hands a region out for so many bytes, which are more than none.
    ///
    /// - Returns: Where it begins; `nil` when there is none.
    mutating func take(_ bytes: Int) -> Int? {
        guard bytes > 0, bytes <= spaceBytes else { return nil }
        let size = Self.size(for: bytes)
        let start: Int
        if let used = free[size]?.popLast() {
            start = used
        } else {
            let next = (untouched + size - 1) / size * size
            guard next <= spaceBytes - size else { return nil }
            start = next
            untouched = next + size
        }
        out[start] = size
        return start
    }

    /// The size of the region that begins there; `nil` when none is out there.
    func size(ofRegionAt start: Int) -> Int? {
        out[start]
    }

    /// Takes a region back: it may be handed out again from now on.
    mutating func giveBack(_ start: Int) {
        guard let size = out.removeValue(forKey: start) else { return }
        free[size, default: []].append(start)
    }

    /// Keeps a region for good, since what is in it cannot be given up.
    mutating func abandon(_ start: Int) {
        out[start] = nil
    }

    private static func size(for bytes: Int) -> Int {
        var size = pageBytes
        while size < bytes { size *= 2 }
        return size
    }
}
