import ArgumentParser

/// The operator's tool.
@main
struct Millrace: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "millrace",
        abstract: "Brings videos into Millrace, lists and deletes them, and finds out what is wrong.",
        discussion: """
            It talks to the workers through the broker, as the gateway does; upload and delete go through the gateway
            itself, as a user would. Where the broker is, it takes from
            RABBIT (amqp://user:password@host:5672/vhost), or, in a checkout with a running stack, from
            .millrace/stack.env in this folder or one above it.

              millrace doctor                        is everything there?
              millrace upload film.mp4               send a file to the gateway
              millrace delete 6a0c1e5f9b7d4e2a83f05c11
              millrace import film.mp4               put a file into the store and make a record for it
              millrace import videos.json            make the records of a mongoexport
              millrace list                          which videos there are
              millrace storage list                  which objects there are, and where they are
              millrace storage migrate --to s3       move all objects to another provider, while viewers watch
            """,
        subcommands: [
            UploadCommand.self, DeleteCommand.self, ImportCommand.self, ListCommand.self, DoctorCommand.self,
            StorageCommand.self,
        ])
}
