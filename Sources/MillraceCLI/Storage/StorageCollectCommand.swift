import ArgumentParser
import Domain

struct StorageCollectCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "collect",
        abstract: "Looks for bytes that Millrace has written and nothing names any more; deletes them on request.",
        discussion: """
            Abandoned uploads and replaced objects are cleared up by the workers themselves. What this finds was forgotten,
            by a database that was put back to an older state, say. It looks at what lies below uploads/ and moved/ alone:
            a file that was put into a provider by hand is never touched. What is younger than an abandoned upload (an hour,
            unless ABANDONED_UPLOAD_SECONDS says otherwise) is left alone.
            """)

    @Option(help: "Only this provider. Default: all that the workers have.")
    var provider: String?

    @Flag(help: "Deletes what is found, and clears up what is due, instead of only reporting it.")
    var delete = false

    @OptionGroup var stack: StackOptions

    func run() async throws {
        try await Stack.with(stack) { connection in
            let administration = connection.administration
            if delete {
                let counts = try await administration.collect(deadline: .after(.seconds(600)))
                print(
                    "Gave up \(counts.abandonedUploads) abandoned uploads and deleted \(counts.deletedBlobs) blobs that "
                        + "were due; \(counts.failures) could not be cleared up.")
            }
            var names = provider.map { [$0] } ?? []
            if names.isEmpty { names = try await administration.providers(deadline: stack.deadline).map(\.name) }
            var (count, bytes): (Int, Int64) = (0, 0)
            for name in names {
                var cursor: String?
                repeat {
                    let search = OrphanSearch(provider: name, cursor: cursor, deletes: delete)
                    let page = try await Patience.standard.run { () throws(ServiceError) in
                        try await administration.orphans(search, deadline: .after(.seconds(120)))
                    }
                    for orphan in page.orphans {
                        let size = orphan.size.map(ProgressBar.size) ?? "unfinished"
                        let location = orphan.location.description.printable
                        print("\(size.padding(to: 12))  \(name.padding(to: 12))  \(location)")
                        count += 1
                        bytes += orphan.size ?? 0
                    }
                    cursor = page.next
                } while cursor != nil
            }
            let remedy = delete || count == 0 ? "" : " Delete them with --delete."
            print("\(delete ? "Deleted" : "Found") \(count) that nothing names, \(ProgressBar.size(bytes)).\(remedy)")
        }
    }
}
