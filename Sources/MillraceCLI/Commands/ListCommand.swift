import ArgumentParser
import Domain
import Foundation

struct ListCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "Lists the videos, in the order of their ids.")

    @OptionGroup var stack: StackOptions

    func run() async throws {
        try await Stack.with(stack) { connection in
            var cursor: VideoID?
            var count = 0
            repeat {
                let page = try await connection.metadata.list(
                    after: cursor, limit: MetadataLimits.maxPageSize, deadline: stack.deadline)
                for video in page.videos {
                    let title = video.title.map { "  \($0)" } ?? ""
                    print(
                        "\(video.id)  \(video.state.rawValue.padding(to: 14))  \(video.videoPath.printable)\(title.printable)"
                    )
                }
                count += page.videos.count
                cursor = page.next
            } while cursor != nil
            if count == 0 { print("There are no videos yet. Try: millrace import film.mp4") }
        }
    }
}

extension String {
    /// At least this many columns.
    func padding(to columns: Int) -> String {
        self + String(repeating: " ", count: max(0, columns - count))
    }

    /// On one line, and without characters that could steer a terminal or turn the order of the text around.
    var printable: String {
        String(unicodeScalars.map { $0.isPrintable ? Character($0) : "\u{FFFD}" })
    }
}

extension Unicode.Scalar {
    fileprivate var isPrintable: Bool {
        switch properties.generalCategory {
        case .control, .lineSeparator, .paragraphSeparator: false
        default: !properties.isBidiControl
        }
    }
}
