import ArgumentParser

struct StorageCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "storage",
        abstract: "Looks into the storage service, moves objects between providers, checks them, clears up.",
        discussion: """
            A provider is a place that keeps bytes: filesystem, azure, s3, gridfs. Which of them a storage worker has is set
            by its variables; STORAGE_PROVIDER names the one that takes new objects.

            To exchange a provider while viewers watch: give all workers the variables of both, restart them one by
            one, with STORAGE_PROVIDER naming the new one; run millrace storage migrate --to NEW; and when that has
            ended, wait ten minutes and take the variables of the old one away, one worker after the other.
            """,
        subcommands: [
            StorageListCommand.self, StorageProvidersCommand.self, StorageMigrateCommand.self,
            StorageVerifyCommand.self, StorageCollectCommand.self,
        ])
}
