import NIOCore
import TestKit
import Testing

/// What may be seen of a video.
enum FilmState: Hashable {
    /// A record without bytes.
    case awaiting
    /// Exactly these bytes.
    case content(PatternBytes)
    /// Nothing.
    case deleted
}

/// A video of one ``RandomUploader``, and what may be seen of it after all that was done to it.
struct Film {
    let id: String
    let title: String
    /// More than one when the answer to an upload was lost: it may be there, whole, or not at all.
    var states: Set<FilmState> = [.awaiting]
    /// The entity tag of the last upload that was acknowledged.
    var tag: String?
}

/// Makes videos, uploads, replaces and deletes them at random, and remembers what was promised. Nobody else touches its videos.
struct RandomUploader {
    private static let maxFilms = 16
    private static let mebibyte: Int64 = 1 << 20

    let number: Int
    let client: WritingClient
    let tally: Tally
    /// How many bodies are on their way at this moment, those of the other uploaders included.
    let underWay: Shared<Int>
    private var random: SeededRandom
    private var uploads: UInt64 = 0
    private(set) var films: [Film] = []

    /// An uploader of its own number.
    init(_ number: Int, _ client: WritingClient, seed: UInt64, _ tally: Tally, underWay: Shared<Int>) {
        self.number = number
        self.client = client
        self.tally = tally
        self.underWay = underWay
        random = SeededRandom(seed: seed &* 1_000 &+ UInt64(number))
    }

    /// Goes on until it is told to stop; what it has begun it ends.
    mutating func run(until isOver: Shared<Bool>) async throws {
        while !isOver.value {
            let living = films.indices.filter { films[$0].states != [.deleted] }
            let dice = Int.random(in: 0..<100, using: &random)
            if living.count < 2 || dice < 25, films.count < Self.maxFilms {
                try await create()
            } else if let index = living.randomElement(using: &random) {
                if (25..<30).contains(dice), living.count > 2 {
                    try await delete(index)
                } else {
                    try await upload(to: index)
                }
            }
            try await Task.sleep(for: .milliseconds(Int.random(in: 0..<30, using: &random)))
        }
    }

    private mutating func create() async throws {
        let title = "film \(films.count) of \(number)"
        let key = "\(TestStack.writeToken)-\(random.next())"
        let (response, _) = try await client.persistently { client in
            try await client.send("POST", "/videos", json: #"{"title": "\#(title)"}"#, ["Idempotency-Key: \(key)"])
        }
        try #require(response.status == 201, "POST: \(response.status) \(response.text)")
        films.append(Film(id: try response.json(VideoFacts.self).id, title: title))
        tally.note("created")
    }

    private mutating func delete(_ index: Int) async throws {
        let id = films[index].id
        let (response, lost) = try await client.persistently { try await $0.send("DELETE", "/videos/\(id)") }
        // When an answer was lost, it may have been done at the first attempt.
        try #require(
            response.status == 204 || (lost > 0 && response.status == 404),
            "DELETE \(id): \(response.status) \(response.text)")
        films[index].states = [.deleted]
        tally.note("deleted")
    }

    private mutating func upload(to index: Int) async throws {
        let id = films[index].id
        uploads += 1
        let content = PatternBytes(seed: UInt64(number) << 48 | uploads << 24, count: size())
        let body = WritingClient.Body(
            bytes: content.buffer(), isChunked: Bool.random(using: &random),
            pieceBytes: Int.random(in: 20_000..<200_000, using: &random),
            pause: Bool.random(using: &random) ? .milliseconds(Int.random(in: 1..<20, using: &random)) : nil)
        underWay.change { $0 += 1 }
        let delivery = try await client.put(id, body)
        underWay.change { $0 -= 1 }
        let isDoubtful = films[index].states.count > 1
        switch delivery.status {
        case 201, 204:
            films[index].states = [.content(content)]
            films[index].tag = delivery.response?["etag"]
            tally.note("acknowledged")
            if Int.random(in: 0..<4, using: &random) == 0 { try await readBack(content, of: id) }
        case 0, 503, 504:
            tally.note(delivery.wasSentWhole ? "in doubt (\(delivery.status))" : "broken off (\(delivery.status))")
            if delivery.wasSentWhole { films[index].states.insert(.content(content)) }
            try await Task.sleep(for: .milliseconds(100))
        case 409 where isDoubtful:
            // The one before, whose answer was lost, was finished meanwhile.
            tally.note("conflicts")
        default:
            Issue.record("PUT \(id): \(delivery.status) \(delivery.response?.text ?? "")")
        }
    }

    /// What was acknowledged is there at once, for everybody.
    private func readBack(_ content: PatternBytes, of id: String) async throws {
        let delivery = try await client.send("GET", "/videos/\(id)/content")
        guard let response = delivery.response, ![503, 504].contains(response.status) else { return }
        #expect(response.status == 200, "GET \(id) after its upload: \(response.status) \(response.text.prefix(300))")
        guard response.status == 200 else { return }
        // The gateway may die in the middle of it.
        let expected = content.buffer(count: response.isComplete ? nil : Int64(response.body.readableBytes))
        #expect(response.body == expected, "GET \(id) after its upload: other bytes")
        if response.isComplete { tally.note("read at once") }
    }

    private mutating func size() -> Int64 {
        switch Int.random(in: 0..<10, using: &random) {
        case 0: [0, 1, Self.mebibyte - 1, Self.mebibyte, Self.mebibyte + 1, 2 * Self.mebibyte][Int(random.next() % 6)]
        case 1..<5: Int64.random(in: 1..<100_000, using: &random)
        case 5..<8: Int64.random(in: 100_000..<2 * Self.mebibyte, using: &random)
        default: Int64.random(in: 2 * Self.mebibyte..<5 * Self.mebibyte, using: &random)
        }
    }
}
