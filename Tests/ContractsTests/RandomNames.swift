import TestKit

/// Names of methods, of which one in ten is right and most others nearly so; at most 255 bytes, as AMQP allows.
struct RandomNames {
    private var random: SeededRandom

    init(seed: UInt64) {
        random = SeededRandom(seed: seed)
    }

    mutating func next() -> String {
        var name = Array((Bool.random(using: &random) ? "storage.read.v1" : "storage.stat.v1").utf8)
        guard Int.random(in: 0..<10, using: &random) > 0 else { return String(decoding: name, as: UTF8.self) }
        for _ in 0..<Int.random(in: 1...4, using: &random) {
            let place = Int.random(in: 0...name.count, using: &random)
            let noise = (0..<Int.random(in: 0...60, using: &random)).map { _ in
                UInt8.random(in: .min ... .max, using: &random)
            }
            switch Int.random(in: 0..<3, using: &random) {
            case 0: name.removeSubrange(place...)
            case 1: name.insert(contentsOf: noise, at: place)
            default: name.replaceSubrange(place..<min(name.count, place + 1), with: noise.prefix(1))
            }
        }
        return String(decoding: name.prefix(255), as: UTF8.self)
    }
}
