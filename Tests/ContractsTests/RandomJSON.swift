import TestKit

/// JSON as a caller of another make, a fault of memory or an attacker might send it.
struct RandomJSON {
    private static let templates = [
        #"{"id":"5d9e690ad76fe06a3d7ae416"}"#,
        #"{"after":"5d9e690ad76fe06a3d7ae416","limit":50}"#,
        #"{"id":"5d9e690ad76fe06a3d7ae416","videoPath":"a/b.mp4","title":"A","description":"B","contentType":"video/mp4"}"#,
        #"{"key":"a/b.mp4"}"#,
        #"{"id":"5d9e690ad76fe06a3d7ae416","videoPath":"a.mp4","state":"ready","createdAtMilliseconds":0,"revision":1}"#,
        #"{"videos":[{"id":"5d9e690ad76fe06a3d7ae416","videoPath":"a","state":"ready","revision":1}],"next":null}"#,
        #"{"version":"v1","size":10,"contentType":"video/mp4","modifiedAtMilliseconds":0,"chunkBytes":4096}"#,
    ]
    private static let values = [
        "0", "-0", "-1", "1.5", "1e3", "1e308", "1e309", "-1e999", "9223372036854775807", "-9223372036854775808",
        "9223372036854775808", "18446744073709551615", "99999999999999999999999999999999", "4096", "true", "null",
        "\"\"", "\"\\u0000\"", "\"\\ud800\"", "\"\\ud83c\\udfac\"", "\"../../etc/passwd\"", "\"ready\"", "[]", "{}",
        "[[[[[[[[]]]]]]]]", "{\"a\":{\"a\":{}}}", "\"5D9E690AD76FE06A3D7AE416\"", "NaN", "Infinity", "0x10", "01",
        "'a'",
    ]

    private var random: SeededRandom

    init(seed: UInt64) {
        random = SeededRandom(seed: seed)
    }

    /// Bytes of which most are nearly right.
    mutating func next() -> [UInt8] {
        if Int.random(in: 0..<10, using: &random) == 0 { return noise() }
        var text = Array((Self.templates.randomElement(using: &random) ?? "").utf8)
        for _ in 0..<Int.random(in: 0...3, using: &random) { change(&text) }
        return text
    }

    private mutating func noise() -> [UInt8] {
        (0..<Int.random(in: 0...64, using: &random)).map { _ in UInt8.random(in: .min ... .max, using: &random) }
    }

    private mutating func change(_ text: inout [UInt8]) {
        guard !text.isEmpty else { return }
        let place = Int.random(in: text.indices, using: &random)
        switch Int.random(in: 0..<6, using: &random) {
        case 0: text[place] = UInt8.random(in: .min ... .max, using: &random)
        case 1: text.removeSubrange(place...)
        case 2: text.remove(at: place)
        case 3: text.insert(contentsOf: noise(), at: place)
        default: replaceValue(in: &text, near: place)
        }
    }

    /// Puts another value in place of one that stands behind a colon.
    private mutating func replaceValue(in text: inout [UInt8], near place: Int) {
        guard let colon = text[place...].firstIndex(of: UInt8(ascii: ":")) else { return }
        let end = text[colon...].firstIndex { $0 == UInt8(ascii: ",") || $0 == UInt8(ascii: "}") } ?? text.endIndex
        text.replaceSubrange((colon + 1)..<end, with: (Self.values.randomElement(using: &random) ?? "").utf8)
    }
}
