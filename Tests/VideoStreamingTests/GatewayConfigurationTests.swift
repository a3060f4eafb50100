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
        let bounds = Duration.milliseconds(1)...(.seconds(86_400))
        #expect(bounds.contains(configuration.delivery.chunkDeadline))
        #expect(bounds.contains(configuration.delivery.stallBudget))
        #expect(bounds.contains(configuration.idleTime))
        #expect(configuration.requestDeadline.remaining() <= .seconds(86_400))
    }

    @Test func theDefaultsAreTheDocumentedOnes() {
        let limits = GatewayConfiguration().delivery
        #expect(limits.readAheadChunks == 4)
        #expect(limits.chunkDeadline == .seconds(5))
        #expect(limits.stallBudget == .seconds(30))
    }
}
