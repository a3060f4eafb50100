/// A dictionary of bounded size that drops what was not used for longest. All operations take constant time.
///
/// The values lie in an array; two of their fields link them into a ring in the order of their use, newest first.
struct LeastRecentlyUsed<Key: Hashable & Sendable, Value: Sendable>: Sendable {
    private struct Slot: Sendable {
        var key: Key
        var value: Value
        var newer: Int
        var older: Int
    }

    private let maxCount: Int
    private var slots: [Slot] = []
    private var places: [Key: Int] = [:]
    /// The slot used last; the one before it in the ring is the one that goes next.
    private var newest = 0

    /// Makes an empty one.
    ///
    /// - Parameter maxCount: How many values it holds at the most, at least 1.
    init(maxCount: Int) {
        self.maxCount = max(1, maxCount)
    }

    /// How many values it holds.
    var count: Int { slots.count }

    /// The value of a key, which counts as a use.
    mutating func value(for key: Key) -> Value? {
        guard let place = places[key] else { return nil }
        touch(place)
        return slots[place].value
    }

    /// Takes a value in place of any other of the same key, which counts as a use.
    mutating func insert(_ value: Value, for key: Key) {
        if let place = places[key] {
            slots[place].value = value
            touch(place)
        } else if slots.count < maxCount {
            append(value, for: key)
        } else {
            // The oldest slot is the newest one's neighbour in the ring: it is taken over where it stands.
            let oldest = slots[newest].newer
            places[slots[oldest].key] = nil
            places[key] = oldest
            slots[oldest].key = key
            slots[oldest].value = value
            newest = oldest
        }
    }

    /// Drops the value of a key.
    mutating func remove(_ key: Key) {
        guard let place = places.removeValue(forKey: key) else { return }
        unlink(place)
        let last = slots.count - 1
        if place != last {
            // The last slot moves into the gap, so that the array stays dense.
            slots[place] = slots[last]
            places[slots[place].key] = place
            if slots[place].newer == last {
                slots[place].newer = place
                slots[place].older = place
            }
            slots[slots[place].newer].older = place
            slots[slots[place].older].newer = place
            if newest == last { newest = place }
        }
        slots.removeLast()
    }

    private mutating func append(_ value: Value, for key: Key) {
        let place = slots.count
        places[key] = place
        slots.append(Slot(key: key, value: value, newer: place, older: place))
        if place > 0 { link(place) }
        newest = place
    }

    private mutating func touch(_ place: Int) {
        guard place != newest else { return }
        unlink(place)
        link(place)
        newest = place
    }

    /// Puts a slot in front of the newest one.
    private mutating func link(_ place: Int) {
        let oldest = slots[newest].newer
        slots[place].older = newest
        slots[place].newer = oldest
        slots[newest].newer = place
        slots[oldest].older = place
    }

    private mutating func unlink(_ place: Int) {
        let newer = slots[place].newer
        let older = slots[place].older
        slots[newer].older = older
        slots[older].newer = newer
        if newest == place { newest = older }
    }
}
