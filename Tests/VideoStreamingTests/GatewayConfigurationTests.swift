import Domain
import Testing

@testable import VideoStreaming

struct GatewayConfigurationTests {
    @Test(arguments: [Double.nan, .infinity, -.infinity, -1, 0, 1e300, .leastNonzeroMagnitude])
    func noNumberOfSecondsOverflowsAClock(seconds: Double) {
        var configuration = GatewayConfiguration()
        configuration.requestDeadlineSeconds = seconds
        configuration.chunkDeadlineSeconds = seconds
        configuration.stallSeconds = seconds
        configuration.idleConnectionSeconds = seconds
        configuration.uploadIdleSeconds = seconds
        configuration.uploadCommitSeconds = seconds
        let bounds = Duration.milliseconds(1)...(.seconds(86_400))
        #expect(bounds.contains(configuration.delivery.chunkDeadline))
        #expect(bounds.contains(configuration.delivery.stallBudget))
        #expect(bounds.contains(configuration.idleTime))
        #expect(bounds.contains(configuration.uploads.idleLimit))
        #expect(bounds.contains(configuration.uploads.commitDeadline))
        #expect(bounds.contains(configuration.uploads.blockDeadline))
        #expect(configuration.requestDeadline.remaining() <= .seconds(86_400))
    }

    @Test(arguments: [
        (0, 8), (4_096, 8), (1_048_576, 8), (4_194_304, 5), (5_242_880, 4), (8_388_608, 2), (30_000_000, 1),
    ])
    func asManyBlocksAreOnTheirWayAsFitIn(blockBytes: Int, count: Int) {
        #expect(GatewayConfiguration().uploads.blocksInFlight(blockBytes: blockBytes) == count)
    }

    @Test func theDefaultsAreTheDocumentedOnes() {
        let limits = GatewayConfiguration().delivery
        #expect(limits.readAheadChunks == 24)
        #expect(limits.chunkDeadline == .seconds(5))
        #expect(limits.stallBudget == .seconds(30))
        let uploads = GatewayConfiguration().uploads
        #expect(uploads.maxBytes == 68_719_476_736 && GatewayConfiguration().uploadBytes == 25_165_824)
        #expect(uploads.idleLimit == .seconds(30) && uploads.minBytesPerSecond == 4_096)
        #expect(uploads.commitDeadline == .seconds(120))
        #expect(uploads.maxBlocksInFlight == 8 && uploads.maxBytesInFlight == 20_971_520)
        #expect(GatewayConfiguration().writeToken == nil)
        // Or a client that sends nothing is cut off without a word.
        #expect(uploads.idleLimit < GatewayConfiguration().idleTime)
    }
}
