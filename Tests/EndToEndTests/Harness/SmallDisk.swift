import Foundation
import Glibc

/// A small file system that one process alone sees: a tmpfs in a mount namespace of its own, which goes with the process.
enum SmallDisk {
    /// What a process is started within, so that it finds the disk at a folder.
    ///
    /// Whoever is not root makes a user namespace to become so. Where neither is possible the process does not start, and the
    /// test fails.
    static func wrapper(bytes: Int64, at folder: URL) -> [String] {
        let asRoot = geteuid() == 0 ? [] : ["--user", "--map-root-user"]
        let script = #"mount -t tmpfs -o size="$1" none "$2" && shift 2 && exec "$@""#
        return ["/usr/bin/unshare"] + asRoot + [
            "--mount", "--propagation", "private", "/bin/sh", "-c", script, "sh", "\(bytes)", folder.path,
        ]
    }

    /// What another process is started within, so that it finds the disk of one that runs.
    static func entrance(of process: LaunchedProcess) -> [String] {
        let asRoot = geteuid() == 0 ? [] : ["--user", "--preserve-credentials"]
        return ["/usr/bin/nsenter", "--target", "\(process.pid)"] + asRoot + ["--mount"]
    }

    /// How a process's folder is seen from here.
    static func folder(_ folder: URL, of process: LaunchedProcess) -> URL {
        URL(fileURLWithPath: "/proc/\(process.pid)/root\(folder.path)", isDirectory: true)
    }
}
