import Foundation
import Synchronization
import Testing

@testable import AMQP

@Suite struct OSThreadTests {
    @Test func aThreadHasTheStackThatDeepTablesNeed() async {
        let found = Mutex(0)
        let thread = OSThread(name: "stack") {
            var onStack = 0
            let address = withUnsafePointer(to: &onStack) { UInt(bitPattern: $0) }
            let size = Self.mappedBytes(around: address)
            found.withLock { $0 = size }
        }
        await thread.ended()
        // The kernel's page that guards the end is not counted.
        #expect(found.withLock { $0 } > OSThread.stackBytes - 65_536)
    }

    /// How large the piece of memory is that an address lies in.
    private static func mappedBytes(around address: UInt) -> Int {
        let lines = (try? String(contentsOfFile: "/proc/self/maps", encoding: .utf8))?.split(separator: "\n") ?? []
        for line in lines {
            let bounds = line.prefix { $0 != " " }.split(separator: "-").compactMap { UInt($0, radix: 16) }
            if bounds.count == 2, bounds[0] <= address, address < bounds[1] { return Int(bounds[1] - bounds[0]) }
        }
        return 0
    }
}
