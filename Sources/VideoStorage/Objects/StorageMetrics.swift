import Metrics

/// What the storage worker counts.
struct StorageMetrics: Sendable {
    /// Chunks that were read and answered.
    let reads: Counter
    /// Bytes in those chunks.
    let readBytes: Counter
    /// Blobs that were entered into the catalogue because they were found in the provider, new or changed.
    let adoptions: Counter
    /// Locations that were refused because they lead out of the provider's root.
    let refusals: Counter
    /// Questions to the catalogue that a chunk needed because its version was not known to this worker.
    let catalogueLookups: Counter
    /// Uploads that became a version.
    let commits: Counter
    /// Objects that were moved to another provider.
    let movedObjects: Counter
    /// Bytes in those objects.
    let movedBytes: Counter
    /// Blobs that were deleted because nothing names them any more.
    let collectedBlobs: Counter

    /// Counts in the given system.
    init(factory: any MetricsFactory = MetricsSystem.factory) {
        reads = Counter(label: "millrace_storage_reads_total", dimensions: [], factory: factory)
        readBytes = Counter(label: "millrace_storage_read_bytes_total", dimensions: [], factory: factory)
        adoptions = Counter(label: "millrace_storage_adoptions_total", dimensions: [], factory: factory)
        refusals = Counter(label: "millrace_storage_refusals_total", dimensions: [], factory: factory)
        catalogueLookups = Counter(
            label: "millrace_storage_catalogue_lookups_total", dimensions: [], factory: factory)
        commits = Counter(label: "millrace_storage_commits_total", dimensions: [], factory: factory)
        movedObjects = Counter(label: "millrace_storage_moved_objects_total", dimensions: [], factory: factory)
        movedBytes = Counter(label: "millrace_storage_moved_bytes_total", dimensions: [], factory: factory)
        collectedBlobs = Counter(label: "millrace_storage_collected_blobs_total", dimensions: [], factory: factory)
    }
}
